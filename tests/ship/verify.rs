//! `npm run verify`: it passes on what was just pushed, and names exactly what was taken away.

use serde_json::Value;

use crate::cli::xtask;
use crate::scratch::Scratch;

async fn findings(scratch: &Scratch) -> Vec<String> {
    let report: Value = xtask(&["verify", "--json", "--db-url", &scratch.url], &[])
        .await
        .failed()
        .json();
    assert_eq!(report["in_place"], false);
    let findings = report["findings"].as_array().expect("a list of findings");
    findings
        .iter()
        .map(|finding| {
            let text = |key: &str| finding[key].as_str().unwrap_or_default();
            assert_ne!(text("todo"), "", "each finding says what to do: {finding}");
            format!("{} {} {}", text("state"), text("kind"), text("name"))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pushed_database_is_in_order_and_says_so() {
    let scratch = Scratch::pushed("verify_ok").await;
    let report = xtask(&["verify", "--db-url", &scratch.url], &[])
        .await
        .succeeded();
    assert!(
        report.stdout.contains("everything is in place"),
        "{}",
        report.said()
    );
    assert!(
        !report.said().contains("postgres:postgres"),
        "the password stays where it is"
    );
    scratch.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_thing_that_was_taken_away_is_named_and_nothing_else() {
    let scratch = Scratch::pushed("verify_damage").await;
    let db = scratch.connect().await;
    // What goes wrong with databases, and what is said about each.
    let damage = [
        (
            "alter table interlock.products drop constraint products_available_quantity_nonnegative",
            "missing constraint interlock.products.products_available_quantity_nonnegative",
        ),
        (
            "drop policy orders_select_own on interlock.orders",
            "missing policy interlock.orders.orders_select_own",
        ),
        (
            "revoke select on interlock.wallets from authenticated",
            "missing grant table interlock.wallets to authenticated",
        ),
        (
            "grant update on interlock.products to anon",
            "different grant table interlock.products to anon",
        ),
        (
            "grant execute on function public.top_up_wallet(uuid, bigint, text, text) to public",
            "unexpected grant function public.top_up_wallet(uuid, bigint, text, text) to public",
        ),
        (
            "drop function public.increment_promo_usage(uuid, text)",
            "missing function public.increment_promo_usage(uuid, text)",
        ),
        (
            "create or replace function interlock.clock() returns timestamptz language sql stable
             set search_path = '' as 'select clock_timestamp()'",
            "different function interlock.clock()",
        ),
        (
            "alter table interlock.wallets disable trigger wallets_record_movement",
            "different trigger interlock.wallets.wallets_record_movement",
        ),
        (
            "alter table interlock.product_codes disable row level security",
            "different row security interlock.product_codes",
        ),
        (
            "drop index interlock.orders_by_user",
            "missing index interlock.orders.orders_by_user",
        ),
        (
            "alter table interlock.products alter column currency drop not null",
            "different column interlock.products.currency",
        ),
        (
            "drop table interlock.payment_proofs cascade",
            "missing table interlock.payment_proofs",
        ),
        (
            "delete from supabase_migrations.schema_migrations where version = '20251116000000'",
            "missing migration 20251116000000",
        ),
    ];
    for (statement, _) in damage {
        db.batch_execute(statement)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
    let mut expected: Vec<&str> = damage.iter().map(|(_, told)| *told).collect();
    // It went with the table of the proofs.
    expected.push("missing view interlock.queues");
    let mut told = findings(&scratch).await;
    expected.sort_unstable();
    told.sort_unstable();
    assert_eq!(told, expected);
    drop(db);
    scratch.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_statements_it_proposes_mend_what_they_are_about() {
    let scratch = Scratch::pushed("verify_mend").await;
    let db = scratch.connect().await;
    db.batch_execute(
        "alter table interlock.products drop constraint products_available_quantity_nonnegative;
         alter table interlock.wallets disable trigger wallets_record_movement;
         alter table interlock.product_codes disable row level security;
         revoke select on interlock.wallets from authenticated;
         grant update on interlock.products to anon;
         grant insert (code) on interlock.promo_codes to authenticated;
         drop index interlock.orders_by_user;
         drop trigger orders_settle on interlock.orders",
    )
    .await
    .expect("the database can be damaged");
    let report = xtask(&["verify", "--json", "--db-url", &scratch.url], &[])
        .await
        .failed()
        .json();
    for finding in report["findings"].as_array().expect("a list of findings") {
        let todo = finding["todo"].as_str().expect("a statement");
        db.batch_execute(todo)
            .await
            .unwrap_or_else(|error| panic!("{todo}: {error:?}"));
    }
    xtask(&["verify", "--db-url", &scratch.url], &[])
        .await
        .succeeded();
    drop(db);
    scratch.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_knows_of_many_shops() {
    let scratch = Scratch::pushed("verify_many").await;
    let db = scratch.connect().await;
    let verify = ["verify", "--json", "--db-url", &scratch.url];
    for statement in [
        "select interlock.serve_shops()",
        "select interlock.serve_shops()",
        "select interlock.serve_one_shop()",
        "select interlock.serve_shops(); select interlock.add_shop('berlin')",
    ] {
        db.batch_execute(statement)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error:?}"));
        let report = xtask(&verify, &[]).await.succeeded().json();
        assert_eq!(report["in_place"], true, "{statement}");
    }
    drop(db);
    scratch.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_shops_apart_is_named_when_it_is_gone_and_comes_back_as_it_says() {
    let scratch = Scratch::pushed("verify_apart").await;
    let db = scratch.connect().await;
    db.batch_execute("select interlock.serve_shops(); select interlock.add_shop('berlin')")
        .await
        .expect("there can be many shops");
    // As somebody takes it away, and as it is where a migration has made something anew.
    let damage = [
        (
            "drop policy of_the_shop on interlock.orders",
            "missing policy interlock.orders.of_the_shop",
        ),
        (
            "alter policy of_the_shop on interlock.drivers using (true)",
            "different policy interlock.drivers.of_the_shop",
        ),
        (
            "drop policy of_the_owner on interlock.batches",
            "missing policy interlock.batches.of_the_owner",
        ),
        (
            "alter table interlock.products no force row level security",
            "different row security interlock.products",
        ),
        (
            "alter table interlock.promo_codes disable row level security, no force row level security",
            "different row security interlock.promo_codes",
        ),
        (
            "alter table interlock.wallets owner to postgres",
            "different owner table interlock.wallets",
        ),
        (
            "alter function interlock.clock() owner to postgres",
            "different owner function interlock.clock()",
        ),
        (
            "alter function interlock.post_deliver(text) owner to interlock_owner",
            "different owner function interlock.post_deliver(text)",
        ),
        // It is a right of the owner's own now.
        (
            "",
            "missing grant function interlock.post_deliver(text) to interlock_owner",
        ),
        (
            "drop trigger a_shop on interlock.batches",
            "missing trigger interlock.batches.a_shop",
        ),
        (
            "alter table interlock.inventory alter shop_id set default 1",
            "different column interlock.inventory.shop_id",
        ),
        (
            "alter table interlock.tiers drop constraint tiers_threshold_key, add constraint tiers_threshold_key unique (threshold)",
            "different constraint interlock.tiers.tiers_threshold_key",
        ),
        (
            "drop index interlock.orders_by_user;
             create index orders_by_user on interlock.orders (user_id, created_at desc)",
            "different index interlock.orders.orders_by_user",
        ),
        (
            "do $$ begin
               execute 'create or replace view public.orders with (security_invoker = true) as '
                 || regexp_replace(pg_get_viewdef('public.orders'), 'WHERE.*', '');
             end $$",
            "different view public.orders",
        ),
        (
            "revoke select on interlock.shops from interlock_owner",
            "missing grant table interlock.shops to interlock_owner",
        ),
        (
            "grant select on interlock.settings to anon",
            "unexpected grant table interlock.settings to anon",
        ),
        (
            "alter table interlock_parts.outbox_0 no force row level security",
            "rows rows parts: interlock_parts.outbox_0 does not keep shops apart",
        ),
    ];
    for (statement, _) in damage {
        db.batch_execute(statement)
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
    let mut expected: Vec<&str> = damage.iter().map(|(_, told)| *told).collect();
    let mut told = findings(&scratch).await;
    expected.sort_unstable();
    told.sort_unstable();
    assert_eq!(told, expected);

    let report = xtask(&["verify", "--json", "--db-url", &scratch.url], &[])
        .await
        .failed()
        .json();
    for finding in report["findings"].as_array().expect("a list of findings") {
        let todo = finding["todo"].as_str().expect("a statement");
        db.batch_execute(todo)
            .await
            .unwrap_or_else(|error| panic!("{todo}: {error:?}"));
    }
    xtask(&["verify", "--db-url", &scratch.url], &[])
        .await
        .succeeded();
    drop(db);
    scratch.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_break_a_rule_are_named() {
    let scratch = Scratch::pushed("verify_rows").await;
    let db = scratch.connect_as_admin().await;
    db.batch_execute(
        "alter table interlock.products drop constraint products_available_quantity_nonnegative;
         insert into interlock.products (name, price, currency, available_quantity) values ('Oversold', 1, 'EUR', -1);
         alter table interlock.products add constraint products_available_quantity_nonnegative
           check (available_quantity >= 0) not valid;
         set session_replication_role = replica;
         insert into interlock.wallets (user_id, balance, currency)
         values ('b0000000-0000-4000-8000-000000000007', 100, 'EUR')",
    )
    .await
    .expect("the database can be damaged");
    let told = findings(&scratch).await;
    assert_eq!(
        told,
        [
            "different constraint interlock.products.products_available_quantity_nonnegative",
            "rows rows books: wallet_differences is not empty (1)",
            "rows rows stock: products with less than nothing in stock (1)",
        ]
    );
    drop(db);
    scratch.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_histories_are_looked_at() {
    let scratch = Scratch::pushed("verify_parts").await;
    let db = scratch.connect().await;
    db.batch_execute(
        "alter table interlock.outbox detach partition interlock_parts.outbox_0;
         alter table interlock_parts.order_events_0 disable row level security;
         grant select on interlock_parts.stock_movements_0 to anon",
    )
    .await
    .expect("the database can be damaged");
    let report = xtask(&["verify", "--json", "--db-url", &scratch.url], &[])
        .await
        .failed()
        .json();
    let findings = report["findings"].as_array().expect("a list of findings");
    let told: Vec<&str> = findings
        .iter()
        .map(|finding| finding["name"].as_str().expect("a name"))
        .collect();
    assert_eq!(
        told,
        [
            "parts: interlock_parts.order_events_0 has its row security off",
            "parts: interlock_parts.outbox_0 is part of nothing: what is in it is in no history",
            "parts: interlock_parts.stock_movements_0 is open to anon",
        ]
    );
    for finding in findings {
        let todo = finding["todo"].as_str().expect("a statement");
        db.batch_execute(todo)
            .await
            .unwrap_or_else(|error| panic!("{todo}: {error:?}"));
    }
    xtask(&["verify", "--db-url", &scratch.url], &[])
        .await
        .succeeded();
    drop(db);
    scratch.remove().await;
}
