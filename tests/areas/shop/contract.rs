//! The HTTP contract of `checkout`: bad input changes nothing, and a replay is the
//! stored answer byte for byte.

use crate::areas::shop::calls::CHECKOUT;
use crate::areas::shop::rows::cart;
use crate::harness::calls::{Adapter, Caller};
use crate::harness::stack::Bench;
use serde_json::{Value, json};
use uuid::Uuid;

fn pointers(details: &Value) -> Vec<&str> {
    let problems = details["problems"].as_array().expect("a list of problems");
    problems
        .iter()
        .map(|problem| problem["pointer"].as_str().unwrap_or("?"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_carts_are_refused_by_the_name_of_the_field_and_change_nothing() {
    let bench = Bench::take().await;
    let user = bench.users(1).await[0];
    let product = bench.products(1, 10).await[0];
    let line = |quantity: Value| json!({ "cart_items": [{ "product_id": product, "quantity": quantity }] });
    let cases = [
        (json!({}), vec!["/cart_items"]),
        (json!({ "cart_items": [] }), vec!["/cart_items"]),
        (
            json!({ "cart_items": vec![json!({ "product_id": product, "quantity": 1 }); 101] }),
            vec!["/cart_items"],
        ),
        (line(json!(0)), vec!["/cart_items/0/quantity"]),
        (line(json!(-3)), vec!["/cart_items/0/quantity"]),
        (line(json!(1.5)), vec!["/cart_items/0/quantity"]),
        (line(json!(10_001)), vec!["/cart_items/0/quantity"]),
        (line(json!(1e200)), vec!["/cart_items/0/quantity"]),
        (line(json!("3")), vec!["/cart_items/0/quantity"]),
        (
            json!({ "cart_items": [{ "product_id": "x'; drop table orders; --", "quantity": 1, "price": 0 }] }),
            vec!["/cart_items/0/product_id", "/cart_items/0/price"],
        ),
        (
            json!({ "cart_items": [{ "product_id": product, "quantity": 1 }], "payment_method": "gold", "user_id": user }),
            vec!["/payment_method", "/user_id"],
        ),
    ];
    for adapter in [Adapter::Function, Adapter::Rpc] {
        let buyer = Caller::new(bench.stack, adapter, user).await;
        for (body, expected) in &cases {
            // The RPC refuses the shape of the cart too; an unknown argument is PostgREST's to refuse.
            if matches!(adapter, Adapter::Rpc)
                && (body.get("cart_items").is_none() || body.get("user_id").is_some())
            {
                continue;
            }
            let answer = buyer.invoke(CHECKOUT, body.clone(), None).await;
            assert_eq!(
                (answer.status, answer.code.as_str()),
                (400, "VALIDATION_FAILED"),
                "{adapter:?} {body}"
            );
            let mut found = pointers(&answer.details);
            let mut expected = expected.clone();
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "{adapter:?} {body}");
        }
    }
    let buyer = Caller::new(bench.stack, Adapter::Function, user).await;
    for key in ["", &"k".repeat(256)] {
        let answer = buyer
            .invoke(CHECKOUT, cart(&[(product, 1)]), Some(key))
            .await;
        assert_eq!(
            (answer.status, pointers(&answer.details)),
            (400, vec!["/headers/idempotency-key"]),
            "{key:?}"
        );
    }
    let unknown = Uuid::new_v4();
    let answer = buyer
        .invoke(CHECKOUT, cart(&[(product, 1), (unknown, 1)]), None)
        .await;
    assert_eq!(
        (answer.status, answer.code.as_str()),
        (404, "PRODUCT_NOT_FOUND")
    );
    assert_eq!(answer.details["product_ids"], json!([unknown]));
    assert_eq!(
        (bench.orders(&[user]).await, bench.stock(&[product]).await),
        (0, 10)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_the_stored_answer_byte_for_byte() {
    let bench = Bench::take().await;
    let user = bench.users(1).await[0];
    let product = bench.products(1, 10).await[0];
    let send = async || {
        let response = bench
            .stack
            .http
            .post(format!("{}/functions/v1/checkout", bench.stack.api_url))
            .bearer_auth(bench.stack.user_token(user))
            .header("idempotency-key", "one submission")
            .json(&cart(&[(product, 2)]))
            .send()
            .await
            .expect("the stack answers");
        let replayed = response.headers().get("idempotent-replayed").is_some();
        (
            response.status().as_u16(),
            replayed,
            response.bytes().await.expect("a body"),
        )
    };
    let (first, again) = (send().await, send().await);
    assert_eq!((first.0, first.1), (200, false));
    assert_eq!((again.0, again.1), (200, true));
    assert_eq!(first.2, again.2);
    assert_eq!(bench.orders(&[user]).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_was_deleted_can_buy_nothing() {
    let bench = Bench::take().await;
    let product = bench.products(1, 10).await[0];
    // Deleted, or of another project: the token is as good as any.
    let buyer = Caller::new(bench.stack, Adapter::Function, Uuid::new_v4()).await;
    let answer = buyer.invoke(CHECKOUT, cart(&[(product, 2)]), None).await;
    assert_eq!(
        (answer.status, answer.code.as_str()),
        (401, "UNAUTHENTICATED")
    );
    assert_eq!(bench.stock(&[product]).await, 10);
}
