//! The admission gate in front of a hot product, with a Redis of its own: whatever becomes of it, what is sold is sold
//! once. Its cases without a Redis are in functions/_shared/gate_test.ts.

use crate::areas::shop::calls::CHECKOUT;
use crate::areas::shop::rows::cart;
use crate::harness::calls::{Adapter, Caller};
use crate::harness::stack::Bench;
use futures::future::join_all;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use uuid::Uuid;

/// The front of this stack's Redis.
struct Front {
    url: String,
    token: String,
    hot: Uuid,
}

impl Front {
    fn get() -> Self {
        let told = |name| {
            std::env::var(name).unwrap_or_else(|_| {
                panic!("{name} is not set: start the stack with `npm start -- --with redis`")
            })
        };
        Front {
            url: told("INTERLOCK_LOCK_URL"),
            token: told("INTERLOCK_LOCK_TOKEN"),
            hot: told("INTERLOCK_LOCK_PRODUCTS").parse().expect("one id"),
        }
    }

    async fn ask(&self, bench: &Bench, command: Value) -> Value {
        let request = bench.stack.http.post(&self.url).bearer_auth(&self.token);
        let answer = request
            .json(&command)
            .send()
            .await
            .expect("the front answers");
        let answer: Value = answer.json().await.expect("JSON");
        answer["result"].clone()
    }

    fn key(&self) -> String {
        format!("interlock:{}", self.hot)
    }
}

/// So many of the hot product are there.
async fn stock(bench: &Bench, hot: Uuid, quantity: i32) {
    let sql = "insert into interlock.products (id, name, price, currency, available_quantity) values ($1, 'hot', 700, 'USD', $2)
        on conflict (id) do nothing";
    let made = bench.db.execute(sql, &[&hot, &quantity]).await;
    made.expect("it can be inserted");
    let sql = "update interlock.products set available_quantity = $2 where id = $1";
    let set = bench.db.execute(sql, &[&hot, &quantity]).await;
    set.expect("it can be set");
}

/// What comes of one checkout by each of so many: how many were sold one, and to how many it was refused.
async fn rush(bench: &Bench, hot: Uuid, buyers: usize) -> (usize, usize) {
    let users = bench.users(buyers).await;
    let calls = users.into_iter().map(|user| async move {
        let caller = Caller::new(bench.stack, Adapter::Function, user).await;
        caller.invoke(CHECKOUT, cart(&[(hot, 1)]), None).await
    });
    let answers = join_all(calls).await;
    let sold = answers.iter().filter(|answer| answer.is_success());
    let short = answers
        .iter()
        .filter(|answer| answer.code == "INSUFFICIENT_INVENTORY");
    (sold.count(), short.count())
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_the_gate_as_many_are_sold_as_there_are() {
    let bench = Bench::take().await;
    let front = Front::get();
    front.ask(&bench, json!(["DEL", front.key()])).await;
    stock(&bench, front.hot, 7).await;
    assert_eq!(rush(&bench, front.hot, 12).await, (7, 5));
    // Whoever has passed gives the place back, on the heels of the answer.
    let mut asked = 0;
    while front.ask(&bench, json!(["EXISTS", front.key()])).await != json!(0) {
        asked += 1;
        assert!(asked < 10_000, "the place was not given back");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_stuck_or_ends_under_its_holder_changes_nothing_but_the_time() {
    let bench = Bench::take().await;
    let front = Front::get();
    // Somebody has it and never gives it back.
    stock(&bench, front.hot, 3).await;
    let stuck = json!(["SET", front.key(), "somebody", "PX", 60_000]);
    assert_eq!(front.ask(&bench, stuck).await, json!("OK"));
    assert_eq!(rush(&bench, front.hot, 5).await, (3, 2));
    // Nobody has ended what is another one's.
    assert_eq!(
        front.ask(&bench, json!(["GET", front.key()])).await,
        json!("somebody")
    );

    // It is over again and again while they hold it.
    stock(&bench, front.hot, 6).await;
    let ends = async {
        loop {
            front.ask(&bench, json!(["DEL", front.key()])).await;
        }
    };
    tokio::select! {
        () = ends => unreachable!("it never stops"),
        rushed = rush(&bench, front.hot, 10) => assert_eq!(rushed, (6, 4)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn upstashs_own_client_finds_in_the_front_what_it_expects() {
    let _turn = Bench::take().await;
    Front::get();
    let output = Command::new("node")
        .args(["--test", "tests/redis/client.test.js"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .output()
        .expect("node starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
}
