//! What has to be over at the source before a shop can go.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

/// So many events at once.
const EVENTS: i32 = 1000;

/// Takes the shop alone, until the session ends: whoever was let in has ended then.
pub(crate) async fn wait(source: &Client, shop: i32, patience: Duration) -> Result<()> {
    let limit = format!("set lock_timeout = {}", patience.as_millis().max(1));
    source.batch_execute(&limit).await?;
    let query = "select pg_advisory_lock(hashtext('interlock shop'), $1)";
    let taken = source.execute(query, &[&shop]).await;
    source.batch_execute("reset lock_timeout").await?;
    match taken {
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => bail!(
            "a transaction of shop {shop} has not ended within {} s; `select * from pg_locks where locktype = 'advisory' and objid = {shop}` \
             has its process",
            patience.as_secs()
        ),
        taken => taken.map(drop).context("the shop cannot be had alone"),
    }
}

/// No event may wait for its deliveries: what is new is told by ids of transactions.
pub(crate) async fn make_deliveries(source: &Client, shop: i32, alone: bool) -> Result<()> {
    source.batch_execute("begin").await?;
    source
        .execute("select interlock.act_for($1)", &[&shop])
        .await?;
    let query = "select interlock.make_deliveries($1)";
    while source.query_one(query, &[&EVENTS]).await?.get::<_, i32>(0) >= EVENTS {}
    let query = "select exists (select from interlock.new_events(1))";
    let is_left: bool = source.query_one(query, &[]).await?.get(0);
    source.batch_execute("commit").await?;
    anyhow::ensure!(
        !(is_left && alone),
        "deliveries of events are being made by somebody else, try again"
    );
    Ok(())
}

/// Tables of its own that a shop is linked to are not Interlock's to move.
pub(crate) async fn has_no_links(source: &Client, shop: i32) -> Result<()> {
    let query = "
select l.source::text from interlock.product_links l where l.active and l.shop_id = $1
union all
select l.source::text from interlock.customer_links l where l.active and l.shop_id = $1
union all
select l.target::text from interlock.order_links l where l.shop_id = $1";
    let rows = source.query(query, &[&shop]).await?;
    let linked: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    if !linked.is_empty() {
        bail!(
            "shop {shop} is linked to {}, which stays here: unlink it first (docs/adopting.md), and link it again where it goes",
            linked.join(", ")
        );
    }
    Ok(())
}
