//! supabase-js against the stack, from Deno: `client/shop.ts` does what an app does.

use interlock_tests::stack::Bench;
use std::path::Path;
use std::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn supabase_js_reads_every_answer() {
    let bench = Bench::take().await;
    let (buyer, driver) = (bench.users(1).await[0], bench.drivers(1).await[0]);
    bench.batches(1).await;
    bench.top_up(buyer, 3_000).await;
    let product = bench.products(1, 5).await[0];
    let promo = bench.promo(None, None).await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
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
