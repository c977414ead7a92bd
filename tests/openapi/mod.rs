//! docs/openapi.json against the running functions: every code that it gives a function can be had and
//! looks as told, and whatever is sent that fits the schema, or does not, is answered as told.
//!
//! `RECORD=1` writes the answers to `openapi/examples.json`, from which codegen takes its examples.

mod requests;

use crate::areas::AREAS;
use crate::harness::openapi::{Document, assert_documented};
use crate::harness::stack::Bench;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _};
use interlock_domain::FUNCTIONS;
use interlock_domain::function::Takes;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/examples.json");

/// What a stack in good health does not answer, and of one shop. The corpus of recorded exchanges has them, but for a
/// function that is not set up, and for what is said of shops.
const OF_ILL_HEALTH: [&str; 12] = [
    "FORBIDDEN",
    "INTERNAL",
    "ISOLATION_LEVEL_UNSUPPORTED",
    "MISCONFIGURED",
    "READ_ONLY",
    "SHOP_BUSY",
    "SHOP_CLOSED",
    "SHOP_FORBIDDEN",
    "SHOP_MOVING",
    "SHOP_UNKNOWN",
    "UPSTREAM_UNAVAILABLE",
    "UPSTREAM_TIMEOUT",
];

/// A function's answers so far.
pub(crate) struct Scene<'a> {
    /// Where it plays.
    pub(crate) bench: &'a Bench,
    function: &'static str,
    examples: Vec<Value>,
}

/// Makes a function give each answer that the document tells of.
pub(crate) type Documented = for<'a> fn(&'a Bench) -> BoxFuture<'a, (String, Value)>;

/// A request, sound until a scene spoils it.
pub(crate) struct Sent {
    /// Whose.
    pub(crate) token: String,
    /// The idempotency key.
    pub(crate) key: Option<&'static str>,
    /// The header of a signed text, whichever its function has.
    pub(crate) signature: Option<String>,
    /// What the body is said to be.
    pub(crate) content_type: &'static str,
    /// As sent.
    pub(crate) body: String,
}

impl<'a> Scene<'a> {
    /// Of a function.
    pub(crate) fn new(bench: &'a Bench, function: &'static str) -> Self {
        Scene {
            bench,
            function,
            examples: Vec::new(),
        }
    }

    /// What a signed-in user sends.
    pub(crate) fn request(&self, user: Uuid, body: &Value) -> Sent {
        Sent {
            token: self.bench.stack.user_token(user),
            key: None,
            signature: None,
            content_type: "application/json",
            body: body.to_string(),
        }
    }

    /// The user sends it, and gets what the document tells of: this code, or success under this name.
    pub(crate) async fn expect(&mut self, outcome: &str, user: Uuid, body: &Value) -> Value {
        let request = self.request(user, body);
        self.expect_of(outcome, request).await
    }

    /// The same of a request that need not be sound.
    pub(crate) async fn expect_of(&mut self, outcome: &str, sent: Sent) -> Value {
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
    pub(crate) async fn refuses_what_all_refuse(&mut self, user: Uuid) {
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
    pub(crate) fn end(self) -> (String, Value) {
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
    if let Some(signature) = &sent.signature {
        let header = FUNCTIONS.iter().find_map(|record| match record.takes {
            Takes::Signed { header, .. } if record.name == function => Some(header),
            _ => None,
        });
        let names: Vec<&str> = header.expect("it takes a signed text").split(' ').collect();
        for (name, value) in names.iter().zip(signature.splitn(names.len(), ' ')) {
            request = request.header(*name, value);
        }
    }
    let response = request.send().await.expect("the stack answers");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let answer: Value = response.json().await.expect("every answer is JSON");
    assert_documented(function, status, &headers, &answer);
    (status, answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_code_of_the_document_can_be_had() {
    let bench = Bench::take().await;
    let mut examples = Vec::new();
    for documented in AREAS.iter().flat_map(|area| area.documented) {
        examples.push(documented(&bench).await);
    }
    let shown: BTreeSet<&str> = examples.iter().map(|(name, _)| name.as_str()).collect();
    let told: BTreeSet<&str> = FUNCTIONS.iter().map(|function| function.name).collect();
    assert_eq!(shown, told, "every function has its answers in its area");
    events_are_as_told(&bench).await;
    if std::env::var_os("RECORD").is_some() {
        let examples = Value::Object(Map::from_iter(examples));
        let text = serde_json::to_string_pretty(&examples).expect("plain data");
        std::fs::write(EXAMPLES, text + "\n").expect("the examples can be written");
    }
}

/// All that has happened so far in the stack, as endpoints would get it.
async fn events_are_as_told(bench: &Bench) {
    const SEEN: &str = "
        select jsonb_build_object('id', e.id, 'type', e.type, 'timestamp', e.created_at, 'position', e.position, 'subject', e.subject, 'data', e.payload)
        from interlock.events e
        where e.type not like 'test.%'";
    let rows = bench.db.query(SEEN, &[]).await.expect("events can be read");
    let mut types = BTreeSet::new();
    for row in rows {
        let event: Value = row.get(0);
        let problems = Document::get().event_problems(&event);
        assert!(problems.is_empty(), "{problems:#?}\n{event}");
        types.insert(event["type"].as_str().unwrap_or_default().to_owned());
    }
    for expected in [
        "order.pending_payment",
        "batch.claimed",
        "sale.completed",
        "packing.progress",
    ] {
        assert!(
            types.contains(expected),
            "{expected} was not among {types:?}"
        );
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
    // A signed text is not read before its signature.
    let of_users = FUNCTIONS.iter().filter(|function| function.is_for_users());
    for record in of_users {
        let function = record.name;
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
                signature: None,
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
        // Ids of orders are nobody else's to know.
        let fields = document.request(function)["properties"].as_object();
        let least = match record.is_by_shop() {
            // To whom it is refused whatever they ask for.
            true => 1,
            false => fields.map_or(0, Map::len).min(3),
        };
        assert!(kinds.len() > least, "{function} only answered {kinds:?}");
    }
}
