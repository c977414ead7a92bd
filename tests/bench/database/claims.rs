//! Sixty-four drivers claim and complete batches: the next one of the queue, or one of their own.

use super::Shop;
use crate::figure::Figure;
use crate::load::{Argument, Call, Step};
use crate::rows::Kind;
use crate::series::Variant;
use anyhow::Result;

const DRIVERS: u64 = 64;

/// Completes the batch that was claimed.
const COMPLETE: &str = "select public.claim_route($1::text::uuid, 'complete')::text";
const PEERS_COMPLETE: &str = "select bench_peers.complete_batch($1)";

/// A claim counts together with its completion.
pub(super) async fn measure(shop: &Shop<'_>) -> Result<Vec<Figure>> {
    // More than a driver can complete in a sample; whoever runs out ends it.
    let each = if shop.options.quick { 50 } else { 400 };
    let ours = |name, claim, own| Variant {
        before: shop.before(fill("interlock.batches", each)),
        ..shop.variant(name, DRIVERS as usize, claim_and(COMPLETE, claim, own))
    };
    let theirs = |name, claim, own| Variant {
        before: shop.before(fill("bench_peers.batches", each)),
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
    shop.throughput(&format!("claims, {DRIVERS} drivers"), variants)
        .await
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
fn fill(table: &str, each: u64) -> String {
    let id = Kind::Batch.sql("n");
    let last = DRIVERS * each - 1;
    format!(
        "set session_replication_role = replica;
         truncate {table} cascade;
         insert into {table} (id, priority, created_at)
         select {id}, 0, now() + n * interval '1 millisecond' from generate_series(0, {last}) as n;
         set session_replication_role = origin;
         analyze {table};"
    )
}
