//! Millions of old movements in parts: a checkout costs what it costs without them, and they leave, part by part, while the shop sells.

use crate::prove::own_stack::{OwnStack, connect};
use crate::prove::report::{Section, progress};
use anyhow::{Context as _, Result, ensure};
use futures::future::{join, try_join_all};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio_postgres::Client;
use uuid::Uuid;

/// How many movements there are, unless `HISTORY_ROWS` says another number, and of how many parts.
const ROWS: i64 = 2_000_000;
const PARTS: i64 = 8;
const PRODUCTS: i64 = 1000;
/// What the ids of products without a history are made of, and of those that have all of it.
const NEW: &str = "new ";
const OLD: &str = "old ";
const SELLERS: usize = 4;
/// Checkouts of which the processor time is taken.
const CHECKOUTS: usize = 300;
/// How long it may take until all that can leave has left.
const PATIENCE: Duration = Duration::from_secs(300);

/// Parts that are full and have nothing but what is old.
const OLD_PARTS: &str = "
select p.part::text as part
from interlock.history_parts('stock_movements') p
where p.after <= (select pg_sequence_last_value(h.sequence::regclass) from interlock.histories() h where h.name = 'stock_movements')
  and not exists (select from interlock.stock_movements m where m.tableoid = p.part and m.created_at > now() - interval '100 days')
  and exists (select from interlock.stock_movements m where m.tableoid = p.part)";

/// What does not hold goes to the section.
pub(super) async fn prove(program: &Path, section: &mut Section) -> Result<()> {
    let rows = match std::env::var("HISTORY_ROWS") {
        Ok(rows) => rows.parse().context("HISTORY_ROWS is a number")?,
        Err(_) => ROWS,
    };
    let options = ["--api-port=0", "--db-port=0"].map(Into::into);
    let stack = OwnStack::start(program, "scale-history", &options, &[]).await?;
    progress("scale", "a stack for a long history");
    let outcome = play(&stack, rows, section).await;
    stack.close().await?;
    outcome
}

async fn play(stack: &OwnStack, rows: i64, section: &mut Section) -> Result<()> {
    let url = stack.variable("DB_URL")?;
    let db = connect(url).await?;
    let shop = Shop::open(&db, rows).await?;
    let empty = shop.cost(url, NEW).await?;
    let filled = fill(&db, rows).await?;
    progress("scale", &format!("{filled} movements are there"));
    while count(&db, "select interlock.close_ledgers(20000)").await? > 0 {}
    progress("scale", "their ledgers are closed");
    let full = shop.cost(url, OLD).await?;

    let old = db.query(OLD_PARTS, &[]).await?.len();
    ensure!(old > 1, "there are {old} parts that could leave");
    let closing = AtomicBool::new(false);
    let sellers = try_join_all((0..SELLERS).map(|n| shop.sell(url, n, &closing)));
    let keeper = async {
        let kept = archive(&db, old).await;
        closing.store(true, Ordering::SeqCst);
        kept
    };
    let (sold, kept) = join(sellers, keeper).await;
    let (sold, longest) = (sold?, kept?);
    progress("scale", "what was old has left");
    section.failures.extend(check(&db, old, filled).await?);
    let left = shop.cost(url, OLD).await?;

    section.count("old movements in parts", u64::try_from(filled)?);
    section.count("parts that left while the shop sold", old as u64);
    section.count("ms that the slowest step of that took", longest);
    section.count("checkouts meanwhile", sold.iter().map(|s| s.0).sum());
    let slowest = sold.iter().map(|s| s.1).max().unwrap_or_default();
    section.count("ms that the slowest of them took", slowest);
    for (what, cost) in [("with all of it", full), ("once it had left", left)] {
        section.count(
            format!("% of its processor time that a checkout took {what}"),
            cost * 100 / empty.max(1),
        );
    }
    Ok(())
}

/// Who sells what.
struct Shop {
    users: Vec<Uuid>,
}

impl Shop {
    async fn open(db: &Client, rows: i64) -> Result<Self> {
        db.batch_execute(&format!(
            "update interlock.settings
             set history_part_rows = {}, keep_stock_movements = '100 days', max_open_orders_per_customer = null, max_open_units_per_customer = null;
             insert into interlock.products (id, name, price, currency, available_quantity)
             select md5('{NEW}' || n)::uuid, 'test:' || n, 700, 'USD', 1000000 from generate_series(1, {PRODUCTS}) n
             union all select md5('{OLD}' || n)::uuid, 'test:' || n, 700, 'USD', 0 from generate_series(1, {PRODUCTS}) n",
            rows / PARTS
        ))
        .await?;
        let users: Vec<Uuid> = (0..SELLERS).map(|_| Uuid::new_v4()).collect();
        db.execute(
            "insert into auth.users (id, aud, role, email)
             select id, 'authenticated', 'authenticated', id || '@test.example' from unnest($1::uuid[]) as id",
            &[&users],
        )
        .await?;
        Ok(Self { users })
    }

    async fn session(&self, url: &str, seller: usize) -> Result<Client> {
        let session = connect(url).await?;
        session
            .batch_execute(&format!(
                r#"select set_config('request.jwt.claims', '{{"sub": "{}", "role": "authenticated"}}', false)"#,
                self.users[seller]
            ))
            .await?;
        Ok(session)
    }

