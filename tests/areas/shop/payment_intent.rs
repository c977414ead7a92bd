//! The HTTP contract of `payment-intent`, on a stack with a stand-in for Stripe: one intent for each attempt, whatever is
//! lost on the way, and the order is paid by it.

use super::cards::{CardOrder, StandIn};
use super::rows::{cart, with};
use crate::harness::calls::{Adapter, Answer, Caller, Operation};
use crate::harness::stack::Bench;
use crate::openapi::Scene;
use futures::future::join_all;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use uuid::Uuid;

const STORE: Operation = Operation {
    function: "",
    rpc: "store_card_payment",
};

/// `payment-intent`.
pub(crate) async fn documented(bench: &Bench) -> (String, Value) {
    let mut scene = Scene::new(bench, "payment-intent");
    let products = bench.products(2, 5).await;
    let [product, cheap] = products[..] else {
        panic!("two products")
    };
    let price = "update interlock.products set price = 20 where id = $1";
    bench
        .db
        .execute(price, &[&cheap])
        .await
        .expect("it is cheap");
    bench.take_cards().await;
    let order = CardOrder::new(bench, product, 1).await;
    let buyer = order.buyer.user;
    scene.refuses_what_all_refuse(buyer).await;
    let of = |order: Uuid| json!({ "order_id": order });
    scene.expect("begun", buyer, &of(order.id)).await;
    scene.expect("in another tab", buyer, &of(order.id)).await;
    scene
        .expect("ORDER_NOT_FOUND", buyer, &of(Uuid::new_v4()))
        .await;
    let in_cash = Scene::new(bench, "checkout")
        .expect("in cash", buyer, &cart(&[(product, 1)]))
        .await;
    let in_cash = of(super::cards::id_of(&in_cash["order"]["id"]));
    scene.expect("ORDER_STATE_CONFLICT", buyer, &in_cash).await;
    // As if all of these had been given up.
    let order = CardOrder::new(bench, product, 1).await;
    let given_up = "insert into interlock.payments (order_id, provider, attempt, amount, currency, status)
                    select id, 'stripe', n, total, currency, 'canceled' from interlock.orders, generate_series(1, 20) as n
                    where id = $1";
    let inserted = bench.db.execute(given_up, &[&order.id]).await;
    inserted.expect("they are given up");
    scene
        .expect("TOO_MANY_PAYMENT_ATTEMPTS", order.buyer.user, &of(order.id))
        .await;
    // Less than the provider takes.
    let order = CardOrder::new(bench, cheap, 1).await;
    let refused = scene
        .expect("PAYMENT_REFUSED", order.buyer.user, &of(order.id))
        .await;
    assert_eq!(refused["details"]["provider_code"], "amount_too_small");
    bench.take_no_cards().await;
    scene.end()
}

/// A shop that takes cards, an order, and the stand-in; none where there is no stand-in.
async fn begin() -> Option<(Bench, StandIn, CardOrder)> {
    let bench = Bench::take().await;
    let Some(stripe) = StandIn::get() else {
        eprintln!("left out: this stack has no stand-in for Stripe");
        return None;
    };
    // What a test before has left.
    stripe.kind().await;
    if !end_faults(&bench).await {
        eprintln!("left out: no faults can be injected into this stack");
        return None;
    }
    bench.take_cards().await;
    let product = bench.products(1, 50).await[0];
    let order = CardOrder::new(&bench, product, 1).await;
    Some((bench, stripe, order))
}

/// The function does not come to keep an id.
async fn lose_ids(bench: &Bench) {
    let lost = json!({
        "times": 8, "path": "/rest/v1/rpc/store_card_payment", "status": 502, "acts": false,
    });
    let url = format!("{}/faults", bench.stack.api_url);
    let told = bench.stack.http.post(url).json(&lost).send().await;
    assert!(told.is_ok_and(|answer| answer.status() == 200));
}

