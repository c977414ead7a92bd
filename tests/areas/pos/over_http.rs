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
    let (status, _, text) = send_for_text(bench, token, key, body).await;
    (
        status,
        serde_json::from_str(&text).expect("every answer is JSON"),
    )
}

/// Status and text of it, and whether it says that it was answered before.
async fn send_for_text(
    bench: &Bench,
    token: &str,
    key: Option<&str>,
    body: &Value,
) -> (u16, bool, String) {
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
    let text = response.text().await.expect("every answer has a body");
    let body: Value = serde_json::from_str(&text).expect("every answer is JSON");
    assert_documented(FUNCTION, status, &headers, &body);
    (status, headers.contains_key("idempotent-replayed"), text)
}

/// Two customers with accounts, one of which has a wallet of another currency, and codes of all sorts.
async fn people(bench: &Bench) {
    let users = bench.users(2).await;
    let rows = format!(
        "delete from interlock.customers where phone in ('+491511234567', '+491517654321');
         insert into interlock.customers (phone, user_id) values ('+491511234567', '{0}'), ('+491517654321', '{1}');
         insert into interlock.wallets (user_id, balance, currency) values ('{1}', 100, 'EUR');
         insert into interlock.points_values (currency, value) values ('USD', 10) on conflict do nothing;
         delete from interlock.promo_redemptions r using interlock.promo_codes p where r.promo_id = p.id and p.code like 'till-%';
         delete from interlock.promo_codes where code like 'till-%';
         insert into interlock.promo_codes (code, discount_type, discount_value, currency, max_uses, max_uses_per_user, starts_at, expires_at)
         values ('till-10', 'percentage', 10, 'USD', 1, null, null, null), ('till-euro', 'percentage', 10, 'EUR', null, null, null, null),
           ('till-soon', 'percentage', 10, 'USD', null, null, now() + interval '1 day', null),
           ('till-over', 'percentage', 10, 'USD', null, null, null, now() - interval '1 day'),
           ('till-once', 'percentage', 10, 'USD', null, 1, null, null), ('till-held', 'percentage', 10, 'USD', null, 1, null, null);
         insert into interlock.promo_redemptions (promo_id, user_id, cart_id, status, discount, currency, held_until)
           select id, '{1}', case code when 'till-once' then id end, 'held', 1, 'USD', now() + interval '1 day'
           from interlock.promo_codes where code in ('till-once', 'till-held');
         insert into interlock.promo_user_uses (promo_id, user_id, used)
           select id, '{1}', 1 from interlock.promo_codes where code in ('till-once', 'till-held');
         update interlock.promo_codes set used_count = 1 where code in ('till-once', 'till-held')",
        users[0], users[1]
    );
    bench
        .db
        .batch_execute(&rows)
        .await
        .expect("rows can be added");
}

fn cash(amount: u64) -> Value {
    json!([{ "type": "cash", "amount": amount }])
}

