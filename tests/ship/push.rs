//! `supabase db push`: on an empty database, on one with rows from an older state, beside a shop's own
//! tables, and while others read and write.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use tokio_postgres::Client;

use crate::cli::{root, supabase, work_folder, xtask};
use crate::scratch::{Scratch, repeat};

const DRIVER: &str = "d0000000-0000-4000-8000-000000000001";
const BUYER: &str = "b0000000-0000-4000-8000-000000000009";
const BATCH: &str = "ba7c4000-0000-4000-8000-0000000000aa";
const PRODUCT: &str = "9d0d0000-0000-4000-8000-0000000000aa";
const GIFT: &str = "9d0d0000-0000-4000-8000-0000000000ab";

/// A project with the migrations of this one up to a version.
fn project_up_to(name: &str, version: &str) -> PathBuf {
    let project = work_folder(name);
    let target = project.join("supabase/migrations");
    let _ = std::fs::remove_dir_all(&target);
    std::fs::create_dir_all(&target).expect("the folder can be made");
    for migration in migrations() {
        if migration.as_str() < version || migration.starts_with(version) {
            let from = root().join("supabase/migrations").join(&migration);
            std::fs::copy(from, target.join(&migration)).expect("a migration can be copied");
        }
    }
    std::fs::write(
        project.join("supabase/config.toml"),
        "project_id = \"older\"\n",
    )
    .expect("the configuration can be written");
    project
}

