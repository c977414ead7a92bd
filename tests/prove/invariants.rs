//! What must hold at any moment, whoever did what; in SQL, so that it can be read beside the tables.

use anyhow::{Context, Result};
use tokio_postgres::Client;
use uuid::Uuid;

/// Where the invariants do not hold: the rule and the row, in words. With `ids` (products, users, batches,
/// promo codes, tills and customers, mixed) only they are looked at, and the orders and ledgers of theirs.
pub(crate) async fn broken(db: &Client, ids: Option<&[Uuid]>) -> Result<Vec<String>> {
    let rows = db
        .query(include_str!("invariants.sql"), &[&ids])
        .await
        .context("the invariants cannot be looked at")?;
    let in_words = |row: &tokio_postgres::Row| {
        let (rule, what): (String, String) = (row.get(0), row.get(1));
        format!("{rule} ({what})")
    };
    Ok(rows.iter().map(in_words).collect())
}
