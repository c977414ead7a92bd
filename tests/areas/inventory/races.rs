//! Races for stock at locations. A scenario returns what is wrong.

use crate::areas::inventory::rows::{Stocks, call};
use crate::areas::shop::races::with_equal_books;
use crate::harness::calls::Adapter;
use crate::harness::races::{Race, Verdict, require};
use crate::harness::stack::Bench;
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use serde_json::Value;
use tokio_postgres::Client;
use uuid::Uuid;

/// The races.
#[derive(Clone, Copy, Debug)]
pub(crate) enum InventoryScenario {
    FiveSales,
    TheLastOnes,
    Mixed { clients: usize },
}

impl Race for InventoryScenario {
    fn play<'a>(&'a self, bench: &'a Bench, _: Adapter) -> BoxFuture<'a, Verdict> {
        self.run(bench).boxed()
    }
}

impl InventoryScenario {
    /// Runs the race, and then looks at the books.
    pub(crate) async fn run(self, bench: &Bench) -> Verdict {
        let race = async {
            match self {
                Self::FiveSales => five_sales(bench).await,
                Self::TheLastOnes => the_last_ones(bench).await,
                Self::Mixed { clients } => mixed(bench, clients).await,
            }
        };
        with_equal_books(bench, race).await
    }
}

/// As many sales of one unit at once, each in a session of its own.
async fn sales(bench: &Bench, inventory: Uuid, count: usize) -> Vec<Result<Value, String>> {
    let sessions = join_all((0..count).map(|_| bench.stack.connect())).await;
    let sale = format!("public.decrement_inventory('{inventory}', 1)");
    join_all(sessions.iter().map(|session| call(session, &sale))).await
}

/// Report 001, whose five concurrent sales took one: from 11.52 they leave 6.52.
async fn five_sales(bench: &Bench) -> Verdict {
    for _ in 0..20 {
        let inventory = bench.inventory("11.52").await;
        let answers = sales(bench, inventory, 5).await;
        require!(answers.iter().all(Result::is_ok), "{answers:?}");
        let left = bench.quantity(inventory).await;
        require!(left == "6.52", "{left} left of 11.52 after five sales");
        let mut seen: Vec<String> = answers
            .iter()
            .flatten()
            .map(|answer| format!("{} {}", answer["old_quantity"], answer["new_quantity"]))
            .collect();
        seen.sort();
        require!(
            seen == [
                "10.52 9.52",
                "11.52 10.52",
                "7.52 6.52",
                "8.52 7.52",
                "9.52 8.52"
            ],
            "{seen:?}"
        );
    }
    Ok(())
}

/// Two are there, and eight want one.
async fn the_last_ones(bench: &Bench) -> Verdict {
    for _ in 0..20 {
        let inventory = bench.inventory("2.5").await;
        let answers = sales(bench, inventory, 8).await;
        let sold = answers.iter().filter(|answer| answer.is_ok()).count();
        require!(sold == 2, "{sold} sold of 2.5: {answers:?}");
        let refused: Vec<&String> = answers
            .iter()
            .filter_map(|answer| answer.as_ref().err())
            .collect();
        require!(
            refused.iter().all(|code| *code == "INSUFFICIENT_INVENTORY"),
            "{refused:?}"
        );
        let left = bench.quantity(inventory).await;
        require!(left == "0.5", "{left} left of 2.5 after two sales");
    }
    Ok(())
}

/// What is done to four products in the web shop and two stores, by as many at once as there are clients.
async fn mixed(bench: &Bench, clients: usize) -> Verdict {
    const CALLS: usize = 12;
    let deadlocks = bench.deadlocks().await;
    let stocks = bench.stocks().await;
    let watched = bench.stack.connect().await;
    let users = bench.users(clients).await;
    let playing = join_all((0..clients).map(|client| {
        let (stocks, user) = (stocks.clone(), users[client]);
        async move {
            let session = bench.stack.connect().await;
            // A step of a generator with a full period is enough to mix.
            let mut random = client as u64 * 7919 + 1;
            let mut told = Vec::new();
            for _ in 0..CALLS {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                told.push(play(&session, &stocks, user, random >> 33).await);
            }
            told
        }
    }));
    let watching = async {
        loop {
            let wrong = watched
                .query_one(UNEQUAL, &[&stocks.products])
                .await
                .expect("the books can be read")
                .get::<_, Option<String>>(0);
            if let Some(wrong) = wrong {
                return wrong;
            }
        }
    };
    let told: Vec<Result<Value, String>> = tokio::select! {
        told = playing => told.into_iter().flatten().collect(),
        wrong = watching => return Err(format!("while they are at it: {wrong}")),
    };
    let mut tally = std::collections::BTreeMap::new();
    for answer in &told {
        let code = match answer {
            Ok(answer) if answer["message"].is_string() => answer["message"].to_string(),
            Ok(_) => "OK".to_owned(),
            Err(code) => code.clone(),
        };
        *tally.entry(code).or_insert(0) += 1;
    }
    let known = [
        "OK",
        "\"VERSION_CONFLICT\"",
        "INSUFFICIENT_INVENTORY",
        "TOO_MANY_OPEN_ORDERS",
        "55P03",
    ];
    require!(
        tally.keys().all(|code| known.contains(&code.as_str())) && tally["OK"] > told.len() / 3,
        "{tally:?}"
    );
    let now = bench.deadlocks().await;
    require!(now == deadlocks, "{} deadlocks", now - deadlocks);
    let wrong: Option<String> = bench
        .db
        .query_one(UNEQUAL, &[&stocks.products])
        .await
        .expect("the books can be read")
        .get(0);
    require!(wrong.is_none(), "{wrong:?}");
    Ok(())
}

