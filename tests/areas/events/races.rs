//! Races of those who deliver. A scenario returns what is wrong.

use super::rows::{accept, claim, note};
use crate::areas::inventory::rows::call;
use crate::areas::shop::calls::{CANCEL_ORDER, CHECKOUT};
use crate::areas::shop::races::order_id;
use crate::areas::shop::rows::{cart, with};
use crate::harness::calls::{Adapter, callers, together};
use crate::harness::races::{Race, Verdict, require};
use crate::harness::stack::Bench;
use crate::prove::invariants;
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use uuid::Uuid;

/// The races.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DeliveryScenario {
    CommitsLate,
    WritersAndWorkers,
    FiveAtATime,
    InOrder,
    RecordedOnce,
    ErasedMeanwhile,
    LowOnce,
    ToldAsDone,
}

impl Race for DeliveryScenario {
    fn play<'a>(&'a self, bench: &'a Bench, _: Adapter) -> BoxFuture<'a, Verdict> {
        self.run(bench).boxed()
    }
}

impl DeliveryScenario {
    /// Runs the race.
    pub(crate) async fn run(self, bench: &Bench) -> Verdict {
        for _ in 0..4 {
            match self {
                Self::CommitsLate => commits_late(bench).await?,
                Self::WritersAndWorkers => writers_and_workers(bench).await?,
                Self::FiveAtATime => five_at_a_time(bench).await?,
                Self::InOrder => in_order(bench).await?,
                Self::RecordedOnce => recorded_once(bench).await?,
                Self::ErasedMeanwhile => erased_meanwhile(bench).await?,
                Self::LowOnce => low_once(bench).await?,
                Self::ToldAsDone => told_as_done(bench).await?,
            }
        }
        Ok(())
    }
}

/// The number and the subject of an event in what is sent.
fn event(delivery: &Value) -> (u64, String) {
    let body: Value = delivery["body"]
        .as_str()
        .and_then(|body| serde_json::from_str(body).ok())
        .unwrap_or_default();
    let subject = body["subject"].as_str().unwrap_or_default().to_owned();
    (body["data"]["n"].as_u64().unwrap_or_default(), subject)
}

async fn execute(bench: &Bench, sql: &str) -> Verdict {
    let done = bench.db.batch_execute(sql).await;
    done.map_err(|error| format!("{error}: {sql}"))
}

/// Somebody is being erased while a mail to them is due: none is written that outlives them.
async fn erased_meanwhile(bench: &Bench) -> Verdict {
    let user = Uuid::new_v4();
    bench.deliver().await;
    execute(
        bench,
        &format!(
            r#"begin;
             select set_config('request.jwt.claims', '{{"role": "service_role"}}', true);
             set local role service_role;
             select public.set_mail_settings('Shop <orders@shop.example>', p_active => true);
             reset role;
             commit;
             begin;
             insert into auth.users (id, aud, role, email) values ('{user}', 'authenticated', 'authenticated', '{user}@test.example');
             insert into interlock.products (id, name, price, currency, available_quantity) values ('{user}', 'Tea', 1250, 'EUR', 1);
             select set_config('request.jwt.claims', '{{"role": "authenticated", "sub": "{user}"}}', true);
             set local role authenticated;
             select public.checkout('[{{"product_id": "{user}", "quantity": 1}}]');
             reset role;
             select set_config('request.jwt.claims', '{{"role": "service_role"}}', true);
             set local role service_role;
             select public.cancel_order(o.id) from interlock.orders o where o.user_id = '{user}';
             reset role;
             insert into interlock.outbox (type, subject, payload)
             select 'order.shipped', e.subject, e.payload
             from interlock.orders o
             join interlock.events e on e.subject = o.id::text and e.type = 'order.cancelled'
             where o.user_id = '{user}';
             commit"#
        ),
    )
    .await?;
    let written = bench
        .db
        .query_one(
            "select b.position from interlock.outbox b join interlock.orders o on o.id::text = b.subject where o.user_id = $1",
            &[&user],
        )
        .await
        .map_err(|error| error.to_string())?;
    let event: i64 = written.get(0);
    let (eraser, worker) = (bench.stack.connect().await, bench.stack.connect().await);
    let begun = eraser
        .batch_execute(&format!("begin; select interlock.erase_user('{user}')"))
        .await;
    require!(begun.is_ok(), "{begun:?}");
    // Those about the same order that have nothing to say come first, one at a time.
    for _ in 0..3 {
        claim(&worker, 50).await?;
    }
    let ended = eraser.batch_execute("commit").await;
    require!(ended.is_ok(), "{ended:?}");
    execute(
        bench,
        &format!(
            "update interlock.deliveries set next_attempt_at = now() where position = {event} and state = 'pending'"
        ),
    )
    .await?;
    claim(&worker, 50).await?;
    let left = bench
        .db
        .query_one(
            "select d.state::text, (select count(*) from interlock.mails m where m.delivery_id = d.id)
             from interlock.deliveries d where d.position = $1",
            &[&event],
        )
        .await
        .map_err(|error| error.to_string())?;
    let left: (String, i64) = (left.get(0), left.get(1));
    require!(
        left == ("skipped".to_owned(), 0),
        "a mail to somebody who is erased is {left:?}"
    );
    execute(
        bench,
        "update interlock.webhook_endpoints set active = false where channel = 'email'",
    )
    .await
}

