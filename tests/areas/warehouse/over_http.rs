//! The HTTP contract of `pack`: what it answers, who may pack, and the path of the incident report.

use crate::areas::inventory::rows::call;
use crate::areas::warehouse::rows::Packing;
use crate::harness::openapi::assert_documented;
use crate::harness::stack::{Bench, user_claims};
use crate::openapi::{Scene, Sent};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

const FUNCTION: &str = "pack";

/// A token of somebody with these claims.
pub(crate) async fn token_of(bench: &Bench, claims: Value) -> String {
    let mut token = user_claims(bench.users(1).await[0]);
    token["app_metadata"] = claims;
    bench.stack.token(&token)
}

/// Status, whether it was answered before, and body of what is answered.
pub(crate) async fn send(
    bench: &Bench,
    token: &str,
    (method, path): (Method, &str),
    key: Option<&str>,
    body: &Value,
) -> (u16, bool, Value) {
    let stack = bench.stack;
    let url = format!("{}/functions/v1/{FUNCTION}{path}", stack.api_url);
    let mut request = stack
        .http
        .request(method, url)
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
    (status, headers.contains_key("idempotent-replayed"), body)
}

const POST: (Method, &str) = (Method::POST, "");

fn scan(packing: &Packing, order: usize) -> Value {
    json!({ "session_id": packing.id, "order_id": packing.orders[order], "product_id": packing.product })
}

fn with(mut body: Value, more: Value) -> Value {
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body
}

fn complete(packing: &Packing, order: usize) -> Value {
    json!({ "session_id": packing.id, "order_id": packing.orders[order], "action": "complete" })
}

/// `pack`.
pub(crate) async fn documented(bench: &Bench) -> (String, Value) {
    let mut scene = Scene::new(bench, FUNCTION);
    let buyer = bench.users(1).await[0];
    scene.refuses_what_all_refuse(buyer).await;
    let token = token_of(bench, json!({ "role": "packer" })).await;
    let packing = bench.packing(&[2, 1, 2, 2, 1], 5).await;
    let unknown = Uuid::new_v4();
    for (barcode, product) in [
        (format!("right-{unknown}"), packing.product),
        (format!("wrong-{unknown}"), bench.products(1, 1).await[0]),
    ] {
        let insert =
            "insert into interlock.product_barcodes (barcode, product_id) values ($1::text, $2)";
        bench
            .db
            .execute(insert, &[&barcode, &product])
            .await
            .expect("a barcode can be added");
    }
    let barcode = |word: &str| json!({ "session_id": packing.id, "order_id": packing.orders[0], "barcode": format!("{word}-{unknown}") });
    // One order is sent by the shop's own SQL, of another one a part without the session.
    bench
        .db
        .execute(
            "update interlock.orders set fulfillment = 'shipped' where id = $1",
            &[&packing.orders[3]],
        )
        .await
        .expect("it can be sent");
    let part = format!(
        r#"public.ship_order_lines('{}', '[{{"product_id": "{}", "quantity": 1}}]')"#,
        packing.orders[2], packing.product
    );
    call(&bench.db, &part).await.expect("a part can be sent");
    let store = another_store(bench).await;
    let requests = [
        ("a scan", Some("a key"), scan(&packing, 0)),
        ("IDEMPOTENCY_KEY_REUSED", Some("a key"), scan(&packing, 1)),
        ("a barcode", None, barcode("right")),
        ("WRONG_ITEM", None, barcode("wrong")),
        ("BARCODE_NOT_FOUND", None, barcode("no")),
        ("ALREADY_FULLY_PACKED", None, scan(&packing, 0)),
        (
            "NOTHING_PACKED",
            None,
            with(scan(&packing, 1), json!({ "action": "unpack" })),
        ),
        (
            "SESSION_NOT_FOUND",
            None,
            with(scan(&packing, 0), json!({ "session_id": unknown })),
        ),
        (
            "PACKING_LINE_NOT_FOUND",
            None,
            with(scan(&packing, 0), json!({ "product_id": unknown })),
        ),
        (
            "PACKING_LINE_NOT_FOUND",
            None,
            with(complete(&packing, 0), json!({ "order_id": unknown })),
        ),
        ("NOT_FULLY_PACKED", None, complete(&packing, 1)),
        (
            "units that there will not be",
            None,
            with(scan(&packing, 1), json!({ "action": "short" })),
        ),
        (
            "an order that is complete",
            None,
            with(complete(&packing, 0), json!({ "tracking": "1Z 999" })),
        ),
        ("SESSION_STATE_CONFLICT", None, scan(&packing, 0)),
        (
            "packed",
            None,
            with(scan(&packing, 2), json!({ "quantity": 2 })),
        ),
        ("SHIPMENT_EXCEEDS_ORDER", None, complete(&packing, 2)),
        ("packed", None, scan(&packing, 4)),
        ("NO_UNITS_TO_PACK", None, scan(&packing, 3)),
        (
            "taken out",
            None,
            with(scan(&packing, 4), json!({ "action": "unpack" })),
        ),
        (
            "short",
            None,
            with(
                scan(&packing, 3),
                json!({ "action": "short", "quantity": 2 }),
            ),
        ),
        ("ORDER_STATE_CONFLICT", None, complete(&packing, 3)),
        ("packed", None, scan(&store, 0)),
        ("INSUFFICIENT_INVENTORY", None, complete(&store, 0)),
    ];
    let staff = token_of(bench, json!({ "role": "staff" })).await;
    for (outcome, key, body) in requests {
        let by = if body["session_id"] == json!(store.id) {
            &staff
        } else {
            &token
        };
        let sent = Sent {
            token: by.clone(),
            key,
            ..scene.request(buyer, &body)
        };
        scene.expect_of(outcome, sent).await;
    }
    scene.end()
}