/// Stock that is not what its ledger adds up to, and rows of a ledger whose balance does not follow from those before.
const UNEQUAL: &str = "
select string_agg(w.what, ', ')
from (
  select format('%s at %s is %s, its ledger says %s', d.product_id, d.location_id, d.quantity, d.ledger_quantity) as what
  from interlock.stock_differences d where d.product_id = any ($1)
  union all
  select format('movement %s leaves %s instead of %s', m.id, m.balance_after, m.sum)
  from (
    select m.id, m.balance_after, sum(m.delta) over (partition by m.product_id, m.location_id order by m.id) as sum
    from interlock.stock_movements m where m.product_id = any ($1)
  ) m
  where m.balance_after <> m.sum
) w";

/// One call of somebody at a till, in the warehouse or in the web shop, as the number says.
async fn play(session: &Client, stocks: &Stocks, user: Uuid, random: u64) -> Result<Value, String> {
    let pick = |shift: u32, of: usize| (random >> shift) as usize % of;
    let (product, place) = (pick(4, 4), pick(6, 3));
    let (one, other) = (
        &stocks.lines[product][place],
        &stocks.lines[pick(8, 4)][pick(10, 3)],
    );
    let amount = 1 + pick(12, 5);
    match pick(0, 8) {
        0 | 1 => {
            let buyer = format!(r#"{{"role": "authenticated", "sub": "{user}"}}"#);
            let claims = "select set_config('request.jwt.claims', $1, false)";
            session
                .execute(claims, &[&buyer])
                .await
                .expect("claims can be set");
            let product = stocks.products[product];
            let bought = call(
                session,
                &format!(r#"public.checkout('[{{"product_id": "{product}", "quantity": 1}}]')"#),
            )
            .await;
            session
                .execute(claims, &[&""])
                .await
                .expect("claims can be set");
            bought
        }
        2 => {
            call(
                session,
                &format!(
                    "public.decrement_inventory('{}', {amount})",
                    stocks.ids[product][place]
                ),
            )
            .await
        }
        3 | 4 => {
            let lines =
                format!(r#"[{{{one}, "delta": -{amount}}}, {{{other}, "delta": {amount}}}]"#);
            call(
                session,
                &format!("public.manage_inventory('adjust', '{lines}')"),
            )
            .await
        }
        5 => {
            let lines = format!(r#"[{{{one}, "quantity": 2}}, {{{other}, "quantity": 1}}]"#);
            call(
                session,
                &format!("public.manage_inventory('receive', '{lines}')"),
            )
            .await
        }
        6 => {
            let lines = format!(r#"[{{{one}, "counted": {}}}]"#, 20 + amount);
            call(
                session,
                &format!("public.manage_inventory('count', '{lines}', p_began_at => now())"),
            )
            .await
        }
        _ => {
            let seen = call(
                session,
                &format!("public.manage_inventory('get', '[{{{one}}}]')"),
            )
            .await?;
            let version = &seen["lines"][0]["version"];
            let lines = format!(
                r#"[{{{one}, "quantity": {}, "expected_version": {version}}}]"#,
                20 + amount
            );
            call(
                session,
                &format!("public.manage_inventory('set', '{lines}')"),
            )
            .await
        }
    }
}

async fn check(scenario: InventoryScenario) {
    let bench = Bench::take().await;
    if let Err(error) = scenario.run(&bench).await {
        panic!("{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_concurrent_sales_from_11_52_leave_6_52() {
    check(InventoryScenario::FiveSales).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_ones_are_sold_once() {
    check(InventoryScenario::TheLastOnes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_clients_of_everything_leave_equal_books_and_no_deadlock() {
    check(InventoryScenario::Mixed { clients: 64 }).await;
}
