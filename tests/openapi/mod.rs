//! docs/openapi.json against the running functions: every code that it gives a function can be had and
//! looks as told, and whatever is sent that fits the schema, or does not, is answered as told.
//!
//! `RECORD=1` writes the answers to `openapi/examples.json`, from which codegen takes its examples.

mod requests;

use crate::areas::shop::rows::{cart, with};
use crate::harness::openapi::{Document, assert_documented};
use crate::harness::stack::Bench;
use futures::stream::{self, StreamExt as _};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/examples.json");

/// What a stack in good health does not answer. The corpus of recorded exchanges has them.
const OF_ILL_HEALTH: [&str; 4] = [
    "FORBIDDEN",
    "INTERNAL",
    "UPSTREAM_UNAVAILABLE",
    "UPSTREAM_TIMEOUT",
];

/// A function's answers so far.
struct Scene<'a> {
    bench: &'a Bench,
    function: &'static str,
    examples: Vec<Value>,
}

/// A request, sound until a scene spoils it.
struct Sent {
    token: String,
    key: Option<&'static str>,
    content_type: &'static str,
    body: String,
}

impl<'a> Scene<'a> {
    fn new(bench: &'a Bench, function: &'static str) -> Self {
        Scene {
            bench,
            function,
            examples: Vec::new(),
        }
    }

    fn request(&self, user: Uuid, body: &Value) -> Sent {
        Sent {
            token: self.bench.stack.user_token(user),
            key: None,
            content_type: "application/json",
            body: body.to_string(),
        }
    }

    /// The user sends it, and gets what the document tells of: this code, or success under this name.
    async fn expect(&mut self, outcome: &str, user: Uuid, body: &Value) -> Value {
        let request = self.request(user, body);
        self.expect_of(outcome, request).await
    }

    async fn expect_of(&mut self, outcome: &str, sent: Sent) -> Value {
        let (status, answer) = send(self.bench, self.function, &sent).await;
        let is_code = outcome.chars().all(|letter| !letter.is_lowercase());
        let expected = is_code.then_some(outcome);
        assert_eq!(answer["error"].as_str(), expected, "{outcome}: {answer}");
        self.examples.push(json!({
            "name": outcome,
            "request": serde_json::from_str::<Value>(&sent.body).unwrap_or(Value::Null),
            "status": status,
            "body": answer,
        }));
        answer
    }

    /// What any function refuses.
    async fn refuses_what_all_refuse(&mut self, user: Uuid) {
        self.expect("VALIDATION_FAILED", user, &json!({ "colour": "red" }))
            .await;
        let mut anonymous = self.request(user, &json!({}));
        anonymous.token.clone_from(&self.bench.stack.anon_key);
        self.expect_of("UNAUTHENTICATED", anonymous).await;
        let mut large = self.request(user, &json!({}));
        large.body += &" ".repeat(70_000);
        self.expect_of("BODY_TOO_LARGE", large).await;
        let mut text = self.request(user, &json!({}));
        text.content_type = "text/plain";
        self.expect_of("UNSUPPORTED_MEDIA_TYPE", text).await;
    }

    /// All that is told was seen, and the answers are kept if they are asked for.
    fn end(self) -> (String, Value) {
        let seen: BTreeSet<&str> = self
            .examples
            .iter()
            .filter_map(|example| example["body"]["error"].as_str())
            .chain(OF_ILL_HEALTH)
            .collect();
        let told: BTreeSet<&str> = Document::get().codes(self.function).into_iter().collect();
        let missing: Vec<_> = told.difference(&seen).collect();
        assert!(
            missing.is_empty(),
            "{} never answered {missing:?}",
            self.function
        );
        (self.function.to_owned(), Value::Array(self.examples))
    }
}

async fn send(bench: &Bench, function: &str, sent: &Sent) -> (u16, Value) {
    let mut request = bench
        .stack
        .http
        .post(format!("{}/functions/v1/{function}", bench.stack.api_url))
        .header("apikey", &bench.stack.anon_key)
        .header("content-type", sent.content_type)
        .bearer_auth(&sent.token)
        .body(sent.body.clone());
    if let Some(key) = sent.key {
        request = request.header("idempotency-key", key);
    }
    let response = request.send().await.expect("the stack answers");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let answer: Value = response.json().await.expect("every answer is JSON");
    assert_documented(function, status, &headers, &answer);
    (status, answer)
}

