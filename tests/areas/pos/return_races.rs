//! Races of what comes back to tills. A scenario returns what is wrong.

use crate::areas::inventory::rows::call;
use crate::areas::pos::customer_races::{points_count, sale_to, with_points};
use crate::areas::pos::rows::{exchange, sale};
use crate::areas::shop::races::with_equal_books;
use crate::harness::calls::Adapter;
use crate::harness::races::{Race, Verdict, require};
use crate::harness::stack::Bench;
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};

/// The races.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ReturnScenario {
    TheLastReturn,
    ReturnAndVoid,
    ExchangesBothWays,
    PointsComeBack,
}

impl Race for ReturnScenario {
    fn play<'a>(&'a self, bench: &'a Bench, _: Adapter) -> BoxFuture<'a, Verdict> {
        self.run(bench).boxed()
    }
}

impl ReturnScenario {
    /// Runs the race, and then looks at the books.
    pub(crate) async fn run(self, bench: &Bench) -> Verdict {
        let race = async {
            match self {
                Self::TheLastReturn => the_last_return(bench).await,
                Self::ReturnAndVoid => return_and_void(bench).await,
                Self::ExchangesBothWays => exchanges_both_ways(bench).await,
                Self::PointsComeBack => points_come_back(bench).await,
            }
        };
        with_equal_books(bench, race).await
    }
}

/// One unit was sold, and four take it back, at two tills: one refund.
async fn the_last_return(bench: &Bench) -> Verdict {
    for _ in 0..10 {
        let inventory = bench.inventory("5").await;
        let tills = [bench.till(inventory).await, bench.till(inventory).await];
        let sold = call(&bench.db, &sale(tills[0].register, inventory, "1")).await?;
        let sessions = join_all((0..4).map(|_| bench.stack.connect())).await;
        let answers = join_all(sessions.iter().enumerate().map(|(n, session)| {
            let sql = exchange(tills[n % 2].register, &sold, "1", None);
            async move { call(session, &sql).await }
        }))
        .await;
        let back = answers.iter().filter(|answer| answer.is_ok()).count();
        require!(back == 1, "{back} of one came back: {answers:?}");
        require!(
            answers
                .iter()
                .filter_map(|answer| answer.as_ref().err())
                .all(|code| code == "RETURN_EXCEEDS_SOLD"),
            "{answers:?}"
        );
        let left = bench.quantity(inventory).await;
        require!(left == "5", "{left} there of 5 after all came back");
    }
    Ok(())
}

/// A sale is voided while its goods come back: they come back once, and its money is given back once.
async fn return_and_void(bench: &Bench) -> Verdict {
    for _ in 0..10 {
        let inventory = bench.inventory("5").await;
        let tills = [bench.till(inventory).await, bench.till(inventory).await];
        let sold = call(&bench.db, &sale(tills[0].register, inventory, "1")).await?;
        let id = sold["sale"]["id"].as_str().unwrap_or_default();
        let calls = [
            exchange(tills[1].register, &sold, "1", None),
            format!("public.void_sale('{id}', 'test')"),
        ];
        let sessions = join_all(calls.iter().map(|_| bench.stack.connect())).await;
        let answers = join_all(
            sessions
                .iter()
                .zip(&calls)
                .map(|(session, sql)| call(session, sql)),
        )
        .await;
        let codes: Vec<_> = answers
            .iter()
            .filter_map(|answer| answer.as_ref().err())
            .collect();
        require!(
            codes == ["SALE_VOIDED"] || codes == ["SALE_RETURNED"],
            "{answers:?}"
        );
        let left = bench.quantity(inventory).await;
        require!(left == "5", "{left} there of 5 after all came back");
    }
    Ok(())
}

