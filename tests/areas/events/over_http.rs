//! The HTTP contract of `deliver`, and what receivers see of it, by the official package of Standard Webhooks.

use super::rows::SECRET;
use crate::harness::stack::Bench;
use crate::openapi::{Scene, Sent};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// `deliver`.
pub(crate) async fn documented(bench: &Bench) -> (String, Value) {
    let mut scene = Scene::new(bench, "deliver");
    bench.deliver().await;
    let user = bench.users(1).await[0];
    let large = " ".repeat(70_000);
    for (outcome, body, secret) in [
        ("nothing is due", "{}", Some(SECRET)),
        ("VALIDATION_FAILED", "\0", Some(SECRET)),
        ("BODY_TOO_LARGE", &large, Some(SECRET)),
        ("DELIVER_SECRET_INVALID", "{}", Some("a guess")),
        ("DELIVER_SECRET_INVALID", "{}", None),
    ] {
        let sent = Sent {
            body: body.to_owned(),
            signature: secret.map(str::to_owned),
            ..scene.request(user, &json!({}))
        };
        scene.expect_of(outcome, sent).await;
    }
    scene.end()
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers_verify_what_they_get() {
    run_in_node("receivers").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_flood_is_lost() {
    run_in_node("flood").await;
}

async fn run_in_node(file: &str) {
    let bench = Bench::take().await;
    bench.deliver().await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new("node")
        .args(["--test", &format!("tests/webhooks/{file}.test.js")])
        .current_dir(&root)
        .env("API_URL", &bench.stack.api_url)
        .env("ANON_KEY", &bench.stack.anon_key)
        .env("SERVICE_ROLE_KEY", &bench.stack.service_role_key)
        .env("DELIVER_SECRET", SECRET)
        .output()
        .expect("Node is there");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}