/// As a till writes it.
async fn an_hour_ago(bench: &Bench) -> String {
    let then = "select to_char((now() - interval '1 hour') at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')";
    let row = bench.db.query_one(then, &[]).await;
    row.expect("the database has a clock").get(0)
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
    let with = |mut body: Value, name: &str, value: Value| {
        body[name] = value;
        body
    };
    let ada = format!("{unknown}@test.example");
    people(bench).await;
    let off = json!({ "inventory_id": inventory, "quantity": 1, "discount": { "percent": 50, "reason": "a friend" } });
    let then = an_hour_ago(bench).await;
    let mut cut_off = sale(
        json!({ "inventory_id": inventory, "quantity": 12, "unit_price": 600 }),
        cash(7200),
    );
    cut_off["client_time"] = json!(then);
    let mut no_shift = sale(one.clone(), cash(700));
    no_shift["shift_id"] = json!(unknown);
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
        (
            "a new customer",
            None,
            with(
                sale(one.clone(), cash(700)),
                "customer",
                json!({ "create": { "name": "Ada", "email": ada } }),
            ),
        ),
        (
            "CUSTOMER_NOT_FOUND",
            None,
            with(
                sale(one.clone(), cash(700)),
                "customer",
                json!({ "id": unknown }),
            ),
        ),
        (
            "CUSTOMERS_DIFFER",
            None,
            with(
                sale(one.clone(), cash(700)),
                "customer",
                json!({ "create": { "email": ada, "phone": "+491511234567" } }),
            ),
        ),
        (
            "INSUFFICIENT_POINTS",
            None,
            with(
                sale(one.clone(), json!([{ "type": "points", "amount": 700 }])),
                "customer",
                json!({ "email": ada }),
            ),
        ),
        (
            "INSUFFICIENT_FUNDS",
            None,
            with(
                sale(one.clone(), json!([{ "type": "wallet", "amount": 700 }])),
                "customer",
                json!({ "phone": "+491511234567" }),
            ),
        ),
        (
            "CURRENCY_MISMATCH",
            None,
            with(
                sale(one.clone(), json!([{ "type": "wallet", "amount": 700 }])),
                "customer",
                json!({ "phone": "+491517654321" }),
            ),
        ),
        (
            "with a promo code",
            None,
            with(sale(one.clone(), cash(700)), "promo_code", json!("till-10")),
        ),
        (
            "PROMO_EXHAUSTED",
            None,
            with(sale(one.clone(), cash(700)), "promo_code", json!("till-10")),
        ),
        (
            "PROMO_ALREADY_APPLIED",
            None,
            with(
                with(
                    sale(one.clone(), cash(700)),
                    "promo_code",
                    json!("till-once"),
                ),
                "customer",
                json!({ "phone": "+491517654321" }),
            ),
        ),
        (
            "PROMO_CHANGED",
            None,
            with(
                with(
                    sale(one.clone(), cash(700)),
                    "promo_code",
                    json!("till-held"),
                ),
                "customer",
                json!({ "phone": "+491517654321" }),
            ),
        ),
        (
            "PROMO_NOT_FOUND",
            None,
            with(
                sale(one.clone(), cash(700)),
                "promo_code",
                json!("till-none"),
            ),
        ),
        (
            "PROMO_NOT_APPLICABLE",
            None,
            with(
                sale(one.clone(), cash(700)),
                "promo_code",
                json!("till-euro"),
            ),
        ),
        (
            "PROMO_NOT_STARTED",
            None,
            with(
                sale(one.clone(), cash(700)),
                "promo_code",
                json!("till-soon"),
            ),
        ),
        (
            "PROMO_EXPIRED",
            None,
            with(
                sale(one.clone(), cash(700)),
                "promo_code",
                json!("till-over"),
            ),
        ),
        ("UNDERPAID", None, sale(one.clone(), cash(699))),
        (
            "OVERPAID",
            None,
            sale(one, json!([{ "type": "card", "amount": 701 }])),
        ),
        ("PRICE_CHANGED", None, dearer),
        ("REGISTER_NOT_FOUND", None, nowhere),
        ("SHIFT_NOT_FOUND", None, no_shift),
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
        ("by a till that was cut off", Some("cut off"), cut_off),
    ] {
        let sent = Sent {
            token: token.clone(),
            key,
            ..scene.request(buyer, &body)
        };
        scene.expect_of(outcome, sent).await;
    }
    documented_returns(bench, &mut scene, &token).await;
    documented_parked(bench, &mut scene, &token).await;
    scene.end()
}

/// What `pos-sale` answers of parked sales and approvals.
async fn documented_parked(bench: &Bench, scene: &mut Scene<'_>, token: &str) {
    let inventory = bench.inventory("10").await;
    let (till, other) = (bench.till(inventory).await, bench.till(inventory).await);
    let mut parked = Vec::new();
    for _ in 0..2 {
        let park = format!(
            r#"public.park_sale('{}', 'test', '[{{"inventory_id": "{inventory}", "quantity": 1}}]', p_hold => true)"#,
            till.register
        );
        let answer = crate::areas::inventory::rows::call(&bench.db, &park).await;
        parked.push(answer.expect("it can be parked")["parked_sale"]["id"].clone());
    }
    let resume = format!(
        "public.resume_parked_sale('{}', '{}')",
        parked[1].as_str().unwrap_or_default(),
        other.register
    );
    let resumed = crate::areas::inventory::rows::call(&bench.db, &resume).await;
    resumed.expect("it can be resumed");
    let approve = format!(
        "public.approve_sale('{}', '{{discount}}', 'a friend')",
        till.register
    );
    let approved = crate::areas::inventory::rows::call(&bench.db, &approve).await;
    let approval = approved.expect("it can be approved")["approval"]["id"].clone();
    let of_parked = |id: &Value| {
        json!({
            "register_id": till.register,
            "lines": [{ "inventory_id": inventory, "quantity": 1 }],
            "tenders": cash(700),
            "parked_sale_id": id,
        })
    };
    let off = json!({
        "register_id": till.register,
        "lines": [{ "inventory_id": inventory, "quantity": 1, "discount": { "percent": 50, "reason": "a friend" } }],
        "tenders": cash(350),
        "approval_id": approval,
    });
    for (outcome, body) in [
        ("a parked sale", of_parked(&parked[0])),
        ("PARKED_SALE_ENDED", of_parked(&parked[0])),
        ("PARKED_SALE_TAKEN", of_parked(&parked[1])),
        ("PARKED_SALE_NOT_FOUND", of_parked(&json!(Uuid::new_v4()))),
        ("what a manager allows", off.clone()),
        ("APPROVAL_NOT_FOUND", off),
    ] {
        let sent = Sent {
            token: token.to_owned(),
            ..scene.request(Uuid::nil(), &body)
        };
        scene.expect_of(outcome, sent).await;
    }
}

