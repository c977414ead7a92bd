//! A shop with a past: written in bulk, without the triggers that would write the history of what
//! nobody has done, and with the indexes made afterwards.

use super::SECTION;
use crate::figure::progress;
use crate::rows::{self, Kind};
use crate::server::Database;
use anyhow::{Context as _, Result};
use futures::future::try_join_all;
use std::time::{Duration, Instant};
use tokio_postgres::Client;

/// How much there is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) products: u64,
    pub(super) orders: u64,
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
    pub(super) const HUGE: Size = Size {
        products: 1_000_000,
        orders: 10_000_000,
        movements: 50_000_000,
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

    /// What its database takes on the disk: as measured, and some per cent more.
    pub(super) fn bytes(&self) -> u64 {
        self.products * 300 + self.orders * 800 + self.movements * 270
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

/// Rows of a statement: less than the parts of a history are ahead of what is written.
const CHUNK: u64 = 1_000_000;

/// What a session writes: tables, how many rows of the first one, and the SQL of those from `$first` down to `$last`.
struct Filling {
    tables: &'static [&'static str],
    what: &'static str,
    rows: u64,
    sql: fn(&Size, first: i64, last: i64) -> String,
}

/// Fills an empty database, with two sessions at once.
pub(super) async fn fill(database: &Database, size: &Size) -> Result<()> {
    let fillings = [
        Filling {
            tables: &["interlock.stock_movements"],
            what: "ledger rows",
            rows: size.movements,
            sql: movements,
        },
        Filling {
            tables: &[
                "interlock.orders",
                "interlock.order_items",
                "interlock.order_events",
            ],
            what: "orders",
            rows: size.orders,
            sql: orders,
        },
    ];
    let client = database.connect().await?;
    client
        .batch_execute(&format!(
            "set session_replication_role = replica; {}",
            products(size)
        ))
        .await?;
    let work = fillings.map(|filling| async move {
        let client = database.connect().await?;
        client
            .batch_execute(
                "set session_replication_role = replica;
                 set synchronous_commit = off;
                 set maintenance_work_mem = '1GB';",
            )
            .await?;
        filling.run(&client, size).await
    });
    try_join_all(work).await?;
    client.batch_execute(&batches(size)).await?;
    rows::vacuum_what_has_rows(&client).await?;
    client.batch_execute("checkpoint").await?;
    Ok(())
}

impl Filling {
    /// Writes the oldest rows first, while the tables have no index but those that a foreign key names.
    async fn run(&self, client: &Client, size: &Size) -> Result<()> {
        let indexes = take_indexes(client, self.tables).await?;
        let start = Instant::now();
        let mut told = start;
        let mut left = self.rows;
        while left > 0 {
            let next = left.saturating_sub(CHUNK);
            let sql = (self.sql)(size, i64::try_from(left)? - 1, i64::try_from(next)?);
            client
                .batch_execute(&sql)
                .await
                .with_context(|| sql.clone())?;
            make_parts(client).await?;
            left = next;
            if told.elapsed() > Duration::from_secs(10) {
                told = Instant::now();
                self.tell(&format!("{} written", short(self.rows - left)), start);
            }
        }
        for index in &indexes {
            client
                .batch_execute(index)
                .await
                .with_context(|| index.clone())?;
            if told.elapsed() > Duration::from_secs(10) {
                told = Instant::now();
                self.tell("an index made", start);
            }
        }
        // Each session its own, so that they do it at once.
        client
            .batch_execute(&format!("vacuum {}", self.tables.join(", ")))
            .await?;
        Ok(())
    }

    fn tell(&self, how_far: &str, start: Instant) {
        let (all, seconds) = (short(self.rows), start.elapsed().as_secs());
        progress(
            SECTION,
            &format!("  {all} {}: {how_far}, {seconds} s", self.what),
        );
    }
}

/// Drops the indexes of those tables but for keys that others refer to; answers what makes them again.
async fn take_indexes(client: &Client, tables: &[&str]) -> Result<Vec<String>> {
    // A partitioned table's index is shown as one of `only` it.
    let found = client
        .query(
            "select
               case when c.oid is null then format('drop index %s', x.indexrelid::regclass)
                 else format('alter table %s drop constraint %I', x.indrelid::regclass, c.conname) end,
               case when c.oid is null then replace(pg_get_indexdef(x.indexrelid), ' ON ONLY ', ' ON ')
                 else format('alter table %s add constraint %I %s', x.indrelid::regclass, c.conname, pg_get_constraintdef(c.oid)) end
             from pg_index x
             left join pg_constraint c on c.conindid = x.indexrelid and c.contype in ('p', 'u')
             where x.indrelid = any ($1::text[]::regclass[])
               and not exists (select from pg_constraint f where f.contype = 'f' and f.conindid = x.indexrelid)
             order by c.oid",
            &[&tables],
        )
        .await?;
    let mut makes = Vec::new();
    for index in &found {
        client.batch_execute(index.try_get(0)?).await?;
        makes.push(index.try_get(1)?);
    }
    Ok(makes)
}

/// What the shop's job does every minute.
async fn make_parts(client: &Client) -> Result<()> {
    loop {
        let row = client
            .query_one("select interlock.make_history_parts()", &[])
            .await?;
        if row.get::<_, i32>(0) == 0 {
            return Ok(());
        }
    }
}

fn products(size: &Size) -> String {
    let product = Kind::Cold.sql("n");
    format!(
        "insert into interlock.products (id, name, price, currency, available_quantity)
         select {product}, 'bench ' || n, 700, 'USD', 1000000
         from generate_series(0, {} - 1) as n;",
        size.products,
    )
}

/// The ledger. Products come up in no order, as they do in a shop.
fn movements(size: &Size, first: i64, last: i64) -> String {
    let sold = Kind::Cold.sql(&format!("n * 7919 % {}", size.products));
    format!(
        "insert into interlock.stock_movements (
           product_id, location_id, delta, balance_after, reason, reference_id, created_at
         )
         select {sold}, (select interlock.online_location()), -1, 1000000, 'checkout', {}, now() - n * interval '3 seconds'
         from generate_series({first}::bigint, {last}, -1) as n;",
        order_id("n"),
    )
}

