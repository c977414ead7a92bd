//! Races at tills. A scenario returns what is wrong.

use crate::areas::inventory::rows::call;
use crate::areas::pos::rows::{receipts, sale};
use crate::areas::shop::races::with_equal_books;
use crate::harness::calls::Adapter;
use crate::harness::races::{Race, Verdict, require};
use crate::harness::stack::Bench;
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};

/// The races.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TillScenario {
    FiveSales,
    TheLastOnes,
    SalesAndTheClose,
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
