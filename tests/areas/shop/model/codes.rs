//! Codes of digital products.

use super::orders::in_status;
use super::{Done, Shop};
use crate::areas::promo::model::Refusal;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

impl Shop {
    pub(crate) fn take_codes_refusals(
        &self,
        product: Uuid,
        quantity: i64,
        order: Uuid,
    ) -> Vec<Refusal> {
        let Some(known) = self.orders.get(&order) else {
            return vec![("ORDER_NOT_FOUND", json!({ "order_id": order }))];
        };
        match known.codes.get(&product) {
            Some(owned) if *owned == quantity => Vec::new(),
            Some(owned) => vec![(
                "VALIDATION_FAILED",
                json!({ "problems": [{
                    "pointer": "/p_quantity",
                    "message": format!("the order already has {owned} codes"),
                }] }),
            )],
            None if known.stands() => self.shortage(&[(product, quantity)]).into_iter().collect(),
            None => vec![("ORDER_STATE_CONFLICT", in_status(order, known.status))],
        }
    }

    pub(crate) fn codes_taken(
        &self,
        product: Uuid,
        quantity: i64,
        order: Uuid,
        body: &Value,
    ) -> Done {
        let known = self.orders.get(&order).ok_or("there is no such order")?;
        let mut next = self.clone();
        match known.codes.get(&product) {
            Some(owned) if *owned != quantity => {
                return Err("the order has another number of codes");
            }
            Some(_) => {}
            None if !known.stands() => return Err("the order has ended"),
            None if self.stock[&product] < quantity => return Err("there are not so many codes"),
            None => {
                next.add_stock(product, -quantity);
                next.change(order, |order| {
                    order.codes.insert(product, quantity);
                });
            }
        }
        let codes = body.as_array().ok_or("the answer is not a list")?;
        let codes: Vec<_> = codes
            .iter()
            .filter_map(|row| row["code"].as_str())
            .collect();
        if i64::try_from(codes.len()) != Ok(quantity) {
            return Err("another number of codes");
        }
        next.owns(order, codes.into_iter().map(|code| (product, code)))?;
        Ok((next != *self).then(|| vec![next]))
    }

    /// Why no code is replaced. Of which code that is asked, and whether there is one, is decided when the call begins.
    pub(crate) fn replace_refusals(&self, product: Uuid, order: Uuid) -> Vec<Refusal> {
        let known = self.orders.get(&order);
        let delivered = known.filter(|known| known.paid.is_some());
        let owned = delivered.and_then(|known| known.codes.get(&product));
        let (Some(known), Some(_)) = (known, owned) else {
            let problem = json!({ "pointer": "/p_code_id", "message": "is required" });
            return vec![("VALIDATION_FAILED", json!({ "problems": [problem] }))];
        };
        match known.stands() {
            true => self.shortage(&[(product, 1)]).into_iter().collect(),
            false => vec![("ORDER_STATE_CONFLICT", in_status(order, known.status))],
        }
    }

    pub(crate) fn code_replaced(&self, product: Uuid, order: Uuid, body: &Value) -> Done {
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let (Some(old), Some(new)) = (text("old"), text("new")) else {
            return Err("the answer names no codes");
        };
        let key = (product, old.clone());
        match self.replaced.get(&key) {
            Some(other) if *other != new => return Err("a code that was replaced by another one"),
            Some(_) => return Ok(None),
            None => {}
        }
        let known = self.orders.get(&order).ok_or("there is no such order")?;
        if known.paid.is_none() || !known.stands() || !known.codes.contains_key(&product) {
            return Err("the order has no code that could be replaced");
        }
        if self.stock[&product] < 1 {
            return Err("there is no free code");
        }
        let mut next = self.clone();
        next.owns(
            order,
            [(product, old.as_str()), (product, new.as_str())].into_iter(),
        )?;
        next.add_stock(product, -1);
        next.replaced.insert(key, new);
        Ok(Some(vec![next]))
    }

    /// Codes are seen to belong to an order: they may not have belonged to another one.
    pub(crate) fn owns<'a>(
        &mut self,
        order: Uuid,
        codes: impl Iterator<Item = (Uuid, &'a str)>,
    ) -> Result<(), &'static str> {
        let mut seen = BTreeSet::new();
        for (product, code) in codes {
            let code = (product, code.to_owned());
            if self.replaced.contains_key(&code) {
                return Err("a code that was replaced");
            }
            if !seen.insert(code.clone()) {
                return Err("one code twice");
            }
            if *self.seen_codes.entry(code).or_insert(order) != order {
                return Err("a code that belongs to another order");
            }
        }
        Ok(())
    }
}
