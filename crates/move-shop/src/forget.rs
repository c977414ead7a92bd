//! What a shop has left where it was.

use std::path::Path;

use anyhow::{Context, Result, bail};
use tokio_postgres::Client;

use crate::session::connect;
use crate::{MOVER, Tell};

/// Removes the rows of a shop that has gone, and its name; answers how many rows there were. `ca`: as [`crate::Move::ca`].
pub async fn forget(shop: i32, from: &str, ca: Option<&Path>, tell: Tell<'_>) -> Result<u64> {
    let source = connect(from, ca).await?;
    source
        .batch_execute("begin; set local lock_timeout = '30s'")
        .await?;
    // Neither while somebody moves it, nor beside a request that was let in.
    let query = format!(
        "select pg_advisory_xact_lock({MOVER}, $1), pg_advisory_xact_lock(hashtext('interlock shop'), $1)"
    );
    source
        .execute(&query, &[&shop])
        .await
        .context("it is being moved, or a request of it is under way")?;
    let query = "select s.state::text from interlock.shops s where s.id = $1 for update";
    let state = source.query_opt(query, &[&shop]).await?;
    let state: String = state
        .with_context(|| format!("there is no shop {shop}"))?
        .get(0);
    if state != "moving" {
        bail!("shop {shop} is {state}: only what has gone to another database is forgotten");
    }
    tell(&format!("removing the rows of shop {shop}"));
    let rows = remove(&source, shop).await?;
    source.batch_execute("commit").await?;
    Ok(rows)
}

/// Without triggers: they would keep histories, and write what nobody has done.
async fn remove(source: &Client, shop: i32) -> Result<u64> {
    source
        .batch_execute("set local session_replication_role = replica")
        .await?;
    let query = "select k.name::text from interlock.keyed_tables() k where not k.is_part";
    let mut rows = 0;
    for table in source.query(query, &[]).await? {
        let table: String = table.get(0);
        let query = format!("delete from {table} t where t.shop_id = $1");
        let removed = source.execute(&query, &[&shop]).await;
        rows += removed.with_context(|| format!("removing rows of {table}"))?;
    }
    source
        .execute("delete from interlock.shops s where s.id = $1", &[&shop])
        .await?;
    Ok(rows)
}
