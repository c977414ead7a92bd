//! Races at tills. A scenario returns what is wrong.

use crate::areas::inventory::rows::call;
use crate::areas::pos::rows::{receipts, sale, sale_offline};
use crate::areas::shop::races::with_equal_books;
use crate::harness::calls::Adapter;
use crate::harness::races::{Race, Verdict, require};
use crate::harness::stack::{Bench, user_claims};
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use uuid::Uuid;

/// The races.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TillScenario {
    FiveSales,
    TheLastOnes,
    SalesAndTheClose,
    TwoTabs,
    CutOffAndTheWebShop,
    CutOffAndTheClose,
    CutOffTogether,
}

impl Race for TillScenario {
    fn play<'a>(&'a self, bench: &'a Bench, _: Adapter) -> BoxFuture<'a, Verdict> {
        self.run(bench).boxed()
    }
}

impl TillScenario {
    /// Runs the race, and then looks at the books.
    pub(crate) async fn run(self, bench: &Bench) -> Verdict {
        let race = async {
            match self {
                Self::FiveSales => five_sales(bench).await,
                Self::TheLastOnes => the_last_ones(bench).await,
                Self::SalesAndTheClose => sales_and_the_close(bench).await,
                Self::TwoTabs => two_tabs(bench).await,
                Self::CutOffAndTheWebShop => cut_off_and_the_web_shop(bench).await,
                Self::CutOffAndTheClose => cut_off_and_the_close(bench).await,
                Self::CutOffTogether => cut_off_together(bench).await,
            }
        };
        with_equal_books(bench, race).await
    }
}

/// Report 001 at the till: five concurrent sales from 11.52 leave 6.52, under receipts without gaps.
async fn five_sales(bench: &Bench) -> Verdict {
    for _ in 0..10 {
        let inventory = bench.inventory("11.52").await;
        let till = bench.till(inventory).await;
        let sessions = join_all((0..5).map(|_| bench.stack.connect())).await;
        let sql = sale(till.register, inventory, "1");
        let answers = join_all(sessions.iter().map(|session| call(session, &sql))).await;
        require!(answers.iter().all(Result::is_ok), "{answers:?}");
        let left = bench.quantity(inventory).await;
        require!(left == "6.52", "{left} left of 11.52 after five sales");
        let numbers = receipts(answers.iter().flatten());
        require!(numbers == [1, 2, 3, 4, 5], "{numbers:?}");
    }
    Ok(())
}

/// Two are there, and eight want one, at two tills.
async fn the_last_ones(bench: &Bench) -> Verdict {
    for _ in 0..10 {
        let inventory = bench.inventory("2.5").await;
        let tills = [bench.till(inventory).await, bench.till(inventory).await];
        let sessions = join_all((0..8).map(|_| bench.stack.connect())).await;
        let answers = join_all(sessions.iter().enumerate().map(|(n, session)| {
            let sql = sale(tills[n % 2].register, inventory, "1");
            async move { call(session, &sql).await }
        }))
        .await;
        let sold = answers.iter().filter(|answer| answer.is_ok()).count();
        require!(sold == 2, "{sold} sold of 2.5: {answers:?}");
        require!(
            answers
                .iter()
                .filter_map(|answer| answer.as_ref().err())
                .all(|code| code == "INSUFFICIENT_INVENTORY"),
            "{answers:?}"
        );
        let left = bench.quantity(inventory).await;
        require!(left == "0.5", "{left} left of 2.5 after two sales");
    }
    Ok(())
}

/// A shift is closed while six sell: what was sold is in its report, to the cent, and the rest found it closed.
async fn sales_and_the_close(bench: &Bench) -> Verdict {
    for _ in 0..10 {
        let inventory = bench.inventory("100").await;
        let till = bench.till(inventory).await;
        let sessions = join_all((0..7).map(|_| bench.stack.connect())).await;
        let answers = join_all(sessions.iter().enumerate().map(|(n, session)| {
            let sql = match n {
                3 => format!("public.close_shift('{}', 10000)", till.shift),
                _ => sale(till.register, inventory, "1"),
            };
            async move { call(session, &sql).await }
        }))
        .await;
        let close = match &answers[3] {
            Ok(close) => close["shift"].clone(),
            Err(code) => return Err(format!("the shift was not closed: {code}")),
        };
        let sales = answers.iter().enumerate().filter(|(n, _)| *n != 3);
        let sold = sales.clone().filter(|(_, answer)| answer.is_ok()).count();
        require!(
            sales
                .filter_map(|(_, answer)| answer.as_ref().err())
                .all(|code| code == "SHIFT_NOT_OPEN"),
            "{answers:?}"
        );
        require!(
            close["sales"] == sold && close["expected_cash"] == 10_000 + 700 * sold,
            "{sold} sold, and the report says {close}"
        );
    }
    Ok(())
}

