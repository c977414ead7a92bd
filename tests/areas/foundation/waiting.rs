//! One deadline for all that a call waits for in the database.

use crate::areas::shop::rows::PRICE;
use crate::harness::stack::{Bench, user_claims};
use std::time::Duration;
use tokio::time::sleep;
use tokio_postgres::Client;
use uuid::Uuid;

/// Whether this session waits for that one.
async fn waits(bench: &Bench, session: i32, for_session: i32) {
    loop {
        let row = bench
            .db
            .query_one(
                "select $2 = any (pg_blocking_pids($1))",
                &[&session, &for_session],
            )
            .await
            .expect("Postgres tells who waits");
        if row.get(0) {
            return;
        }
        sleep(Duration::from_millis(2)).await;
    }
}

async fn pid(session: &Client) -> i32 {
    let row = session.query_one("select pg_backend_pid()", &[]).await;
    row.expect("a session has a number").get(0)
}

/// A session that has done something and not committed.
async fn open(bench: &Bench, sql: &str) -> (Client, i32) {
    let session = bench.stack.connect().await;
    let pid = pid(&session).await;
    let sql = format!("begin; {sql}");
    session.batch_execute(&sql).await.expect("it holds a lock");
    (session, pid)
}

/// The call waits for its wallet, and then for its second product, for whose lock another session waits after it and
/// no longer than a second and a half. A call with two seconds for each of its locks would outlast that session; one
/// with two seconds for all of them has a second left by then, at most.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_call_has_waited_for_one_lock_it_does_not_wait_for_the_next() {
    let bench = Bench::take().await;
    let buyer = bench.users(1).await[0];
    let mut products = [Uuid::new_v4(), Uuid::new_v4()];
    products.sort();
    bench
        .db
        .batch_execute(&format!(
            "insert into interlock.products (id, name, price, currency, available_quantity)
             select id, 'test:' || id, {PRICE}, 'USD', 10 from unnest(array['{}', '{}']::uuid[]) as id;
             insert into interlock.wallets (user_id, balance, currency) values ('{buyer}', 1000000, 'USD')",
            products[0], products[1]
        ))
        .await
        .expect("products and a wallet can be made");
    let row = |id: Uuid| format!("select 1 from interlock.products where id = '{id}' for update");
    let wallet = format!("select 1 from interlock.wallets where user_id = '{buyer}' for update");
    let (of_wallet, wallet_pid) = open(&bench, &wallet).await;
    let (of_product, product_pid) = open(&bench, &row(products[1])).await;

    let session = bench.stack.connect().await;
    let session_pid = pid(&session).await;
    let claims = user_claims(buyer).to_string();
    session
        .execute(
            "select set_config('request.jwt.claims', $1, false)",
            &[&claims],
        )
        .await
        .expect("claims can be set");
    let call = format!(
        "select public.checkout(jsonb_build_array(jsonb_build_object('product_id', '{}', 'quantity', 1),
           jsonb_build_object('product_id', '{}', 'quantity', 1)), p_payment_method => 'wallet')",
        products[0], products[1]
    );
    let mut checkout = tokio::spawn(async move { session.simple_query(&call).await.map(drop) });
    waits(&bench, session_pid, wallet_pid).await;
    sleep(Duration::from_millis(1_000)).await;
    of_wallet.batch_execute("rollback").await.expect("it ends");
    waits(&bench, session_pid, product_pid).await;

    let patient = bench.stack.connect().await;
    let wait = format!(
        "begin; set local lock_timeout = '1500ms'; {}",
        row(products[1])
    );
    let mut patient = tokio::spawn(async move { patient.simple_query(&wait).await.map(drop) });
    let first = tokio::select! {
        over = &mut checkout => ("the checkout", over),
        over = &mut patient => ("the patient one", over),
    };
    of_product.batch_execute("rollback").await.expect("it ends");
    let ended = first.1.expect("it does not panic");
    let ended = ended.expect_err("nobody gives the lock back before");
    let code = ended.code().map(|code| code.code().to_owned());
    assert_eq!((first.0, code.as_deref()), ("the checkout", Some("55P03")));
}
