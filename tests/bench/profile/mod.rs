//! Where the database's time of a checkout goes, as flame graphs: what runs in what, and for how long.
//!
//! Two measurements, because whoever is told of each statement is told slowly. Under load the server only counts: `pg_stat_statements`
//! each statement inside functions, `pg_stat_user_functions` each function, `pg_stat_database` the whole. Then a few calls are made with
//! `auto_explain`, which tells of each statement on which stack it ran. Functions without statements of their own are on no stack; so
//! that they are, every function is given one, in this copy of the database and after everything is counted.

mod api;
mod counts;
mod notice;
mod stacks;

use crate::figure::{Options, progress};
use crate::flame::Flame;
use crate::rows::{self, Kind};
use crate::server::Database;
use anyhow::{Context as _, Result};
use api::{Api, SET_CONFIG};
use counts::{Counters, Sums};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio_postgres::Client;
use uuid::Uuid;

const SECTION: &str = "profile";
const DATABASE: &str = "bench_profile";
const COLD_PRODUCTS: u64 = 50_000;
/// Has no factor in common with the number of products, so no cart has one twice.
const STRIDE: u64 = 997;
/// Calls until a session has made its plans: five times Postgres plans anew.
const WARM_UP: usize = 20;
/// Orders of each kind before anything is counted: of an empty table Postgres plans to read all of it.
const FILLING: usize = 500;
/// Calls of which one is drawn.
const ATTEMPTS: usize = 3;

const INTERLOCK: &str = "public.checkout";
const PEER: &str = "bench_peers.checkout_select_for_update";

/// Names of pictures, and what is drawn in each on one scale.
pub(crate) const PICTURES: [(&str, &[usize]); 3] =
    [("1-line", &[0, 1]), ("5-lines", &[2]), ("50-lines", &[3])];

const VARIANTS: [(&str, &str, u64); 4] = [
    ("interlock, 1 line", INTERLOCK, 1),
    ("select-for-update, 1 line", PEER, 1),
    ("interlock, 5 lines", INTERLOCK, 5),
    ("interlock, 50 lines", INTERLOCK, 50),
];

/// One kind of checkout, and what was counted of it.
struct Variant {
    name: &'static str,
    function: &'static str,
    lines: u64,
    api: Api,
    random: StdRng,
    sums: Sums,
}

/// Measures all of them.
pub(crate) async fn run(options: &Options) -> Result<Vec<Flame>> {
    let database = Database::copy(DATABASE).await?;
    let counters = Counters {
        inside: database.connect().await?,
        outside: Database::outside().await?,
        database: DATABASE,
    };
    let admin = &counters.inside;
    prepare(admin).await?;
    fill(&database).await?;
    rows::vacuum_what_has_rows(admin).await?;
    // Functions by their whole names, as stacks have them, and without those that this session calls.
    admin
        .batch_execute("set search_path = ''; set track_functions = 'none'")
        .await?;

    let mut variants = Vec::new();
    for variant in 0..VARIANTS.len() {
        let mut variant = Variant::open(&database, variant).await?;
        variant.call(WARM_UP).await?;
        variants.push(variant);
    }
    for round in 1..=options.rounds {
        progress(SECTION, &format!("round {round} of {}", options.rounds));
        for variant in &mut variants {
            variant.count(&counters, 2.0 * options.seconds).await?;
        }
    }
    ask_who_calls(admin).await?;
    let mut flames = Vec::new();
    for variant in &mut variants {
        let name = variant.name;
        flames.push(
            variant
                .draw()
                .await
                .with_context(|| format!("profile of {name}"))?,
        );
    }
    drop(variants);
    drop(counters);
    database.remove().await?;
    Ok(flames)
}

async fn prepare(admin: &Client) -> Result<()> {
    admin
        .batch_execute(
            "create schema watch; create extension pg_stat_statements schema watch;
             select watch.pg_stat_statements_reset()",
        )
        .await
        .context("the server counts no statements: `npm run bench` starts one that can")?;
    let peers = [
        include_str!("../peers/schema.sql"),
        include_str!("../peers/select_for_update.sql"),
    ];
    rows::add_peers(admin, &peers).await?;
    rows::lift_limits(admin).await?;
    rows::add_users(admin, 1).await?;
    rows::add_products(admin, Kind::Cold, COLD_PRODUCTS).await
}

