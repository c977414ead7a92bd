//! `npm run jobs`: what pg_cron would do is done, one job that fails stops no other, and a worker ends when it is told to.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio_postgres::Client;

use crate::cli::{xtask, xtask_running};
use crate::scratch::Scratch;

/// Who has bought.
const BUYER: &str = "
insert into auth.users (id, aud, role, email)
values ('a7000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'jobs@example.com')";

/// Work for each job that can have some without pg_cron: an order, a hold, a hot product, a key, an old guess.
const OVERDUE: &str = "
insert into interlock.products (id, name, price, currency, available_quantity)
values
  ('a7000000-0000-4000-8000-000000000002', 'Lamp', 100, 'EUR', 7),
  ('a7000000-0000-4000-8000-000000000003', 'Sticker', 100, 'EUR', 1000);
insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, payment_expires_at)
values (
  'a7000000-0000-4000-8000-000000000004', 'a7000000-0000-4000-8000-000000000001', 'pending_payment', 'EUR', 200, 200,
  'bank_transfer', now() - interval '1 hour'
);
insert into interlock.order_items (order_id, product_id, quantity, unit_price, name, kind)
values ('a7000000-0000-4000-8000-000000000004', 'a7000000-0000-4000-8000-000000000002', 2, 100, 'Lamp', 'physical');
select interlock.take_stock(
  array['a7000000-0000-4000-8000-000000000002'::uuid], array[2], 'checkout', 'a7000000-0000-4000-8000-000000000004'
);
insert into interlock.promo_codes (id, code, discount_type, discount_value)
values ('a7000000-0000-4000-8000-000000000005', 'JOBS', 'percentage', 10);
select interlock.take_promo_use(
  'a7000000-0000-4000-8000-000000000005', 'a7000000-0000-4000-8000-000000000001',
  'a7000000-0000-4000-8000-000000000006', null, 70, 'EUR', now() - interval '1 hour'
);
select interlock.set_stock_slots('a7000000-0000-4000-8000-000000000003', 4);
select interlock.use_slot('a7000000-0000-4000-8000-000000000003', 3, true);
insert into interlock.stock_movements (product_id, delta, reason)
values ('a7000000-0000-4000-8000-000000000003', -3, 'checkout');
insert into interlock.idempotency_keys (user_id, operation, key, request_hash, response, created_at, expires_at)
select 'a7000000-0000-4000-8000-000000000001', 'checkout', 'old-' || n, '\\x00', '{}', now() - interval '2 days', now() - interval '1 day'
from generate_series(1, 3) n;
insert into interlock.promo_attempts (user_id, attempted_at)
values ('a7000000-0000-4000-8000-000000000001', array[now() - interval '2 days'])";

/// What has become of it.
async fn state(db: &Client) -> String {
    const STATE: &str = "
select concat_ws(', ',
  (select status from interlock.orders where id = 'a7000000-0000-4000-8000-000000000004'),
  (select available_quantity from interlock.products where name = 'Lamp'),
  (select status from interlock.promo_redemptions),
  (select used_count from interlock.promo_codes),
  (select available_quantity from interlock.products where name = 'Sticker'),
  (select count(*) from interlock.idempotency_keys) || ' keys',
  (select count(*) from interlock.promo_attempts) || ' guesses')";
    let row = db.query_one(STATE, &[]).await.expect("rows can be read");
    row.get(0)
}

