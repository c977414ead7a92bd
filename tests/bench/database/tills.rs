//! Sales at tills of a store, beside incident report 001's way: a check, then a call for each line, then the sale.

use super::{Shop, UNCHECKED, key};
use crate::figure::Figure;
use crate::load::{Argument, Call, Commit, Session, Step};
use crate::rows::{self, Kind};
use anyhow::Result;
use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

/// Rows of the store's stock (those of the section on inventory), each of another product.
const ROWS: u64 = 1_000;
/// Lines of a sale, and the row that everybody sells at once.
const LINES: u64 = 5;
const HOT: u64 = 0;

const SELL: &str = "select public.pos_sale($1, $2, $3)::text";
const SELL_KEYED: &str = "select public.pos_sale($1, $2, $3, p_idempotency_key => $4)::text";
const SELL_UNCHECKED: &str = "select bench_peers.sell_unchecked($1, $2, $3, $4)::text";

pub(super) async fn prepare(admin: &Client) -> Result<()> {
    rows::add_tills(admin, 64).await
}

/// Everything, by sessions of staff, each at a till of its own.
pub(super) async fn measure(shop: &Shop<'_>) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let tills: &[usize] = if shop.options.quick {
        &[5]
    } else {
        &[5, 16, 64]
    };
    for &tills in tills {
        figures.extend(
            sales(shop, tills, "of any product", |session| {
                session.random(ROWS)
            })
            .await?,
        );
        figures.extend(sales(shop, tills, "of one product", |_| HOT).await?);
    }
    for lines in [1, LINES] {
        let variants = vec![shop.variant("interlock", 1, sale(SELL, lines, first))];
        let name = format!(
            "sale of {lines} line{}, one till",
            if lines == 1 { "" } else { "s" }
        );
        figures.extend(shop.time(&name, variants).await?);
    }
    if shop.commit == Commit::Fast {
        let keyed = |name, sql| shop.variant(name, 1, under_key(sale(sql, 1, first)));
        let ours = keyed("interlock", SELL_KEYED);
        let peer = keyed(UNCHECKED, SELL_UNCHECKED);
        let name = "sale of 1 line under a key, one till";
        figures.extend(shop.cpu_beside_unchecked(name, ours, peer).await?);
    }
    Ok(figures)
}

/// Any row that so many others follow.
fn first(session: &Session) -> u64 {
    session.random(ROWS - LINES)
}

/// One line each, at so many tills.
async fn sales(
    shop: &Shop<'_>,
    tills: usize,
    what: &str,
    row: fn(&Session) -> u64,
) -> Result<Vec<Figure>> {
    let variants = vec![
        shop.variant("interlock", tills, sale(SELL, 1, row)),
        shop.variant(
            "report 001: check, a call per line, the sale",
            tills,
            in_steps(1, row),
        ),
    ];
    shop.throughput(&format!("sales {what}, {tills} tills"), variants)
        .await
}

fn ids(first: u64, lines: u64) -> impl Iterator<Item = Uuid> {
    (0..lines).map(move |n| Kind::Inventory.id(first + n))
}

/// A sale of so many lines, in one call.
fn sale(sql: &'static str, lines: u64, first: fn(&Session) -> u64) -> Call {
    Box::new(move |session| {
        let wanted: Vec<Value> = ids(first(session), lines)
            .map(|id| json!({ "inventory_id": id, "quantity": 1 }))
            .collect();
        let cash = json!([{ "type": "cash", "amount": 700 * lines }]);
        let till = Kind::Register.id(session.number as u64);
        Some(vec![step(
            sql,
            vec![
                Argument::value(till),
                Argument::value(Value::Array(wanted)),
                Argument::value(cash),
            ],
        )])
    })
}

/// With a key that nobody has used as the last argument.
fn under_key(call: Call) -> Call {
    Box::new(move |session| {
        let mut steps = call(session)?;
        steps[0].arguments.push(key());
        Some(steps)
    })
}

/// As the report's API does it, each call a transaction of its own: what is there is read line by line, then taken line by
/// line, and then the sale is written.
fn in_steps(lines: u64, first: fn(&Session) -> u64) -> Call {
    Box::new(move |session| {
        let rows: Vec<Uuid> = ids(first(session), lines).collect();
        let look = rows.iter().map(|id| {
            step(
                "select quantity::text from bench_peers.inventory where id = $1",
                vec![Argument::value(*id)],
            )
        });
        let take = rows.iter().map(|id| {
            step(
                "select bench_peers.decrement_locked($1, 1)",
                vec![Argument::value(*id)],
            )
        });
        let write = step(
            "select bench_peers.write_sale($1, $2)",
            vec![
                Argument::value(Kind::Register.id(session.number as u64)),
                Argument::value(json!(rows)),
            ],
        );
        Some(look.chain(take).chain([write]).collect())
    })
}

fn step(sql: &'static str, arguments: Vec<Argument>) -> Step {
    Step { sql, arguments }
}