async fn fill(database: &Database) -> Result<()> {
    for variant in 0..VARIANTS.len() {
        let mut variant = Variant::open(database, variant).await?;
        variant.call(FILLING / variant.lines as usize).await?;
    }
    Ok(())
}

/// Gives each function that was called a statement of its own, by which it tells of itself.
async fn ask_who_calls(admin: &Client) -> Result<()> {
    let called = "
        select pg_get_functiondef(p.oid), p.prosrc
        from pg_stat_user_functions s
        join pg_proc p on p.oid = s.funcid
        join pg_language l on l.oid = p.prolang and l.lanname = 'plpgsql'
        where p.prorettype <> 'event_trigger'::regtype";
    for row in admin.query(called, &[]).await? {
        let (definition, source): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let asked = asking(&definition, &source).context("a function's source is in it")?;
        admin.batch_execute(&asked).await.with_context(|| asked)?;
    }
    Ok(())
}

/// The function with its body as a block in another one.
fn asking(definition: &str, source: &str) -> Option<String> {
    let (head, tail) = definition.rsplit_once(source)?;
    let body = source.trim_end().trim_end_matches(';');
    let called = stacks::CALLED;
    Some(format!(
        "{head}\nbegin\nperform '{called}';\n{body}\n;\nend\n{tail}"
    ))
}

impl Variant {
    async fn open(database: &Database, number: usize) -> Result<Self> {
        let (name, function, lines) = VARIANTS[number];
        Ok(Variant {
            name,
            function,
            lines,
            api: Api::open(database, Kind::User.id(0), function).await?,
            random: StdRng::seed_from_u64(number as u64),
            sums: Sums::default(),
        })
    }

    fn cart(&mut self) -> Value {
        let first = self.random.random_range(0..COLD_PRODUCTS);
        let product = |line| -> Uuid { Kind::Cold.id((first + line * STRIDE) % COLD_PRODUCTS) };
        let lines =
            (0..self.lines).map(|line| json!({ "product_id": product(line), "quantity": 1 }));
        Value::Array(lines.collect())
    }

    async fn call(&mut self, times: usize) -> Result<()> {
        for _ in 0..times {
            let cart = self.cart();
            self.api.checkout(&cart).await?;
        }
        Ok(())
    }

    /// Calls for so long, while the server counts.
    async fn count(&mut self, counters: &Counters, seconds: f64) -> Result<()> {
        self.api.flush().await?;
        let round = counters.begin().await?;
        let mut calls = 0;
        let end = Instant::now() + Duration::from_secs_f64(seconds);
        while Instant::now() < end {
            self.call(1).await?;
            calls += 1;
        }
        self.api.flush().await?;
        counters.end(round, calls, &mut self.sums).await
    }

    /// A call may once go another way than all the others, because it had to wait, say.
    async fn draw(&mut self) -> Result<Flame> {
        self.call(WARM_UP).await?;
        for _ in 1..ATTEMPTS {
            if let Ok(flame) = self.draw_call().await {
                return Ok(flame);
            }
        }
        self.draw_call().await
    }

    /// What one call tells, with what was counted of many.
    async fn draw_call(&mut self) -> Result<Flame> {
        self.api.tell(true).await?;
        self.call(1).await?;
        let told = self.api.told()?;
        self.api.tell(false).await?;
        let sent = [
            ("set_config(…)".to_owned(), SET_CONFIG.to_owned()),
            (format!("{}(…)", self.function), api::call(self.function)),
        ];
        stacks::measure(self.name, &sent, stacks::fold(told)?, &self.sums.costs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_asks_before_it_does_anything_else() {
        let source = "\ndeclare\n  v int;\nbegin\n  return;\nend;\n";
        let definition =
            format!("create or replace function a.f()\nas $function${source}$function$\n");
        let asked = asking(&definition, source).expect("a function");
        assert_eq!(
            asked,
            "create or replace function a.f()\nas $function$\nbegin\nperform 'the profile asks who calls';\n\
             \ndeclare\n  v int;\nbegin\n  return;\nend\n;\nend\n$function$\n"
        );
        assert_eq!(asking("no source", source), None);
    }
}
