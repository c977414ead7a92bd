//! Money that customers have with the shop.

use super::{Done, Shop, expect};
use crate::areas::promo::model::Refusal;
use serde_json::Value;
use serde_json::json;
use uuid::Uuid;

impl Shop {
    /// Why money is not booked in.
    pub(super) fn top_up_refusals(&self, user: Uuid, amount: i64, reference: Uuid) -> Vec<Refusal> {
        match self.top_ups.get(&reference) {
            Some(booked) if *booked != (user, amount) => {
                vec![("IDEMPOTENCY_KEY_REUSED", json!({ "reference": reference }))]
            }
            _ => Vec::new(),
        }
    }

    pub(crate) fn topped_up(
        &self,
        user: Uuid,
        amount: i64,
        reference: Option<Uuid>,
        body: &Value,
    ) -> Done {
        let mut next = self.clone();
        let balance = next.wallets.entry(user).or_default();
        let booked = reference.and_then(|reference| self.top_ups.get(&reference));
        if booked.is_none() {
            *balance += amount;
        }
        let answer = json!({
            "success": true, "user_id": user, "balance": balance, "currency": "USD",
        });
        expect(answer, body)?;
        match (booked, reference) {
            (Some(booked), _) if *booked != (user, amount) => {
                Err("the reference has another amount or user")
            }
            (Some(_), _) => Ok(None),
            (None, reference) => {
                next.top_ups
                    .extend(reference.map(|reference| (reference, (user, amount))));
                Ok(Some(vec![next]))
            }
        }
    }
}