/// What `pos-sale` answers where something comes back.
async fn documented_returns(bench: &Bench, scene: &mut Scene<'_>, token: &str) {
    let inventory = bench.inventory("10").await;
    let till = bench.till(inventory).await;
    let full = bench.products(1, 1_000_000_000).await[0];
    let web = bench.till(full).await;
    let manager = token_of(bench, "manager").await;
    let two = json!({
        "register_id": till.register,
        "lines": [{ "inventory_id": inventory, "quantity": 2 }],
        "tenders": [{ "type": "cash", "amount": 1100 }, { "type": "card", "amount": 300 }],
    });
    let (status, sold) = send(bench, token, None, &two).await;
    assert_eq!(status, 200, "{sold}");
    let (_, wrong) = send(bench, token, None, &two).await;
    let void = format!(
        "public.void_sale('{}', 'wrong')",
        wrong["sale"]["id"].as_str().unwrap_or_default()
    );
    let voided = crate::areas::inventory::rows::call(&bench.db, &void).await;
    voided.expect("it can be voided");
    let back = |sale: &Value, quantity: f64, tenders: Value| {
        json!({
            "register_id": till.register,
            "returns": [{ "sale_id": sale, "line": 0, "quantity": quantity, "reason": "does not fit" }],
            "tenders": tenders,
        })
    };
    let id = &sold["sale"]["id"];
    let mut exchange = back(id, 0.5, cash(1000));
    exchange["lines"] = json!([{ "inventory_id": inventory, "quantity": 1.5 }]);
    let without = |register: Uuid, product: &str, id: Uuid, amount: u64| {
        json!({
            "register_id": register,
            "returns": [{ product: id, "quantity": 1, "restock": true, "reason": "a gift" }],
            "tenders": cash(amount),
        })
    };
    let gift = without(till.register, "inventory_id", inventory, 700);
    let price = "select price from interlock.products where id = $1";
    let price: i64 = bench
        .db
        .query_one(price, &[&full])
        .await
        .expect("it has a price")
        .get(0);
    let no_room = without(web.register, "product_id", full, price.unsigned_abs());
    for (outcome, by, body) in [
        ("something comes back", token, back(id, 0.5, cash(350))),
        ("an exchange", token, exchange),
        ("RETURN_NOT_ALLOWED", token, gift.clone()),
        ("without a receipt", &manager, gift),
        (
            "SALE_NOT_FOUND",
            token,
            back(&json!(Uuid::new_v4()), 1.0, cash(700)),
        ),
        (
            "SALE_VOIDED",
            token,
            back(&wrong["sale"]["id"], 1.0, cash(700)),
        ),
        ("RETURN_EXCEEDS_SOLD", token, back(id, 1.5, cash(1050))),
        (
            "REFUND_EXCEEDS_PAID",
            token,
            back(id, 1.0, json!([{ "type": "card", "amount": 700 }])),
        ),
        ("STOCK_LIMIT_EXCEEDED", &manager, no_room),
    ] {
        let sent = Sent {
            token: by.to_owned(),
            ..scene.request(Uuid::nil(), &body)
        };
        scene.expect_of(outcome, sent).await;
    }
}

