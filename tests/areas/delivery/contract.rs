//! The HTTP contract of `claim-route`: bad input of every kind, and what every answer carries.

use crate::harness::openapi::assert_documented;
use crate::harness::stack::{Bench, sign, unix_time, user_claims};
use reqwest::{Method, Response, header::HeaderMap};
use serde_json::{Value, json};
use uuid::Uuid;

const BATCH: &str = "ba7c4000-0000-4000-8000-0000000000ff";

/// A request, valid until a test spoils it.
struct Call<'a> {
    bench: &'a Bench,
    method: Method,
    authorization: Option<String>,
    content_type: Option<&'static str>,
    body: Vec<u8>,
}

impl<'a> Call<'a> {
    fn new(bench: &'a Bench, driver: Uuid, body: impl Into<Vec<u8>>) -> Self {
        Call {
            bench,
            method: Method::POST,
            authorization: Some(format!("Bearer {}", bench.stack.user_token(driver))),
            content_type: Some("application/json"),
            body: body.into(),
        }
    }

    async fn send(self) -> Response {
        let url = format!("{}/functions/v1/claim-route", self.bench.stack.api_url);
        let mut request = self
            .bench
            .stack
            .http
            .request(self.method, url)
            .body(self.body);
        if let Some(authorization) = self.authorization {
            request = request.header("authorization", authorization);
        }
        if let Some(content_type) = self.content_type {
            request = request.header("content-type", content_type);
        }
        request.send().await.expect("the stack answers")
    }