/// Orders of a hundred thousand buyers, every other one with two lines.
fn orders(size: &Size, first: i64, last: i64) -> String {
    let order = order_id("n");
    let buyer = Kind::User.sql("1000 + n % 100000");
    let product = Kind::Cold.sql(&format!("(n * 7919 + line) % {}", size.products));
    let numbers = format!("generate_series({first}::bigint, {last}, -1) as n");
    format!(
        "insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, created_at)
         select {order}, {buyer}, 'confirmed', 'USD', 700, 700, 'cash_on_delivery', now() - n * interval '15 seconds'
         from {numbers};
         insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
         select {order}, {product}, 1, 700, 'bench', 'physical'
         from {numbers}, generate_series(0, n % 2) as line;
         insert into interlock.order_events (order_id, event, actor, created_at)
         select {order}, 'confirmed', {buyer}, now() - n * interval '15 seconds'
         from {numbers};",
    )
}

/// Ordered by time, as the ids that the shop makes, and known.
fn order_id(n: &str) -> String {
    format!(
        "(lpad(to_hex(1750000000000 - {n}::bigint * 15000), 12, '0') || '7' || substr(md5({n}::text), 14))::uuid"
    )
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_names_that_goals_know() {
        assert_eq!(Size::SMALL.name(), "1 k products, 0 orders, 0 ledger rows");
        assert_eq!(
            Size::LARGE.name(),
            "1 M products, 2 M orders, 10 M ledger rows"
        );
        assert_eq!(
            Size::HUGE.name(),
            "1 M products, 10 M orders, 50 M ledger rows"
        );
    }

    #[test]
    fn what_a_size_takes_grows_with_it() {
        let gigabytes = |size: Size| size.bytes() / 1_000_000_000;
        assert_eq!(gigabytes(Size::LARGE), 4);
        assert_eq!(gigabytes(Size::HUGE), 21);
        assert_eq!(gigabytes(Size::HUGE.tenth()), 2);
    }
}
