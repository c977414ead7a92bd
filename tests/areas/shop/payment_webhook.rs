//! The HTTP contract of `payment-webhook`: who may tell what, and that each event counts once.

use super::cards::{CardOrder, Delivery, SECRET, event_id, signature};
use crate::harness::stack::{Bench, unix_time};
use crate::openapi::{Scene, Sent};
use futures::future::join_all;
use serde_json::{Value, json};

/// `payment-webhook`.
pub(crate) async fn documented(bench: &Bench) -> (String, Value) {
    let mut scene = Scene::new(bench, "payment-webhook");
    bench.take_cards().await;
    let product = bench.products(1, 5).await[0];
    let order = CardOrder::new(bench, product, 1).await;
    let payment = order.begin().await;
    let paid = order.event(&event_id(), "succeeded", Some(payment));
    let other = r#"{"id":"evt_other","type":"x.y","created":1,"data":{"object":{}}}"#;
    let large = " ".repeat(70_000);
    for (outcome, body, secret) in [
        ("paid", paid.as_str(), SECRET),
        ("the same event again", &paid, SECRET),
        ("nothing of ours", other, SECRET),
        ("VALIDATION_FAILED", "{}", SECRET),
        ("WEBHOOK_SIGNATURE_INVALID", "{}", "whsec_of_somebody_else"),
        ("BODY_TOO_LARGE", &large, SECRET),
    ] {
        let request = scene.request(order.buyer.user, &Value::Null);
        let signature = Some(signature(body.as_bytes(), secret, unix_time()));
        let body = body.to_owned();
        let sent = Sent {
            body,
            signature,
            ..request
        };
        scene.expect_of(outcome, sent).await;
    }
    bench.take_no_cards().await;
    scene.end()
}