/// The pointers of all problems that are told, each with its code.
fn problems(told: &Value) -> Vec<String> {
    let problems = told["details"]["problems"].as_array();
    let text = |problem: &Value, name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    problems
        .into_iter()
        .flatten()
        .map(|problem| format!("{} {}", text(problem, "pointer"), text(problem, "code")))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_is_wrong_is_told_at_once() {
    let bench = Bench::take().await;
    let inventory = bench.inventory("2").await;
    let other = bench.inventory("1").await;
    let till = bench.till(inventory).await;
    let close = "select public.close_shift($1, 10000)";
    let closed = bench.db.query_one(close, &[&till.shift]).await;
    closed.expect("a shift can be closed");
    let token = token_of(&bench, "cashier").await;
    let off = json!({ "percent": 50, "reason": "a friend" });
    let mut sale = json!({
        "register_id": till.register,
        "lines": [
            { "barcode": "0000", "quantity": 1 },
            { "inventory_id": inventory, "quantity": 1, "discount": off },
            { "inventory_id": other, "quantity": 1 },
            { "inventory_id": inventory, "quantity": 2 },
        ],
        "customer": { "id": Uuid::new_v4() },
        "tenders": cash(1),
    });
    let (status, told) = send(&bench, &token, None, &sale).await;
    assert_eq!(
        (status, &told["code"]),
        (404, &json!("BARCODE_NOT_FOUND")),
        "{told}"
    );
    assert_eq!(
        problems(&told),
        [
            "/lines/0/barcode BARCODE_NOT_FOUND",
            "/register_id SHIFT_NOT_OPEN",
            "/lines/2/inventory_id STOCK_ELSEWHERE",
            "/lines/1/discount DISCOUNT_NOT_ALLOWED",
            "/lines/1/quantity INSUFFICIENT_INVENTORY",
            "/customer CUSTOMER_NOT_FOUND",
        ],
        "{told}"
    );

    // What the lines cost is known now.
    sale["lines"] = json!([{ "inventory_id": inventory, "quantity": 1 }]);
    sale["expected_total"] = json!(600);
    let (_, told) = send(&bench, &token, None, &sale).await;
    let rest = [
        "/customer CUSTOMER_NOT_FOUND",
        "/register_id SHIFT_NOT_OPEN",
        "/expected_total PRICE_CHANGED",
        "/tenders UNDERPAID",
    ];
    assert_eq!(problems(&told), rest, "{told}");
    assert_eq!(
        told["details"]["problems"][3]["details"]["missing"], 699,
        "{told}"
    );
    assert_eq!(bench.quantity(inventory).await, "2", "nothing is taken");

    // Where nothing is paid there may be no tender.
    let open = format!("public.open_shift('{}', 0)", till.register);
    let opened = crate::areas::inventory::rows::call(&bench.db, &open).await;
    opened.expect("a shift can be opened");
    let manager = token_of(&bench, "manager").await;
    let gift = json!({
        "register_id": till.register,
        "lines": [{ "inventory_id": inventory, "quantity": 1, "discount": { "percent": 100, "reason": "a gift" } }],
        "tenders": [],
    });
    let (status, told) = send(&bench, &manager, None, &gift).await;
    assert_eq!(
        (status, &told["sale"]["tenders"]),
        (200, &json!([])),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_is_paid_out_once_and_in_the_way_it_was_paid() {
    let bench = Bench::take().await;
    let inventory = bench.inventory("10").await;
    let till = bench.till(inventory).await;
    let token = token_of(&bench, "cashier").await;
    let sale = json!({
        "register_id": till.register,
        "lines": [{ "inventory_id": inventory, "quantity": 1.5 }],
        "tenders": [{ "type": "card", "amount": 1050 }],
    });
    let (_, sold) = send(&bench, &token, None, &sale).await;
    let back = |quantity: f64, tenders: Value| {
        json!({
            "register_id": till.register,
            "returns": [{ "sale_id": sold["sale"]["id"], "line": 0, "quantity": quantity, "reason": "stale" }],
            "tenders": tenders,
        })
    };
    let (status, told) = send(&bench, &token, None, &back(0.75, cash(525))).await;
    assert_eq!(
        (status, &told["details"]["tenders"]),
        (
            409,
            &json!([
                { "type": "card", "requested": 0, "refundable": 1050 },
                { "type": "cash", "requested": 525, "refundable": 0 },
            ])
        ),
        "{told}"
    );
    let card = |amount: u64| json!([{ "type": "card", "amount": amount }]);
    let first = back(0.75, card(525));
    let (status, told) = send(&bench, &token, Some("back"), &first).await;
    assert_eq!(
        (
            status,
            &told["sale"]["total"],
            &told["sale"]["returns"][0]["amount"]
        ),
        (200, &json!(-525), &json!(525)),
        "{told}"
    );
    let (_, again) = send(&bench, &token, Some("back"), &first).await;
    assert_eq!(again, told, "under its key it comes back once");
    assert_eq!(bench.quantity(inventory).await, "9.25");
    let (status, told) = send(&bench, &token, None, &back(0.751, card(526))).await;
    assert_eq!(
        (status, &told["details"]["lines"]),
        (
            409,
            &json!([{ "line": 0, "sold": 1.5, "returned": 0.75, "requested": 0.751 }])
        ),
        "{told}"
    );
    for (entry, pointer) in [
        (
            json!({ "quantity": 1, "reason": "x" }),
            "/returns/0/sale_id",
        ),
        (
            json!({ "sale_id": sold["sale"]["id"], "quantity": 1, "reason": "x" }),
            "/returns/0/line",
        ),
        (
            json!({ "sale_id": sold["sale"]["id"], "line": 3, "quantity": 1, "reason": "x" }),
            "/returns/0/line",
        ),
        (
            json!({ "sale_id": sold["sale"]["id"], "line": 0, "quantity": 1 }),
            "/returns/0/reason",
        ),
    ] {
        let body = json!({ "register_id": till.register, "returns": [entry] });
        let (status, told) = send(&bench, &token, None, &body).await;
        assert_eq!(status, 400, "{entry}: {told}");
        assert_eq!(
            told["details"]["problems"][0]["pointer"], pointer,
            "{entry}: {told}"
        );
    }
    let two_sales = json!({ "register_id": till.register, "returns": [
        { "sale_id": sold["sale"]["id"], "line": 0, "quantity": 0.1, "reason": "x" },
        { "sale_id": Uuid::new_v4(), "line": 0, "quantity": 0.1, "reason": "x" },
    ] });
    let (status, told) = send(&bench, &token, None, &two_sales).await;
    assert_eq!(
        (status, &told["details"]["problems"][0]["pointer"]),
        (400, &json!("/returns/1/sale_id")),
        "{told}"
    );
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

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_of_a_till_that_was_cut_off_is_recorded_once_for_ever() {
    let bench = Bench::take().await;
    let inventory = bench.inventory("1.5").await;
    let till = bench.till(inventory).await;
    let token = token_of(&bench, "cashier").await;
    let mut sale = json!({
        "register_id": till.register,
        "lines": [{ "inventory_id": inventory, "quantity": 2, "unit_price": 650, "discount": { "percent": 20, "reason": "a friend" } }],
        "tenders": cash(1040),
        "client_time": an_hour_ago(&bench).await,
        "shift_id": till.shift,
    });
    let (status, replayed, first) = send_for_text(&bench, &token, Some("one"), &sale).await;
    assert_eq!((status, replayed), (200, false), "{first}");
    let told: Value = serde_json::from_str(&first).expect("JSON");
    let told = &told["sale"];
    assert_eq!(
        (&told["total"], &told["offline"], &told["late"]),
        (&json!(1040), &json!(true), &json!(false)),
        "{told}"
    );
    assert_eq!(
        told["needs_review"],
        json!([{ "line": 0, "reason": "discount" }, { "line": 0, "reason": "price" }])
    );
    let shortfall = &told["shortfalls"][0];
    assert_eq!(
        (&shortfall["sold"], &shortfall["quantity"]),
        (&json!(2), &json!(0.5)),
        "{told}"
    );
    assert_eq!(bench.quantity(inventory).await, "0");

    // By another cashier, after the keys of a day are gone, and when its shift is closed.
    bench
        .db
        .batch_execute(&format!(
            "update interlock.idempotency_keys set expires_at = now(); select interlock.purge_idempotency_keys(); select public.close_shift('{}', 10000)",
            till.shift
        ))
        .await
        .expect("a day can pass");
    let other = token_of(&bench, "cashier").await;
    let (status, replayed, again) = send_for_text(&bench, &other, Some("one"), &sale).await;
    assert_eq!((status, replayed), (200, true), "{again}");
    assert_eq!(again, first);

    // What comes late is recorded, too.
    let (status, late) = send(&bench, &other, Some("two"), &sale).await;
    assert_eq!(
        (status, &late["sale"]["late"]),
        (200, &json!(true)),
        "{late}"
    );

    sale["client_time"] = json!("2999-01-01T00:00:00Z");
    for (key, pointers) in [
        (Some("three"), vec!["/client_time"]),
        (None, vec!["/headers/idempotency-key", "/client_time"]),
    ] {
        let (status, told) = send(&bench, &token, key, &sale).await;
        assert_eq!(status, 400, "{told}");
        let told: Vec<&Value> = told["details"]["problems"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|problem| &problem["pointer"])
            .collect();
        assert_eq!(told, pointers);
    }
}