/// A transaction has written its event, another one that began later commits before it, and a worker has been there.
async fn commits_late(bench: &Bench) -> Verdict {
    let endpoint = bench.endpoint(false).await;
    let (slow, worker) = (bench.stack.connect().await, bench.stack.connect().await);
    let begun = slow
        .batch_execute(&format!("begin; {}", note(&endpoint, 1, 1)))
        .await;
    require!(begun.is_ok(), "{begun:?}");
    execute(bench, &note(&endpoint, 1, 2)).await?;
    let first = claim(&worker, 10).await?;
    let ended = slow.batch_execute("commit").await;
    require!(ended.is_ok(), "{ended:?}");
    let second = claim(&worker, 10).await?;
    let third = claim(&worker, 10).await?;
    let told = |claimed: &[Value]| claimed.iter().map(|one| event(one).0).collect::<Vec<_>>();
    let told = [told(&first), told(&second), told(&third)];
    require!(
        told == [vec![2], vec![1], vec![]],
        "what committed late was told as {told:?}"
    );
    Ok(())
}

/// Claims and accepts until nothing is left; says what was accepted, in order.
async fn work(
    bench: &Bench,
    workers: usize,
    writers: &[Vec<String>],
    events: usize,
) -> Result<Vec<(u64, String)>, String> {
    let under_way = Mutex::new(BTreeMap::<String, usize>::new());
    let accepted = Mutex::new(Vec::new());
    let done = || {
        accepted
            .lock()
            .is_ok_and(|accepted| accepted.len() >= events)
    };
    let writing = async {
        let writing = writers.iter().map(async |writes| {
            let session = bench.stack.connect().await;
            for write in writes {
                let written = session.batch_execute(write).await;
                written.map_err(|error| error.to_string())?;
            }
            Ok(())
        });
        join_all(writing).await.into_iter().collect::<Verdict>()
    };
    let working = join_all((0..workers).map(async |_| {
        let session = bench.stack.connect().await;
        // Each claim makes progress, or somebody else does.
        for _ in 0..10_000 {
            if done() {
                return Ok(());
            }
            for delivery in claim(&session, 3).await? {
                let (n, subject) = event(&delivery);
                {
                    let mut under_way = under_way.lock().expect("nobody panics");
                    let same = under_way.entry(subject.clone()).or_default();
                    *same += 1;
                    require!(*same == 1, "{same} of {subject} are under way");
                }
                tokio::task::yield_now().await;
                {
                    let mut under_way = under_way.lock().expect("nobody panics");
                    *under_way.entry(subject.clone()).or_default() -= 1;
                    accepted.lock().expect("nobody panics").push((n, subject));
                }
                require!(
                    accept(&session, &delivery).await?,
                    "{delivery} was another's"
                );
            }
        }
        Err("it never comes to an end".to_owned())
    }));
    let (written, worked) = futures::join!(writing, working);
    written?;
    worked.into_iter().collect::<Verdict>()?;
    Ok(accepted.into_inner().expect("nobody panics"))
}

