//! Audits beside those who sell: none that commits late is missed, and where all is well nothing is found.

use crate::areas::inventory::rows::call;
use crate::harness::calls::Adapter;
use crate::harness::races::{Race, Verdict, require};
use crate::harness::stack::Bench;
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use tokio_postgres::Client;
use uuid::Uuid;

/// The races.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AuditScenario {
    LateCommit,
    WhileOthersSell,
}

impl Race for AuditScenario {
    fn play<'a>(&'a self, bench: &'a Bench, _: Adapter) -> BoxFuture<'a, Verdict> {
        self.run(bench).boxed()
    }
}

impl AuditScenario {
    pub(crate) async fn run(self, bench: &Bench) -> Verdict {
        match self {
            Self::LateCommit => late_commit(bench).await,
            Self::WhileOthersSell => while_others_sell(bench).await,
        }
    }
}

/// A row of the ledger that nothing stands behind.
fn wrong_movement(product: Uuid) -> String {
    format!(
        "insert into interlock.stock_movements (product_id, delta, reason) values ('{product}', 5, 'test')"
    )
}

async fn audit(session: &Client) -> Verdict {
    call(session, "public.audit_inventory()").await.map(|_| ())
}

/// Findings of these products that are open.
async fn open(bench: &Bench, products: &[Uuid]) -> Vec<String> {
    bench
        .db
        .query(
            "select concat_ws(' ', kind, product_id, subject_id, expected, found, cause)
             from interlock.inventory_findings
             where status = 'open' and product_id = any ($1)",
            &[&products],
        )
        .await
        .expect("findings can be read")
        .iter()
        .map(|row| row.get(0))
        .collect()
}

/// Whoever has written before an audit and commits after it, or after the next one, is looked at by the one that follows:
/// in a sub-transaction, too, and whatever others have written meanwhile.
async fn late_commit(bench: &Bench) -> Verdict {
    let products = bench.products(4, 10).await;
    audit(&bench.db).await?;
    let late = join_all((0..3).map(|_| bench.stack.connect())).await;
    for (session, product) in late.iter().zip(&products) {
        let write = format!(
            "begin; savepoint s; {}; release s",
            wrong_movement(*product)
        );
        session.batch_execute(&write).await.expect("it writes");
    }
    let others = async || {
        let sql = format!("select public.adjust_stock('{}', 1, 'test')", products[3]);
        bench.db.batch_execute(&sql).await.expect("others go on");
    };
    others().await;
    audit(&bench.db).await?;
    late[0].batch_execute("commit").await.expect("it commits");
    others().await;
    audit(&bench.db).await?;
    let found = open(bench, &products).await;
    require!(found.len() == 1, "the first that commits late: {found:?}");
    others().await;
    audit(&bench.db).await?;
    late[1].batch_execute("commit").await.expect("it commits");
    late[2]
        .batch_execute("rollback")
        .await
        .expect("it does not");
    audit(&bench.db).await?;
    let found = open(bench, &products).await;
    require!(
        found.len() == 2,
        "the one that commits still later: {found:?}"
    );

    // What an audit does not look at, because nothing has moved, it leaves alone.
    audit(&bench.db).await?;
    let again = open(bench, &products).await;
    require!(again == found, "the same: {again:?}");
    bench
        .db
        .batch_execute("select public.resolve_finding(id, 'test') from interlock.inventory_findings where status = 'open'")
        .await
        .map_err(|error| error.to_string())?;
    let left = open(bench, &products).await;
    require!(left.is_empty(), "resolved: {left:?}");
    Ok(())
}

/// Checkouts, sales, reservations and transfers with audits in between find nothing; nor does an audit of everything.
async fn while_others_sell(bench: &Bench) -> Verdict {
    let products = bench.products(4, 2000).await;
    bench
        .db
        .batch_execute(&format!(
            "select public.set_stock_slots('{}', 4);
             insert into interlock.locations (name) values ('audited')",
            products[0]
        ))
        .await
        .expect("slots");
    let store: Uuid = bench
        .db
        .query_one(
            "select id from interlock.locations where name = 'audited' order by id desc limit 1",
            &[],
        )
        .await
        .expect("a location")
        .get(0);
    let users = bench.users(4).await;
    let sellers = users.iter().enumerate().map(|(n, user)| {
        let (products, user) = (products.clone(), *user);
        async move {
            let session = bench.stack.connect().await;
            let claims = format!(
                r#"select set_config('request.jwt.claims', '{{"sub": "{user}", "role": "authenticated"}}', false)"#
            );
            for turn in 0..15 {
                let (a, b) = (products[(n + turn) % 4], products[(n + turn + 1) % 4]);
                let lines = format!(
                    r#"[{{"product_id": "{a}", "quantity": 1}}, {{"product_id": "{b}", "quantity": 2}}]"#
                );
                session.batch_execute(&claims).await.expect("claims");
                let checkout = format!("public.checkout('{lines}')");
                let order = call(&session, &checkout).await.ok();
                let _ = call(&session, &format!("public.reserve_cart('{lines}')")).await;
                session
                    .batch_execute("select set_config('request.jwt.claims', '', false)")
                    .await
                    .expect("nobody");
                if let (Some(order), 0) = (order, turn % 2) {
                    let id = order["order"]["id"].as_str().unwrap_or_default().to_owned();
                    let _ = call(&session, &format!("public.cancel_order('{id}')")).await;
                }
                let transfer = format!(
                    r#"public.manage_inventory('transfer', '[{{"product_id": "{a}", "from_location_id": "00000000-0000-4000-8000-000000000001",
                        "to_location_id": "{store}", "quantity": 1}}]', p_in_transit => {})"#,
                    turn % 3 == 0
                );
                let _ = call(&session, &transfer).await;
                let _ = call(&session, &format!("public.decrement_inventory('{b}', 1)")).await;
            }
        }
    });
    let auditor = async {
        let session = bench.stack.connect().await;
        for _ in 0..10 {
            audit(&session).await?;
        }
        Ok::<(), String>(())
    };
    let (_, audited) = futures::future::join(join_all(sellers), auditor).await;
    audited?;
    for full in [false, true] {
        call(&bench.db, &format!("public.audit_inventory({full})")).await?;
        let found = open(bench, &products).await;
        require!(found.is_empty(), "found where all is well: {found:?}");
    }
    Ok(())
}

async fn check(scenario: AuditScenario) {
    let bench = Bench::take().await;
    if let Err(error) = scenario.run(&bench).await {
        panic!("{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_misses_nobody_who_commits_late() {
    check(AuditScenario::LateCommit).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_finds_nothing_where_all_is_well() {
    check(AuditScenario::WhileOthersSell).await;
}
