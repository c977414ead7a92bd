//! Sixty-four drivers claim and complete batches: the next one of the queue, or one of their own.

use super::{Shop, UNCHECKED, key};
use crate::figure::Figure;
use crate::load::{Argument, Call, Commit, Step};
use crate::rows::Kind;
use crate::series::Variant;
use anyhow::Result;

const DRIVERS: u64 = 64;

/// Completes the batch that was claimed.
const COMPLETE: &str = "select public.claim_route($1::text::uuid, 'complete')::text";
const PEERS_COMPLETE: &str = "select bench_peers.complete_batch($1)";

/// The next one and its completion, under a key each.
const KEYED: [&str; 2] = [
    "select public.claim_route(p_idempotency_key => $1) #>> '{batch,id}'",
    "select public.claim_route($1::text::uuid, 'complete', $2)::text",
];
const KEYED_UNCHECKED: [&str; 2] = [
    "select bench_peers.claim_next_unchecked($1) #>> '{batch,id}'",
    "select bench_peers.complete_unchecked($1::text::uuid, $2)::text",
];
/// More than one driver can complete in a sample.
const BATCHES_OF_ONE: u64 = 2_000;

/// A claim counts together with its completion.
pub(super) async fn measure(shop: &Shop<'_>) -> Result<Vec<Figure>> {
    // More than a driver can complete in a sample; whoever runs out ends it.
    let each = if shop.options.quick { 50 } else { 400 };
    let ours = |name, claim, own| Variant {
        before: shop.before(fill("interlock.batches", DRIVERS * each)),
        ..shop.variant(name, DRIVERS as usize, claim_and(COMPLETE, claim, own))
    };
    let theirs = |name, claim, own| Variant {
        before: shop.before(fill("bench_peers.batches", DRIVERS * each)),
        ..shop.variant(
            name,
            DRIVERS as usize,
            claim_and(PEERS_COMPLETE, claim, own),
        )
    };
    let next = None;
    let own = Some(each);
    let variants = vec![
        ours(
            "interlock, next",
            "select public.claim_route() #>> '{batch,id}'",
            next,
        ),
        ours(
            "interlock, a batch each",
            "select public.claim_route($1) #>> '{batch,id}'",
            own,
        ),
        theirs(
            "select-for-update, next",
            "select bench_peers.claim_next_for_update()",
            next,
        ),
        theirs(
            "conditional update, next",
            "select bench_peers.claim_next_conditionally()",
            next,
        ),
        theirs(
            "conditional update, a batch each",
            "select bench_peers.claim_batch($1)",
            own,
        ),
    ];
    let mut figures = shop
        .throughput(&format!("claims, {DRIVERS} drivers"), variants)
        .await?;
    let keyed = |name, drivers: u64, statements, batches| Variant {
        before: shop.before(fill("interlock.batches", batches)),
        ..shop.variant(name, drivers as usize, under_keys(statements))
    };
    if shop.commit == Commit::Fast {
        let of_one = |name, statements| keyed(name, 1, statements, BATCHES_OF_ONE);
        let name = "claim of the next batch with its completion, one driver";
        let ours = of_one("interlock", KEYED);
        let peer = of_one(UNCHECKED, KEYED_UNCHECKED);
        figures.extend(shop.cpu_beside_unchecked(name, ours, peer).await?);
    }
    let of_all = |name, statements| keyed(name, DRIVERS, statements, DRIVERS * each);
    let variants = vec![
        of_all("interlock", KEYED),
        of_all(UNCHECKED, KEYED_UNCHECKED),
    ];
    let name = format!("claims of the next batch under keys, {DRIVERS} drivers");
    figures.extend(shop.throughput(&name, variants).await?);
    Ok(figures)
}

/// Claims the next batch and completes it, under keys that nobody has used.
fn under_keys([claim, complete]: [&'static str; 2]) -> Call {
    Box::new(move |_| {
        let claim = Step {
            sql: claim,
            arguments: vec![key()],
        };
        let complete = Step {
            sql: complete,
            arguments: vec![Argument::Answer, key()],
        };
        Some(vec![claim, complete])
    })
}

/// Claims the next batch, or the next one of the driver's own, and completes it.
fn claim_and(complete: &'static str, claim: &'static str, own: Option<u64>) -> Call {
    Box::new(move |session| {
        let call = session.calls.get();
        let batch = match own {
            None => None,
            Some(each) if call < each => Some(session.number as u64 * each + call),
            Some(_) => return None,
        };
        let claim = Step {
            sql: claim,
            arguments: batch
                .map(|n| Argument::value(Kind::Batch.id(n)))
                .into_iter()
                .collect(),
        };
        let complete = Step {
            sql: complete,
            arguments: vec![Argument::Answer],
        };
        Some(vec![claim, complete])
    })
}

/// A full queue. Without triggers, which would write the history of what nobody has done.
fn fill(table: &str, batches: u64) -> String {
    let id = Kind::Batch.sql("n");
    format!(
        "set session_replication_role = replica;
         truncate {table} cascade;
         insert into {table} (id, priority, created_at)
         select {id}, 0, now() + n * interval '1 millisecond' from generate_series(0, {batches} - 1) as n;
         set session_replication_role = origin;
         analyze {table};"
    )
}
