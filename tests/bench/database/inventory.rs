//! Stock at locations: sold by the reports' ways and ours, set under a version, transferred, received.

use super::{Shop, UNCHECKED, key};
use crate::figure::Figure;
use crate::load::{Argument, Call, Commit, Session, Step};
use crate::rows::{self, Kind};
use anyhow::Result;
use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;

/// Rows of inventory, each of another product.
const ROWS: u64 = 1_000;
/// Lines of a delivery.
const LINES: u64 = 100;

const DECREMENT: &str = "select public.decrement_inventory($1, 1)::text";
const SET: &str = "select bench_peers.refuse_conflict(public.manage_inventory('set', jsonb_build_array(
    jsonb_build_object('inventory_id', $1::uuid, 'quantity', 1000000, 'expected_version', $2::text::bigint))))";

const ADJUST: &str = "select public.manage_inventory('adjust', $1, p_idempotency_key => $2)::text";
const ADJUST_UNCHECKED: &str = "select bench_peers.adjust_unchecked($1, $2)::text";

pub(super) async fn prepare(admin: &Client) -> Result<()> {
    rows::add_inventory(admin, ROWS).await
}

/// Everything, by sessions of staff: what an adjustment costs where nobody waits, the rest with the slow commit.
pub(super) async fn measure(shop: &Shop<'_>) -> Result<Vec<Figure>> {
    if shop.commit == Commit::Fast {
        return adjust(shop).await;
    }
    let mut figures = Vec::new();
    let clients: &[usize] = if shop.options.quick {
        &[5]
    } else {
        &[1, 5, 64]
    };
    for &clients in clients {
        figures.extend(decrement(shop, clients).await?);
    }
    figures.extend(set(shop).await?);
    figures.extend(transfer(shop).await?);
    figures.extend(receive(shop).await?);
    Ok(figures)
}

/// So many tills sell of one row.
async fn decrement(shop: &Shop<'_>, clients: usize) -> Result<Vec<Figure>> {
    let of = |sql, id: Uuid| -> Call {
        Box::new(move |_| Some(vec![step(sql, vec![Argument::value(id)])]))
    };
    let variants = vec![
        shop.variant("interlock", clients, of(DECREMENT, Kind::Inventory.id(0))),
        shop.variant(
            "interlock, web shop, 16 slots",
            clients,
            of(DECREMENT, Kind::Hot.id(16)),
        ),
        shop.variant(
            "report 001: lock, check, write",
            clients,
            of(
                "select bench_peers.decrement_locked($1, 1)",
                Kind::Inventory.id(0),
            ),
        ),
        shop.variant(
            "report 004: version, 3 retries",
            clients,
            of(
                "select bench_peers.decrement_versioned($1, 1)",
                Kind::Inventory.id(0),
            ),
        ),
    ];
    let name = format!(
        "decrement_inventory of one row, {clients} client{}",
        if clients == 1 { "" } else { "s" }
    );
    shop.throughput(&name, variants).await
}

/// Read a row, then set it if it is still the same; what is not is a refusal, and not counted.
async fn set(shop: &Shop<'_>) -> Result<Vec<Figure>> {
    let of = |rows: u64| -> Call {
        Box::new(move |session: &Session| {
            let id = Kind::Inventory.id(session.random(rows));
            Some(vec![
                step(
                    "select public.manage_inventory('get', jsonb_build_array(
                       jsonb_build_object('inventory_id', $1::uuid))) #>> '{lines,0,version}'",
                    vec![Argument::value(id)],
                ),
                step(SET, vec![Argument::value(id), Argument::Answer]),
            ])
        })
    };
    let variants = vec![
        shop.variant("interlock, one row", 16, of(1)),
        shop.variant("interlock, any row", 16, of(ROWS)),
    ];
    shop.throughput("set under a version, 16 clients", variants)
        .await
}

async fn adjust(shop: &Shop<'_>) -> Result<Vec<Figure>> {
    let of = |name, sql| {
        let call: Call = Box::new(move |session: &Session| {
            let id = Kind::Inventory.id(session.random(ROWS));
            let line = json!([{ "inventory_id": id, "delta": -1 }]);
            Some(vec![step(sql, vec![Argument::value(line), key()])])
        });
        shop.variant(name, 1, call)
    };
    let ours = of("interlock", ADJUST);
    let peer = of(UNCHECKED, ADJUST_UNCHECKED);
    shop.cpu_beside_unchecked("stock adjustment of 1 line, one client", ours, peer)
        .await
}

async fn transfer(shop: &Shop<'_>) -> Result<Vec<Figure>> {
    let interlock: Call = Box::new(|session| {
        let line = json!([{
            "product_id": Kind::Cold.id(session.random(ROWS)),
            "from_location_id": Kind::Location.id(0),
            "to_location_id": Kind::Location.id(1),
            "quantity": 1,
        }]);
        let sql = "select public.manage_inventory('transfer', $1)::text";
        Some(vec![step(sql, vec![Argument::value(line)])])
    });
    let peer: Call = Box::new(|session| {
        let row = session.random(ROWS);
        let ids = [row, ROWS + row].map(|n| Argument::value(Kind::Inventory.id(n)));
        Some(vec![step(
            "select bench_peers.transfer($1, $2, 1)",
            ids.into(),
        )])
    });
    let variants = vec![
        shop.variant("interlock", 16, interlock),
        shop.variant("two updates, no ledger", 16, peer),
    ];
    shop.throughput("transfer of one line, 16 clients", variants)
        .await
}

async fn receive(shop: &Shop<'_>) -> Result<Vec<Figure>> {
    let of = |sql| -> Call {
        Box::new(move |session| Some(vec![step(sql, vec![Argument::value(delivery(session))])]))
    };
    let variants = vec![
        shop.variant(
            "interlock",
            1,
            of("select public.manage_inventory('receive', $1)::text"),
        ),
        shop.variant(
            "an update per line, no ledger",
            1,
            of("select bench_peers.receive($1)"),
        ),
    ];
    shop.time("receive of 100 lines, one client", variants)
        .await
}

/// One of each of some products.
fn delivery(session: &Session) -> Value {
    let first = session.random(ROWS);
    let line = |n| json!({ "inventory_id": Kind::Inventory.id((first + n) % ROWS), "quantity": 1 });
    Value::Array((0..LINES).map(line).collect())
}

fn step(sql: &'static str, arguments: Vec<Argument>) -> Step {
    Step { sql, arguments }
}
