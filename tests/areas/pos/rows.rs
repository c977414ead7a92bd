//! Rows that the tests of tills need.

use crate::areas::inventory::rows::call;
use crate::harness::stack::{Bench, unix_time};
use serde_json::Value;
use uuid::Uuid;

/// Ways to a till.
pub(crate) struct Till {
    pub(crate) register: Uuid,
    pub(crate) shift: Uuid,
}

impl Bench {
    /// A register where this stock is, with an open shift and 100.00 in its drawer.
    pub(crate) async fn till(&self, inventory: Uuid) -> Till {
        let insert = "insert into interlock.registers (location_id, name, currency, receipt_prefix)
             select n.location_id, 'test', 'USD', upper(left(gen_random_uuid()::text, 8))
             from interlock.inventory_items n where n.id = $1 returning id";
        let row = self.db.query_one(insert, &[&inventory]).await;
        let register: Uuid = row.expect("a register can be inserted").get(0);
        let opened = call(&self.db, &format!("public.open_shift('{register}', 10000)"))
            .await
            .expect("a shift can be opened");
        let shift = opened["shift"]["id"]
            .as_str()
            .and_then(|id| id.parse().ok())
            .expect("it has an id");
        Till { register, shift }
    }
}

/// A call that sells so much of a stock whose unit costs 7.00, for cash.
pub(crate) fn sale(register: Uuid, inventory: Uuid, quantity: &str) -> String {
    format!(
        r#"public.pos_sale('{register}', '[{{"inventory_id": "{inventory}", "quantity": {quantity}}}]', '[{{"type": "cash", "amount": 100000}}]')"#
    )
}

/// The same of a till that was cut off an hour ago, under a key.
pub(crate) fn sale_offline(till: &Till, inventory: Uuid, quantity: &str, key: &str) -> String {
    let Till { register, shift } = till;
    let then = unix_time() - 3600;
    format!(
        r#"public.pos_sale('{register}', '[{{"inventory_id": "{inventory}", "quantity": {quantity}, "unit_price": 700}}]', '[{{"type": "cash", "amount": 100000}}]', p_client_time => to_timestamp({then}), p_shift_id => '{shift}', p_idempotency_key => '{key}')"#
    )
}

/// A call that takes so much of the first line of a sale back, and sells so much of another stock at the same price, for cash.
pub(crate) fn exchange(
    register: Uuid,
    sale: &Value,
    quantity: &str,
    other: Option<Uuid>,
) -> String {
    let id = sale["sale"]["id"].as_str().expect("a sale has an id");
    let lines = match other {
        Some(inventory) => {
            format!(r#"'[{{"inventory_id": "{inventory}", "quantity": {quantity}}}]'"#)
        }
        None => "null".to_owned(),
    };
    let tenders = match other {
        Some(_) => "[]",
        None => r#"[{"type": "cash", "amount": 700}]"#,
    };
    format!(
        r#"public.pos_sale('{register}', {lines}, '{tenders}', '[{{"sale_id": "{id}", "line": 0, "quantity": {quantity}, "reason": "test"}}]')"#
    )
}

/// The receipt numbers of sales, in order.
pub(crate) fn receipts<'a>(answers: impl Iterator<Item = &'a Value>) -> Vec<i64> {
    let mut numbers: Vec<i64> = answers
        .filter_map(|answer| answer["sale"]["receipt_number"].as_i64())
        .collect();
    numbers.sort_unstable();
    numbers
}
