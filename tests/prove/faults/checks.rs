//! What must be true when the dust has settled: one effect for each key, and every client was told the truth.

use super::clients::{AT_TILL, Goods, MANAGE, SCAN, SELL, Settled, TOP_UP, Told};
use super::stock::IN_STORE;
use crate::areas::shop::calls::{CANCEL_ORDER, CHECKOUT};
use anyhow::Result;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::Client;
use uuid::Uuid;

/// Answers that the database has stored, by user, operation and key.
type Stored = BTreeMap<(Uuid, String, String), Value>;

/// What the checks found.
#[derive(Default)]
pub(crate) struct Findings {
    /// What does not hold.
    pub(crate) failures: Vec<String>,
    /// Intents that a client was told are refused while an earlier try of them was still on its way,
    /// and that try then succeeded: no server can prevent it, as a refusal stores nothing.
    pub(crate) overtaken: u64,
}

/// Compares what the clients were told with what the database has.
pub(crate) async fn told_the_truth(
    db: &Client,
    users: &[Uuid],
    goods: &Goods,
    settled: &[Settled],
) -> Result<Findings> {
    let mut findings = Findings::default();
    let mut stored = stored_answers(db, users).await?;
    let (mut orders, mut cancelled) = (BTreeSet::new(), BTreeSet::new());
    for settled in settled {
        let intent = &settled.intent;
        let what = intent.operation.rpc;
        let mut fail = |text: String| findings.failures.push(format!("{what}: {text}"));
        if let Told::Nothing(last) = &settled.told {
            fail(format!("no final answer, the last was: {last}"));
        }
        let Some(key) = &intent.key else {
            continue;
        };
        let answer = stored.remove(&(settled.user, what.to_owned(), key.clone()));
        match (&settled.told, &answer) {
            (Told::Done(body), None) => fail(format!(
                "key {key} was answered {body} and has left nothing"
            )),
            (Told::Done(body), Some(answer)) => {
                if serde_json::from_str::<Value>(body).ok().as_ref() != Some(answer) {
                    fail(format!(
                        "key {key} was answered {body}, and {answer} is stored"
                    ));
                }
            }
            (Told::Refused(_), Some(_)) if settled.doubtful => findings.overtaken += 1,
            (Told::Refused(code), Some(answer)) => {
                fail(format!(
                    "key {key} was refused ({code}) and has the effect {answer}"
                ));
            }
            (Told::Refused(_), None) | (Told::Nothing(_), _) => {}
        }
        let order = answer.and_then(|answer| answer["order"]["id"].as_str()?.parse::<Uuid>().ok());
        if what == CHECKOUT.rpc && order.is_some_and(|order| !orders.insert(order)) {
            fail(format!("two keys have the order {order:?}"));
        }
        if what == CANCEL_ORDER.rpc {
            cancelled.extend(order);
        }
    }
    for (_, operation, key) in stored.keys() {
        findings
            .failures
            .push(format!("{operation}: nobody sent the key {key}"));
    }
    let existing = ids(
        db,
        "select id from interlock.orders where user_id = any ($1)",
        users,
    )
    .await?;
    for order in existing.difference(&orders) {
        findings.failures.push(format!(
            "order {order} belongs to no key: something was bought twice"
        ));
    }
    for order in orders.difference(&existing) {
        findings
            .failures
            .push(format!("order {order} was answered and does not exist"));
    }
    let ended = "select id from interlock.orders where user_id = any ($1) and status = 'cancelled'";
    let ended = ids(db, ended, users).await?;
    for order in ended.symmetric_difference(&cancelled) {
        findings.failures.push(format!(
            "order {order} is cancelled and has no answer that says so, or the reverse"
        ));
    }
    findings.failures.extend(wallets(db, users, settled).await?);
    findings
        .failures
        .extend(in_store(db, goods, settled).await?);
    findings.failures.extend(at_till(db, goods, settled).await?);
    findings
        .failures
        .extend(at_table(db, goods, settled).await?);
    Ok(findings)
}

/// The store has what it had, less one for each that was answered, once for each key and each reference.
async fn in_store(db: &Client, goods: &Goods, settled: &[Settled]) -> Result<Option<String>> {
    let takes = |settled: &&Settled| {
        let rpc = settled.intent.operation.rpc;
        [SELL.rpc, MANAGE.rpc, AT_TILL.rpc].contains(&rpc) && matches!(settled.told, Told::Done(_))
    };
    let taken = i64::try_from(settled.iter().filter(takes).count())?;
    let query = "select quantity::bigint from interlock.inventory where id = $1";
    let left: i64 = db.query_one(query, &[&goods.in_store]).await?.get(0);
    Ok((IN_STORE - left != taken)
        .then(|| format!("{taken} were taken in the store, and {left} are left of {IN_STORE}")))
}