/// Four exchange a for b and four b for a, at four tills of one store: nobody waits for ever, and each shelf is as it was.
async fn exchanges_both_ways(bench: &Bench) -> Verdict {
    for _ in 0..10 {
        let a = bench.inventory("10").await;
        let beside = "with p as (insert into interlock.products (name, price, currency, unit, decimals) values ('test', 700, 'USD', 'g', 3) returning id)
          insert into interlock.inventory (product_id, location_id, quantity)
          select p.id, i.location_id, 10 from p, interlock.inventory i where i.id = $1 returning id";
        let row = bench.db.query_one(beside, &[&a]).await;
        let b = row.map_err(|error| error.to_string())?.get(0);
        let mut calls = Vec::new();
        for n in 0..8 {
            let register = bench.till(a).await.register;
            let (from, to) = if n % 2 == 0 { (a, b) } else { (b, a) };
            let sold = call(&bench.db, &sale(register, from, "1")).await?;
            calls.push(exchange(register, &sold, "1", Some(to)));
        }
        let sessions = join_all(calls.iter().map(|_| bench.stack.connect())).await;
        let answers = join_all(
            sessions
                .iter()
                .zip(&calls)
                .map(|(session, sql)| call(session, sql)),
        )
        .await;
        require!(answers.iter().all(Result::is_ok), "{answers:?}");
        for inventory in [a, b] {
            let left = bench.quantity(inventory).await;
            require!(
                left == "6",
                "{left} left of 10 after four were sold and exchanged"
            );
        }
    }
    Ok(())
}

/// A unit was paid with points, and four take it back into these, at two tills: they come back once.
async fn points_come_back(bench: &Bench) -> Verdict {
    points_count(bench).await;
    for _ in 0..10 {
        let inventory = bench.inventory("5").await;
        let tills = [bench.till(inventory).await, bench.till(inventory).await];
        let user = bench.users(1).await[0];
        let customer = with_points(bench, user).await?;
        let who = format!(r#"{{"id": "{customer}"}}"#);
        let points = r#"[{"type": "points", "amount": 700}]"#;
        let paid = sale_to(tills[0].register, inventory, &who, points);
        let sold = call(&bench.db, &paid).await?;
        let id = sold["sale"]["id"].as_str().unwrap_or_default();
        let sessions = join_all((0..4).map(|_| bench.stack.connect())).await;
        let answers = join_all(sessions.iter().enumerate().map(|(n, session)| {
            let register = tills[n % 2].register;
            let sql = format!(
                r#"public.pos_sale('{register}', null, '{points}', '[{{"sale_id": "{id}", "line": 0, "quantity": 1, "reason": "test"}}]')"#
            );
            async move { call(session, &sql).await }
        }))
        .await;
        let back = answers.iter().filter(|answer| answer.is_ok()).count();
        require!(back == 1, "{back} of one came back: {answers:?}");
        require!(
            answers
                .iter()
                .filter_map(|answer| answer.as_ref().err())
                .all(|code| code == "RETURN_EXCEEDS_SOLD"),
            "{answers:?}"
        );
        let row = bench
            .db
            .query_one(
                "select a.balance::bigint, (select sum(points) from interlock.points_movements where customer_id = $1)::bigint
                 from interlock.points_accounts a where a.customer_id = $1",
                &[&customer],
            )
            .await
            .expect("points can be read");
        let (balance, ledger): (i64, i64) = (row.get(0), row.get(1));
        require!(
            (balance, ledger) == (100, 100),
            "{balance} of 100 points, {ledger} by the ledger"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sold_once_comes_back_once_at_two_tills() {
    let bench = Bench::take().await;
    let verdict = ReturnScenario::TheLastReturn.run(&bench).await;
    assert_eq!(verdict, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_is_voided_or_comes_back() {
    let bench = Bench::take().await;
    let verdict = ReturnScenario::ReturnAndVoid.run(&bench).await;
    assert_eq!(verdict, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn tills_that_exchange_in_both_directions_do_not_wait_for_each_other() {
    let bench = Bench::take().await;
    let verdict = ReturnScenario::ExchangesBothWays.run(&bench).await;
    assert_eq!(verdict, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn points_that_have_paid_come_back_once_at_two_tills() {
    let bench = Bench::take().await;
    let verdict = ReturnScenario::PointsComeBack.run(&bench).await;
    assert_eq!(verdict, Ok(()));
}
