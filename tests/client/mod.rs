//! What an app does, against the stack: supabase-js alone (`client/shop.ts`), and the typed client of
//! `packages/client` in Node, in Deno and in a browser.

use crate::harness::stack::{Bench, Stack, user_claims};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread")]
async fn supabase_js_reads_every_answer() {
    let bench = Bench::take().await;
    let (buyer, driver) = (bench.users(1).await[0], bench.drivers(1).await[0]);
    bench.batches(1).await;
    bench.top_up(buyer, 3_000).await;
    let product = bench.products(1, 5).await[0];
    let promo = bench.promo(None, None).await;
    let guest = bench.users(1).await[0];
    let anonymous = "update auth.users set is_anonymous = true where id = $1";
    let made = bench.db.execute(anonymous, &[&guest]).await;
    made.expect("a user can be a guest");
    let mut claims = user_claims(guest);
    claims["is_anonymous"] = json!(true);
    let root = root();
    let output = Command::new(root.join("node_modules/.bin/deno"))
        .args([
            "run",
            "--no-lock",
            "--allow-net",
            "--allow-env",
            "tests/client/shop.ts",
        ])
        .current_dir(&root)
        .env("NO_COLOR", "1")
        .env("API_URL", &bench.stack.api_url)
        .env("ANON_KEY", &bench.stack.anon_key)
        .env("BUYER", bench.stack.user_token(buyer))
        .env("GUEST", bench.stack.token(&claims))
        .env("DRIVER", bench.stack.user_token(driver))
        .env("PRODUCT", product.to_string())
        .env("PROMO", promo)
        .output()
        .expect("node_modules has Deno: run `npm ci`");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Whoever comes with a refresh token that was used long ago may have stolen it: nobody stays signed in.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_refresh_token_ends_its_session() {
    let bench = Bench::take().await;
    if !has_local_auth(bench.stack).await {
        return;
    }
    let ask = async |path: &str, body: Value| -> (u16, Value) {
        let request = bench
            .stack
            .http
            .post(format!("{}/auth/v1{path}", bench.stack.api_url));
        let request = request.header("apikey", &bench.stack.anon_key).json(&body);
        let answer = request.send().await.expect("Auth answers");
        (
            answer.status().as_u16(),
            answer.json().await.expect("it answers JSON"),
        )
    };
    let email = format!("{}@test.example", Uuid::new_v4());
    let account = json!({ "email": email, "password": "correct horse" });
    let (_, session) = ask("/signup", account).await;
    let mut tokens = vec![session["refresh_token"].clone()];
    for _ in 0..2 {
        let body = json!({ "refresh_token": tokens.last() });
        let (status, session) = ask("/token?grant_type=refresh_token", body).await;
        assert_eq!(status, 200, "{session}");
        tokens.push(session["refresh_token"].clone());
    }
    for old in [&tokens[0], &tokens[2]] {
        // Longer ago than the interval in which a second tab may use it too.
        let age = "update auth.refresh_tokens set updated_at = now() - interval '1 minute' where token = $1";
        let aged = bench.db.execute(age, &[&old.as_str()]).await;
        assert_eq!(aged.expect("a token can be made older"), 1);
        let (status, error) = ask(
            "/token?grant_type=refresh_token",
            json!({ "refresh_token": old }),
        )
        .await;
        let told = (status, error["error_code"].as_str());
        assert_eq!(told, (400, Some("refresh_token_already_used")), "{error}");
    }
}

/// Elsewhere an address waits for its mail, and sign-ups are rationed.
async fn has_local_auth(stack: &Stack) -> bool {
    let request = stack.http.get(format!("{}/auth/v1/health", stack.api_url));
    let answer = request.header("apikey", &stack.anon_key).send().await;
    let health: Value = answer
        .expect("Auth answers")
        .json()
        .await
        .unwrap_or_default();
    let local = health["name"] == "Interlock's local Auth";
    if !local {
        println!("only the local stack's own Auth answers so: not asked here");
    }
    local
}

const FOLDER: &str = "packages/client/tests";

#[tokio::test(flavor = "multi_thread")]
async fn typed_client_in_node() {
    let mut node = Command::new("node");
    // Node has a WebSocket of its own from version 22 on, and this one before.
    node.args(["--experimental-websocket", "--test"]).args(
        ["retry", "submission", "shop", "till", "packing", "live"]
            .map(|name| format!("{FOLDER}/{name}.test.js")),
    );
    passes(node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typed_client_in_deno() {
    let mut deno = Command::new(root().join("node_modules/.bin/deno"));
    deno.args(["test", "--no-lock", "--no-check", "--allow-all"])
        .args(
            ["retry", "submission", "shop", "till", "packing", "live"]
                .map(|name| format!("{FOLDER}/{name}.test.js")),
        );
    passes(deno).await;
}

/// `cargo xtask test --only browser` finds or fetches a browser and says where it is.
#[tokio::test(flavor = "multi_thread")]
async fn typed_client_in_a_browser() {
    let mut node = Command::new("node");
    node.arg("--test").args(
        [
            "browser",
            "till-browser",
            "packing-browser",
            "live-browser",
            "react-browser",
        ]
        .map(|name| format!("{FOLDER}/{name}.test.js")),
    );
    passes(node).await;
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs tests of the client on rows of their own, and shows what they print if they fail.
async fn passes(mut tests: Command) {
    let bench = Bench::take().await;
    let users = bench.users(16).await;
    let drivers = bench.drivers(2).await;
    // The files of tests run side by side.
    let listeners = bench.users(8).await;
    let listening_drivers = bench.drivers(2).await;
    bench.batches(1).await;
    let with_token = |ids: &[Uuid]| -> Vec<Value> {
        let user = |id: &Uuid| json!({ "id": id, "token": bench.stack.user_token(*id) });
        ids.iter().map(user).collect()
    };
    let staff = bench.users(1).await[0];
    let mut claims = user_claims(staff);
    claims["app_metadata"] = json!({ "role": "staff" });
    let in_role = |ids: Vec<Uuid>, role: &str| -> Vec<Value> {
        let worker = |id: Uuid| {
            let mut claims = user_claims(id);
            claims["app_metadata"] = json!({ "role": role });
            json!({ "id": id, "token": bench.stack.token(&claims) })
        };
        ids.into_iter().map(worker).collect()
    };
    let cashiers = in_role(bench.users(2).await, "cashier");
    let packers = in_role(bench.users(2).await, "packer");
    let mut packings = Vec::new();
    for _ in 0..4 {
        let packing = bench.packing(&[5, 5], 6).await;
        packings.push(json!({
            "session": packing.id, "orders": packing.orders, "product": packing.product, "lines": packing.lines,
        }));
    }
    let mut tills = Vec::new();
    for _ in 0..8 {
        let inventory = bench.inventory("100").await;
        let till = bench.till(inventory).await;
        tills.push(
            json!({ "register": till.register, "shift": till.shift, "inventory": inventory }),
        );
    }
    let fixture = json!({
        "apiUrl": bench.stack.api_url,
        "anonKey": bench.stack.anon_key,
        "serviceKey": bench.stack.service_role_key,
        "jwtSecret": bench.stack.jwt_secret,
        "users": with_token(&users),
        "drivers": with_token(&drivers),
        "listeners": with_token(&listeners),
        "listeningDrivers": with_token(&listening_drivers),
        "staff": { "id": staff, "token": bench.stack.token(&claims) },
        "cashiers": cashiers,
        "tills": tills,
        "packers": packers,
        "packings": packings,
        "way": [bench.inventory("11.52").await, bench.inventory("1").await],
        "stock": [bench.inventory("11.52").await, bench.inventory("11.52").await],
        "product": bench.products(1, 1_000).await[0],
        "second": bench.products(1, 1_000).await[0],
        "scarce": bench.products(1, 3).await[0],
        "promo": bench.promo(None, None).await,
    });
    tests
        .current_dir(root())
        .env("NO_COLOR", "1")
        .env("FIXTURE", fixture.to_string());
    let output = tokio::task::spawn_blocking(move || tests.output())
        .await
        .expect("the tests are waited for")
        .expect("Node is on PATH and node_modules has Deno: run `npm ci`");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
