//! Slots: a counter that is spread over several rows. They must not be seen in any answer but the two that
//! tell their number: stock is what it would be without.

use super::Shop;
use crate::areas::promo::model::Refusal;
use serde_json::{Map, Value, json};
use uuid::Uuid;

impl Shop {
    /// Why a product may not have so many slots.
    pub(crate) fn stock_slots_refusals(&self, product: Uuid, slots: i64) -> Vec<Refusal> {
        let problem = json!({
            "pointer": "/p_product_id", "message": "is a digital product: its stock is its codes",
        });
        match self.terms.products[&product].digital && slots > 0 {
            true => vec![("VALIDATION_FAILED", json!({ "problems": [problem] }))],
            false => Vec::new(),
        }
    }

    /// What the shop is told when it has changed the number of a product's slots.
    pub(crate) fn stock_slots_set(&self, product: Uuid, slots: i64) -> Value {
        json!({
            "success": true, "product_id": product, "slots": slots,
            "available_quantity": self.stock[&product],
        })
    }

    /// This shop, where somebody has so many slots.
    pub(crate) fn with_slots(&self, owner: Uuid, slots: i64) -> Self {
        let mut next = self.clone();
        next.slots.insert(owner, slots);
        next
    }

    /// The stock of each product, and its number of slots.
    pub(crate) fn stock_and_slots(&self) -> Value {
        let slots = |id: &Uuid| self.slots.get(id).copied().unwrap_or(0);
        let products = self.stock.iter();
        let told = products.map(|(id, stock)| (id.to_string(), json!([stock, slots(id)])));
        Value::Object(told.collect::<Map<_, _>>())
    }
}
