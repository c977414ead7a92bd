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
    // A folder for each database: tests run side by side.
    let project = project_up_to(scratch.name(), version);
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
    push_up_to(&scratch, "20251101000200").await;
    db.batch_execute(&format!(
        "insert into interlock.drivers (user_id) values ('{DRIVER}');
         insert into interlock.batches (id, reference) values ('{BATCH}', 'Round of the upgrade')"
    ))
    .await
    .expect("deliveries can be planned");
    let claim = format!("select to_jsonb(public.claim_route('{BATCH}'))");
    let claimed = call(&db, DRIVER, &claim).await;

    // A shop that has oversold before the constraint came.
    push_up_to(&scratch, "20251110000100").await;
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
        pushed, "20251110000100",
        "a refused migration leaves nothing behind"
    );
    db.batch_execute(
        "update interlock.products set available_quantity = 10 where available_quantity < 0",
    )
    .await
    .expect("the stock can be counted again");

    // Money, orders and codes, and then everything.
    push_up_to(&scratch, "20251117000200").await;
    db.batch_execute(&format!(
        "insert into interlock.products (id, name, price, currency, kind)
         values ('{GIFT}', 'Gift card', 2500, 'EUR', 'digital');
         insert into interlock.product_codes (product_id, code) values ('{GIFT}', 'A'), ('{GIFT}', 'B');
         insert into interlock.wallets (user_id, balance, currency) values ('{BUYER}', 100000, 'EUR');
         select public.decrement_product_quantity('{PRODUCT}', 3)"
    ))
    .await
    .expect("a shop can be stocked");
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

/// A shop that has what Interlock has, under the same names: tables with other columns, a schema `private`,
/// functions, policies and rows.
const OWN_SHOP: &str = include_str!("own_shop.sql");

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_with_tables_of_the_same_names_keeps_them_and_everything_works() {
    let scratch = Scratch::empty("adopt").await;
    let db = scratch.connect().await;
    db.batch_execute(OWN_SHOP)
        .await
        .expect("a shop can have tables");
    add_users(&db).await;
    let before = own_shop(&db).await;
    scratch.push(&[]).await.succeeded();
    assert_eq!(own_shop(&db).await, before);

    // All three functions work at once.
    db.batch_execute(&format!(
        "insert into interlock.drivers (user_id) values ('{DRIVER}');
         insert into interlock.batches (id) values ('{BATCH}');
         insert into interlock.products (id, name, price, currency, available_quantity)
         values ('{PRODUCT}', 'Soap', 250, 'EUR', 5);
         insert into interlock.promo_codes (code, discount_type, discount_value) values ('TEN', 'percentage', 10)"
    ))
    .await
    .expect("a shop can be stocked");
    let claimed = call(&db, DRIVER, "select to_jsonb(public.claim_route())").await;
    assert_eq!(claimed["batch"]["id"], BATCH);
    let cart = format!("'[{{\"product_id\": \"{PRODUCT}\", \"quantity\": 2}}]'");
    let promo = format!("select public.validate_promo('TEN', {cart})");
    assert_eq!(call(&db, BUYER, &promo).await["discount"], 50);
    let order = format!("select to_jsonb(public.checkout({cart}, 'TEN'))");
    assert_eq!(call(&db, BUYER, &order).await["order"]["total"], 450);
    let left = format!("select available_quantity from interlock.products where id = '{PRODUCT}'");
    assert_eq!(text(&db, &left).await, "3");

    // What is free is there, what is taken is theirs.
    assert_eq!(
        text(&db, "select count(*) from public.order_events").await,
        "1"
    );
    assert_eq!(text(&db, "select count(*) from public.products").await, "2");
    assert_eq!(own_shop(&db).await, before);
    xtask(&["verify", "--db-url", &scratch.url], &[])
        .await
        .succeeded();
    drop(db);
    scratch.remove().await;
}

/// Everything there is of the shop's own: definitions, rights, policies and rows.
async fn own_shop(db: &Client) -> String {
    const WHAT: &str = "
        with relations (oid) as (
          select unnest(array[
            'public.products', 'public.orders', 'public.order_items', 'public.product_titles', 'private.notes'
          ]::regclass[])
        ),
        lines (line) as (
          select concat_ws(' ', 'column', r.oid, a.attname, a.attnum, a.atttypid::regtype, a.attnotnull, a.attacl)
          from relations r join pg_attribute a on a.attrelid = r.oid and a.attnum > 0
          union all
          select concat_ws(' ', 'relation', r.oid, c.relkind, c.relacl, c.relrowsecurity, c.relowner, c.reloptions)
          from relations r join pg_class c on c.oid = r.oid
          union all
          select concat_ws(' ', 'policy', r.oid, p.polname, pg_get_expr(p.polqual, p.polrelid))
          from relations r join pg_policy p on p.polrelid = r.oid
          union all
          select concat_ws(' ', 'constraint', r.oid, k.conname, pg_get_constraintdef(k.oid))
          from relations r join pg_constraint k on k.conrelid = r.oid
          union all
          select concat_ws(' ', 'trigger', r.oid, g.tgname) from relations r join pg_trigger g on g.tgrelid = r.oid
          union all
          select concat_ws(' ', 'function', f.oid::regprocedure, f.prosrc, f.proacl)
          from pg_proc f
          where f.oid in ('public.checkout(bigint)'::regprocedure, 'private.is_staff()'::regprocedure)
          union all
          select concat_ws(' ', 'schema', n.nspname, n.nspacl) from pg_namespace n where n.nspname = 'private'
          union all
          select 'product ' || to_jsonb(p)::text from public.products p
          union all
          select 'order ' || to_jsonb(o)::text from public.orders o
          union all
          select 'item ' || to_jsonb(i)::text from public.order_items i
        )
        select string_agg(line, chr(10) order by line) from lines";
    text(db, WHAT).await
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
    push_up_to(&scratch, "20251110000100").await;
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