async fn claim_route(bench: &Bench) -> (String, Value) {
    bench.needs_no_other_batches().await;
    let mut scene = Scene::new(bench, "claim-route");
    let drivers = bench.drivers(2).await;
    let buyer = bench.users(1).await[0];
    scene.refuses_what_all_refuse(drivers[0]).await;
    scene
        .expect("NO_BATCH_AVAILABLE", drivers[0], &json!({}))
        .await;

    let batch = bench.batches(1).await[0];
    let named = json!({ "batch_id": batch });
    scene.expect("NOT_A_DRIVER", buyer, &named).await;
    let unknown = json!({ "batch_id": Uuid::new_v4() });
    scene.expect("BATCH_NOT_FOUND", drivers[0], &unknown).await;
    scene.expect("claimed", drivers[0], &named).await;
    scene.expect("DRIVER_BUSY", drivers[0], &json!({})).await;
    scene.expect("BATCH_UNAVAILABLE", drivers[1], &named).await;
    let act = |action: &str| json!({ "batch_id": batch, "action": action });
    scene
        .expect("BATCH_NOT_HELD", drivers[1], &act("start"))
        .await;
    scene.expect("started", drivers[0], &act("start")).await;
    bench.expire_lease(batch).await;
    scene
        .expect("LEASE_EXPIRED", drivers[0], &act("renew"))
        .await;
    scene.expect("claimed again", drivers[0], &named).await;

    let key = Some("a key");
    let first = scene.request(drivers[0], &act("renew"));
    scene.expect_of("renewed", Sent { key, ..first }).await;
    let other = scene.request(drivers[0], &act("release"));
    scene
        .expect_of("IDEMPOTENCY_KEY_REUSED", Sent { key, ..other })
        .await;
    scene.expect("released", drivers[0], &act("release")).await;
    scene.end()
}

/// Changes a promo code.
async fn set(bench: &Bench, code: &str, change: &str) {
    let update = format!("update interlock.promo_codes set {change} where code = $1");
    bench
        .db
        .execute(&update, &[&code])
        .await
        .expect("the code is there");
}

/// What `checkout` and `promo-validate` say of a code; `body` is a cart that it is tried on.
async fn refuses_promos(scene: &mut Scene<'_>, body: &Value, field: &str) {
    let bench = scene.bench;
    let users = bench.users(3).await;
    let on = |code: &str| with(body.clone(), field, code);

    for (code, change) in [
        (
            "PROMO_EXPIRED",
            "expires_at = now() - interval '1 day', starts_at = now() - interval '2 days'",
        ),
        ("PROMO_NOT_STARTED", "starts_at = now() + interval '1 day'"),
        (
            "PROMO_NOT_APPLICABLE",
            "min_subtotal = 1000000, currency = 'USD'",
        ),
    ] {
        let promo = bench.promo(None, None).await;
        set(bench, &promo, change).await;
        scene.expect(code, users[0], &on(&promo)).await;
    }

    // One holds the only use; it is in another cart of theirs, and nobody else can have it.
    let promo = bench.promo(Some(1), None).await;
    let mut holder = Scene::new(bench, "promo-validate");
    let hold = json!({ "code": promo, "subtotal": 1_400, "cart_id": Uuid::new_v4() });
    holder.expect("held", users[0], &hold).await;
    scene
        .expect("PROMO_ALREADY_APPLIED", users[0], &on(&promo))
        .await;
    scene.expect("PROMO_EXHAUSTED", users[1], &on(&promo)).await;

    for _ in 0..19 {
        let guess = json!({ "code": "NO-SUCH-CODE", "subtotal": 1 });
        holder.expect("PROMO_NOT_FOUND", users[2], &guess).await;
    }
    scene
        .expect("PROMO_NOT_FOUND", users[2], &on("NO-SUCH-CODE"))
        .await;
    scene
        .expect("TOO_MANY_ATTEMPTS", users[2], &on("NO-SUCH-CODE"))
        .await;

    let other = bench.products(1, 5).await[0];
    let euros = "update interlock.products set currency = 'EUR' where id = $1";
    bench
        .db
        .execute(euros, &[&other])
        .await
        .expect("the product is there");
    let product: Uuid = body["cart_items"][0]["product_id"]
        .as_str()
        .and_then(|id| id.parse().ok())
        .expect("a cart");
    let mixed = with(cart(&[(product, 1), (other, 1)]), field, promo.as_str());
    scene.expect("MIXED_CURRENCIES", users[0], &mixed).await;
    let unknown = with(cart(&[(Uuid::new_v4(), 1)]), field, promo.as_str());
    scene.expect("PRODUCT_NOT_FOUND", users[0], &unknown).await;
}

