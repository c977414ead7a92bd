//! The accounts that a shop refers to, which are the platform's and not moved.

use anyhow::{Result, bail};
use tokio_postgres::Client;

/// So many are named.
const NAMED: usize = 5;

/// Whether the target has each of them.
pub(crate) async fn are_there(source: &Client, target: &Client, shop: i32) -> Result<()> {
    let query = "
select string_agg(
  format('select t.%I::text from %s t where t.shop_id = $1 and t.%1$I is not null', a.attname, c.conrelid::regclass), ' union '
)
from pg_constraint c
join interlock.keyed_tables() k on k.name = c.conrelid and not k.is_part
join pg_attribute a on a.attrelid = c.conrelid and a.attnum = any (c.conkey)
where c.contype = 'f' and c.confrelid = 'auth.users'::regclass";
    let Some(query) = source
        .query_one(query, &[])
        .await?
        .get::<_, Option<String>>(0)
    else {
        return Ok(());
    };
    let rows = source.query(&query, &[&shop]).await?;
    let users: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let query = "select i from unnest($1::text[]) i where not exists (select from auth.users u where u.id = i::uuid)";
    let rows = target.query(query, &[&users]).await?;
    let missing: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    if !missing.is_empty() {
        bail!(
            "{} of {} accounts of shop {shop} are not at the target, such as {}: bring auth.users there first",
            missing.len(),
            users.len(),
            missing[..missing.len().min(NAMED)].join(", ")
        );
    }
    Ok(())
}