async fn events(bench: &Bench) -> i64 {
    bench
        .number(
            "select count(*) from interlock.payment_events where $1::uuid[] is not null",
            &[],
        )
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_has_not_signed_now_is_refused_and_leaves_nothing() {
    let bench = Bench::take().await;
    bench.take_cards().await;
    let product = bench.products(1, 5).await[0];
    let order = CardOrder::new(&bench, product, 1).await;
    let payment = order.begin().await;
    let event = order.event(&event_id(), "succeeded", Some(payment));
    let bytes = event.as_bytes();
    let stored = events(&bench).await;

    let unsigned = Delivery {
        signature: None,
        ..Delivery::of(&event)
    };
    let as_is = |signature: &str| Delivery {
        signature: Some(signature.to_owned()),
        ..Delivery::of(&event)
    };
    let altered = Delivery {
        body: event.replace("usd", "eur").into_bytes(),
        ..Delivery::of(&event)
    };
    // What is the same JSON is not what was signed.
    let spaced = Delivery {
        body: format!("{event}\n").into_bytes(),
        ..Delivery::of(&event)
    };
    let not_text = [bytes, &[0xff, 0xfe]].concat();
    let huge = [bytes, &[b' '; 70_000]].concat();
    let with_nul = [bytes, b"\0"].concat();
    let (invalid, failed) = ("WEBHOOK_SIGNATURE_INVALID", "VALIDATION_FAILED");
    for (what, delivery, status, code, reason) in [
        ("unsigned", unsigned, 400, invalid, "missing"),
        ("an empty signature", as_is(""), 400, invalid, "missing"),
        ("nonsense", as_is("nonsense"), 400, invalid, "malformed"),
        (
            "another secret",
            Delivery::at(bytes, "whsec_of_somebody_else", 0),
            400,
            invalid,
            "mismatch",
        ),
        ("altered", altered, 400, invalid, "mismatch"),
        ("with a line end", spaced, 400, invalid, "mismatch"),
        (
            "replayed",
            Delivery::at(bytes, SECRET, -310),
            400,
            invalid,
            "too_old",
        ),
        (
            "of tomorrow",
            Delivery::at(bytes, SECRET, 310),
            400,
            invalid,
            "in_the_future",
        ),
        (
            "signed and empty",
            Delivery::at(b"", SECRET, 0),
            400,
            failed,
            "",
        ),
        (
            "signed and no event",
            Delivery::at(b"[]", SECRET, 0),
            400,
            failed,
            "",
        ),
        (
            "not UTF-8",
            Delivery::at(&not_text, SECRET, 0),
            400,
            failed,
            "",
        ),
        (
            "with NUL",
            Delivery::at(&with_nul, SECRET, 0),
            400,
            failed,
            "",
        ),
        (
            "huge",
            Delivery::at(&huge, SECRET, 0),
            413,
            "BODY_TOO_LARGE",
            "",
        ),
    ] {
        let (answered, body) = delivery.send(bench.stack).await;
        assert_eq!(
            (answered, body["error"].as_str()),
            (status, Some(code)),
            "{what}: {body}"
        );
        let told = body["details"]["reason"].as_str().unwrap_or_default();
        assert_eq!(told, reason, "{what}: {body}");
    }
    assert_eq!(events(&bench).await, stored);
    assert_eq!(bench.order_status(order.id).await, "pending_payment");
    bench.take_no_cards().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_counts_once_however_often_and_with_whatever_it_comes() {
    let bench = Bench::take().await;
    bench.take_cards().await;
    let product = bench.products(1, 5).await[0];
    let order = CardOrder::new(&bench, product, 1).await;
    // No id of the provider's is stored yet: the event itself says whose money it is.
    let payment = order.begin().await;
    let event = order.event(&event_id(), "succeeded", Some(payment));
    // Whatever else comes with it is neither asked for nor passed on: a token of nobody, of a user, a key.
    let tokens = [
        None,
        Some("Bearer nonsense".to_owned()),
        Some(format!(
            "Bearer {}",
            bench.stack.user_token(order.buyer.user)
        )),
        Some(format!("Bearer {}", bench.stack.anon_key)),
        Some("Basic eDp5".to_owned()),
    ];
    let deliveries: Vec<Delivery> = tokens
        .into_iter()
        .cycle()
        .take(20)
        .map(|authorization| Delivery {
            authorization,
            ..Delivery::of(&event)
        })
        .collect();
    let answers = join_all(deliveries.iter().map(|delivery| delivery.send(bench.stack))).await;
    let first = answers
        .iter()
        .filter(|(_, body)| body["repeated"] == json!(false));
    assert_eq!(first.count(), 1, "{answers:?}");
    for (status, body) in &answers {
        assert_eq!((*status, &body["outcome"]), (200, &json!("paid")), "{body}");
    }
    assert_eq!(bench.order_status(order.id).await, "paid");
    let payments = bench
        .number(
            "select count(*) from interlock.payments where order_id = any ($1) and status = 'succeeded'",
            &[order.id],
        )
        .await;
    assert_eq!(payments, 1);
    bench.take_no_cards().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_old_attempt_tells_later_ends_nothing_that_is_paid() {
    let bench = Bench::take().await;
    bench.take_cards().await;
    let product = bench.products(1, 5).await[0];
    let order = CardOrder::new(&bench, product, 1).await;
    let payment = order.begin().await;
    let mut outcomes = Vec::new();
    for kind in ["succeeded", "processing", "payment_failed", "canceled"] {
        let event = order.event(&event_id(), kind, Some(payment));
        let (status, body) = Delivery::of(&event).send(bench.stack).await;
        assert_eq!(status, 200, "{body}");
        outcomes.push(body["outcome"].as_str().unwrap_or_default().to_owned());
    }
    assert_eq!(outcomes, ["paid", "noted", "noted", "noted"]);
    assert_eq!(bench.order_status(order.id).await, "paid");
    bench.take_no_cards().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_busy_the_event_has_to_come_again() {
    let bench = Bench::take().await;
    bench.take_cards().await;
    let product = bench.products(1, 5).await[0];
    let order = CardOrder::new(&bench, product, 1).await;
    let payment = order.begin().await;
    let event = order.event(&event_id(), "succeeded", Some(payment));
    let holder = bench.stack.connect().await;
    holder
        .batch_execute(&format!(
            "begin; select 1 from interlock.orders where id = '{}' for update",
            order.id
        ))
        .await
        .expect("the order can be held");
    let (status, body) = Delivery::of(&event).send(bench.stack).await;
    assert_eq!(
        (status, &body["error"], &body["retryable"]),
        (503, &json!("UPSTREAM_UNAVAILABLE"), &json!(true))
    );
    holder
        .batch_execute("rollback")
        .await
        .expect("it is let go");
    let (status, body) = Delivery::of(&event).send(bench.stack).await;
    assert_eq!(
        (status, &body["outcome"], &body["repeated"]),
        (200, &json!("paid"), &json!(false))
    );
    bench.take_no_cards().await;
}
