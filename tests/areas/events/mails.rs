//! Mails and the CRM: our stand-in for Resend (`crates/stack/src/mail.rs`), judged by Resend's own client, and what it is sent.

use super::rows::SECRET;
use crate::harness::stack::Bench;
use std::path::Path;
use std::process::Command;
use uuid::Uuid;

/// Runs a file of tests/mail, where the stack has a stand-in.
fn node(bench: &Bench, file: &str, more: &[(&str, String)]) {
    if std::env::var("RESEND_API_URL").is_err() {
        eprintln!("left out: this stack has no stand-in for Resend");
        return;
    }
    let output = Command::new("node")
        .args(["--test", &format!("tests/mail/{file}")])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .env("API_URL", &bench.stack.api_url)
        .env("ANON_KEY", &bench.stack.anon_key)
        .env("SERVICE_ROLE_KEY", &bench.stack.service_role_key)
        .env("DELIVER_SECRET", SECRET)
        .envs(more.iter().map(|(name, value)| (name, value)))
        .output()
        .expect("Node is there");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn resends_own_client_finds_in_it_what_it_expects() {
    let bench = Bench::take().await;
    node(&bench, "stand_in.test.js", &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_crm_is_told_of_customers() {
    let bench = Bench::take().await;
    bench.deliver().await;
    node(&bench, "crm.test.js", &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_confirmed_by_mail() {
    let bench = Bench::take().await;
    bench.deliver().await;
    let (id, email) = (Uuid::new_v4(), format!("{}@test.example", Uuid::new_v4()));
    let shop = r#"select set_config('request.jwt.claims', '{"role": "service_role"}', true)"#;
    let buyer = format!(
        r#"select set_config('request.jwt.claims', '{{"role": "authenticated", "sub": "{id}"}}', true)"#
    );
    bench
        .db
        .batch_execute(&format!(
            r#"begin;
             {shop};
             set local role service_role;
             select public.set_mail_settings('Shop <orders@shop.example>', p_active => true);
             reset role;
             commit;
             begin;
             insert into auth.users (id, aud, role, email) values ('{id}', 'authenticated', 'authenticated', '{email}');
             insert into interlock.products (id, name, price, currency, available_quantity)
             values ('{id}', 'Tea', 1250, 'EUR', 10);
             {buyer};
             set local role authenticated;
             select public.checkout('[{{"product_id": "{id}", "quantity": 2}}]');
             reset role;
             commit"#
        ))
        .await
        .expect("an order is placed");
    let order = bench
        .db
        .query_one(
            "select o.id from interlock.orders o where o.user_id = $1",
            &[&id],
        )
        .await
        .expect("it is there");
    let order: Uuid = order.get(0);
    let more = [("ORDER_ID", order.to_string()), ("ORDER_EMAIL", email)];
    node(&bench, "orders.test.js", &more);
}