/// The till has one sale for each key that was answered, numbered without gaps, and their money in its drawer.
async fn at_till(db: &Client, goods: &Goods, settled: &[Settled]) -> Result<Option<String>> {
    let keys: BTreeSet<_> = settled
        .iter()
        .filter(|settled| {
            settled.intent.operation.rpc == AT_TILL.rpc && matches!(settled.told, Told::Done(_))
        })
        .map(|settled| &settled.intent.key)
        .collect();
    let answered = i64::try_from(keys.len())?;
    let row = db
        .query_one(
            "select r.last_receipt::bigint, s.sales, s.highest, interlock.expected_cash(h.id), s.total
             from interlock.registers r
             join interlock.shifts h on h.register_id = r.id
             cross join lateral (
               select count(*) as sales, coalesce(max(a.receipt_number), 0) as highest, coalesce(sum(a.total), 0)::bigint as total
               from interlock.sales a where a.register_id = r.id
             ) s
             where r.id = $1",
            &[&goods.register],
        )
        .await?;
    let books: [i64; 5] = [row.get(0), row.get(1), row.get(2), row.get(3), row.get(4)];
    let [counted, sales, highest, cash, total] = books;
    Ok(
        ([counted, sales, highest] != [answered; 3] || cash != total).then(|| {
            format!(
                "{answered} sales were answered at the till, and there are {sales}, counted to {counted}, the last {highest}; \
                 {cash} in the drawer, for {total}"
            )
        }),
    )
}

/// The box has one unit for each scan that was answered, and so have the basket and the history.
async fn at_table(db: &Client, goods: &Goods, settled: &[Settled]) -> Result<Option<String>> {
    let scans = settled.iter().filter(|settled| {
        settled.intent.operation.rpc == SCAN.rpc && matches!(settled.told, Told::Done(_))
    });
    let answered = i64::try_from(scans.count())?;
    let row = db
        .query_one(
            "select p.quantity_packed::bigint, i.quantity_packed::bigint, (
               select coalesce(sum(c.quantity), 0)::bigint from interlock.packing_scans c where c.picking_session_id = $1
             )
             from interlock.packing_progress p
             join interlock.picking_session_items i using (picking_session_id, product_id)
             where p.picking_session_id = $1",
            &[&goods.packing[0]],
        )
        .await?;
    let books: [i64; 3] = [row.get(0), row.get(1), row.get(2)];
    Ok((books != [answered; 3]).then(|| {
        format!("{answered} scans were answered, and line, basket and history have {books:?}")
    }))
}

/// Each wallet has what was paid in, each reference once, less what its standing orders cost.
async fn wallets(db: &Client, users: &[Uuid], settled: &[Settled]) -> Result<Vec<String>> {
    let mut paid_in: BTreeMap<Uuid, i64> = BTreeMap::new();
    for settled in settled {
        if settled.intent.operation.rpc == TOP_UP.rpc && matches!(settled.told, Told::Done(_)) {
            *paid_in.entry(settled.user).or_default() += settled.intent.arguments["amount"]
                .as_i64()
                .unwrap_or_default();
        }
    }
    let rows = db
        .query(
            "select u.id, coalesce(w.balance, 0), coalesce(o.total, 0)::bigint
             from unnest($1::uuid[]) as u (id)
             left join interlock.wallets w on w.user_id = u.id
             left join lateral (
               select sum(o.total) as total from interlock.orders o
               where o.user_id = u.id and o.payment_method = 'wallet' and o.status in ('paid', 'fulfilled')
             ) o on true",
            &[&users],
        )
        .await?;
    Ok(rows
        .iter()
        .filter_map(|row| {
            let (user, balance, spent): (Uuid, i64, i64) = (row.get(0), row.get(1), row.get(2));
            let paid = paid_in.get(&user).copied().unwrap_or_default();
            (balance + spent != paid).then(|| {
                format!("wallet of {user}: {paid} paid in, {spent} spent, and {balance} left")
            })
        })
        .collect())
}

/// Sessions of the API that are still in a transaction, by Postgres's own account, waits for locks included.
pub(crate) async fn leftovers(db: &Client) -> Result<i64> {
    let query = "select count(*) from pg_stat_activity
                 where datname = current_database() and usename = 'authenticator' and xact_start is not null";
    Ok(db.query_one(query, &[]).await?.get(0))
}

async fn stored_answers(db: &Client, users: &[Uuid]) -> Result<Stored> {
    let rows = db
        .query(
            "select user_id, operation::text, key::text, response::jsonb from interlock.idempotency_keys
             where user_id = any ($1)
             union all
             select s.cashier, 'pos_sale', k.key::text, k.answer::jsonb from interlock.sale_keys k
             join interlock.sales s on s.id = k.sale_id
             where s.cashier = any ($1)",
            &[&users],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| ((row.get(0), row.get(1), row.get(2)), row.get(3)))
        .collect())
}

async fn ids(db: &Client, query: &str, users: &[Uuid]) -> Result<BTreeSet<Uuid>> {
    let rows = db.query(query, &[&users]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