/// File names, oldest first.
fn migrations() -> BTreeSet<String> {
    std::fs::read_dir(root().join("supabase/migrations"))
        .expect("there are migrations")
        .map(|entry| {
            entry
                .expect("it can be read")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

async fn push_up_to(scratch: &Scratch, version: &str) {
    let project = project_up_to("older", version);
    let remote = scratch.remote();
    supabase(&project, &["db", "push", "--yes", &remote])
        .await
        .succeeded();
}

/// Calls an RPC as a signed-in user does.
async fn call(db: &Client, user: &str, call: &str) -> Value {
    let sql = format!(
        "begin; set local role authenticated;
         select set_config('request.jwt.claims', '{{\"sub\": \"{user}\", \"role\": \"authenticated\"}}', true);"
    );
    db.batch_execute(&sql).await.expect("the role can be taken");
    let row = db
        .query_one(&format!("select ({call})::text"), &[])
        .await
        .unwrap_or_else(|error| panic!("{call}: {error:?}"));
    db.batch_execute("commit").await.expect("it commits");
    serde_json::from_str(row.get(0)).expect("an RPC answers in JSON")
}

async fn add_users(db: &Client) {
    db.batch_execute(&format!(
        "insert into auth.users (id, aud, role, email) values
           ('{DRIVER}', 'authenticated', 'authenticated', 'driver@example.com'),
           ('{BUYER}', 'authenticated', 'authenticated', 'buyer@example.com')"
    ))
    .await
    .expect("users can be added");
}

async fn text(db: &Client, query: &str) -> String {
    let row = db
        .query_one(&format!("select ({query})::text"), &[])
        .await
        .unwrap_or_else(|error| panic!("{query}: {error:?}"));
    row.get::<_, Option<String>>(0).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_database_takes_them_all_and_a_second_push_changes_nothing() {
    let scratch = Scratch::empty("twice").await;
    let report = scratch
        .push(&["--output-format", "json"])
        .await
        .succeeded()
        .json();
    let pushed = report["migrations"].as_array().map_or(0, Vec::len);
    assert_eq!(pushed, migrations().len(), "{report}");

    let report = scratch
        .push(&["--output-format", "json"])
        .await
        .succeeded()
        .json();
    assert_eq!(report["upToDate"], true, "{report}");

    let remote = scratch.remote();
    let listed = supabase(
        root(),
        &["migration", "list", "--output-format", "json", &remote],
    )
    .await
    .succeeded()
    .json();
    for row in listed["migrations"].as_array().expect("a list") {
        assert_eq!(row["local"], row["remote"], "{listed}");
    }
    let advisors = [
        "db",
        "advisors",
        "--level",
        "warn",
        "--fail-on",
        "warn",
        &remote,
    ];
    supabase(root(), &advisors).await.succeeded();
    scratch.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_verify_expects_and_the_types_are_what_the_migrations_make() {
    let scratch = Scratch::pushed("snapshot").await;
    xtask(&["snapshot", "--check", "--db-url", &scratch.url], &[])
        .await
        .succeeded();
    scratch.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_trades_is_upgraded_and_trades_on() {
    let scratch = Scratch::empty("upgrade").await;
    let db = scratch.connect().await;
    add_users(&db).await;

    // Deliveries alone; a driver is on the road.
    push_up_to(&scratch, "20251101000900").await;
    db.batch_execute(&format!(
        "insert into interlock.drivers (user_id) values ('{DRIVER}');
         insert into interlock.batches (id, reference) values ('{BATCH}', 'Round of the upgrade')"
    ))
    .await
    .expect("deliveries can be planned");
    let claim = format!("select to_jsonb(public.claim_route('{BATCH}'))");
    let claimed = call(&db, DRIVER, &claim).await;

    // A shop that has oversold before the constraint came.
    push_up_to(&scratch, "20251110000200").await;
    db.batch_execute(&format!(
        "insert into interlock.products (id, name, price, currency, available_quantity)
         values ('{PRODUCT}', 'Oversold', 700, 'EUR', -2)"
    ))
    .await
    .expect("nothing forbids it yet");
    let refused = scratch.push(&[]).await.failed().said();
    assert!(
        refused.contains("products_available_quantity_nonnegative"),
        "the push says which rule the rows break: {refused}"
    );
    let pushed = text(
        &db,
        "select max(version) from supabase_migrations.schema_migrations",
    )
    .await;
    assert_eq!(
        pushed, "20251110000200",
        "a refused migration leaves nothing behind"
    );
    db.batch_execute(
        "update interlock.products set available_quantity = 10 where available_quantity < 0",
    )
    .await
    .expect("the stock can be counted again");

    // Money, orders and codes, and then everything.
    push_up_to(&scratch, "20251117000300").await;
    db.batch_execute(&format!(
        "insert into interlock.products (id, name, price, currency, kind)
         values ('{GIFT}', 'Gift card', 2500, 'EUR', 'digital');
         insert into interlock.product_codes (product_id, code) values ('{GIFT}', 'A'), ('{GIFT}', 'B');
         insert into interlock.wallets (user_id, balance, currency) values ('{BUYER}', 100000, 'EUR');
         select interlock.decrement_product_quantity('{PRODUCT}', 3)"
    ))
    .await
    .expect("a shop can be stocked");
    push_up_to(&scratch, "20251120000100").await;
    let cart = format!(
        "select to_jsonb(public.checkout('[{{\"product_id\": \"{PRODUCT}\", \"quantity\": 2}},
           {{\"product_id\": \"{GIFT}\", \"quantity\": 1}}]', null, null, 'wallet', 'upgrade-1'))"
    );
    let sold = call(&db, BUYER, &cart).await;
    let before = text(
        &db,
        "select jsonb_agg(to_jsonb(p) - 'stock_slots' order by p.id) from interlock.products p",
    )
    .await;
    scratch.push(&[]).await.succeeded();

    let after = text(
        &db,
        "select jsonb_agg(to_jsonb(p) - 'stock_slots' order by p.id) from interlock.products p",
    )
    .await;
    assert_eq!(before, after, "the stock is what it was");
    let again = call(&db, DRIVER, &claim).await;
    assert_eq!(
        again["batch"]["version"], claimed["batch"]["version"],
        "the claim is still held"
    );
    assert_eq!(
        call(&db, BUYER, &cart).await,
        sold,
        "the key still has its answer"
    );
    xtask(&["verify", "--db-url", &scratch.url], &[])
        .await
        .succeeded();

    let left = text(
        &db,
        &format!("select available_quantity from interlock.products where id = '{PRODUCT}'"),
    )
    .await;
    assert_eq!(left, "5", "ten, less the three and the two");
    drop(db);
    scratch.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_s_own_tables_stay_as_they_are() {
    let scratch = Scratch::empty("adopt").await;
    let db = scratch.connect().await;
    db.batch_execute(
        "create table public.articles (id uuid primary key default gen_random_uuid(), title text not null);
         insert into public.articles (title) select 'Article ' || n from generate_series(1, 1000) as n;
         alter table public.articles enable row level security;
         create policy articles_read on public.articles for select to anon using (true);
         grant select on public.articles to anon;
         create view public.article_titles with (security_invoker = true) as select title from public.articles;
         create function public.count_articles() returns bigint language sql stable set search_path = ''
           as $$ select count(*) from public.articles $$;",
    )
    .await
    .expect("a shop can have tables");
    let before = shop_s_own(&db).await;
    assert!(before.len() > 8, "{before:?}");
    scratch.push(&[]).await.succeeded();
    assert_eq!(shop_s_own(&db).await, before);
    assert_eq!(text(&db, "select public.count_articles()").await, "1000");
    xtask(&["verify", "--db-url", &scratch.url], &[])
        .await
        .succeeded();
    drop(db);
    scratch.remove().await;
}

/// Everything in the inventory whose name says that it is the shop's.
async fn shop_s_own(db: &Client) -> Vec<(String, String, String)> {
    const INVENTORY: &str = include_str!("../../supabase/verify/inventory.sql");
    let rows = db
        .query(INVENTORY, &[])
        .await
        .expect("the inventory can be read");
    rows.iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .filter(|(_, name, _): &(String, String, String)| name.contains("article"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_and_writers_go_on_during_a_push() {
    let scratch = Scratch::empty("busy").await;
    let db = scratch.connect().await;
    push_up_to(&scratch, "20251116000000").await;
    db.batch_execute(&format!(
        "insert into interlock.products (id, name, price, currency, available_quantity)
         select gen_random_uuid(), 'Product ' || n, 700, 'EUR', 10 from generate_series(1, 5000) as n;
         insert into interlock.products (id, name, price, currency, available_quantity)
         values ('{PRODUCT}', 'Hot', 700, 'EUR', 1000000);
         insert into interlock.batches (reference) select 'Batch ' || n from generate_series(1, 1000) as n;
         analyze"
    ))
    .await
    .expect("a shop can be stocked");

    let stop = Arc::new(AtomicBool::new(false));
    let statements = [
        "select count(*) from interlock.products where active".to_owned(),
        "select count(*) from interlock.batches where status = 'available'".to_owned(),
        format!("select public.decrement_product_quantity('{PRODUCT}', 1)"),
        "update interlock.batches set priority = priority where reference = 'Batch 7'".to_owned(),
    ];
    let mut others = Vec::new();
    for statement in statements {
        let session = scratch.connect().await;
        // Whoever has to wait longer fails, and with it the test.
        session
            .batch_execute("set lock_timeout = '1s'")
            .await
            .expect("it can be set");
        others.push(tokio::spawn(repeat(session, stop.clone(), statement)));
    }
    scratch.push(&[]).await.succeeded();
    stop.store(true, Ordering::Relaxed);
    for other in others {
        let times = other
            .await
            .expect("it ends")
            .expect("nobody waits for the push");
        assert!(times > 0);
    }
    xtask(&["verify", "--db-url", &scratch.url], &[])
        .await
        .succeeded();
    drop(db);
    scratch.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_gives_way_to_a_long_transaction_and_can_be_repeated() {
    let scratch = Scratch::empty("patient").await;
    let db = scratch.connect().await;
    push_up_to(&scratch, "20251110000200").await;
    // A report that has read the table and is not done yet.
    db.batch_execute("begin; select count(*) from interlock.products")
        .await
        .expect("it can be read");
    let refused = scratch.push(&[]).await.failed().said();
    assert!(refused.contains("lock timeout"), "{refused}");
    db.batch_execute("commit").await.expect("the report ends");
    scratch.push(&[]).await.succeeded();
    xtask(&["verify", "--db-url", &scratch.url], &[])
        .await
        .succeeded();
    drop(db);
    scratch.remove().await;
}
