//! Audits beside those who sell: none that commits late is missed, where all is well nothing is found, and what has not
//! moved is not looked at.

use crate::areas::inventory::rows::call;
use crate::harness::calls::Adapter;
use crate::harness::races::{Race, Verdict, require};
use crate::harness::stack::Bench;
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use serde_json::Value;
use std::time::Duration;
use tokio_postgres::Client;
use uuid::Uuid;

/// The races.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AuditScenario {
    LateCommit,
    WhileOthersSell,
    OnlyWhatMoved,
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
            Self::OnlyWhatMoved => only_what_moved(bench).await,
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
             where status = 'open' and product_id = any ($1)
             order by id",
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
        .execute(
            "select public.resolve_finding(id, 'test') from interlock.inventory_findings
             where status = 'open' and product_id = any ($1)
             order by id",
            &[&products],
        )
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

/// An order, reservations and transfers, all as they should be.
struct Quiet {
    products: Vec<Uuid>,
    users: Vec<Uuid>,
    orders: Vec<Uuid>,
    /// Of the last two users but one, and the last.
    reservations: Vec<Uuid>,
    transfers: Vec<Uuid>,
}

fn id(answer: &Value) -> Result<Uuid, String> {
    let text = answer.as_str().ok_or("an answer without an id")?;
    text.parse().map_err(|_| format!("{text} is no id"))
}

