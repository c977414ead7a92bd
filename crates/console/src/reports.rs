//! The code of the incident reports as it was: it looks, decides by what it saw, and writes. Where a report only describes its code, this
//! is what it describes; a webhook is in none of them, and is handled by the same pattern.
//!
//! The page runs it over HTTP (`theirs`), the stack statement by statement (crates/stack/src/steps).

use serde_json::{Value, json};

use crate::setup::Scene;

/// A piece of that code: on one row of a table.
pub struct Report {
    /// In schema `race_lab`.
    pub table: &'static str,
    /// What it looks at; the first of them is what it decides by.
    pub columns: &'static str,
    /// How it finds the row.
    pub find: Find,
    /// What it writes when it has seen such a row, or such rows, or why it refuses.
    pub decide: fn(row: &Value, user: &str) -> Result<Value, &'static str>,
    /// A condition of the write beside the id.
    pub at_least: Option<(&'static str, &'static str)>,
    /// What it writes down besides.
    pub record: Option<(&'static str, Line)>,
}

/// Which row it looks at.
pub enum Find {
    /// That of the race.
    Id,
    /// The first of the race's that nobody has used.
    Unused {
        /// The column with the race.
        of: &'static str,
        /// The column that says when it was used.
        mark: &'static str,
    },
    /// All of the race; it writes to that of whoever asks.
    All {
        /// The column with the race.
        of: &'static str,
    },
}

impl Report {
    /// What it has seen, of the rows that were found: one row, or all of them.
    pub fn seen<'a>(&self, rows: &'a Value) -> &'a Value {
        match self.find {
            Find::Id | Find::Unused { .. } => &rows[0],
            Find::All { .. } => rows,
        }
    }

    /// The id of the row that it writes to.
    pub fn written<'a>(&self, seen: &'a Value, race: &'a str, user: &'a str) -> &'a str {
        match self.find {
            Find::Id => race,
            Find::Unused { .. } => seen["id"].as_str().unwrap_or(race),
            Find::All { .. } => user,
        }
    }
}

/// The row that is written down, by whoever did it, of the row that was seen.
pub type Line = fn(id: &str, user: &str, row: &Value) -> Value;

fn whole(row: &Value, column: &str) -> i64 {
    row[column].as_i64().unwrap_or_default()
}

/// The code of a scene.
pub fn report(scene: Scene) -> Report {
    match scene {
        // 000, CheckoutService.ts: "SELECT-then-UPDATE"; 004, order_service.py: check, "... process order ...", `-=`.
        Scene::Stock => Report {
            table: "products",
            columns: "available_quantity",
            find: Find::Id,
            decide: |row, _| match whole(row, "available_quantity") {
                none if none < 1 => Err("INSUFFICIENT_INVENTORY"),
                available => Ok(json!({ "available_quantity": available - 1 })),
            },
            at_least: None,
            record: Some((
                "orders",
                |id, user, _| json!({ "product_id": id, "user_id": user }),
            )),
        },
        // 000, claim-route/index.ts: "check-then-act".
        Scene::Batch => Report {
            table: "batches",
            columns: "status",
            find: Find::Id,
            decide: |row, user| match row["status"] == "available" {
                true => Ok(json!({ "status": "claimed", "driver_id": user })),
                false => Err("BATCH_UNAVAILABLE"),
            },
            at_least: None,
            record: Some((
                "batch_events",
                |id, user, _| json!({ "batch_id": id, "event": "claimed", "driver_id": user }),
            )),
        },
        // 001, app/api/pos/sales/create/route.ts, lines 396-422, with its `.gte('quantity', item.quantity)`.
        Scene::Till => Report {
            table: "inventory",
            columns: "quantity",
            find: Find::Id,
            decide: |row, _| {
                Ok(json!({ "quantity": row["quantity"].as_f64().unwrap_or_default() - 1.0 }))
            },
            at_least: Some(("quantity", "1")),
            record: Some((
                "sales",
                |id, _, _| json!({ "inventory_id": id, "quantity": 1 }),
            )),
        },
        // 002, CheckoutClient.tsx: the same code from several tabs.
        Scene::Promo => Report {
            table: "promo_codes",
            columns: "used_count,max_uses",
            find: Find::Id,
            decide: |row, _| match whole(row, "used_count") {
                used if used >= whole(row, "max_uses") => Err("PROMO_EXHAUSTED"),
                used => Ok(json!({ "used_count": used + 1 })),
            },
            at_least: None,
            record: Some((
                "promo_redemptions",
                |id, user, _| json!({ "promo_id": id, "user_id": user }),
            )),
        },
        // 002, "Make multiple wallet payments simultaneously": the balance as the same pattern has it.
        Scene::Wallet => Report {
            table: "wallets",
            columns: "balance",
            find: Find::Id,
            decide: |row, _| match whole(row, "balance") {
                less if less < 700 => Err("INSUFFICIENT_FUNDS"),
                balance => Ok(json!({ "balance": balance - 700 })),
            },
            at_least: None,
            record: Some((
                "wallet_movements",
                |id, _, _| json!({ "wallet_id": id, "amount": 700 }),
            )),
        },
        // 002, api/orders/create/route.ts, before `claim_product_codes_atomic`: a code that is not used is marked as used.
        Scene::Code => Report {
            table: "product_codes",
            columns: "code,id",
            find: Find::Unused {
                of: "product_id",
                mark: "used_at",
            },
            decide: |row, _| match row.is_null() {
                true => Err("OUT_OF_CODES"),
                false => Ok(json!({ "used_at": "now" })),
            },
            at_least: None,
            record: Some((
                "order_items",
                |id, user, row| json!({ "product_id": id, "code": row["code"], "user_id": user }),
            )),
        },
        // In no report: is it paid already? If not, it is paid now, and the goods go out.
        Scene::Webhook => Report {
            table: "payments",
            columns: "status",
            find: Find::Id,
            decide: |row, _| match row["status"] == "succeeded" {
                true => Err("already handled"),
                false => Ok(json!({ "status": "succeeded" })),
            },
            at_least: None,
            record: Some(("order_shipments", |id, _, _| json!({ "payment_id": id }))),
        },
        // 003, warehouse.service.ts, lines 1090-1132: `quantity_packed: progress.quantity_packed + 1`.
        Scene::Packing => Report {
            table: "packing_progress",
            columns: "quantity_packed,quantity_needed",
            find: Find::Id,
            decide: |row, _| match whole(row, "quantity_packed") {
                packed if packed >= whole(row, "quantity_needed") => Err("already fully packed"),
                packed => Ok(json!({ "quantity_packed": packed + 1 })),
            },
            at_least: None,
            record: None,
        },
        // 003, "Workers might pack more items than available": what all orders have had of the basket is added up, and compared.
        Scene::Basket => Report {
            table: "packing_progress",
            columns: "quantity_packed,quantity_picked,id",
            find: Find::All {
                of: "picking_session_id",
            },
            decide: |rows, user| {
                let lines = || rows.as_array().into_iter().flatten();
                let packed: i64 = lines().map(|line| whole(line, "quantity_packed")).sum();
                if packed >= whole(&rows[0], "quantity_picked") {
                    return Err("No more units available to pack");
                }
                let own = lines().find(|line| line["id"] == user);
                let own = own.map_or(0, |line| whole(line, "quantity_packed"));
                Ok(json!({ "quantity_packed": own + 1 }))
            },
            at_least: None,
            record: None,
        },
    }
}