/// A session at a location whose books have nothing of what is packed there.
async fn another_store(bench: &Bench) -> Packing {
    let packing = bench.packing(&[1], 1).await;
    let store = "with l as (insert into interlock.locations (name) values ('test') returning id)
         update interlock.picking_sessions s set location_id = l.id from l where s.id = $1";
    bench
        .db
        .execute(store, &[&packing.id])
        .await
        .expect("it can be elsewhere");
    packing
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_works_at_the_location_packs() {
    let bench = Bench::take().await;
    let packing = bench.packing(&[9], 9).await;
    let online = "00000000-0000-4000-8000-000000000001";
    let store = Uuid::new_v4();
    for (claims, expected) in [
        (json!({ "role": "packer" }), 200),
        (json!({ "role": "manager" }), 200),
        (json!({ "role": "staff" }), 200),
        (
            json!({ "role": "packer", "location_ids": [store, online] }),
            200,
        ),
        (json!({ "role": "packer", "location_ids": [store] }), 404),
        (json!({ "role": "packer", "location_ids": [] }), 403),
        (json!({ "role": "packer", "location_ids": "all" }), 403),
        (json!({ "role": "cashier" }), 403),
        (json!({}), 403),
    ] {
        let token = token_of(&bench, claims.clone()).await;
        let (status, _, told) = send(&bench, &token, POST, None, &scan(&packing, 0)).await;
        assert_eq!(status, expected, "{claims}: {told}");
    }
    assert_eq!(bench.packed(&packing).await, [4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_is_sent_twice_counts_once() {
    let bench = Bench::take().await;
    let packing = bench.packing(&[9], 9).await;
    let token = token_of(&bench, json!({ "role": "packer" })).await;
    let path = format!("/sessions/{}", packing.id);
    let body = json!({ "orderId": packing.orders[0], "productId": packing.product });
    let put = || (Method::PUT, path.as_str());
    let (status, replayed, first) = send(&bench, &token, put(), Some("one"), &body).await;
    assert_eq!((status, replayed), (200, false), "{first}");
    let (status, replayed, again) = send(&bench, &token, put(), Some("one"), &body).await;
    assert_eq!((status, replayed), (200, true), "{again}");
    assert_eq!(again, first);
    // By its own names it is the same request.
    let (status, replayed, again) =
        send(&bench, &token, POST, Some("one"), &scan(&packing, 0)).await;
    assert_eq!((status, replayed), (200, true), "{again}");
    assert_eq!(bench.packed(&packing).await, [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_told_and_changes_nothing() {
    let bench = Bench::take().await;
    let packing = bench.packing(&[9], 9).await;
    let token = token_of(&bench, json!({ "role": "packer" })).await;
    let path = format!("/sessions/{}", packing.id);
    let reports = json!({ "orderId": packing.orders[0], "productId": packing.product });
    let own = scan(&packing, 0);
    for (to, body, status, pointer) in [
        (POST, reports.clone(), 400, "/session_id"),
        (
            POST,
            with(own.clone(), json!({ "quantity": 0 })),
            400,
            "/quantity",
        ),
        (
            POST,
            with(own.clone(), json!({ "quantity": 1.5 })),
            400,
            "/quantity",
        ),
        (
            POST,
            with(own.clone(), json!({ "barcode": "4006" })),
            400,
            "/product_id",
        ),
        (
            POST,
            with(own.clone(), json!({ "action": "burn" })),
            400,
            "/action",
        ),
        (
            POST,
            with(own.clone(), json!({ "tracking": "1Z" })),
            400,
            "/tracking",
        ),
        (
            POST,
            with(complete(&packing, 0), json!({ "quantity": 1 })),
            400,
            "/quantity",
        ),
        (
            (Method::PUT, path.as_str()),
            own.clone(),
            400,
            "/session_id",
        ),
        (
            (Method::PUT, "/sessions/7"),
            reports.clone(),
            400,
            "/session_id",
        ),
        ((Method::PUT, "/orders/7"), reports.clone(), 405, ""),
        ((Method::PUT, ""), reports.clone(), 405, ""),
        ((Method::PATCH, path.as_str()), reports, 405, ""),
    ] {
        let method = to.0.to_string();
        let (told_status, _, told) = send(&bench, &token, to, None, &body).await;
        assert_eq!(told_status, status, "{body}: {told}");
        if status == 400 {
            let told = &told["details"]["problems"][0]["pointer"];
            assert_eq!(told, pointer, "{body}");
        } else {
            assert_eq!(told["details"]["method"], method, "{told}");
        }
    }
    assert_eq!(bench.packed(&packing).await, [0]);
}