/// False where none can be injected.
async fn end_faults(bench: &Bench) -> bool {
    let url = format!("{}/faults", bench.stack.api_url);
    let ended = bench.stack.http.delete(url).send().await;
    ended.is_ok_and(|answer| answer.status() == 200)
}

fn paid_with(answer: &Answer) -> &str {
    assert_eq!(answer.status, 200, "{answer:?}");
    let id = answer.body["payment"]["provider_id"].as_str();
    id.expect("an intent")
}

async fn stored(bench: &Bench, order: Uuid) -> Vec<String> {
    let rows = bench
        .db
        .query(
            "select coalesce(provider_id, 'none') || ' ' || status from interlock.payments where order_id = $1 order by attempt",
            &[&order],
        )
        .await;
    let rows = rows.expect("payments can be read");
    rows.iter().map(|row| row.get(0)).collect()
}

async fn becomes_paid(bench: &Bench, order: Uuid) {
    let started = Instant::now();
    while bench.order_status(order).await != "paid" {
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "it is not paid"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_tabs_get_the_same_intent_and_its_payment_pays_the_order() {
    let Some((bench, stripe, order)) = begin().await else {
        return;
    };
    let answers = join_all((0..8).map(|_| order.intent(&bench))).await;
    let id = paid_with(&answers[0]);
    let payment = &answers[0].body["payment"];
    for answer in &answers {
        assert_eq!(paid_with(answer), id);
        assert_eq!(
            answer.body["payment"]["client_secret"],
            payment["client_secret"]
        );
    }
    assert_eq!(stripe.intents(order.id).await.len(), 1);
    assert_eq!(stored(&bench, order.id).await, [format!("{id} open")]);
    assert_eq!(
        (&payment["amount"], &payment["currency"], &payment["status"]),
        (&json!(order.total), &json!("USD"), &json!("open"))
    );
    assert_eq!(payment["order_id"], json!(order.id));

    // The page comes back and asks, while the event is on its way.
    let (confirmed, ..) = tokio::join!(
        stripe.pay(id),
        order.intent(&bench),
        order.intent(&bench),
        order.intent(&bench)
    );
    assert_eq!(confirmed["status"], "succeeded");
    becomes_paid(&bench, order.id).await;
    let after = order.intent(&bench).await;
    assert_eq!(
        (after.status, after.code.as_str()),
        (409, "ORDER_STATE_CONFLICT")
    );
    assert_eq!(stored(&bench, order.id).await, [format!("{id} succeeded")]);
    assert_eq!(stripe.intents(order.id).await.len(), 1);
    bench.take_no_cards().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_lost_on_the_way_to_the_provider_there_is_one_intent() {
    let Some((bench, stripe, _)) = begin().await else {
        return;
    };
    let product = bench.products(1, 50).await[0];
    for fault in [
        json!({ "acts": true, "hangs_up": true }),
        json!({ "acts": false, "hangs_up": true }),
        json!({ "acts": true, "status": 500 }),
        json!({ "acts": false, "status": 503 }),
        json!({ "acts": true, "status": 504 }),
        json!({ "acts": false, "status": 429, "retry_after": "1" }),
        json!({ "acts": true, "delay_ms": 1_500 }),
    ] {
        let order = CardOrder::new(&bench, product, 1).await;
        stripe.next(fault.clone()).await;
        let answer = order.intent(&bench).await;
        let id = paid_with(&answer);
        assert_eq!(stripe.intents(order.id).await.len(), 1, "{fault}");
        assert_eq!(
            stored(&bench, order.id).await,
            [format!("{id} open")],
            "{fault}"
        );
    }
    stripe.kind().await;
    bench.take_no_cards().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_the_provider_keeps_costs_an_attempt_and_not_the_order() {
    let Some((bench, stripe, order)) = begin().await else {
        return;
    };
    // An event would tell of the intent that there is, and it would do.
    stripe.told("/hold", "").await;
    stripe
        .next(json!({ "acts": true, "status": 500, "keeps": true }))
        .await;
    let answer = order.intent(&bench).await;
    let id = paid_with(&answer);
    let attempts = stored(&bench, order.id).await;
    assert_eq!(attempts.len(), 2, "{attempts:?}");
    assert!(
        attempts[0].ends_with("canceled") && attempts[1] == format!("{id} open"),
        "{attempts:?}"
    );
    // In another tab.
    assert_eq!(paid_with(&order.intent(&bench).await), id);
    stripe.kind().await;
    bench.take_no_cards().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_provider_is_away_the_page_is_asked_to_come_again() {
    let Some((bench, stripe, order)) = begin().await else {
        return;
    };
    for fault in [
        json!({ "times": 10, "acts": false, "status": 503 }),
        json!({ "times": 10, "acts": false, "status": 429, "retry_after": "60" }),
        json!({ "times": 10, "acts": true, "hangs_up": true }),
    ] {
        // An event would tell of the intent that there is.
        stripe.told("/hold", "").await;
        stripe.next(fault.clone()).await;
        let answer = order.intent(&bench).await;
        assert_eq!(
            (answer.status, answer.code.as_str()),
            (503, "UPSTREAM_UNAVAILABLE"),
            "{fault}"
        );
        assert_eq!(answer.body["retryable"], true);
        stripe.kind().await;
    }
    // The answer comes when nobody waits for it any more.
    stripe.told("/hold", "").await;
    stripe
        .next(json!({ "acts": true, "delay_ms": 10_500 }))
        .await;
    let answer = order.intent(&bench).await;
    assert_eq!(
        (
            answer.status,
            answer.code.as_str(),
            &answer.body["retryable"]
        ),
        (504, "UPSTREAM_TIMEOUT", &json!(true))
    );
    // Another tab's request is under way.
    let key = format!("interlock-{}", order.begin().await);
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    stripe.told("/keys", key).await;
    let answer = order.intent(&bench).await;
    assert_eq!(
        (answer.status, &answer.body["retryable"]),
        (503, &json!(true))
    );
    assert!(stripe.intents(order.id).await.len() <= 1);
    stripe.kind().await;
    bench.take_no_cards().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_intent_whose_id_was_not_kept_is_found_again_and_pays() {
    let Some((bench, stripe, order)) = begin().await else {
        return;
    };
    // As if the function were killed between the provider and the database, and no event had come yet.
    stripe.told("/hold", "").await;
    lose_ids(&bench).await;
    let answer = order.intent(&bench).await;
    assert_eq!(
        (answer.status, &answer.body["retryable"]),
        (503, &json!(true))
    );
    assert!(!answer.body.to_string().contains("_secret_"));
    let made = stripe.intents(order.id).await;
    let [made] = &made[..] else {
        panic!("one intent: {made:?}")
    };
    assert_eq!(stored(&bench, order.id).await, ["none open"]);
    assert!(end_faults(&bench).await);
    let answer = order.intent(&bench).await;
    assert_eq!(made["id"], paid_with(&answer));
    assert_eq!(stripe.intents(order.id).await.len(), 1);
    assert_eq!(
        stored(&bench, order.id).await,
        [format!("{} open", paid_with(&answer))]
    );

    // It is paid before anybody has asked again: the event finds its order by itself.
    let other = CardOrder::new(&bench, bench.products(1, 5).await[0], 1).await;
    lose_ids(&bench).await;
    assert_eq!(other.intent(&bench).await.status, 503);
    let made = stripe.intents(other.id).await;
    stripe.pay(made[0]["id"].as_str().expect("an intent")).await;
    assert!(end_faults(&bench).await);
    stripe
        .told("/send", json!({ "reversed": true, "times": 1 }))
        .await;
    assert_eq!(bench.order_status(other.id).await, "paid");
    stripe.kind().await;
    bench.take_no_cards().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_shown_the_secret_of_an_intent_that_is_not_theirs() {
    let Some((bench, stripe, order)) = begin().await else {
        return;
    };
    let product = bench.products(1, 5).await[0];
    let other = CardOrder::new(&bench, product, 1).await;
    let others = other.intent(&bench).await;
    let (theirs, secret) = (
        paid_with(&others).to_owned(),
        others.body["payment"]["client_secret"].clone(),
    );
    // What a buyer may do over the API.
    let payment = order.begin().await;
    let claimed = json!({ "payment_id": payment, "provider_id": theirs });
    let answer = order.buyer.invoke(STORE, claimed, None).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = order.intent(&bench).await;
    assert_ne!(paid_with(&answer), theirs);
    assert!(
        !answer
            .body
            .to_string()
            .contains(secret.as_str().expect("a secret"))
    );
    assert_eq!(paid_with(&other.intent(&bench).await), theirs);
    // The same with one that there is not.
    let third = CardOrder::new(&bench, product, 1).await;
    let payment = third.begin().await;
    let claimed = json!({ "payment_id": payment, "provider_id": "pi_nobody" });
    assert_eq!(third.buyer.invoke(STORE, claimed, None).await.status, 200);
    let answer = third.intent(&bench).await;
    assert_eq!(
        stored(&bench, third.id).await,
        [
            "pi_nobody canceled".to_owned(),
            format!("{} open", paid_with(&answer))
        ]
    );
    stripe.kind().await;
    bench.take_no_cards().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_intent_that_was_cancelled_is_followed_by_another() {
    let Some((bench, stripe, order)) = begin().await else {
        return;
    };
    // Its event does not come for now.
    stripe.told("/hold", "").await;
    let answer = order.intent(&bench).await;
    let first = paid_with(&answer).to_owned();
    let path = format!("payment_intents/{first}/cancel");
    let cancelled = stripe
        .call(&path, &[("cancellation_reason", "abandoned")])
        .await;
    assert_eq!(cancelled["status"], "canceled", "{cancelled}");
    let answers = join_all((0..4).map(|_| order.intent(&bench))).await;
    let second = paid_with(&answers[0]);
    assert_ne!(second, first);
    assert!(answers.iter().all(|answer| paid_with(answer) == second));
    assert_eq!(
        stored(&bench, order.id).await,
        [format!("{first} canceled"), format!("{second} open")]
    );
    // Now it comes, twice, and the last one first; the second one is paid, and all of that twice as well.
    stripe.pay(second).await;
    stripe
        .told("/send", json!({ "reversed": true, "times": 2 }))
        .await;
    assert_eq!(bench.order_status(order.id).await, "paid");
    assert_eq!(
        stored(&bench, order.id).await,
        [format!("{first} canceled"), format!("{second} succeeded")]
    );
    stripe.kind().await;
    bench.take_no_cards().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_its_buyers_own_and_needs_a_card() {
    let Some((bench, _, order)) = begin().await else {
        return;
    };
    let stranger = bench.users(1).await[0];
    let stranger = Caller::new(bench.stack, Adapter::Function, stranger).await;
    let asked = json!({ "order_id": order.id });
    let answer = stranger
        .invoke(super::cards::PAYMENT_INTENT, asked, None)
        .await;
    assert_eq!(
        (answer.status, answer.code.as_str()),
        (404, "ORDER_NOT_FOUND")
    );
    let product = bench.products(1, 5).await[0];
    bench.top_up(stranger.user, 10_000).await;
    let wanted = with(cart(&[(product, 1)]), "payment_method", "wallet");
    let bought = stranger.invoke(super::calls::CHECKOUT, wanted, None).await;
    let asked = json!({ "order_id": bought.body["order"]["id"] });
    let answer = stranger
        .invoke(super::cards::PAYMENT_INTENT, asked, None)
        .await;
    assert_eq!(
        (answer.status, answer.code.as_str()),
        (409, "ORDER_STATE_CONFLICT")
    );
    bench.take_no_cards().await;
}