/// Three tabs of a till replay one queue at once, each in order: each sale is one, and all get its answer.
async fn two_tabs(bench: &Bench) -> Verdict {
    for _ in 0..10 {
        let inventory = bench.inventory("5").await;
        let till = bench.till(inventory).await;
        let queue: Vec<String> = (0..4)
            .map(|n| sale_offline(&till, inventory, "2", &format!("sale {n}")))
            .collect();
        let sessions = join_all((0..3).map(|_| bench.stack.connect())).await;
        let tabs = join_all(sessions.iter().map(async |session| {
            let mut answers = Vec::new();
            for sql in &queue {
                answers.push(call(session, sql).await);
            }
            answers
        }))
        .await;
        require!(tabs.iter().flatten().all(Result::is_ok), "{tabs:?}");
        require!(tabs.iter().all(|tab| *tab == tabs[0]), "{tabs:?}");
        let numbers = receipts(tabs[0].iter().flatten());
        require!(numbers == [1, 2, 3, 4], "{numbers:?}");
        let left = bench.quantity(inventory).await;
        require!(left == "0", "{left} left of 5 after eight were sold");
        let missing = missing(bench, till.register).await;
        require!(
            missing == "3",
            "{missing} missing of 8 of which 5 were there"
        );
    }
    Ok(())
}

/// How much sales of this register have sold that was not there.
async fn missing(bench: &Bench, register: Uuid) -> String {
    let sum =
        "select trim_scale(coalesce(sum(f.quantity), 0))::text from interlock.sale_shortfalls f
        join interlock.sales s on s.id = f.sale_id where s.register_id = $1";
    let row = bench.db.query_one(sum, &[&register]).await;
    row.expect("shortfalls can be added up").get(0)
}

/// Buyers want the last ones of the web shop, with slots or without, while a till that was cut off says that it has sold as
/// many: the stock ends at nothing, and what is missing is exactly what was sold too much.
async fn cut_off_and_the_web_shop(bench: &Bench) -> Verdict {
    for round in 0..10 {
        let stock = [3, 70][round % 2];
        let product = bench.products(1, stock).await[0];
        let slots = "select public.set_stock_slots($1, 4)";
        if round % 2 == 1 {
            let switched = bench.db.execute(slots, &[&product]).await;
            switched.expect("it can have slots");
        }
        let row = "select id from interlock.inventory_items where id = $1 and location_id = interlock.online_location()";
        let inventory: Uuid = bench
            .db
            .query_one(row, &[&product])
            .await
            .expect("it is in the web shop")
            .get(0);
        let till = bench.till(inventory).await;
        let users = bench.users(3).await;
        let (bought, sold) = (stock / 3, stock / 3 + 1);
        let sessions = join_all((0..6).map(|_| bench.stack.connect())).await;
        let answers = join_all(sessions.iter().enumerate().map(async |(n, session)| {
            if n % 2 == 1 {
                let sql = sale_offline(&till, inventory, &sold.to_string(), &format!("sale {n}"));
                return call(session, &sql).await;
            }
            let claims = user_claims(users[n / 2]);
            let claim = format!("select set_config('request.jwt.claims', '{claims}', false)");
            session
                .batch_execute(&claim)
                .await
                .expect("they are signed in");
            let sql = format!(
                r#"public.checkout('[{{"product_id": "{product}", "quantity": {bought}}}]', p_payment_method => 'bank_transfer')"#
            );
            call(session, &sql).await
        }))
        .await;
        let orders = answers
            .iter()
            .step_by(2)
            .filter(|answer| answer.is_ok())
            .count();
        require!(
            answers.iter().skip(1).step_by(2).all(Result::is_ok),
            "{answers:?}"
        );
        require!(
            answers
                .iter()
                .filter_map(|answer| answer.as_ref().err())
                .all(|code| code == "INSUFFICIENT_INVENTORY"),
            "{answers:?}"
        );
        let (orders, bought, sold, stock) = (
            i64::try_from(orders).expect("there are three"),
            i64::from(bought),
            i64::from(sold),
            i64::from(stock),
        );
        let left = bench.stock(&[product]).await;
        let expected = (orders * bought + 3 * sold - stock).max(0);
        let missing = missing(bench, till.register).await;
        require!(
            missing == expected.to_string() && left == (stock - orders * bought - 3 * sold).max(0),
            "{orders} orders of {bought} and 3 sales of {sold}: {left} left of {stock}, {missing} missing"
        );
    }
    Ok(())
}

