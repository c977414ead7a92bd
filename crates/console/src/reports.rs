//! The code of the incident reports as it was: the same calls with the same filters in the same order, through the client library
//! of the same family. It looks, decides by what it saw, and writes. Where a report only describes its code, this is what it describes;
//! a webhook is in none of them, and is handled by the same pattern.

use postgrest::Builder;
use serde_json::{Value, json};

use crate::calls::{Lane, Trouble};
use crate::race::Answer;
use crate::setup::Scene;

/// A piece of that code: on one row of a table.
struct Report {
    table: &'static str,
    columns: &'static str,
    /// How it finds the row.
    find: Find,
    /// What it writes when it has seen such a row, or why it refuses.
    decide: fn(row: &Value, user: &str) -> Result<Value, &'static str>,
    /// A condition of the write beside the id.
    at_least: Option<(&'static str, &'static str)>,
    /// What it writes down besides.
    record: Option<(&'static str, Line)>,
}

/// Which row it looks at.
enum Find {
    /// That of the race.
    Id,
    /// The first of the race's that nobody has used.
    Unused {
        of: &'static str,
        mark: &'static str,
    },
}

/// The row that is written down, by whoever did it, of the row that was seen.
type Line = fn(id: &str, user: &str, row: &Value) -> Value;

fn whole(row: &Value, column: &str) -> i64 {
    row[column].as_i64().unwrap_or_default()
}

fn report(scene: Scene) -> Report {
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
            columns: "id,code",
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
    }
}

impl Report {
    fn read(&self, lane: &Lane, id: &str) -> Builder {
        let rows = lane.from(self.table).select(self.columns);
        match self.find {
            Find::Id => rows.eq("id", id),
            Find::Unused { of, mark } => rows.eq(of, id).is(mark, "null").limit(1),
        }
    }

    fn write(&self, lane: &Lane, id: &str, row: &Value, change: &Value) -> Builder {
        let id = row["id"].as_str().unwrap_or(id);
        let row = lane.from(self.table).eq("id", id);
        let row = match self.at_least {
            Some((column, least)) => row.gte(column, least),
            None => row,
        };
        row.update(change.to_string())
    }
}

/// Does it once, on that row.
pub(crate) async fn run(scene: Scene, lane: &Lane, id: &str) -> Result<Answer, Trouble> {
    let report = report(scene);
    let rows = lane.send(report.read(lane, id)).await?;
    let row = &rows[0];
    let change = match (report.decide)(row, lane.user()) {
        Ok(change) => change,
        Err(code) => return Ok(Answer::No(code.to_owned())),
    };
    lane.send(report.write(lane, id, row, &change)).await?;
    if let Some((table, line)) = report.record {
        let line = line(id, lane.user(), row).to_string();
        lane.send(lane.from(table).insert(line)).await?;
    }
    let written = change.as_object().and_then(|change| change.values().next());
    let written = written.filter(|written| written.is_number());
    let given = row.get("code").or(written);
    Ok(Answer::Yes(given.map(Value::to_string)))
}

/// Asks the same of a row that is not there yet: a browser asks whether it may call an address before it calls it for the first
/// time, and that must not come between looking and writing.
pub(crate) async fn warm_up(scene: Scene, lane: &Lane, id: &str) -> Result<(), Trouble> {
    let report = report(scene);
    lane.send(report.read(lane, id)).await?;
    let row = json!({
        "status": "available", "available_quantity": 1, "max_uses": 1, "quantity_needed": 1, "balance": 700,
    });
    let change = (report.decide)(&row, lane.user()).unwrap_or_default();
    lane.send(report.write(lane, id, &row, &change)).await?;
    Ok(())
}
