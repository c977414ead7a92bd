//! What the shop's own code writes over the API: stock that comes in while it is sold, and what is sent again after a
//! lost answer.

use crate::areas::shop::calls::CHECKOUT;
use crate::areas::shop::rows::cart;
use crate::harness::calls::{Adapter, Caller};
use crate::harness::stack::Bench;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

/// The shop's server calls, with the service role's key. Status and body; whether it is a stored answer.
async fn shop(bench: &Bench, method: Method, path: &str, body: &Value) -> (u16, Value, bool) {
    let key = &bench.stack.service_role_key;
    let response = bench
        .stack
        .http
        .request(method, format!("{}/rest/v1/{path}", bench.stack.api_url))
        .header("apikey", key)
        .bearer_auth(key)
        .json(body)
        .send()
        .await
        .expect("the stack answers");
    let status = response.status().as_u16();
    let replayed = response.headers().contains_key("idempotent-replayed");
    let text = response.text().await.expect("an answer has a body");
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    (status, body, replayed)
}

/// Ten in stock, of which three are sold while somebody books a hundred in.
async fn sold_meanwhile(bench: &Bench) -> Uuid {
    let buyer = bench.users(1).await[0];
    let product = bench.products(1, 10).await[0];
    let buyer = Caller::new(bench.stack, Adapter::Function, buyer).await;
    let answer = buyer.invoke(CHECKOUT, cart(&[(product, 3)]), None).await;
    assert!(answer.is_success(), "{answer:?}");
    product
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_cannot_be_overwritten_and_the_answer_says_what_to_call() {
    let bench = Bench::take().await;
    let product = sold_meanwhile(&bench).await;
    let patch = format!("products?id=eq.{product}");
    let hundred_more = json!({ "available_quantity": 110 });
    let (status, body, _) = shop(&bench, Method::PATCH, &patch, &hundred_more).await;
    assert_eq!(
        (status, &body["message"]),
        (409, &json!("STOCK_NOT_RELATIVE"))
    );
    let hint = body["hint"].as_str().expect("there is a hint");
    assert!(
        hint.contains("adjust_stock(p_product_id, p_delta"),
        "{hint}"
    );
    assert_eq!(bench.stock(&[product]).await, 7);
    let price = json!({ "price": 800 });
    let (status, ..) = shop(&bench, Method::PATCH, &patch, &price).await;
    assert_eq!(status, 204, "anything else can be written");

    let call = json!({ "p_product_id": product, "p_delta": 100, "p_reference": product });
    for replay in [false, true] {
        let (status, body, replayed) = shop(&bench, Method::POST, "rpc/adjust_stock", &call).await;
        assert_eq!(
            (status, &body["new_quantity"], replayed),
            (200, &json!(107), replay),
            "{body}"
        );
    }
    assert_eq!(bench.stock(&[product]).await, 107);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_count_that_is_out_of_date_is_refused_with_what_there_is() {
    let bench = Bench::take().await;
    let product = sold_meanwhile(&bench).await;
    let mut count = json!({ "p_product_id": product, "p_counted": 9, "p_expected": 10 });
    let (status, body, _) = shop(&bench, Method::POST, "rpc/count_stock", &count).await;
    assert_eq!((status, &body["message"]), (409, &json!("STOCK_CHANGED")));
    let details: Value = serde_json::from_str(body["details"].as_str().expect("they are text"))
        .expect("they are JSON");
    assert_eq!(details["available"], 7, "{details}");
    count["p_counted"] = json!(6);
    count["p_expected"] = json!(7);
    let (status, body, _) = shop(&bench, Method::POST, "rpc/count_stock", &count).await;
    assert_eq!((status, &body["delta"]), (200, &json!(-1)), "{body}");
    assert_eq!(bench.stock(&[product]).await, 6);
}

/// A job sends again what it has no answer to.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_again_under_its_reference_counts_once() {
    let bench = Bench::take().await;
    let product = bench.products(1, 10).await[0];
    let call = json!({ "p_product_id": product, "p_quantity": 2, "p_reference": product });
    for replay in [false, true, true] {
        let (status, body, replayed) = shop(
            &bench,
            Method::POST,
            "rpc/decrement_product_quantity",
            &call,
        )
        .await;
        assert_eq!(
            (status, &body["new_quantity"], replayed),
            (200, &json!(8), replay),
            "{body}"
        );
    }
    let other = json!({ "p_product_id": product, "p_quantity": 3, "p_reference": product });
    let (status, body, _) = shop(
        &bench,
        Method::POST,
        "rpc/decrement_product_quantity",
        &other,
    )
    .await;
    assert_eq!(
        (status, &body["message"]),
        (422, &json!("IDEMPOTENCY_KEY_REUSED"))
    );
    // Without one each call counts, as before.
    let plain = json!({ "p_product_id": product, "p_quantity": 2 });
    for left in [6, 4] {
        let (_, body, _) = shop(
            &bench,
            Method::POST,
            "rpc/decrement_product_quantity",
            &plain,
        )
        .await;
        assert_eq!(body["new_quantity"], left, "{body}");
    }
}
