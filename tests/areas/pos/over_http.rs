//! The HTTP contract of `pos-sale`: what it answers, who may sell, and what is refused changes nothing.

use crate::harness::openapi::assert_documented;
use crate::harness::stack::{Bench, user_claims};
use crate::openapi::{Scene, Sent};
use serde_json::{Value, json};
use uuid::Uuid;

const FUNCTION: &str = "pos-sale";

/// A token of somebody with this role.
async fn token_of(bench: &Bench, role: &str) -> String {
    let mut claims = user_claims(bench.users(1).await[0]);
    claims["app_metadata"] = json!({ "role": role });
    bench.stack.token(&claims)
}

/// Status and body of what is answered to a call.
async fn send(bench: &Bench, token: &str, key: Option<&str>, body: &Value) -> (u16, Value) {
    let stack = bench.stack;
    let mut request = stack
        .http
        .post(format!("{}/functions/v1/{FUNCTION}", stack.api_url))
        .header("apikey", &stack.anon_key)
        .header("content-type", "application/json")
        .bearer_auth(token)
        .body(body.to_string());
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    let response = request.send().await.expect("the stack answers");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body: Value = response.json().await.expect("every answer is JSON");
    assert_documented(FUNCTION, status, &headers, &body);
    (status, body)
}

fn cash(amount: u64) -> Value {
    json!([{ "type": "cash", "amount": amount }])
}

