//! Races for stock at locations. A scenario returns what is wrong.

use crate::areas::inventory::rows::call;
use crate::areas::shop::races::with_equal_books;
use crate::harness::calls::Adapter;
use crate::harness::races::{Race, Verdict, require};
use crate::harness::stack::Bench;
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use serde_json::Value;
use uuid::Uuid;

/// The races.
#[derive(Clone, Copy, Debug)]
pub(crate) enum InventoryScenario {
    FiveSales,
    TheLastOnes,
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