async fn checkout(bench: &Bench) -> (String, Value) {
    let mut scene = Scene::new(bench, "checkout");
    let buyer = bench.users(1).await[0];
    let product = bench.products(1, 10).await[0];
    let digital = bench.digital_product(3).await;
    scene.refuses_what_all_refuse(buyer).await;
    refuses_promos(&mut scene, &cart(&[(product, 2)]), "promo_code").await;

    let by_wallet = |lines: &[(Uuid, u32)]| with(cart(lines), "payment_method", "wallet");
    scene
        .expect("INSUFFICIENT_FUNDS", buyer, &by_wallet(&[(product, 1)]))
        .await;
    scene
        .expect("INSUFFICIENT_INVENTORY", buyer, &cart(&[(product, 11)]))
        .await;
    bench.top_up(buyer, 10_000).await;
    scene
        .expect(
            "paid, with digital codes",
            buyer,
            &by_wallet(&[(digital, 2)]),
        )
        .await;
    let transfer = with(cart(&[(product, 1)]), "payment_method", "bank_transfer");
    scene
        .expect("waits for its payment", buyer, &transfer)
        .await;

    let key = Some("a key");
    for (outcome, quantity) in [("to be paid in cash", 1), ("IDEMPOTENCY_KEY_REUSED", 2)] {
        let request = scene.request(buyer, &cart(&[(product, quantity)]));
        scene.expect_of(outcome, Sent { key, ..request }).await;
    }
    let euros = "update interlock.products set currency = 'EUR' where id = $1";
    let abroad = bench.products(1, 5).await[0];
    bench
        .db
        .execute(euros, &[&abroad])
        .await
        .expect("the product is there");
    scene
        .expect("CURRENCY_MISMATCH", buyer, &by_wallet(&[(abroad, 1)]))
        .await;

    // The shop changes a code between showing and selling.
    let promo = bench.promo(None, None).await;
    let cart_id = json!(Uuid::new_v4());
    let shown = with(
        with(cart(&[(product, 1)]), "cart_id", cart_id.clone()),
        "code",
        promo.as_str(),
    );
    Scene::new(bench, "promo-validate")
        .expect("held", buyer, &shown)
        .await;
    set(bench, &promo, "discount_value = 20").await;
    let order = with(
        with(cart(&[(product, 1)]), "cart_id", cart_id),
        "promo_code",
        promo.as_str(),
    );
    scene.expect("PROMO_CHANGED", buyer, &order).await;
    scene.end()
}

async fn promo_validate(bench: &Bench) -> (String, Value) {
    let mut scene = Scene::new(bench, "promo-validate");
    let buyer = bench.users(1).await[0];
    let product = bench.products(1, 10).await[0];
    scene.refuses_what_all_refuse(buyer).await;
    refuses_promos(&mut scene, &cart(&[(product, 2)]), "code").await;

    let promo = bench.promo(None, None).await;
    let cart_id = json!(Uuid::new_v4());
    let dry = with(json!({ "code": promo, "subtotal": 1_400 }), "dry_run", true);
    let applied = with(
        with(cart(&[(product, 2)]), "code", promo.as_str()),
        "cart_id",
        cart_id.clone(),
    );
    let release = json!({ "code": promo, "cart_id": cart_id, "action": "release" });
    scene.expect("shown only", buyer, &dry).await;
    scene.expect("held for the cart", buyer, &applied).await;
    scene.expect("released", buyer, &release).await;
    scene.end()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_code_of_the_document_can_be_had() {
    let bench = Bench::take().await;
    let examples = [
        claim_route(&bench).await,
        checkout(&bench).await,
        promo_validate(&bench).await,
    ];
    if std::env::var_os("RECORD").is_some() {
        let examples = Value::Object(Map::from_iter(examples));
        let text = serde_json::to_string_pretty(&examples).expect("plain data");
        std::fs::write(EXAMPLES, text + "\n").expect("the examples can be written");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_sent_is_answered_as_told() {
    const CASES: usize = 200;
    let bench = Bench::take().await;
    let document = Document::get();
    let products = bench.products(3, 1_000_000).await;
    let batches = bench.batches(3).await;
    let promo = bench.promo(None, None).await;
    let known: Vec<Value> = products
        .into_iter()
        .chain(batches)
        .map(|id| json!(id))
        .chain([json!(promo)])
        .collect();
    // The same requests in every run.
    let mut runner = TestRunner::deterministic();
    for function in document.functions() {
        let bodies = requests::bodies(document.request(function), &known);
        // Nobody may guess at promo codes for long.
        let users = bench.drivers(CASES / 10).await;
        let sent = users.iter().cycle().take(CASES).map(|user| {
            let body = bodies
                .new_tree(&mut runner)
                .expect("bodies can be made")
                .current();
            (body, bench.stack.user_token(*user))
        });
        let sent: Vec<_> = sent.collect();
        let answers = stream::iter(sent).map(async |(body, token)| {
            let text = body.to_string();
            let sent = Sent {
                token,
                key: None,
                content_type: "application/json",
                body: text,
            };
            let (_, answer) = send(&bench, function, &sent).await;
            let refused = answer["error"] == "VALIDATION_FAILED";
            assert_eq!(
                refused,
                !document.accepts(function, &body),
                "{function} {body}: {answer}"
            );
            answer["error"].as_str().unwrap_or("OK").to_owned()
        });
        let seen: Vec<String> = answers.buffer_unordered(8).collect().await;
        let kinds: BTreeSet<&String> = seen.iter().collect();
        assert!(kinds.len() > 3, "{function} only answered {kinds:?}");
    }
}