/// What a round says of each job, in order.
fn told(report: &Value) -> Vec<String> {
    let jobs = report["jobs"].as_array().expect("a list of jobs");
    jobs.iter()
        .map(|job| {
            let name = job["name"].as_str().expect("a job has a name");
            format!("{name} {}", job["error"].as_str().unwrap_or("ok"))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_overdue_is_done_without_pg_cron() {
    let scratch = Scratch::pushed("jobs").await;
    let db = scratch.connect().await;
    db.batch_execute(BUYER).await.expect("there is a buyer");
    db.batch_execute(OVERDUE).await.expect("rows can be added");
    assert_eq!(
        state(&db).await,
        "pending_payment, 5, held, 1, 1000, 3 keys, 1 guesses"
    );

    let jobs = ["jobs", "--json", "--db-url", &scratch.url];
    let report = xtask(&jobs, &[]).await.succeeded().json();
    assert_eq!(report["ok"], true);
    assert_eq!(
        told(&report),
        [
            "expire-orders ok",
            "expire-promo-holds ok",
            "expire-cart-reservations ok",
            "expire-parked-sales ok",
            "abandon-stale-sessions ok",
            "settle-slots ok",
            "settle-points ok",
            "settle-tiers ok",
            "deliver ok",
            "remind-payments ok",
            "purge-idempotency-keys ok",
            "make-history-parts ok",
            "archive-history ok",
            "purge-history ok",
            "close-ledgers ok",
            "audit-inventory ok",
            "fill-links ok",
            "write-back-stock ok",
            "write-orders-out ok",
            "purge-run-log ok"
        ]
    );
    assert_eq!(
        state(&db).await,
        "expired, 7, expired, 0, 997, 0 keys, 0 guesses"
    );

    // A person reads the same, and where the database is may stand in the environment.
    let again = xtask(&["jobs"], &[("INTERLOCK_DB_URL", &scratch.url)]).await;
    let again = again.succeeded();
    assert!(
        again.stdout.starts_with("✓ expire-orders, "),
        "{}",
        again.said()
    );
    assert!(!again.said().contains("postgres:postgres"), "no password");
    drop(db);
    scratch.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_is_named_and_stops_no_other() {
    let scratch = Scratch::pushed("jobs_fail").await;
    let db = scratch.connect().await;
    db.batch_execute(BUYER).await.expect("there is a buyer");
    db.batch_execute(OVERDUE).await.expect("rows can be added");
    // There is no room for the lamps, and one of two hot products cannot be settled.
    db.batch_execute(
        "update interlock.products set available_quantity = interlock.most_units() where name = 'Lamp';
         insert into interlock.products (id, name, price, currency, available_quantity)
         values ('a7000000-0000-4000-8000-000000000000', 'Badge', 100, 'EUR', 1000);
         select interlock.set_stock_slots('a7000000-0000-4000-8000-000000000000', 4);
         select interlock.use_slot('a7000000-0000-4000-8000-000000000000', 3, true);
         insert into interlock.stock_movements (product_id, delta, reason)
         values ('a7000000-0000-4000-8000-000000000000', -3, 'checkout');
         create function public.refuse() returns trigger language plpgsql as $$ begin raise exception 'not today'; end $$;
         create trigger refuse before update on interlock.products for each row when (new.name = 'Badge')
         execute function public.refuse()",
    )
    .await
    .expect("rows can be changed");

    let jobs = ["jobs", "--json", "--db-url", &scratch.url];
    let finished = xtask(&jobs, &[]).await.failed();
    assert!(
        finished.stderr.contains("2 of 20 jobs failed")
            && finished.stderr.contains("run the same command again"),
        "{}",
        finished.said()
    );
    let report = finished.json();
    assert_eq!(report["ok"], false);
    assert_eq!(
        told(&report),
        [
            "expire-orders expire-orders: 1 orders are overdue for more than 10 minutes; \
             `select public.cancel_order('a7000000-0000-4000-8000-000000000004')` says why",
            "expire-promo-holds ok",
            "expire-cart-reservations ok",
            "expire-parked-sales ok",
            "abandon-stale-sessions ok",
            "settle-slots settle-slots failed in 1 steps, first: \
             a7000000-0000-4000-8000-000000000000 P0001 not today",
            "settle-points ok",
            "settle-tiers ok",
            "deliver ok",
            "remind-payments ok",
            "purge-idempotency-keys ok",
            "make-history-parts ok",
            "archive-history ok",
            "purge-history ok",
            "close-ledgers ok",
            "audit-inventory ok",
            "fill-links ok",
            "write-back-stock ok",
            "write-orders-out ok",
            "purge-run-log ok"
        ]
    );
    assert_eq!(
        state(&db).await,
        "pending_payment, 1000000000, expired, 0, 997, 0 keys, 0 guesses",
        "the other hot product is settled"
    );

    // Mended, the same command does the rest.
    db.batch_execute(
        "drop function public.refuse() cascade;
         update interlock.products set available_quantity = 5 where name = 'Lamp'",
    )
    .await
    .expect("the cause can be mended");
    let text = xtask(&["jobs", "--db-url", &scratch.url], &[]).await;
    let text = text.succeeded().stdout;
    assert!(text.contains("✓ expire-orders,"), "{text}");
    assert!(text.contains("✓ settle-slots,"), "{text}");
    drop(db);
    scratch.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_shops_each_has_its_turn_and_one_that_fails_is_named() {
    let scratch = Scratch::pushed("jobs_shops").await;
    let db = scratch.connect().await;
    db.batch_execute(BUYER).await.expect("there is a buyer");
    db.batch_execute(
        "select interlock.serve_shops();
         select interlock.add_shop('berlin'), interlock.add_shop('paris')",
    )
    .await
    .expect("there can be many shops");
    // As functions of a shop see it.
    let be_in = async |shop: i32| {
        let sql = format!("set interlock.shop = '{shop}'; set role interlock_owner");
        db.batch_execute(&sql).await.expect("a shop can be entered");
    };
    for shop in 1..=3 {
        be_in(shop).await;
        db.batch_execute(OVERDUE).await.expect("rows can be added");
    }
    // Of two there is no room for their lamps, and their hot product cannot be settled.
    for shop in 2..=3 {
        be_in(shop).await;
        let sql = "update interlock.products set available_quantity = interlock.most_units() where name = 'Lamp'";
        db.batch_execute(sql).await.expect("rows can be changed");
    }
    db.batch_execute(
        "reset role;
         create function public.refuse() returns trigger language plpgsql as $$ begin raise exception 'not today'; end $$;
         create trigger refuse before update on interlock.products for each row
         when (new.shop_id > 1 and new.name = 'Sticker') execute function public.refuse()",
    )
    .await
    .expect("a shop can be broken");

    let jobs = ["jobs", "--json", "--db-url", &scratch.url];
    let finished = xtask(&jobs, &[]).await.failed();
    let mut failed = told(&finished.json());
    failed.retain(|job| !job.ends_with(" ok"));
    // It began with one of them, and says what it is with that one.
    let of = |first: i32, other: i32| {
        [
            format!(
                "expire-orders expire-orders: shop {first}: 1 orders are overdue for more than 10 minutes; \
                 `select public.cancel_order('a7000000-0000-4000-8000-000000000004')` says why; also in shops {other}"
            ),
            format!(
                "settle-slots settle-slots failed in 2 steps, first: \
                 shop {first} a7000000-0000-4000-8000-000000000003 P0001 not today; also in shops {other}"
            ),
        ]
    };
    assert_eq!(failed.len(), 2, "{failed:?}");
    for (at, said) in failed.iter().enumerate() {
        assert!(*said == of(2, 3)[at] || *said == of(3, 2)[at], "{failed:?}");
    }
    let states = async || {
        let mut states = Vec::new();
        for shop in 1..=3 {
            be_in(shop).await;
            states.push(state(&db).await);
        }
        db.batch_execute("reset role").await.expect("and left");
        states
    };
    const DONE: &str = "expired, 7, expired, 0, 997, 0 keys, 0 guesses";
    const BROKEN: &str = "pending_payment, 1000000000, expired, 0, 1000, 0 keys, 0 guesses";
    assert_eq!(states().await, [DONE, BROKEN, BROKEN]);

    db.batch_execute("drop function public.refuse() cascade")
        .await
        .expect("the cause can be mended");
    for shop in 2..=3 {
        be_in(shop).await;
        let sql =
            "update interlock.products set available_quantity = 5 where name = 'Lamp'; reset role";
        db.batch_execute(sql)
            .await
            .expect("the cause can be mended");
    }
    xtask(&jobs, &[]).await.succeeded();
    assert_eq!(states().await, [DONE, DONE, DONE]);
    drop(db);
    scratch.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_migrations_it_says_what_is_missing() {
    let scratch = Scratch::empty("jobs_none").await;
    let finished = xtask(&["jobs", "--db-url", &scratch.url], &[]).await;
    let said = finished.failed().said();
    assert!(said.contains("npm run verify"), "{said}");
    scratch.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_goes_on_until_it_is_told_to_end() {
    let scratch = Scratch::pushed("jobs_worker").await;
    let db = scratch.connect().await;
    let worker = xtask_running(&["jobs", "--json", "--every", "1", "--db-url", &scratch.url]);
    let pid = Pid::from_raw(worker.id().expect("it runs").try_into().expect("a pid"));
    let begun = Instant::now();
    db.batch_execute(BUYER).await.expect("there is a buyer");
    db.batch_execute(OVERDUE).await.expect("rows can be added");
    // Purges are not due at every round, so they are not waited for; the order is due in the first round or the next
    // minute's.
    let waited = Duration::from_secs(100);
    while !state(&db).await.starts_with("expired, 7") {
        assert!(begun.elapsed() < waited, "nobody ends the order");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    kill(pid, Signal::SIGTERM).expect("it can be told");
    let output = worker.wait_with_output().await.expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    let rounds: Vec<Value> = said
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line for each round"))
        .collect();
    assert!(!rounds.is_empty(), "{said}");
    assert!(rounds.iter().all(|round| round["ok"] == true), "{said}");
    drop(db);
    scratch.remove().await;
}
