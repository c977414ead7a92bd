//! Units that can be sold.

use super::{Done, Shop, expect, numbers};
use crate::areas::promo::model::Refusal;
use serde_json::{Value, json};
use uuid::Uuid;

impl Shop {
    /// More is wanted than there is: every product that is short.
    pub(crate) fn shortage(&self, wanted: &[(Uuid, i64)]) -> Option<Refusal> {
        let short: Vec<Value> = wanted
            .iter()
            .filter(|(product, quantity)| self.stock[product] < *quantity)
            .map(|(product, quantity)| {
                json!({
                    "product_id": product, "requested": quantity, "available": self.stock[product],
                })
            })
            .collect();
        let details = json!({ "shortages": short });
        (!short.is_empty()).then_some(("INSUFFICIENT_INVENTORY", details))
    }

    pub(crate) fn add_stock(&mut self, product: Uuid, quantity: i64) {
        *self.stock.entry(product).or_default() += quantity;
    }

    /// This shop with more or less of a product.
    pub(super) fn with_stock(&self, product: Uuid, more: i64) -> Self {
        let mut next = self.clone();
        next.add_stock(product, more);
        next
    }

    /// The shop has taken units by itself.
    pub(super) fn units_taken(&self, product: Uuid, quantity: i64, body: &Value) -> Done {
        let left = self.stock[&product] - quantity;
        if left < 0 {
            return Err("there is not so much in stock");
        }
        let taken = json!({
            "success": true, "product_id": product, "deducted": quantity,
            "old_quantity": left + quantity, "new_quantity": left,
        });
        expect(taken, body)?;
        let mut next = self.clone();
        next.stock.insert(product, left);
        Ok(Some(vec![next]))
    }

    /// The shop has booked units in or out, or counted them.
    pub(super) fn stock_moved(&self, product: Uuid, delta: i64, body: &Value) -> Done {
        let before = self.stock[&product];
        let after = before + delta;
        if after < 0 {
            return Err("there is not so much in stock");
        }
        let moved = json!({
            "success": true, "product_id": product, "delta": delta,
            "old_quantity": before, "new_quantity": after,
        });
        expect(moved, body)?;
        Ok((delta != 0).then(|| vec![self.with_stock(product, delta)]))
    }

    /// Why a count does not count.
    pub(super) fn count_refusals(&self, product: Uuid, expected: i64) -> Vec<Refusal> {
        let available = self.stock[&product];
        let details = json!({
            "product_id": product, "expected": expected, "available": available,
        });
        match available == expected {
            true => Vec::new(),
            false => vec![("STOCK_CHANGED", details)],
        }
    }

    /// Why so much cannot be written off.
    pub(super) fn write_off_refusals(&self, product: Uuid, quantity: i64) -> Vec<Refusal> {
        match self.stock[&product] < quantity {
            true => vec![("products_available_quantity_nonnegative", Value::Null)],
            false => Vec::new(),
        }
    }

    pub(crate) fn shelf(&self) -> Value {
        numbers(&self.stock)
    }
}
