//! What must hold once everybody has gone home, over both databases.

use super::buyers::Told;
use super::market::{Market, STOCK};
use crate::prove::own_stack::connect;
use anyhow::{Context, Result};
use std::collections::BTreeSet;
use tokio_postgres::Client;

/// The views that tell where books do not agree.
const DIFFERENCES: [&str; 5] = [
    "stock_differences",
    "wallet_differences",
    "promo_differences",
    "code_differences",
    "packing_differences",
];

/// What does not hold.
pub(super) async fn hold(market: &Market, told: &[Told]) -> Result<Vec<String>> {
    let mut failures = Vec::new();
    for (place, url) in market.urls.iter().enumerate() {
        let db = connect(url).await?;
        failures.extend(strangers(&db, market, place).await?);
        for shop in &market.shops {
            if market.place(*shop) == place {
                failures.extend(orders(&db, *shop, told).await?);
                failures.extend(stock(&db, market, *shop).await?);
                failures.extend(books(&db, *shop).await?);
                failures.extend(deliveries(&db, *shop).await?);
            }
        }
    }
    Ok(failures)
}

/// A database has rows of those of the market's shops that are there, and of no other of them.
async fn strangers(db: &Client, market: &Market, place: usize) -> Result<Vec<String>> {
    let query = "select k.name::text from interlock.keyed_tables() k where not k.is_part";
    let tables = db.query(query, &[]).await?;
    let mut selects: Vec<String> = tables
        .iter()
        .map(|row| row.get::<_, String>(0))
        .map(|table| format!("select distinct '{table}', t.shop_id from {table} t"))
        .collect();
    selects.push("select 'interlock.shops', s.id from interlock.shops s".to_owned());
    let rows = db.query(&selects.join(" union all "), &[]).await?;
    let found: BTreeSet<(String, i32)> = rows.iter().map(|r| (r.get(0), r.get(1))).collect();
    Ok(found
        .into_iter()
        .filter(|(_, shop)| market.shops.contains(shop) && market.place(*shop) != place)
        .map(|(table, shop)| format!("{table} of database {place} has rows of shop {shop}"))
        .collect())
}

/// Each order that was answered is there under its key, and no other one is.
async fn orders(db: &Client, shop: i32, told: &[Told]) -> Result<Vec<String>> {
    let told: BTreeSet<(String, String)> = told
        .iter()
        .filter(|one| one.shop == shop)
        .map(|one| (one.key.clone(), one.order.clone()))
        .collect();
    let keys = "select key::text, response::jsonb #>> '{order,id}' from interlock.idempotency_keys where shop_id = $1";
    let rows = db.query(keys, &[&shop]).await?;
    let stored: BTreeSet<(String, String)> = rows.iter().map(|r| (r.get(0), r.get(1))).collect();
    let orders = "select id::text from interlock.orders where shop_id = $1";
    let rows = db.query(orders, &[&shop]).await?;
    let mut there: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let mut failures = Vec::new();
    for (key, order) in told.difference(&stored) {
        failures.push(format!(
            "shop {shop} has lost order {order} under the key {key}"
        ));
    }
    for (key, order) in stored.difference(&told) {
        failures.push(format!(
            "nobody was told of order {order} of shop {shop} under the key {key}"
        ));
    }
    let mut wanted: Vec<String> = told.into_iter().map(|(_, order)| order).collect();
    wanted.sort();
    there.sort();
    if wanted != there {
        failures.push(format!(
            "shop {shop} has {} orders, and {} were answered",
            there.len(),
            wanted.len()
        ));
    }
    Ok(failures)
}

/// What is left and what was sold is what there was.
async fn stock(db: &Client, market: &Market, shop: i32) -> Result<Vec<String>> {
    let mut failures = Vec::new();
    for (product, had) in market.products.iter().zip(STOCK) {
        let query = "select
            (select p.available_quantity::bigint from interlock.products p where p.shop_id = $1 and p.id = $2),
            (select coalesce(sum(i.quantity), 0)::bigint from interlock.order_items i where i.shop_id = $1 and i.product_id = $2)";
        let row = db.query_one(query, &[&shop, product]).await?;
        let (left, sold): (Option<i64>, i64) = (row.get(0), row.get(1));
        if left.is_none_or(|left| left < 0 || left + sold != had) {
            failures.push(format!(
                "shop {shop} had {had} of {product}, has {left:?}, and has sold {sold}"
            ));
        }
    }
    Ok(failures)
}

/// Its own audit finds nothing, nor do the views.
async fn books(db: &Client, shop: i32) -> Result<Vec<String>> {
    let mut failures = Vec::new();
    act_for(db, shop).await?;
    let audit = "select interlock.audit_inventory(true) ->> 'open_findings'";
    let open: Option<String> = db.query_one(audit, &[]).await.context("an audit")?.get(0);
    if open.as_deref() != Some("0") {
        failures.push(format!("the audit of shop {shop} has {open:?} findings"));
    }
    for view in DIFFERENCES {
        let query = format!("select count(*) from interlock.{view}");
        let rows: i64 = db.query_one(&query, &[]).await?.get(0);
        if rows > 0 {
            failures.push(format!("{view} of shop {shop} has {rows} rows"));
        }
    }
    db.batch_execute("commit").await?;
    Ok(failures)
}

/// Every event has its delivery, whichever database it happened at. That none has two is held by a key.
async fn deliveries(db: &Client, shop: i32) -> Result<Option<String>> {
    act_for(db, shop).await?;
    let make = "select interlock.make_deliveries(1000)";
    while db.query_one(make, &[]).await?.get::<_, i32>(0) > 0 {}
    let query = "select count(*), count(d.id) from interlock.events e
        join interlock.webhook_endpoints w on e.created_at >= w.active_since
        left join interlock.deliveries d on d.position = e.position and d.transaction = e.transaction and d.endpoint_id = w.id";
    let row = db.query_one(query, &[]).await?;
    let (events, made): (i64, i64) = (row.get(0), row.get(1));
    db.batch_execute("commit").await?;
    Ok((events != made || events == 0)
        .then(|| format!("of {events} events of shop {shop}, {made} have deliveries")))
}

async fn act_for(db: &Client, shop: i32) -> Result<()> {
    db.batch_execute("begin").await?;
    db.execute("select interlock.act_for($1)", &[&shop]).await?;
    Ok(())
}
