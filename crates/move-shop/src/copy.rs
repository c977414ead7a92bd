//! A shop's rows: copied, compared, and counted on from.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use futures::{SinkExt as _, StreamExt as _, pin_mut};
use tokio_postgres::Client;

use crate::tables::{Kept, Table};

/// As many numbers of a sequence are taken one by one, beside others who take some.
const STEPS: i64 = 10_000;

impl Table {
    /// Copies the shop's rows; answers how many there are.
    pub(crate) async fn copy(
        &self,
        source: &Client,
        target: &Client,
        shop: i32,
        kept: &Kept<'_>,
    ) -> Result<u64> {
        let names: Vec<&str> = self.columns.iter().map(|c| c.name.as_str()).collect();
        let values: Vec<String> = self
            .columns
            .iter()
            .map(|column| {
                let value = self.instead(column, kept);
                value.unwrap_or_else(|| format!("t.{}", column.name))
            })
            .collect();
        let from = format!(
            "copy (select {} from {}) to stdout",
            values.join(", "),
            self.rows_of(shop)
        );
        let into = format!("copy {} ({}) from stdin", self.name, names.join(", "));
        let rows = source.copy_out(&from).await?;
        let sink = target.copy_in(&into).await?;
        pin_mut!(rows, sink);
        while let Some(row) = rows.next().await {
            sink.send(row?).await?;
        }
        Ok(sink.as_mut().finish().await?)
    }

    /// How many rows the shop has, and a sum of what is in them, whatever their order. The same text for the same rows.
    fn digest(&self, shop: i32) -> String {
        let kept = Kept {
            transaction: "",
            snapshot: "",
            state: "",
        };
        let columns: Vec<String> = self
            .columns
            .iter()
            .filter(|column| self.instead(column, &kept).is_none())
            .map(|column| format!("t.{}", column.name))
            .collect();
        format!(
            "select '{}', count(*) || ' rows, ' || coalesce(sum(('x' || left(md5(row({})::text), 15))::bit(60)::bigint), 0) from {}",
            self.name,
            columns.join(", "),
            self.rows_of(shop)
        )
    }
}

/// Fails unless both sides have the same rows.
pub(crate) async fn compare(
    source: &Client,
    target: &Client,
    tables: &[Table],
    shop: i32,
) -> Result<()> {
    let queries: Vec<String> = tables.iter().map(|table| table.digest(shop)).collect();
    let query = queries.join("\nunion all\n");
    let (here, there) = tokio::try_join!(source.query(&query, &[]), target.query(&query, &[]))?;
    let read = |rows: &[tokio_postgres::Row]| -> BTreeMap<String, String> {
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    };
    let (here, there) = (read(&here), read(&there));
    let different: Vec<String> = here
        .iter()
        .filter(|(table, digest)| there.get(*table) != Some(*digest))
        .map(|(table, digest)| {
            format!(
                "{table}: {digest} at the source, {:?} at the target",
                there.get(table)
            )
        })
        .collect();
    if !different.is_empty() {
        bail!("what was copied is not the same\n{}", different.join("\n"));
    }
    Ok(())
}

/// Lets the target's sequences go on after what the shop has. No sequence is ever lowered, whoever else takes numbers of it.
pub(crate) async fn raise_sequences(
    source: &Client,
    target: &Client,
    tables: &[Table],
    shop: i32,
) -> Result<()> {
    let mut highest: BTreeMap<&str, i64> = BTreeMap::new();
    for table in tables {
        for column in &table.columns {
            let Some(sequence) = &column.sequence else {
                continue;
            };
            let query = format!(
                "select max(t.{})::bigint from {}",
                column.name,
                table.rows_of(shop)
            );
            let found: Option<i64> = source.query_one(&query, &[]).await?.get(0);
            let known = highest.entry(sequence).or_default();
            *known = found.unwrap_or_default().max(*known);
        }
    }
    for (sequence, highest) in highest {
        let query = "select coalesce(s.last_value, s.start_value - 1) from pg_sequences s where format('%I.%I', s.schemaname, s.sequencename) = $1";
        let last: i64 = target.query_one(query, &[&sequence]).await?.get(0);
        match highest - last {
            ..=0 => {}
            // One by one, because others go on meanwhile.
            gap @ 1..=STEPS => {
                let query =
                    "select count(nextval($1::text::regclass)) from generate_series(1, $2::bigint)";
                target.execute(query, &[&sequence, &gap]).await?;
            }
            // So many nobody takes within a statement.
            _ => {
                let query = "select setval($1::text::regclass, $2::bigint)";
                target.execute(query, &[&sequence, &highest]).await?;
            }
        }
    }
    Ok(())
}