/// Transactions of different lengths write, four workers deliver meanwhile: each event once.
async fn writers_and_workers(bench: &Bench) -> Verdict {
    let endpoint = bench.endpoint(false).await;
    let writers: Vec<Vec<String>> = (0..8)
        .map(|writer| {
            let write = |n: usize| {
                // A subject of its own each.
                let n = writer * 10 + n;
                let others = note(&endpoint, 1000 + n, 1000 + n);
                match n % 3 {
                    0 => format!(
                        "begin; {} select pg_sleep(0.01); {others} commit",
                        note(&endpoint, n, n)
                    ),
                    1 => format!(
                        "begin; {others} savepoint s; {} release s; commit",
                        note(&endpoint, n, n)
                    ),
                    _ => format!(
                        "begin; {} rollback; begin; {others} {} commit",
                        note(&endpoint, 9999, 9999),
                        note(&endpoint, n, n)
                    ),
                }
            };
            (0..10).map(write).collect()
        })
        .collect();
    let accepted = work(bench, 4, &writers, 160).await?;
    let once: BTreeSet<u64> = accepted.iter().map(|(n, _)| *n).collect();
    let all: BTreeSet<u64> = (0..80).chain(1000..1080).collect();
    require!(
        accepted.len() == 160 && once == all,
        "of 160 events {} were told, {} of them different",
        accepted.len(),
        once.len()
    );
    Ok(())
}

/// Thirty are due at an endpoint, and eight claim at once.
async fn five_at_a_time(bench: &Bench) -> Verdict {
    let endpoint = bench.endpoint(false).await;
    for n in 0..30 {
        execute(bench, &note(&endpoint, n, n)).await?;
    }
    // They are made, and none is leased.
    require!(claim(&bench.db, 1).await?.len() == 1, "none is due");
    let free = format!(
        "update interlock.deliveries set lease = null, lease_until = null where endpoint_id = '{}'",
        endpoint.id
    );
    execute(bench, &free).await?;
    let sessions = join_all((0..8).map(|_| bench.stack.connect())).await;
    let claims = join_all(sessions.iter().map(|session| claim(session, 50))).await;
    let mut leased = 0;
    for claimed in claims {
        leased += claimed?.len();
    }
    require!(leased == 5, "{leased} are under way at one endpoint");
    Ok(())
}

/// Six events of each of four subjects, and four workers.
async fn in_order(bench: &Bench) -> Verdict {
    let endpoint = bench.endpoint(true).await;
    let writers: Vec<Vec<String>> = (0..4)
        .map(|subject| (0..6).map(|n| note(&endpoint, subject, n)).collect())
        .collect();
    let accepted = work(bench, 4, &writers, 24).await?;
    for subject in 0..4 {
        let subject = subject.to_string();
        let of_it = accepted.iter().filter(|(_, other)| *other == subject);
        let told: Vec<u64> = of_it.map(|(n, _)| *n).collect();
        require!(
            told == [0, 1, 2, 3, 4, 5],
            "the events of {subject} were told as {told:?}"
        );
    }
    Ok(())
}

/// Four record one attempt at once.
async fn recorded_once(bench: &Bench) -> Verdict {
    let endpoint = bench.endpoint(false).await;
    execute(bench, &note(&endpoint, 1, 1)).await?;
    let claimed = claim(&bench.db, 5).await?;
    require!(claimed.len() == 1, "{claimed:?}");
    let sessions = join_all((0..4).map(|_| bench.stack.connect())).await;
    let records = join_all(sessions.iter().map(|session| accept(session, &claimed[0]))).await;
    let recorded = records.iter().filter(|record| **record == Ok(true)).count();
    require!(recorded == 1, "{records:?}");
    let attempts = bench
        .number(
            "select count(*) from interlock.delivery_attempts a join interlock.deliveries d on d.id = a.delivery_id
             where d.endpoint_id = any ($1)",
            &[endpoint.id],
        )
        .await;
    require!(attempts == 1, "{attempts} attempts are recorded");
    Ok(())
}