/// Two tills of a store were cut off, and send what they have sold at once: what is there is taken once.
async fn cut_off_together(bench: &Bench) -> Verdict {
    for _ in 0..10 {
        let inventory = bench.inventory("2.5").await;
        let tills = [bench.till(inventory).await, bench.till(inventory).await];
        let sessions = join_all((0..8).map(|_| bench.stack.connect())).await;
        let answers = join_all(sessions.iter().enumerate().map(|(n, session)| {
            let sql = sale_offline(&tills[n % 2], inventory, "1", &format!("sale {n}"));
            async move { call(session, &sql).await }
        }))
        .await;
        require!(answers.iter().all(Result::is_ok), "{answers:?}");
        let left = bench.quantity(inventory).await;
        let mut sum = 0.0;
        for till in &tills {
            let missing = missing(bench, till.register).await;
            sum += missing.parse::<f64>().expect("it is a number");
        }
        require!(
            left == "0" && (sum - 5.5).abs() < 1e-9,
            "{left} left of 2.5 after eight were sold, {sum} missing"
        );
    }
    Ok(())
}

/// A shift is closed while a till that was cut off sends six sales of it: each is in the report, or late.
async fn cut_off_and_the_close(bench: &Bench) -> Verdict {
    for _ in 0..10 {
        let inventory = bench.inventory("100").await;
        let till = bench.till(inventory).await;
        let sessions = join_all((0..7).map(|_| bench.stack.connect())).await;
        let answers = join_all(sessions.iter().enumerate().map(|(n, session)| {
            let sql = match n {
                3 => format!("public.close_shift('{}', 10000)", till.shift),
                _ => sale_offline(&till, inventory, "1", &format!("sale {n}")),
            };
            async move { call(session, &sql).await }
        }))
        .await;
        require!(answers.iter().all(Result::is_ok), "{answers:?}");
        let late = answers
            .iter()
            .flatten()
            .filter(|answer| answer["sale"]["late"] == true)
            .count();
        let close = answers[3].as_ref().expect("it is closed")["shift"].clone();
        require!(
            close["sales"] == 6 - late && close["expected_cash"] == 10_000 + 700 * (6 - late),
            "{late} of 6 were late, and the report says {close}"
        );
        let correction = "select coalesce((select array[c.late_sales, c.corrected_expected_cash, c.corrected_difference]
            from interlock.shift_corrections c where c.shift_id = $1), array[0, 14200, -4200])";
        let row = bench.db.query_one(correction, &[&till.shift]).await;
        let told: Vec<i64> = row.expect("corrections can be read").get(0);
        let late = i64::try_from(late).expect("there are six");
        require!(
            told == [late, 14_200, -4_200],
            "{late} of 6 were late: {told:?}"
        );
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn five_concurrent_sales_take_five() {
    let bench = Bench::take().await;
    let verdict = TillScenario::FiveSales.run(&bench).await;
    assert_eq!(verdict, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_ones_are_sold_once_at_two_tills() {
    let bench = Bench::take().await;
    let verdict = TillScenario::TheLastOnes.run(&bench).await;
    assert_eq!(verdict, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closing_report_has_every_sale_of_its_shift() {
    let bench = Bench::take().await;
    let verdict = TillScenario::SalesAndTheClose.run(&bench).await;
    assert_eq!(verdict, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_two_tabs_replay_is_sold_once() {
    let bench = Bench::take().await;
    let verdict = TillScenario::TwoTabs.run(&bench).await;
    assert_eq!(verdict, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sold_offline_and_in_the_web_shop_adds_up() {
    let bench = Bench::take().await;
    let verdict = TillScenario::CutOffAndTheWebShop.run(&bench).await;
    assert_eq!(verdict, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_of_a_shift_that_is_closed_meanwhile_is_in_its_report_or_late() {
    let bench = Bench::take().await;
    let verdict = TillScenario::CutOffAndTheClose.run(&bench).await;
    assert_eq!(verdict, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_tills_have_sold_offline_is_taken_once() {
    let bench = Bench::take().await;
    let verdict = TillScenario::CutOffTogether.run(&bench).await;
    assert_eq!(verdict, Ok(()));
}
