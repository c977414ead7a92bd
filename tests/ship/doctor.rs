//! `npm run doctor`: a new installation is well, and of one that was broken on purpose each part says what is wrong and what to do.

use serde_json::Value;

use crate::cli::xtask;
use crate::scratch::Scratch;

/// What each part says, as `part level subject`.
fn told(report: &Value) -> Vec<String> {
    let parts = report["parts"].as_array().expect("a list of parts");
    let mut told = Vec::new();
    for part in parts {
        for finding in part["findings"].as_array().expect("a list of findings") {
            let text = |key: &str| finding[key].as_str().unwrap_or_default();
            assert_ne!(text("todo"), "", "each finding says what to do: {finding}");
            let subject = text("subject")
                .split(", the oldest since")
                .next()
                .unwrap_or_default();
            let subject = subject.split(" at 2").next().unwrap_or_default();
            let subject = subject.split(" since 2").next().unwrap_or_default();
            told.push(format!(
                "{} {} {subject}",
                part["name"].as_str().unwrap_or_default(),
                text("level")
            ));
        }
    }
    told
}

const NO_CRON: &str = "jobs warning pg_cron is not there";

#[tokio::test(flavor = "multi_thread")]
async fn a_new_installation_is_well() {
    let scratch = Scratch::pushed("doctor_ok").await;
    let asked = ["doctor", "--json", "--db-url", &scratch.url];
    let report = xtask(&asked, &[]).await.succeeded().json();
    assert_eq!(report["ok"], true);
    assert_eq!(told(&report), [NO_CRON]);
    let text = xtask(&["doctor"], &[("INTERLOCK_DB_URL", &scratch.url)]).await;
    let text = text.succeeded();
    assert!(text.stdout.contains("✓ migrations"), "{}", text.said());
    assert!(
        text.stdout.contains("· functions   not looked at"),
        "{}",
        text.said()
    );
    assert!(!text.said().contains("postgres:postgres"), "no password");
    scratch.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_broken_is_named_by_part() {
    let scratch = Scratch::pushed("doctor_broken").await;
    let db = scratch.connect_as_admin().await;
    db.batch_execute(
        "insert into auth.users (id, aud, role, email)
         values ('d0000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'doctor@example.com');
         insert into interlock.orders (id, user_id, status, currency, subtotal, total, payment_method, payment_expires_at)
         select ('d0000000-0000-4000-8000-00000000001' || n)::uuid, 'd0000000-0000-4000-8000-000000000001',
           'pending_payment', 'EUR', 1, 1, 'bank_transfer', now() + (n - 2) * interval '1 hour'
         from generate_series(1, 3) n;
         insert into interlock.payment_proofs (order_id, object_path, created_at)
         select ('d0000000-0000-4000-8000-00000000001' || n)::uuid, 'doctor', now() - (n + 2) * interval '1 day'
         from generate_series(2, 3) n;
         insert into interlock.payments (provider, provider_id, attempt, amount, currency, status, flag, succeeded_at)
         values ('stripe', 'pi_doctor', 1, 1, 'EUR', 'flagged', 'unknown_order', now() - interval '2 days');
         insert into interlock.drivers (user_id) values ('d0000000-0000-4000-8000-000000000001');
         insert into interlock.batches (status, driver_id, claimed_at, lease_expires_at)
         values ('claimed', 'd0000000-0000-4000-8000-000000000001', now() - interval '1 day', now() - interval '2 hours');
         insert into interlock.webhook_endpoints (id, url, active, disabled_at, failing_since)
         values
           ('d0000000-0000-4000-8000-000000000021', 'https://off.example.com/', false, now(), now()),
           ('d0000000-0000-4000-8000-000000000022', 'https://on.example.com/', true, null, now() - interval '2 days');
         insert into interlock.deliveries (position, transaction, endpoint_id, subject, state, next_attempt_at, ended_at)
         values
           (-1, pg_current_xact_id(), 'd0000000-0000-4000-8000-000000000021', 'x', 'dead', now(), now() - interval '1 minute'),
           (-2, pg_current_xact_id(), 'd0000000-0000-4000-8000-000000000022', 'x', 'pending', now() - interval '1 hour', null);
         update interlock.settings set payment_methods = '{card}', webhooks_anywhere = true;
         drop index interlock.orders_by_user;
         alter role authenticator in database ship_doctor_broken set pgrst.db_schemas = 'interlock';
         create schema cron;
         create table cron.job (jobid bigint, jobname text, schedule text, command text, active boolean);
         create table cron.job_run_details (jobid bigint, runid bigint, status text, return_message text);
         insert into cron.job
         select n, 'interlock-' || name, schedule, case name when 'deliver' then 'an older one' else command end, name <> 'settle-slots'
         from interlock.jobs() with ordinality as j (name, schedule, every, command, n);
         insert into cron.job_run_details
         values (1, 1, 'succeeded', ''), (1, 2, 'failed', 'ERROR: no' || chr(10) || 'more'), (2, 1, 'failed', 'ERROR'), (2, 2, 'succeeded', '');
         grant usage on schema cron to postgres;
         grant select on all tables in schema cron to postgres",
    )
    .await
    .expect("the database can be broken");
    let asked = ["doctor", "--json", "--db-url", &scratch.url];
    let report = xtask(&asked, &[]).await.failed().json();
    assert_eq!(report["ok"], false);
    let mut told = told(&report);
    told.sort_unstable();
    assert_eq!(
        told,
        [
            "api problem the schema interlock is exposed by the API",
            "api problem the schema public is not exposed by the API",
            "deliveries problem 1 deliveries are dead: their endpoint never accepted them",
            "deliveries problem 1 deliveries to endpoints are overdue",
            "deliveries problem the endpoint https://off.example.com/ was switched off",
            "deliveries warning the endpoint https://on.example.com/ has accepted nothing",
            "deliveries warning webhooks may be sent to any address, also of the own network and without TLS",
            "delivery warning 1 batches are held by drivers whose lease is over for an hour",
            "jobs problem 1 orders that nobody has paid are not ended",
            "jobs problem pg_cron does not do the job settle-slots",
            "jobs problem pg_cron has another job deliver than this version",
            "jobs problem the latest run of interlock-expire-orders failed: ERROR: no",
            "payments problem 1 money came in that pays no order",
            "payments problem 1 proofs of a bank transfer wait for somebody to look at them for 5 days",
            "schema problem index interlock.orders.orders_by_user is missing",
            "secrets problem cards are accepted, and no signing secret of Stripe is set",
            "secrets problem there are endpoints, and no secret of the function deliver",
        ]
    );
    drop(db);
    scratch.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_shops_it_says_which_one_is_meant() {
    let scratch = Scratch::pushed("doctor_shops").await;
    let db = scratch.connect_as_admin().await;
    // As the role that has installed it. All shops have the same order; in two of them it is overdue, and the wallet of one is not as its book.
    db.batch_execute(
        "set role postgres;
         select interlock.serve_shops();
         select interlock.add_shop('berlin'), interlock.add_shop('paris');
         insert into auth.users (id, aud, role, email)
         values ('d0000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'doctor@example.com');
         insert into interlock.orders (shop_id, id, user_id, status, currency, subtotal, total, payment_method, payment_expires_at)
         select n, 'd0000000-0000-4000-8000-000000000011', 'd0000000-0000-4000-8000-000000000001',
           'pending_payment', 'EUR', 1, 1, 'bank_transfer',
           case when n = 1 then now() + interval '1 hour' else date_trunc('day', now()) - interval '1 day' end
         from generate_series(1, 3) n;
         update interlock.settings set payment_methods = '{card}', webhooks_anywhere = true where shop_id = 3;
         reset role;
         set session_replication_role = replica;
         insert into interlock.wallets (shop_id, user_id, balance, currency)
         values (2, 'd0000000-0000-4000-8000-000000000001', 100, 'EUR')",
    )
    .await
    .expect("shops can be broken");
    let asked = ["doctor", "--json", "--db-url", &scratch.url];
    let report = xtask(&asked, &[]).await.failed().json();
    let mut told = told(&report);
    told.sort_unstable();
    assert_eq!(
        told,
        [
            "books problem shop 2: books: wallet_differences is not empty (1)",
            "deliveries warning shop 3: webhooks may be sent to any address, also of the own network and without TLS",
            "jobs problem shops 2, 3: 1 orders that nobody has paid are not ended",
            NO_CRON,
            "secrets problem shop 3: cards are accepted, and no signing secret of Stripe is set",
        ]
    );
    // What to do says how to do it in that shop.
    let text = report.to_string();
    for told in [
        "select * from interlock.wallet_differences (after `begin; select interlock.act_for(2);`, before `commit`)",
        "npm run jobs (after `begin; set local interlock.shop = '2';`, before `commit`)",
    ] {
        assert!(text.contains(told), "{told} in {text}");
    }
    drop(db);
    scratch.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_it_says_what_is_missing_and_looks_no_further() {
    let scratch = Scratch::empty("doctor_none").await;
    let finished = xtask(&["doctor", "--db-url", &scratch.url], &[])
        .await
        .failed();
    assert!(
        finished.stdout.contains("✗ migrations"),
        "{}",
        finished.said()
    );
    assert!(
        finished.stdout.contains("· payments    not looked at"),
        "{}",
        finished.said()
    );
    scratch.remove().await;
}