/// `pos-sale`.
pub(crate) async fn documented(bench: &Bench) -> (String, Value) {
    let mut scene = Scene::new(bench, FUNCTION);
    let buyer = bench.users(1).await[0];
    let inventory = bench.inventory("11.52").await;
    let other = bench.inventory("1").await;
    let till = bench.till(inventory).await;
    let closed = bench.till(other).await;
    let close = "select public.close_shift($1, 10000)";
    bench
        .db
        .query_one(close, &[&closed.shift])
        .await
        .expect("a shift can be closed");
    let euros = bench.inventory("1").await;
    let price = "with p as (select product_id as id from interlock.inventory where id = $1),
          c as (update interlock.products q set currency = 'EUR' from p where q.id = p.id returning q.id),
          r as (select location_id from interlock.registers where id = $2)
        insert into interlock.inventory (product_id, location_id, quantity) select c.id, r.location_id, 1 from c, r returning id";
    let row = bench.db.query_one(price, &[&euros, &till.register]).await;
    let euros: Uuid = row.expect("it can be had here, too").get(0);
    scene.refuses_what_all_refuse(buyer).await;
    let token = token_of(bench, "cashier").await;
    let unknown = Uuid::new_v4();
    let sale = |line: Value, tenders: Value| json!({ "register_id": till.register, "lines": [line], "tenders": tenders });
    let one = json!({ "inventory_id": inventory, "quantity": 1 });
    let card = json!([{ "type": "card", "amount": 700, "reference": format!("card {unknown}") }]);
    let mut dearer = sale(one.clone(), cash(700));
    dearer["expected_total"] = json!(600);
    let mut nowhere = sale(one.clone(), cash(700));
    nowhere["register_id"] = json!(unknown);
    let mut too_late = sale(json!({ "inventory_id": other, "quantity": 1 }), cash(700));
    too_late["register_id"] = json!(closed.register);
    let off = json!({ "inventory_id": inventory, "quantity": 1, "discount": { "percent": 50, "reason": "a friend" } });
    for (outcome, key, body) in [
        (
            "goods that are weighed",
            Some("a key"),
            sale(
                json!({ "inventory_id": inventory, "quantity": 1.52, "discount": { "percent": 10, "reason": "bruised" } }),
                cash(1000),
            ),
        ),
        (
            "IDEMPOTENCY_KEY_REUSED",
            Some("a key"),
            sale(one.clone(), cash(700)),
        ),
        ("by card", None, sale(one.clone(), card.clone())),
        ("TENDER_REFERENCE_USED", None, sale(one.clone(), card)),
        ("UNDERPAID", None, sale(one.clone(), cash(699))),
        (
            "OVERPAID",
            None,
            sale(one, json!([{ "type": "card", "amount": 701 }])),
        ),
        ("PRICE_CHANGED", None, dearer),
        ("REGISTER_NOT_FOUND", None, nowhere),
        ("SHIFT_NOT_OPEN", None, too_late),
        (
            "BARCODE_NOT_FOUND",
            None,
            sale(json!({ "barcode": "0000", "quantity": 1 }), cash(700)),
        ),
        (
            "INVENTORY_NOT_FOUND",
            None,
            sale(json!({ "inventory_id": unknown, "quantity": 1 }), cash(700)),
        ),
        (
            "PRODUCT_NOT_FOUND",
            None,
            sale(json!({ "product_id": unknown, "quantity": 1 }), cash(700)),
        ),
        (
            "STOCK_ELSEWHERE",
            None,
            sale(json!({ "inventory_id": other, "quantity": 1 }), cash(700)),
        ),
        (
            "MIXED_CURRENCIES",
            None,
            sale(json!({ "inventory_id": euros, "quantity": 1 }), cash(700)),
        ),
        ("DISCOUNT_NOT_ALLOWED", None, sale(off, cash(700))),
        (
            "INSUFFICIENT_INVENTORY",
            None,
            sale(
                json!({ "inventory_id": inventory, "quantity": 100 }),
                cash(70_000),
            ),
        ),
    ] {
        let sent = Sent {
            token: token.clone(),
            key,
            ..scene.request(buyer, &body)
        };
        scene.expect_of(outcome, sent).await;
    }
    scene.end()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_is_one_under_its_key_and_what_is_refused_changes_nothing() {
    let bench = Bench::take().await;
    let inventory = bench.inventory("11.52").await;
    let till = bench.till(inventory).await;
    let token = token_of(&bench, "cashier").await;
    let sale = json!({
        "register_id": till.register,
        "lines": [{ "inventory_id": inventory, "quantity": 1.5 }, { "inventory_id": inventory, "quantity": 0.02 }],
        "tenders": cash(1100),
    });
    let (status, first) = send(&bench, &token, Some("one"), &sale).await;
    assert_eq!(status, 200, "{first}");
    let told = &first["sale"];
    // 1.5 × 7.00 and 0.02 × 7.00.
    assert_eq!(
        (&told["total"], &told["change_due"], &told["receipt_number"]),
        (&json!(1064), &json!(36), &json!(1)),
        "{told}"
    );
    let (_, again) = send(&bench, &token, Some("one"), &sale).await;
    assert_eq!(again, first);
    for (line, pointer) in [
        (
            json!({ "inventory_id": inventory, "quantity": -1 }),
            "/lines/0/quantity",
        ),
        (
            json!({ "inventory_id": inventory, "quantity": 0.0004 }),
            "/lines/0/quantity",
        ),
        (json!({ "inventory_id": inventory }), "/lines/0/quantity"),
        (json!({ "quantity": 1 }), "/lines/0/inventory_id"),
        (
            json!({ "barcode": "a b", "quantity": 1 }),
            "/lines/0/barcode",
        ),
        (
            json!({ "inventory_id": inventory, "quantity": 1, "discount": { "amount": 701, "reason": "x" } }),
            "/lines/0/discount",
        ),
        (
            json!({ "inventory_id": inventory, "quantity": 1, "discount": { "percent": 101, "reason": "x" } }),
            "/lines/0/discount/percent",
        ),
        (
            json!({ "inventory_id": inventory, "quantity": 1, "discount": { "amount": 1 } }),
            "/lines/0/discount/reason",
        ),
    ] {
        let body = json!({ "register_id": till.register, "lines": [line], "tenders": cash(700) });
        let (status, told) = send(&bench, &token, None, &body).await;
        assert_eq!(status, 400, "{line}: {told}");
        assert_eq!(
            told["details"]["problems"][0]["pointer"], pointer,
            "{line}: {told}"
        );
    }
    assert_eq!(bench.quantity(inventory).await, "10");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_works_at_a_till_sells() {
    let bench = Bench::take().await;
    let inventory = bench.inventory("10").await;
    let till = bench.till(inventory).await;
    let sale = json!({
        "register_id": till.register,
        "lines": [{ "inventory_id": inventory, "quantity": 1, "discount": { "percent": 50, "reason": "damaged" } }],
        "tenders": cash(350),
    });
    for (role, expected) in [
        ("manager", 200),
        ("staff", 200),
        ("cashier", 403),
        ("driver", 403),
    ] {
        let token = token_of(&bench, role).await;
        let (status, told) = send(&bench, &token, None, &sale).await;
        assert_eq!(status, expected, "{role}: {told}");
    }
    assert_eq!(bench.quantity(inventory).await, "8");
}
