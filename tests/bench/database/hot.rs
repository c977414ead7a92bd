//! Everybody buys the same product; and, for comparison, everybody another one.

use super::{CHECKOUT, SELECT_FOR_UPDATE, Shop, cart, checkout, cold_product};
use crate::figure::Figure;
use crate::load::Call;
use crate::rows::{self, Kind};
use anyhow::Result;
use tokio_postgres::Client;

/// One product for each number of slots, because the slots are a property of the product.
const SLOTS: [u64; 3] = [0, 16, 64];
/// More than a run can sell.
const STOCK: i32 = 10_000_000;

pub(super) async fn prepare(admin: &Client) -> Result<()> {
    for slots in SLOTS {
        rows::add_product(admin, Kind::Hot, slots, STOCK).await?;
        rows::set_stock_slots(admin, Kind::Hot.id(slots), slots).await?;
    }
    Ok(())
}

pub(super) async fn measure(shop: &Shop<'_>) -> Result<Vec<Figure>> {
    let mut figures = all(shop, 16).await?;
    if !shop.options.quick {
        figures.extend(best(shop, 64).await?);
    }
    Ok(figures)
}

fn hot(slots: u64, sql: &'static str) -> Call {
    checkout(sql, move |_| cart(&[Kind::Hot.id(slots)]))
}

fn cold(sql: &'static str) -> Call {
    checkout(sql, |session| cart(&[cold_product(session)]))
}

/// Every approach.
async fn all(shop: &Shop<'_>, clients: usize) -> Result<Vec<Figure>> {
    let variant = |name, call| shop.variant(name, clients, call);
    let variants = vec![
        variant("interlock, 16 slots", hot(16, CHECKOUT)),
        variant("interlock, 64 slots", hot(64, CHECKOUT)),
        variant("interlock, no slots", hot(0, CHECKOUT)),
        variant("interlock, cold products", cold(CHECKOUT)),
        variant("select-for-update", hot(0, SELECT_FOR_UPDATE)),
        variant("select-for-update, cold products", cold(SELECT_FOR_UPDATE)),
        variant(
            "version with retry",
            hot(0, "select bench_peers.checkout_version_with_retry($1, $2)"),
        ),
        variant(
            "compare-and-swap",
            hot(0, "select bench_peers.checkout_compare_and_swap($1, $2)"),
        ),
    ];
    shop.throughput(&format!("hot product, {clients} clients"), variants)
        .await
}

/// Slots, what they aim at and what they are compared with.
async fn best(shop: &Shop<'_>, clients: usize) -> Result<Vec<Figure>> {
    let variant = |name, call| shop.variant(name, clients, call);
    let variants = vec![
        variant("interlock, 16 slots", hot(16, CHECKOUT)),
        variant("interlock, 64 slots", hot(64, CHECKOUT)),
        variant("interlock, cold products", cold(CHECKOUT)),
        variant("select-for-update", hot(0, SELECT_FOR_UPDATE)),
    ];
    shop.throughput(&format!("hot product, {clients} clients"), variants)
        .await
}