    /// Sends it and checks what every error answer must have.
    async fn refused(self, status: u16, code: &str) -> Value {
        let response = self.send().await;
        let headers = response.headers().clone();
        assert_eq!(response.status().as_u16(), status, "{code}");
        let body: Value = response.json().await.expect("an error is JSON");
        assert_eq!(body["error"], code, "{body}");
        assert_error(&headers, &body);
        assert_documented("claim-route", status, &headers, &body);
        body
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

fn assert_error(headers: &HeaderMap, body: &Value) {
    assert_eq!(body["code"], body["error"]);
    assert!(
        body["message"].is_string() && body["retryable"].is_boolean(),
        "{body}"
    );
    assert!(
        body.get("details").is_some() && body.get("hint").is_some(),
        "{body}"
    );
    assert_eq!(header(headers, "content-type"), "application/json");
    assert_eq!(header(headers, "access-control-allow-origin"), "*");
    assert_eq!(
        header(headers, "x-request-id"),
        body["request_id"].as_str().unwrap_or_default()
    );
    assert_eq!(
        headers.contains_key("retry-after"),
        body["retryable"] == true
    );
}

fn pointers(body: &Value) -> Vec<&str> {
    let problems = body["details"]["problems"]
        .as_array()
        .expect("a list of problems");
    problems
        .iter()
        .map(|problem| problem["pointer"].as_str().unwrap_or("?"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_bodies_are_refused_by_the_name_of_the_field() {
    let bench = Bench::take().await;
    let driver = bench.drivers(1).await[0];
    let long_name = "x".repeat(60_000);
    let cases: &[(&str, &[&str])] = &[
        ("", &[""]),
        ("{", &[""]),
        ("batch_id=1", &[""]),
        ("null", &[""]),
        ("[]", &[""]),
        ("\"text\"", &[""]),
        (r#"{"batch_id":""}"#, &["/batch_id"]),
        (r#"{"batch_id":"test-batch-id"}"#, &["/batch_id"]),
        (r#"{"batch_id":null}"#, &["/batch_id"]),
        (r#"{"batch_id":42}"#, &["/batch_id"]),
        (
            r#"{"batch_id":["ba7c4000-0000-4000-8000-0000000000ff"]}"#,
            &["/batch_id"],
        ),
        (
            r#"{"batch_id":"ba7c4000-0000-4000-8000-0000000000ff' or 1=1 --"}"#,
            &["/batch_id"],
        ),
        (r#"{"action":"start"}"#, &["/batch_id"]),
        (r#"{"action":"CLAIM"}"#, &["/action"]),
        (r#"{"action":null}"#, &["/action"]),
        (
            r#"{"driver_id":"a0000000-0000-4000-8000-00000000000a"}"#,
            &["/driver_id"],
        ),
        (
            r#"{"__proto__":{"batch_id":1},"constructor":1}"#,
            &["/__proto__", "/constructor"],
        ),
        (
            r#"{"batch_id":"x","action":7,"a/b":1}"#,
            &["/batch_id", "/action", "/a~1b"],
        ),
    ];
    for (body, expected) in cases {
        let answer = Call::new(&bench, driver, *body)
            .refused(400, "VALIDATION_FAILED")
            .await;
        assert_eq!(pointers(&answer), *expected, "{body}");
    }
    let answer = Call::new(&bench, driver, json!({ long_name: 1 }).to_string())
        .refused(400, "VALIDATION_FAILED")
        .await;
    assert!(
        answer.to_string().len() < 2_000,
        "a long name is not echoed whole"
    );
    let deep = "[".repeat(30_000) + &"]".repeat(30_000);
    Call::new(&bench, driver, deep)
        .refused(400, "VALIDATION_FAILED")
        .await;
    Call::new(&bench, driver, b"{\"batch_id\":\"\xff\xfe\"}".to_vec())
        .refused(400, "VALIDATION_FAILED")
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_may_have_64_kib_and_no_byte_more() {
    let bench = Bench::take().await;
    let driver = bench.drivers(1).await[0];
    let of_length = |length: usize| {
        let body = format!(r#"{{"batch_id":"{BATCH}"}}"#);
        body.clone() + &" ".repeat(length - body.len())
    };
    Call::new(&bench, driver, of_length(65_536))
        .refused(404, "BATCH_NOT_FOUND")
        .await;
    Call::new(&bench, driver, of_length(65_537))
        .refused(413, "BODY_TOO_LARGE")
        .await;
    // A function that answers and hangs up while the rest is still being sent takes its answer away: many
    // at once, because one alone is mostly in time.
    let large = of_length(2_000_000);
    futures::future::join_all((0..24).map(|_| async {
        Call::new(&bench, driver, large.clone())
            .refused(413, "BODY_TOO_LARGE")
            .await;
    }))
    .await;

    // Without a content-length: the limit counts what arrives.
    let chunks = (0..100).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1024]));
    let response = bench
        .stack
        .http
        .post(format!("{}/functions/v1/claim-route", bench.stack.api_url))
        .bearer_auth(bench.stack.user_token(driver))
        .header("content-type", "application/json")
        .body(reqwest::Body::wrap_stream(futures::stream::iter(chunks)))
        .send()
        .await
        .expect("the stack answers");
    assert_eq!(response.status().as_u16(), 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_post_with_json_is_taken() {
    let bench = Bench::take().await;
    let driver = bench.drivers(1).await[0];
    for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
        let mut call = Call::new(&bench, driver, "{}");
        call.method = method;
        let body = call.refused(405, "METHOD_NOT_ALLOWED").await;
        assert!(body["details"]["method"].is_string());
    }
    for content_type in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
    ] {
        let mut call = Call::new(&bench, driver, "{}");
        call.content_type = content_type;
        call.refused(415, "UNSUPPORTED_MEDIA_TYPE").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_signed_in_user_is_let_in() {
    let bench = Bench::take().await;
    let driver = bench.drivers(1).await[0];
    let batch = bench.batches(1).await[0];
    let user = user_claims(driver);
    let with = |key: &str, value: Value| {
        let mut claims = user.clone();
        claims[key] = value;
        bench.stack.token(&claims)
    };
    let unsigned = |token: String| {
        token
            .rsplit_once('.')
            .map(|(head, _)| format!("{head}."))
            .unwrap_or_default()
    };
    let tokens = [
        ("no token", None),
        ("the anon key", Some(bench.stack.anon_key.clone())),
        (
            "the service role's key, which is no user",
            Some(bench.stack.service_role_key.clone()),
        ),
        (
            "a forged token",
            Some(sign(&user, "another-secret-with-at-least-32-characters")),
        ),
        (
            "an expired token",
            Some(with("exp", json!(unix_time() - 3_600))),
        ),
        (
            "a token without a signature",
            Some(unsigned(bench.stack.user_token(driver))),
        ),
        ("a token without a user", Some(with("sub", Value::Null))),
        ("no JWT", Some("nonsense".to_owned())),
    ];
    for (name, token) in tokens {
        let mut call = Call::new(&bench, driver, json!({ "batch_id": batch }).to_string());
        call.authorization = token.map(|token| format!("Bearer {token}"));
        let body = call.refused(401, "UNAUTHENTICATED").await;
        assert_eq!(body["retryable"], false, "{name}");
    }
    assert_eq!(
        bench.batch(batch).await,
        (None, "available".to_owned(), 1),
        "a refusal changes nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_may_call_from_anywhere() {
    let bench = Bench::take().await;
    let response = bench
        .stack
        .http
        .request(
            Method::OPTIONS,
            format!("{}/functions/v1/claim-route", bench.stack.api_url),
        )
        .header("origin", "https://shop.example")
        .header("access-control-request-method", "POST")
        .header(
            "access-control-request-headers",
            "authorization, content-type, idempotency-key",
        )
        .send()
        .await
        .expect("the stack answers");
    assert!(response.status().is_success());
    assert_eq!(
        header(response.headers(), "access-control-allow-origin"),
        "*"
    );
    let allowed = header(response.headers(), "access-control-allow-headers");
    for name in [
        "authorization",
        "x-client-info",
        "apikey",
        "content-type",
        "idempotency-key",
        "x-request-id",
        "x-shop",
    ] {
        assert!(allowed.contains(name), "{name} is not among {allowed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_request_id_comes_back() {
    let bench = Bench::take().await;
    let driver = bench.drivers(1).await[0];
    let batch = bench.batches(1).await[0];
    let response = bench
        .stack
        .http
        .post(format!("{}/functions/v1/claim-route", bench.stack.api_url))
        .bearer_auth(bench.stack.user_token(driver))
        .header("x-request-id", "tablet-7.42")
        .json(&json!({ "batch_id": batch }))
        .send()
        .await
        .expect("the stack answers");
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(header(response.headers(), "x-request-id"), "tablet-7.42");
    assert!(header(response.headers(), "access-control-expose-headers").contains("x-request-id"));
}
