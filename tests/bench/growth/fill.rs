//! A shop with a past: written in bulk, without the triggers that would write the history of what
//! nobody has done, and with the indexes made afterwards.

use crate::rows::{self, Kind};
use crate::server::Database;
use anyhow::{Context as _, Result};
use futures::future::try_join_all;
use tokio_postgres::Client;

/// How much there is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) products: u64,
    orders: u64,
    movements: u64,
}

/// Batches that wait, whatever the size.
const QUEUE: u64 = 5_000;

impl Size {
    pub(super) const SMALL: Size = Size {
        products: 1_000,
        orders: 0,
        movements: 0,
    };
    pub(super) const MEDIUM: Size = Size {
        products: 100_000,
        orders: 200_000,
        movements: 1_000_000,
    };
    pub(super) const LARGE: Size = Size {
        products: 1_000_000,
        orders: 2_000_000,
        movements: 10_000_000,
    };

    pub(super) fn tenth(self) -> Self {
        Size {
            products: self.products / 10,
            orders: self.orders / 10,
            movements: self.movements / 10,
        }
    }

    /// Such as `1 M products, 2 M orders, 10 M ledger rows`.
    pub(super) fn name(&self) -> String {
        format!(
            "{} products, {} orders, {} ledger rows",
            short(self.products),
            short(self.orders),
            short(self.movements)
        )
    }

    /// Ten orders a batch.
    fn batches(&self) -> u64 {
        self.orders / 10
    }
}

fn short(number: u64) -> String {
    match number {
        0 => "0".to_owned(),
        n if n % 1_000_000 == 0 => format!("{} M", n / 1_000_000),
        n => format!("{} k", n / 1_000),
    }
}

/// Fills an empty database, with two sessions at once.
pub(super) async fn fill(database: &Database, size: &Size) -> Result<()> {
    let tables = [
        (vec!["interlock.stock_movements"], movements(size)),
        (
            vec![
                "interlock.orders",
                "interlock.order_items",
                "interlock.order_events",
            ],
            orders(size),
        ),
    ];
    let work = tables.map(|(tables, sql)| async move {
        let client = database.connect().await?;
        client
            .batch_execute(
                "set session_replication_role = replica;
                 set synchronous_commit = off;
                 set maintenance_work_mem = '512MB';",
            )
            .await?;
        in_bulk(&client, &tables, &sql).await
    });
    try_join_all(work).await?;
    let client = database.connect().await?;
    client
        .batch_execute(&format!(
            "set session_replication_role = replica; {}",
            batches(size)
        ))
        .await?;
    rows::vacuum_what_has_rows(&client).await?;
    client.batch_execute("checkpoint").await?;
    Ok(())
}

/// Runs the SQL while the tables have no index but those of their constraints.
async fn in_bulk(client: &Client, tables: &[&str], sql: &str) -> Result<()> {
    let indexes = client
        .query(
            "select x.indexrelid::regclass::text, pg_get_indexdef(x.indexrelid)
             from pg_index x
             where x.indrelid = any ($1::text[]::regclass[])
               and not exists (select from pg_constraint c where c.conindid = x.indexrelid)",
            &[&tables],
        )
        .await?;
    for index in &indexes {
        let name: &str = index.try_get(0)?;
        client.batch_execute(&format!("drop index {name}")).await?;
    }
    client
        .batch_execute(sql)
        .await
        .with_context(|| sql.to_owned())?;
    for index in &indexes {
        client.batch_execute(index.try_get(1)?).await?;
    }
    Ok(())
}

/// The catalogue and its ledger. Products come up in no order, as they do in a shop.
fn movements(size: &Size) -> String {
    let product = Kind::Cold.sql("n");
    let sold = Kind::Cold.sql(&format!("n * 7919 % {}", size.products));
    format!(
        "insert into interlock.products (id, name, price, currency, available_quantity)
         select {product}, 'bench ' || n, 700, 'USD', 1000000
         from generate_series(0, {} - 1) as n;
         insert into interlock.stock_movements (product_id, delta, balance_after, reason, reference_id, created_at)
         select {sold}, -1, 1000000, 'checkout', {}, now() - n * interval '3 seconds'
         from generate_series({}::bigint - 1, 0, -1) as n;",
        size.products,
        order_id("n"),
        size.movements,
    )
}

/// Orders of a hundred thousand buyers, every other one with two lines.
fn orders(size: &Size) -> String {
    let order = order_id("n");
    let buyer = Kind::User.sql("1000 + n % 100000");
    let product = Kind::Cold.sql(&format!("(n * 7919 + line) % {}", size.products));
    format!(
        "insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, created_at)
         select {order}, {buyer}, 'confirmed', 'USD', 700, 700, 'cash_on_delivery', now() - n * interval '15 seconds'
         from generate_series({count}::bigint - 1, 0, -1) as n;
         insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
         select {order}, {product}, 1, 700, 'bench', 'physical'
         from generate_series({count}::bigint - 1, 0, -1) as n, generate_series(0, n % 2) as line;
         insert into interlock.order_events (order_id, event, actor, created_at)
         select {order}, 'confirmed', {buyer}, now() - n * interval '15 seconds'
         from generate_series({count}::bigint - 1, 0, -1) as n;",
        count = size.orders,
    )
}

/// As random as the ids that the shop makes, and known.
fn order_id(n: &str) -> String {
    format!("md5('order ' || {n})::uuid")
}

/// Batches that were delivered.
fn batches(size: &Size) -> String {
    let id = Kind::Batch.sql(&format!("{QUEUE} + n"));
    format!(
        "insert into interlock.batches (id, status, completed_at, created_at)
         select {id}, 'completed', now() - n * interval '150 seconds', now() - n * interval '150 seconds'
         from generate_series({}::bigint - 1, 0, -1) as n;",
        size.batches()
    )
}

/// The batches that wait, as they were before anybody claimed one.
pub(super) fn queue() -> String {
    let id = Kind::Batch.sql("n");
    format!(
        "set session_replication_role = replica;
         delete from interlock.batches where id < {end};
         insert into interlock.batches (id, created_at)
         select {id}, now() + n * interval '1 millisecond' from generate_series(0, {QUEUE} - 1) as n;
         set session_replication_role = origin;",
        end = Kind::Batch.sql(&QUEUE.to_string()),
    )
}