impl Quiet {
    async fn new(bench: &Bench) -> Result<Self, String> {
        let products = bench.products(2, 100).await;
        let users = bench.users(5).await;
        let store = bench
            .db
            .query_one(
                "insert into interlock.locations (name) values ('quiet') returning id",
                &[],
            )
            .await;
        let store: Uuid = store.expect("a location").get(0);
        let song = bench
            .db
            .query_one(
                "with song as (
                   insert into interlock.products (name, price, currency, kind) values ('test:quiet', 1, 'USD', 'digital') returning id
                 )
                 select id from song",
                &[],
            )
            .await;
        let song: Uuid = song.expect("a digital product").get(0);
        let codes = "insert into interlock.product_codes (product_id, code) select $1, 'quiet ' || n from generate_series(1, 3) n";
        bench.db.execute(codes, &[&song]).await.expect("codes");
        let session = bench.stack.connect().await;
        let (lamp, mug) = (products[0], products[1]);
        let mut orders = Vec::new();
        let mut reservations = Vec::new();
        for (n, user) in users.iter().enumerate() {
            let claims = format!(
                r#"select set_config('request.jwt.claims', '{{"sub": "{user}", "role": "authenticated"}}', false)"#
            );
            session.batch_execute(&claims).await.expect("claims");
            if n < 2 {
                let checkout = format!(
                    r#"public.checkout('[{{"product_id": "{lamp}", "quantity": 2}}, {{"product_id": "{song}", "quantity": 1}}]')"#
                );
                orders.push(id(&call(&session, &checkout).await?["order"]["id"])?);
            } else {
                let reserve =
                    format!(r#"public.reserve_cart('[{{"product_id": "{mug}", "quantity": 2}}]')"#);
                call(&session, &reserve).await?;
                let row = "select id from interlock.cart_reservations where user_id = $1";
                let row = bench.db.query_one(row, &[user]).await;
                reservations.push(row.expect("a reservation").get(0));
            }
        }
        let mut transfers = Vec::new();
        for _ in 0..2 {
            let send = format!(
                r#"public.manage_inventory('transfer', '[{{"product_id": "{mug}", "from_location_id": "00000000-0000-4000-8000-000000000001",
                    "to_location_id": "{store}", "quantity": 3}}]', p_in_transit => true)"#
            );
            transfers.push(id(&call(&bench.db, &send).await?["transfer_id"])?);
        }
        Ok(Self {
            products,
            users,
            orders,
            reservations,
            transfers,
        })
    }

    /// Movements that the books know nothing of, and others against them, so that only what they name is wrong. Under
    /// old ids nobody can tell that they are new.
    fn wrong_movements(&self, named: &[(Uuid, Uuid)], old: bool) -> String {
        let rows: Vec<String> = named
            .iter()
            .flat_map(|(product, about)| {
                [
                    format!("('{product}'::uuid, -1, 'test', '{about}'::uuid)"),
                    format!("('{product}'::uuid, 1, 'test', null)"),
                ]
            })
            .collect();
        let id = match old {
            true => {
                "(select least(min(m.id), 0) from interlock.stock_movements m) - row_number() over ()"
            }
            false => "nextval(pg_get_serial_sequence('interlock.stock_movements', 'id'))",
        };
        format!(
            "insert into interlock.stock_movements (id, product_id, delta, reason, reference_id) overriding system value
             select {id}, v.* from (values {}) v",
            rows.join(", ")
        )
    }

    /// What is open of all this.
    async fn found(&self, bench: &Bench) -> Result<Vec<String>, String> {
        audit(&bench.db).await?;
        let rows = bench
            .db
            .query(
                "select concat_ws(' ', kind, subject_id)
                 from interlock.inventory_findings
                 where status = 'open' and (product_id = any ($1) or subject_id = any ($2))
                 order by 1",
                &[&self.products, &self.users],
            )
            .await;
        let rows = rows.expect("findings can be read");
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Audits until one has seen all of it: as long as somebody is under way from before, what came later counts as moved.
    async fn settle(&self, bench: &Bench) -> Verdict {
        let now = bench
            .db
            .query_one("select pg_current_xact_id()::text", &[])
            .await;
        let now: String = now.expect("a transaction").get(0);
        let seen = format!(
            "select oldest_transaction > '{now}'::xid8 from interlock.inventory_audits order by id desc limit 1"
        );
        loop {
            let found = self.found(bench).await?;
            require!(found.is_empty(), "at first: {found:?}");
            let row = bench.db.query_one(&seen, &[]).await;
            if row.expect("an audit").get(0) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn play(&self, bench: &Bench) -> Verdict {
        self.settle(bench).await?;
        let (lamp, mug) = (self.products[0], self.products[1]);
        let old = [
            (lamp, self.orders[0]),
            (mug, self.reservations[0]),
            (mug, self.transfers[0]),
        ];
        let break_all = self.wrong_movements(&old, true);
        let gone = format!(
            "delete from interlock.cart_reservation_lines where user_id = '{user}';
             delete from interlock.cart_reservations where user_id = '{user}'",
            user = self.users[4]
        );
        for sql in [break_all, gone] {
            bench.db.batch_execute(&sql).await.expect("it is broken");
        }
        let found = self.found(bench).await?;
        require!(found.is_empty(), "what has not moved: {found:?}");

        let line = "update interlock.cart_reservation_lines set quantity = 3 where user_id = $1";
        bench
            .db
            .execute(line, &[&self.users[3]])
            .await
            .expect("it is broken");
        let reservation = format!("reservations {}", self.reservations[1]);
        let found = self.found(bench).await?;
        require!(
            found == [reservation.clone()],
            "a line of a reservation: {found:?}"
        );

        let new = [(lamp, self.orders[1]), (mug, self.transfers[1])];
        let sql = self.wrong_movements(&new, false);
        bench.db.batch_execute(&sql).await.expect("it is broken");
        let order = format!("sales {}", self.orders[1]);
        let transfer = format!("transfers {}", self.transfers[1]);
        let found = self.found(bench).await?;
        require!(
            found == [reservation, order, transfer],
            "movements that name what has not changed: {found:?}"
        );
        Ok(())
    }

    /// Puts everything right again.
    async fn mend(&self, bench: &Bench) {
        let (user, gone) = (self.users[4], self.reservations[2]);
        let products = self.products.iter().map(Uuid::to_string);
        let products = products.collect::<Vec<_>>().join(",");
        let mend = format!(
            "insert into interlock.stock_movements (product_id, delta, reason, reference_id)
             select m.product_id, -sum(m.delta), 'test', m.reference_id from interlock.stock_movements m
             where m.product_id = any ('{{{products}}}') and m.reason = 'test'
             group by m.product_id, m.reference_id having sum(m.delta) <> 0;
             update interlock.cart_reservation_lines set quantity = 2 where user_id = '{}';
             select interlock.return_stock(array['{}'::uuid], array[2], 'cart_released', '{gone}')
             where not exists (select from interlock.cart_reservations where id = '{gone}');
             update interlock.customer_open_orders set units = 0 where user_id = '{user}'
               and not exists (select from interlock.cart_reservations where id = '{gone}')",
            self.users[3], self.products[1],
        );
        bench.db.batch_execute(&mend).await.expect("it is mended");
    }
}

/// What has not moved since an audit is not looked at by the next one, though its books are broken by somebody who leaves no
/// trace; what has, is, by whatever it has moved.
async fn only_what_moved(bench: &Bench) -> Verdict {
    let quiet = Quiet::new(bench).await?;
    let verdict = quiet.play(bench).await;
    quiet.mend(bench).await;
    verdict?;
    call(&bench.db, "public.audit_inventory(true)").await?;
    let left = quiet.found(bench).await?;
    require!(left.is_empty(), "in the end: {left:?}");
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

#[tokio::test(flavor = "multi_thread")]
async fn an_audit_looks_at_what_has_moved() {
    check(AuditScenario::OnlyWhatMoved).await;
}
