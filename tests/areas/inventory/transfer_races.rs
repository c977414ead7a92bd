//! Races of transfers between locations. A scenario returns what is wrong.

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
pub(crate) enum TransferScenario {
    ThreeReceipts,
    OppositeWays,
    ReceivedAndCancelled,
}

impl Race for TransferScenario {
    fn play<'a>(&'a self, bench: &'a Bench, _: Adapter) -> BoxFuture<'a, Verdict> {
        self.run(bench).boxed()
    }
}

impl TransferScenario {
    /// Runs the race, and then looks at the books.
    pub(crate) async fn run(self, bench: &Bench) -> Verdict {
        let race = async {
            match self {
                Self::ThreeReceipts => three_receipts(bench).await,
                Self::OppositeWays => opposite_ways(bench).await,
                Self::ReceivedAndCancelled => received_and_cancelled(bench).await,
            }
        };
        with_equal_books(bench, race).await
    }
}

/// A product that is at two new locations, each with so much of it; for the web shop the second is that.
struct Places {
    product: Uuid,
    here: Uuid,
    there: Uuid,
}

impl Places {
    async fn new(bench: &Bench, quantity: i32, online: bool) -> Self {
        let row = bench
            .db
            .query_one(
                "with l as (insert into interlock.locations (name) values ('here'), ('there') returning id),
                 p as (insert into interlock.products (name, price, currency, available_quantity) values ('test', 700, 'USD', $1) returning id),
                 i as (
                   insert into interlock.inventory (product_id, location_id, quantity) select p.id, l.id, $1 from p, l
                   returning location_id
                 )
                 select p.id, (array_agg(i.location_id))[1], (array_agg(i.location_id))[2] from p, i group by p.id",
                &[&quantity],
            )
            .await
            .expect("rows can be inserted");
        let online_location = Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0001);
        Self {
            product: row.get(0),
            here: row.get(1),
            there: if online { online_location } else { row.get(2) },
        }
    }

    /// What is there.
    async fn at(&self, bench: &Bench, location: Uuid) -> String {
        bench
            .db
            .query_one(
                "select quantity_available::text from interlock.inventory_items where product_id = $1 and location_id = $2",
                &[&self.product, &location],
            )
            .await
            .expect("stock can be read")
            .get(0)
    }

    fn transfer(&self, from: Uuid, to: Uuid, quantity: i32, in_transit: bool) -> String {
        format!(
            r#"public.manage_inventory('transfer',
                '[{{"product_id": "{}", "from_location_id": "{from}", "to_location_id": "{to}", "quantity": {quantity}}}]',
                p_in_transit => {in_transit})"#,
            self.product
        )
    }

    async fn sent(&self, bench: &Bench, quantity: i32) -> Result<String, String> {
        let send = self.transfer(self.here, self.there, quantity, true);
        let answer = call(&bench.db, &send).await?;
        Ok(answer["transfer_id"]
            .as_str()
            .unwrap_or_default()
            .to_owned())
    }

    fn receive(&self, transfer: &str, quantity: i32) -> String {
        format!(
            r#"public.manage_inventory('receive', '[{{"product_id": "{}", "quantity": {quantity}}}]', p_transfer_id => '{transfer}')"#,
            self.product
        )
    }
}

/// All calls at once, each in a session of its own.
async fn at_once(bench: &Bench, calls: &[String]) -> Vec<Result<Value, String>> {
    let sessions = join_all(calls.iter().map(|_| bench.stack.connect())).await;
    join_all(
        sessions
            .iter()
            .zip(calls)
            .map(|(session, sql)| call(session, sql)),
    )
    .await
}

/// Three people book the same ten: ten are on the shelf, not thirty.
async fn three_receipts(bench: &Bench) -> Verdict {
    for online in [false, true].into_iter().cycle().take(20) {
        let places = Places::new(bench, 20, online).await;
        let transfer = places.sent(bench, 10).await?;
        let receipt = places.receive(&transfer, 10);
        let answers = at_once(bench, &[receipt.clone(), receipt.clone(), receipt]).await;
        let received = answers.iter().filter(|answer| answer.is_ok()).count();
        require!(received == 1, "{received} of three receipts: {answers:?}");
        require!(
            answers
                .iter()
                .filter_map(|answer| answer.as_ref().err())
                .all(|code| code == "TRANSFER_EXCEEDED"),
            "{answers:?}"
        );
        let (here, there) = (
            places.at(bench, places.here).await,
            places.at(bench, places.there).await,
        );
        require!(
            here == "10" && there == "30",
            "{here} left of 20, and {there} are where 20 were and 10 came"
        );
    }
    Ok(())
}

/// From here to there and back, the same two rows, at once: nobody waits in a circle, and nothing is lost.
async fn opposite_ways(bench: &Bench) -> Verdict {
    for online in [false, true].into_iter().cycle().take(6) {
        let places = Places::new(bench, 100, online).await;
        let calls: Vec<String> = (0..16)
            .map(|n| {
                if n % 2 == 0 {
                    places.transfer(places.here, places.there, 3, false)
                } else {
                    places.transfer(places.there, places.here, 2, false)
                }
            })
            .collect();
        for _ in 0..4 {
            let answers = at_once(bench, &calls).await;
            require!(answers.iter().all(Result::is_ok), "{answers:?}");
        }
        let (here, there) = (
            places.at(bench, places.here).await,
            places.at(bench, places.there).await,
        );
        require!(
            here == "68" && there == "132",
            "{here} and {there} after 32 times 3 there and 2 back, from 100 each"
        );
    }
    Ok(())
}

/// What is received and what comes back is what was sent, whoever is first.
async fn received_and_cancelled(bench: &Bench) -> Verdict {
    for _ in 0..20 {
        let places = Places::new(bench, 20, false).await;
        let transfer = places.sent(bench, 10).await?;
        let cancel = format!("public.manage_inventory('cancel', p_transfer_id => '{transfer}')");
        let answers = at_once(
            bench,
            &[
                places.receive(&transfer, 6),
                cancel.clone(),
                cancel,
                places.receive(&transfer, 6),
            ],
        )
        .await;
        let done = |range: [usize; 2]| range.iter().filter(|n| answers[**n].is_ok()).count();
        require!(done([1, 2]) == 1, "cancelled once: {answers:?}");
        let received = done([0, 3]);
        require!(received <= 1, "6 of 10 come once: {answers:?}");
        let total: i64 = [
            places.at(bench, places.here).await,
            places.at(bench, places.there).await,
        ]
        .iter()
        .filter_map(|quantity| quantity.parse::<i64>().ok())
        .sum();
        require!(total == 40, "{total} of 40 left: {answers:?}");
    }
    Ok(())
}

async fn check(scenario: TransferScenario) {
    let bench = Bench::take().await;
    if let Err(error) = scenario.run(&bench).await {
        panic!("{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_receipts_of_ten_put_ten_on_the_shelf() {
    check(TransferScenario::ThreeReceipts).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn opposite_transfers_do_not_wait_in_a_circle() {
    check(TransferScenario::OppositeWays).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cancelled_does_not_come_as_well() {
    check(TransferScenario::ReceivedAndCancelled).await;
}
