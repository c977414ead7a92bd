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
use std::time::Duration;
use uuid::Uuid;

/// The races.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ReturnScenario {
    TheLastReturn,
    ReturnAndVoid,
    ExchangesBothWays,
    PointsComeBack,
    HeldByAnExchange,
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
                Self::HeldByAnExchange => held_by_an_exchange(bench).await,
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

/// A store exchanges goods for the same ones, and so holds their product by a foreign key. Two tills of the web shop sell it with
/// something else, and wait for a third: they get it one after the other.
async fn held_by_an_exchange(bench: &Bench) -> Verdict {
    let inventory = bench.inventory("5").await;
    let products = "with of as (select product_id as id from interlock.inventory where id = $1)
         update interlock.products p set available_quantity = 10
         where p.id in (select id from of union select $2) returning p.id";
    let beside = bench.products(1, 0).await[0];
    let rows = bench.db.query(products, &[&inventory, &beside]).await;
    let rows = rows.map_err(|error| error.to_string())?;
    let ids = rows.iter().map(|row| row.get::<_, Uuid>(0));
    let lines = ids.map(|id| format!(r#"{{"inventory_id": "{id}", "quantity": 1}}"#));
    let lines = lines.collect::<Vec<_>>().join(", ");

    let store = bench.till(inventory).await.register;
    let sold = call(&bench.db, &sale(store, inventory, "1")).await?;
    let session = || async {
        let session = bench.stack.connect().await;
        session.batch_execute("begin").await.expect("it begins");
        session
    };
    let exchanging = session().await;
    call(&exchanging, &exchange(store, &sold, "1", Some(inventory))).await?;
    let first = session().await;
    let taking = format!(
        "update interlock.products set available_quantity = available_quantity - 1
         where id = (select product_id from interlock.inventory where id = '{inventory}')"
    );
    let taken = first.batch_execute(&taking).await;
    taken.map_err(|error| error.to_string())?;

    let mut sales = Vec::new();
    for waiting in 1..=2 {
        let (session, register) = (
            bench.stack.connect().await,
            bench.till(beside).await.register,
        );
        let sql = format!(
            r#"public.pos_sale('{register}', '[{lines}]', '[{{"type": "cash", "amount": 100000}}]')"#
        );
        sales.push(tokio::spawn(async move { call(&session, &sql).await }));
        while bench.waiting().await < waiting {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    first.batch_execute("commit").await.expect("it ends");
    for sale in sales {
        let answer = sale.await.expect("a sale does not panic");
        require!(answer.is_ok(), "{answer:?}");
    }
    exchanging.batch_execute("commit").await.expect("it ends");
    let left = bench.stock(&[beside]).await;
    require!(left == 8, "{left} left of 10 after two were sold");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_product_that_an_exchange_holds_is_sold_by_one_after_the_other() {
    let bench = Bench::take().await;
    let verdict = ReturnScenario::HeldByAnExchange.run(&bench).await;
    assert_eq!(verdict, Ok(()));
}
