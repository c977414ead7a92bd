//! What one driver sees of a batch from claim to completion, over every adapter.

use crate::harness::calls::{Adapter, Answer, Caller};
use crate::harness::stack::Bench;
use uuid::Uuid;

const ADAPTERS: [Adapter; 3] = [Adapter::Function, Adapter::Rpc, Adapter::Sql];

fn expect(answer: &Answer, status: u16, code: &str) {
    assert_eq!(
        (answer.status, answer.code.as_str()),
        (status, code),
        "{answer:?}"
    );
}

fn state(answer: &Answer) -> &str {
    answer.body["batch"]["status"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_claimed_renewed_started_and_completed() {
    let bench = Bench::take().await;
    for adapter in ADAPTERS {
        let driver = bench.drivers(1).await[0];
        let batch = bench.batches(1).await[0];
        let caller = Caller::new(bench.stack, adapter, driver).await;

        let claimed = caller.claim(Some(batch)).await;
        expect(&claimed, 200, "OK");
        assert_eq!(claimed.body["success"], true);
        assert_eq!(claimed.body["batch"]["driver_id"], driver.to_string());
        assert_eq!(state(&claimed), "claimed");
        let again = caller.claim(Some(batch)).await;
        assert_eq!(
            again.body, claimed.body,
            "claiming what one holds changes nothing"
        );

        let renewed = caller.call(Some(batch), Some("renew")).await;
        expect(&renewed, 200, "OK");
        let end = |answer: &Answer| {
            answer.body["batch"]["lease_expires_at"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        assert!(end(&renewed) > end(&claimed), "the lease got longer");

        for _ in 0..2 {
            let started = caller.call(Some(batch), Some("start")).await;
            expect(&started, 200, "OK");
            assert_eq!(state(&started), "in_progress");
        }
        for _ in 0..2 {
            let completed = caller.call(Some(batch), Some("complete")).await;
            expect(&completed, 200, "OK");
            assert_eq!(state(&completed), "completed");
        }
        expect(&caller.claim(Some(batch)).await, 409, "BATCH_UNAVAILABLE");

        let events: Vec<String> = bench
            .events(batch)
            .await
            .into_iter()
            .map(|(event, _)| event)
            .collect();
        assert_eq!(
            events,
            ["created", "claimed", "renewed", "started", "completed"],
            "{adapter:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_released_batch_is_the_next_drivers() {
    let bench = Bench::take().await;
    for adapter in ADAPTERS {
        let drivers = bench.drivers(2).await;
        let batch = bench.batches(1).await[0];
        let first = Caller::new(bench.stack, adapter, drivers[0]).await;
        let second = Caller::new(bench.stack, adapter, drivers[1]).await;

        expect(&first.claim(Some(batch)).await, 200, "OK");
        expect(
            &second.call(Some(batch), Some("release")).await,
            409,
            "BATCH_NOT_HELD",
        );
        let released = first.call(Some(batch), Some("release")).await;
        expect(&released, 200, "OK");
        assert_eq!(state(&released), "available");
        expect(
            &first.call(Some(batch), Some("release")).await,
            409,
            "BATCH_NOT_HELD",
        );
        expect(&second.claim(Some(batch)).await, 200, "OK");
        assert_eq!(bench.batch(batch).await.0, Some(drivers[1]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_over_ends_every_right_but_to_claim_again_and_to_complete() {
    let bench = Bench::take().await;
    for adapter in ADAPTERS {
        let driver = bench.drivers(1).await[0];
        let batch = bench.batches(1).await[0];
        let caller = Caller::new(bench.stack, adapter, driver).await;
        expect(&caller.claim(Some(batch)).await, 200, "OK");
        bench.expire_lease(batch).await;
        for action in ["renew", "release", "start"] {
            let before = bench.batch(batch).await;
            expect(
                &caller.call(Some(batch), Some(action)).await,
                409,
                "LEASE_EXPIRED",
            );
            assert_eq!(
                bench.batch(batch).await,
                before,
                "a refusal changes nothing"
            );
        }
        expect(&caller.claim(Some(batch)).await, 200, "OK");
        expect(&caller.call(Some(batch), Some("start")).await, 200, "OK");
        bench.expire_lease(batch).await;
        let again = caller.claim(Some(batch)).await;
        expect(&again, 200, "OK");
        assert_eq!(state(&again), "in_progress", "they are on the road still");
        bench.expire_lease(batch).await;
        expect(&caller.call(Some(batch), Some("complete")).await, 200, "OK");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn next_goes_by_priority_and_then_by_age() {
    let bench = Bench::take().await;
    bench.needs_no_other_batches().await;
    let batches = bench.batches(3).await;
    let age = "update interlock.batches set priority = $2, created_at = now() - make_interval(mins => $3) where id = $1";
    for (batch, priority, minutes) in [
        (batches[0], 0_i32, 9_i32),
        (batches[1], 5, 1),
        (batches[2], 5, 2),
    ] {
        bench
            .db
            .execute(age, &[&batch, &priority, &minutes])
            .await
            .expect("the batch is there");
    }
    for expected in [batches[2], batches[1], batches[0]] {
        let driver = bench.drivers(1).await[0];
        let answer = Caller::new(bench.stack, Adapter::Function, driver)
            .await
            .claim(None)
            .await;
        assert_eq!(answer.batch_id(), Some(expected));
    }
    let driver = bench.drivers(1).await[0];
    let none = Caller::new(bench.stack, Adapter::Function, driver)
        .await
        .claim(None)
        .await;
    expect(&none, 409, "NO_BATCH_AVAILABLE");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_unknown_batches_are_refused() {
    let bench = Bench::take().await;
    for adapter in ADAPTERS {
        let batch = bench.batches(1).await[0];
        let buyer = Caller::new(bench.stack, adapter, bench.users(1).await[0]).await;
        expect(&buyer.claim(Some(batch)).await, 403, "NOT_A_DRIVER");

        let driver = bench.drivers(1).await[0];
        let caller = Caller::new(bench.stack, adapter, driver).await;
        expect(
            &caller.claim(Some(Uuid::new_v4())).await,
            404,
            "BATCH_NOT_FOUND",
        );
        bench
            .db
            .execute(
                "update interlock.drivers set active = false where user_id = $1",
                &[&driver],
            )
            .await
            .expect("the driver is there");
        expect(&caller.claim(Some(batch)).await, 403, "NOT_A_DRIVER");
        assert_eq!(
            bench.batch(batch).await,
            (None, "available".to_owned(), 1),
            "a refusal changes nothing"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lease_length_is_a_setting_of_the_database() {
    let bench = Bench::take().await;
    let lease = async |length: &str| {
        bench
            .db
            .execute(
                &format!("update interlock.settings set claim_lease = '{length}'"),
                &[],
            )
            .await
            .expect("the setting can be changed");
        let driver = bench.drivers(1).await[0];
        let batch = bench.batches(1).await[0];
        let answer = Caller::new(bench.stack, Adapter::Function, driver)
            .await
            .claim(Some(batch))
            .await;
        expect(&answer, 200, "OK");
        let row = bench
            .db
            .query_one(
                "select extract(epoch from lease_expires_at - claimed_at)::bigint from interlock.batches where id = $1",
                &[&batch],
            )
            .await
            .expect("the batch is there");
        row.get::<_, i64>(0)
    };
    let before: String = bench
        .db
        .query_one("select claim_lease::text from interlock.settings", &[])
        .await
        .expect("there is one row of settings")
        .get(0);
    let seconds = lease("42 minutes").await;
    let restored = lease(&before).await;
    assert_eq!(seconds, 42 * 60);
    assert_eq!(
        restored,
        15 * 60,
        "15 minutes unless somebody set it otherwise"
    );
}
