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

    /// Codes are seen to belong to an order: they may not have belonged to another one.
    pub(crate) fn owns<'a>(
        &mut self,
        order: Uuid,
        codes: impl Iterator<Item = (Uuid, &'a str)>,
    ) -> Result<(), &'static str> {
        let mut seen = BTreeSet::new();
        for (product, code) in codes {
            let code = (product, code.to_owned());
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