    /// Nanoseconds of a session's processor time that a checkout takes.
    async fn cost(&self, url: &str, products: &str) -> Result<u64> {
        let session = self.session(url, 0).await?;
        let query = "select pg_backend_pid()";
        let process: i32 = session.query_one(query, &[]).await?.get(0);
        let mut spent = 0;
        // The first ones fill what a session keeps.
        for round in 0..2 {
            let before = processor_time(process)?;
            for n in 0..CHECKOUTS {
                buy(&session, products, round * CHECKOUTS + n).await?;
            }
            spent = processor_time(process)? - before;
        }
        Ok(spent / CHECKOUTS as u64)
    }

    /// Sells until it is closing; how often, and how many milliseconds the slowest took.
    async fn sell(&self, url: &str, seller: usize, closing: &AtomicBool) -> Result<(u64, u64)> {
        let session = self.session(url, seller).await?;
        let (mut sold, mut slowest) = (0, 0);
        while !closing.load(Ordering::SeqCst) {
            let begun = Instant::now();
            buy(&session, OLD, usize::try_from(sold)? * SELLERS + seller).await?;
            slowest = slowest.max(u64::try_from(begun.elapsed().as_millis())?);
            sold += 1;
        }
        Ok((sold, slowest))
    }
}

async fn buy(session: &Client, products: &str, n: usize) -> Result<()> {
    let query = format!(
        r#"select public.checkout(jsonb_build_array(jsonb_build_object('product_id', md5('{products}' || {})::uuid, 'quantity', 1)),
           p_idempotency_key => gen_random_uuid()::text)"#,
        n as i64 % PRODUCTS + 1
    );
    session.batch_execute(&query).await.context("a checkout")
}

fn processor_time(process: i32) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/schedstat"))?;
    let spent = text.split(' ').next().context("schedstat is empty")?;
    Ok(spent.parse()?)
}

/// One unit in and out of each product again and again, 200 days ago; how many movements that are. Parts are made as the job would; then there
/// is something to sell.
async fn fill(db: &Client, rows: i64) -> Result<i64> {
    // The first part is as large as it is installed, and not to be filled.
    db.batch_execute(
        "select setval(h.sequence::regclass, (select max(p.after) from interlock.history_parts(h.name) p) - 1)
         from interlock.histories() h where h.name = 'stock_movements'",
    )
    .await?;
    while count(db, "select interlock.make_history_parts()").await? > 0 {}
    // What goes in comes out.
    let chunk = (rows / PARTS / 8).max(1) * 2;
    for _ in 0..rows / chunk {
        let insert = format!(
            "insert into interlock.stock_movements (product_id, delta, reason, created_at)
             select md5('{OLD}' || n / 2 % {PRODUCTS} + 1)::uuid, case n % 2 when 0 then 1 else -1 end, 'test', now() - interval '200 days'
             from generate_series(0, {chunk} - 1) n"
        );
        db.batch_execute(&insert).await?;
        while count(db, "select interlock.make_history_parts()").await? > 0 {}
    }
    db.batch_execute(&format!(
        "update interlock.products set available_quantity = 1000000
         where id in (select md5('{OLD}' || n)::uuid from generate_series(1, {PRODUCTS}) n)"
    ))
    .await?;
    db.batch_execute("vacuum analyze interlock.stock_movements")
        .await?;
    Ok(rows / chunk * chunk)
}

/// As the job, until so many parts have left; how many milliseconds the longest step took.
async fn archive(db: &Client, parts: usize) -> Result<u64> {
    let begun = Instant::now();
    let (mut left, mut longest) = (0, 0);
    while left < parts {
        ensure!(
            begun.elapsed() < PATIENCE,
            "{left} of {parts} parts have left"
        );
        let step = Instant::now();
        if count(db, "select interlock.archive_history()").await? > 0 {
            left += 1;
            longest = longest.max(u64::try_from(step.elapsed().as_millis())?);
        }
    }
    Ok(longest)
}

/// So many parts have left, each movement of so many is there or in the archive, and the books are exact.
async fn check(db: &Client, parts: usize, filled: i64) -> Result<Vec<String>> {
    let mut failures = Vec::new();
    let archived = db
        .query(
            "select c.oid::regclass::text from pg_class c
             where c.relnamespace = to_regnamespace('interlock_archive') and c.relkind = 'r'",
            &[],
        )
        .await?;
    if archived.len() != parts {
        failures.push(format!(
            "{} parts were to leave, {} have",
            parts,
            archived.len()
        ));
    }
    let left = "select count(*) from interlock.stock_movements where reason = 'test'";
    let mut movements = count(db, left).await?;
    for row in archived {
        let part: String = row.get(0);
        movements += count(db, &format!("select count(*) from {part}")).await?;
    }
    if movements != filled {
        failures.push(format!("of {filled} movements there are {movements}"));
    }
    for (query, what) in [
        (
            "select count(*) from interlock.stock_differences",
            "products whose ledger is not their stock",
        ),
        (
            "select (interlock.audit_inventory(true) ->> 'open_findings')::int",
            "findings of an audit",
        ),
    ] {
        let found = count(db, query).await?;
        if found > 0 {
            failures.push(format!("{found} {what}"));
        }
    }
    Ok(failures)
}

async fn count(db: &Client, query: &str) -> Result<i64> {
    let query = format!("select q.n::bigint from ({query}) as q (n)");
    Ok(db.query_one(&query, &[]).await?.get(0))
}
