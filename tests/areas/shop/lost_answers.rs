//! Answers of a proxy in PostgREST's stead. The gateway of a stack for tests gives them as it is told
//! (`crates/stack/src/proxy_faults.rs`).

use crate::areas::shop::calls::CHECKOUT;
use crate::areas::shop::rows::cart;
use crate::harness::calls::{Adapter, Caller};
use crate::harness::stack::{Bench, Stack};
use serde_json::{Value, json};
use std::time::Instant;
use uuid::Uuid;

/// What becomes of the next call of `checkout` that reaches the API as this user's; false if the stack injects no faults.
async fn next_call(stack: &Stack, user: Uuid, token: &str, fault: Value) -> bool {
    let mut order = json!({
        "times": 1, "path": "/rest/v1/rpc/checkout", "authorization": format!("Bearer {token}"),
    });
    for (name, value) in fault.as_object().into_iter().flatten() {
        order[name] = value.clone();
    }
    let url = format!("{}/faults", stack.api_url);
    let answer = stack.http.post(url).json(&order).send().await;
    let is_injected = answer.is_ok_and(|answer| answer.status() == 200);
    if !is_injected {
        eprintln!("left out: the stack's gateway injects no faults for {user}");
    }
    is_injected
}

/// One checkout as an app makes it, after which the token is of no more use.
struct Bought {
    status: u16,
    code: String,
    retryable: Value,
    retry_after: Option<u32>,
    replayed: bool,
    /// How long it took, in milliseconds.
    took_ms: u128,
    orders: i64,
}

async fn buy(bench: &Bench, key: Option<&str>, fault: Value) -> Option<Bought> {
    let user = bench.users(1).await[0];
    let product = bench.products(1, 10).await[0];
    let token = bench.stack.user_token(user);
    if !next_call(bench.stack, user, &token, fault).await {
        return None;
    }
    let url = format!("{}/functions/v1/checkout", bench.stack.api_url);
    let mut request = bench.stack.http.post(url).bearer_auth(&token);
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    let started = Instant::now();
    let answer = request
        .json(&cart(&[(product, 2)]))
        .send()
        .await
        .expect("the stack answers");
    let took_ms = started.elapsed().as_millis();
    let header = |name| answer.headers().get(name)?.to_str().ok();
    let (retry_after, replayed) = (
        header("retry-after").and_then(|text| text.parse().ok()),
        header("idempotent-replayed").is_some(),
    );
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.expect("every answer is JSON");
    let orders = bench.orders(&[user]).await;
    assert_eq!(bench.stock(&[product]).await, 10 - 2 * orders);
    Some(Bought {
        status,
        code: body["error"].as_str().unwrap_or("OK").to_owned(),
        retryable: body["retryable"].clone(),
        retry_after,
        replayed,
        took_ms,
        orders,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_proxys_answer_a_checkout_without_a_key_is_not_sent_again() {
    let bench = Bench::take().await;
    for status in [502, 503, 504, 520, 524] {
        for acts in [true, false] {
            let fault = json!({ "status": status, "acts": acts });
            let Some(bought) = buy(&bench, None, fault).await else {
                return;
            };
            // Sent a second time, it would have made an order, or another one.
            assert_eq!(bought.orders, i64::from(acts), "{status}");
            assert_eq!(
                (bought.status, bought.code.as_str(), bought.retryable),
                (504, "UPSTREAM_TIMEOUT", json!(false)),
                "{status}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_proxys_answer_a_checkout_under_a_key_is_sent_again_and_has_one_effect() {
    let bench = Bench::take().await;
    for status in [502, 503, 504, 520, 524] {
        for acts in [true, false] {
            let fault = json!({ "status": status, "acts": acts });
            let Some(bought) = buy(&bench, Some("one submission"), fault).await else {
                return;
            };
            assert_eq!((bought.status, bought.orders), (200, 1), "{status}");
            assert_eq!(bought.replayed, acts, "{status}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_the_platform_is_waited_for_or_passed_on() {
    let bench = Bench::take().await;
    let limit =
        |retry_after: &str| json!({ "status": 429, "retry_after": retry_after, "acts": false });
    // Nothing has happened, so no key is needed.
    let Some(bought) = buy(&bench, None, limit("2")).await else {
        return;
    };
    assert_eq!((bought.status, bought.orders), (200, 1));
    assert!(bought.took_ms >= 2_000, "{} ms", bought.took_ms);
    let bought = buy(&bench, None, limit("60"))
        .await
        .expect("it was injected");
    assert_eq!(
        (bought.status, bought.code.as_str(), bought.retry_after),
        (503, "UPSTREAM_UNAVAILABLE", Some(60))
    );
    assert_eq!((bought.orders, bought.retryable), (0, json!(true)));
    assert!(bought.took_ms < 2_000, "{} ms", bought.took_ms);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_right_is_403_for_a_user_and_401_for_nobody() {
    let bench = Bench::take().await;
    let user = bench.users(1).await[0];
    let token = bench.stack.user_token(user);
    for (token, status) in [(token.as_str(), 403), (&bench.stack.anon_key, 401)] {
        let url = format!("{}/rest/v1/rpc/expire_orders", bench.stack.api_url);
        let answer = bench
            .stack
            .http
            .post(url)
            .header("apikey", &bench.stack.anon_key)
            .bearer_auth(token)
            .json(&json!({}))
            .send()
            .await
            .expect("the stack answers");
        assert_eq!(answer.status().as_u16(), status);
        let body: Value = answer.json().await.expect("an error is JSON");
        assert_eq!(body["code"], "42501");
    }
    // The function says the same, whatever status the API server has for it.
    bench
        .db
        .batch_execute("revoke execute on function public.checkout from authenticated")
        .await
        .expect("a right can be taken");
    let buyer = Caller::new(bench.stack, Adapter::Function, user).await;
    let answer = buyer
        .invoke(CHECKOUT, cart(&[(Uuid::new_v4(), 1)]), None)
        .await;
    bench
        .db
        .batch_execute("grant execute on function public.checkout to authenticated")
        .await
        .expect("it can be given back");
    assert_eq!((answer.status, answer.code.as_str()), (403, "FORBIDDEN"));
}
