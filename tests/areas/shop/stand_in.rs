//! Our stand-in for Stripe (`crates/stack/src/stripe`), judged by Stripe's own client.

use super::cards::StandIn;
use crate::harness::stack::Bench;
use std::path::Path;
use std::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn stripes_own_client_finds_in_it_what_it_expects() {
    // Whoever is told of events meanwhile is this test.
    let _turn = Bench::take().await;
    let Some(stripe) = StandIn::get() else {
        eprintln!("left out: this stack has no stand-in for Stripe");
        return;
    };
    // What a test before has left.
    stripe.kind().await;
    let output = Command::new("node")
        .args(["--test", "tests/stripe/client.test.js"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .output()
        .expect("node starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
}