macro_rules! tests {
    ($($name:ident: $scenario:ident;)+) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let bench = Bench::take().await;
            assert_eq!(DeliveryScenario::$scenario.run(&bench).await, Ok(()));
        })+
    };
}

tests! {
    what_commits_late_is_told: CommitsLate;
    each_event_is_told_once: WritersAndWorkers;
    an_endpoint_has_five_at_a_time: FiveAtATime;
    a_subject_is_told_in_order: InOrder;
    an_attempt_is_recorded_once: RecordedOnce;
    no_mail_outlives_whom_it_is_to: ErasedMeanwhile;
    what_is_done_is_told_and_nothing_else: ToldAsDone;
}

/// Eight want the six units of a product, and who gets one cancels at once; six sell the four of a stock at a till, and each of these
/// sales is voided twice. What came of it is told, once each, and nothing of those who were refused.
async fn told_as_done(bench: &Bench) -> Verdict {
    let product = bench.products(1, 6).await[0];
    let users = bench.users(8).await;
    let buyers = callers(bench.stack, Adapter::Sql, &users).await;
    let orders = together(buyers.into_iter().enumerate().map(|(n, buyer)| async move {
        let method = ["bank_transfer", "cash_on_delivery"][n % 2];
        let body = with(cart(&[(product, 1)]), "payment_method", method);
        let bought = buyer.invoke(CHECKOUT, body, None).await;
        match order_id(&bought) {
            Some(order) if n < 4 => {
                let order = json!({ "order_id": order });
                buyer.invoke(CANCEL_ORDER, order, None).await
            }
            _ => bought,
        }
    }));
    let inventory = bench.inventory("4").await;
    let register = bench.till(inventory).await.register;
    let sales = async {
        let sessions = join_all((0..6).map(|_| bench.stack.connect())).await;
        let sell = format!(
            r#"public.pos_sale('{register}', '[{{"inventory_id": "{inventory}", "quantity": 1}}]', '[{{"type": "cash", "amount": 700}}]')"#
        );
        let sold = join_all(sessions.iter().map(|session| call(session, &sell))).await;
        let ids = sold
            .iter()
            .flatten()
            .filter_map(|sold| sold["sale"]["id"].as_str());
        let voids: Vec<String> = ids
            .take(2)
            .flat_map(|id| [id, id])
            .map(|id| format!("public.void_sale('{id}', 'test')"))
            .collect();
        let voids = sessions.iter().zip(&voids);
        let voided = join_all(voids.map(|(session, void)| call(session, void))).await;
        (sold, voided)
    };
    let (orders, (sold, voided)) = futures::join!(orders, sales);
    let got = orders.iter().filter(|order| order.is_success()).count();
    require!(got >= 6, "{got} got one of six units: {orders:?}");
    let [sold, voided] = [sold, voided].map(|calls| calls.iter().flatten().count());
    require!(
        (sold, voided) == (4, 4),
        "{sold} sold of four, and {voided} of four voids"
    );
    let ids = [users, vec![product, register]].concat();
    let broken = invariants::broken(&bench.db, Some(&ids)).await;
    let broken = broken.map_err(|error| format!("{error:#}"))?;
    require!(broken.is_empty(), "{broken:?}");
    Ok(())
}

/// Twelve buy the twelve units of a product at once; one of them makes it low.
async fn low_once(bench: &Bench) -> Verdict {
    let product = bench.products(1, 12).await[0];
    let sessions = join_all((0..12).map(|_| bench.stack.connect())).await;
    let buy = format!("public.decrement_product_quantity('{product}', 1)");
    for sold in join_all(sessions.iter().map(|session| call(session, &buy))).await {
        sold?;
    }
    let told = bench
        .db
        .query(
            "select (b.payload ->> 'available_quantity')::int from interlock.outbox b
             where b.type = 'stock.low' and b.subject = $1",
            &[&product.to_string()],
        )
        .await
        .map_err(|error| error.to_string())?;
    let told: Vec<i32> = told.iter().map(|row| row.get(0)).collect();
    require!(told == [5], "a stock was told to be low at {told:?}");
    Ok(())
}
