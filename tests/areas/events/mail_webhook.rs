//! The HTTP contract of `mail-webhook`, and what becomes of whom it names.

use crate::harness::stack::{Bench, unix_time};
use crate::openapi::{Scene, Sent};
use serde_json::{Value, json};
use uuid::Uuid;

/// Base64 of 24 bytes.
const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The headers of a signature, with a blank between.
async fn signed(bench: &Bench, body: &str, secret: &str, time: i64) -> String {
    let row = bench
        .db
        .query_one(
            "select encode(interlock.hmac_sha256(decode($1, 'base64'), convert_to($2, 'UTF8')), 'base64')",
            &[&secret, &format!("msg_1.{time}.{body}")],
        )
        .await
        .expect("it can be signed");
    let signature: String = row.get(0);
    format!("msg_1 {time} v1,{signature}")
}

/// What Resend tells of somebody.
fn event(kind: &str, email: &str) -> String {
    json!({ "type": kind, "data": { "to": [email], "bounce": { "type": "Permanent" } } })
        .to_string()
}

async fn set_secret(bench: &Bench) {
    bench
        .db
        .batch_execute(&format!(
            "select public.set_mail_webhook_secret('whsec_{SECRET}')"
        ))
        .await
        .expect("the secret can be set");
}

/// `mail-webhook`.
pub(crate) async fn documented(bench: &Bench) -> (String, Value) {
    let mut scene = Scene::new(bench, "mail-webhook");
    set_secret(bench).await;
    let user = bench.users(1).await[0];
    let bounced = event("email.bounced", &format!("{}@test.example", Uuid::new_v4()));
    let sent = event("email.sent", "somebody@test.example");
    let large = " ".repeat(70_000);
    for (outcome, body, secret) in [
        ("a bounce", bounced.as_str(), SECRET),
        ("nothing of ours", &sent, SECRET),
        ("VALIDATION_FAILED", "{}", SECRET),
        (
            "WEBHOOK_SIGNATURE_INVALID",
            "{}",
            "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB",
        ),
        ("BODY_TOO_LARGE", &large, SECRET),
    ] {
        let signature = signed(bench, body, secret, unix_time()).await;
        let sent = Sent {
            body: body.to_owned(),
            signature: Some(signature),
            ..scene.request(user, &Value::Null)
        };
        scene.expect_of(outcome, sent).await;
    }
    scene.end()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_told_of_is_suppressed_only_if_it_is_signed() {
    let bench = Bench::take().await;
    set_secret(&bench).await;
    let email = format!("{}@test.example", Uuid::new_v4());
    let body = event("email.complained", &email);
    let now = unix_time();
    let right = signed(&bench, &body, SECRET, now).await;
    let late = signed(&bench, &body, SECRET, now - 310).await;
    let other = signed(
        &bench,
        &event("email.complained", "x@test.example"),
        SECRET,
        now,
    )
    .await;
    let reason = async || {
        let row = bench
            .db
            .query_opt(
                "select s.reason::text from interlock.mail_suppressions s where s.email = $1",
                &[&email],
            )
            .await
            .expect("it can be asked");
        row.map(|row| row.get::<_, String>(0))
    };
    for (what, headers, status) in [
        ("unsigned", String::new(), 400),
        ("of another event", other, 400),
        ("late", late, 400),
        ("signed", right.clone(), 200),
        ("and again", right, 200),
    ] {
        let before = reason().await;
        let mut request = bench
            .stack
            .http
            .post(format!("{}/functions/v1/mail-webhook", bench.stack.api_url))
            .header("content-type", "application/json")
            .body(body.clone());
        let names = ["svix-id", "svix-timestamp", "svix-signature"];
        for (name, value) in names.iter().zip(headers.splitn(3, ' ')) {
            request = request.header(*name, value);
        }
        let response = request.send().await.expect("the stack answers");
        assert_eq!(response.status().as_u16(), status, "{what}");
        let after = if status == 200 {
            Some("complained".to_owned())
        } else {
            before
        };
        assert_eq!(reason().await, after, "{what}");
    }
}
