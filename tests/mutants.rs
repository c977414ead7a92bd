//! Each race has mutants: with a lock, guard or constraint taken away, the same scenario must fail.
//! A mutant that survives means that the scenario proves nothing.
//!
//! A mutant changes the database under test for a moment, so this runs on loopback only.

use crate::claims::Adapter;
use crate::races::{Scenario, Verdict};
use crate::stack::Bench;
use std::sync::Arc;

/// One way to break the product.
struct Mutant {
    /// What is taken away.
    name: &'static str,
    /// Changes of functions: name, text that must stand in its source once, replacement.
    patches: &'static [(&'static str, &'static str, &'static str)],
    /// Other changes, and how to undo them.
    sql: Option<(&'static str, &'static str)>,
    /// The race that must notice.
    scenario: Scenario,
}

const ONE_BATCH: Scenario = Scenario::OneBatch {
    drivers: 32,
    rounds: 5,
};

const GUARD: &str = "and private.is_claimable(b.status, b.lease_expires_at)";

const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "take_batch: claimable is not checked again under the lock",
        patches: &[("take_batch", GUARD, "")],
        sql: None,
        scenario: ONE_BATCH,
    },
    Mutant {
        name: "check, then act: neither the update nor the trigger looks again",
        patches: &[("take_batch", GUARD, "")],
        sql: Some((
            "alter table public.batches disable trigger batches_guard_transition",
            "alter table public.batches enable trigger batches_guard_transition",
        )),
        scenario: ONE_BATCH,
    },
    Mutant {
        name: "is_claimable: a live lease counts as over",
        patches: &[(
            "is_claimable",
            "and p_lease_expires_at <= private.clock()",
            "",
        )],
        sql: None,
        scenario: ONE_BATCH,
    },
    Mutant {
        name: "batch_events: history is not written by a trigger",
        patches: &[],
        sql: Some((
            "alter table public.batches disable trigger batches_record_event",
            "alter table public.batches enable trigger batches_record_event",
        )),
        scenario: ONE_BATCH,
    },
    Mutant {
        name: "take_batch on an expired lease: claimable is not checked again",
        patches: &[("take_batch", GUARD, "")],
        sql: None,
        scenario: Scenario::ExpiredLease { drivers: 16 },
    },
    Mutant {
        name: "lock_first_available_batch: finds without locking",
        patches: &[(
            "lock_first_available_batch",
            "for no key update skip locked",
            "",
        )],
        sql: None,
        scenario: Scenario::NextBatch {
            drivers: 32,
            batches: 20,
        },
    },
    Mutant {
        name: "claim_next_batch: no waiting pass before it says none",
        patches: &[("claim_next_batch", "if not found then", "if true then")],
        sql: None,
        scenario: Scenario::NextWaitsForRollback,
    },
    Mutant {
        name: "one active batch per driver: neither index nor driver lock",
        patches: &[("lock_driver", "for no key update", "")],
        sql: Some((
            "drop index public.batches_one_active_per_driver",
            "update public.batches set status = 'cancelled' where reference like 'test:%'
               and status in ('claimed', 'in_progress');
             create unique index batches_one_active_per_driver on public.batches (driver_id)
               where status in ('claimed', 'in_progress')",
        )),
        scenario: Scenario::OneDriver { calls: 16 },
    },
    Mutant {
        name: "lock_driver: reads without locking",
        patches: &[("lock_driver", "for no key update", "")],
        sql: None,
        scenario: Scenario::DeactivatedMeanwhile,
    },
    Mutant {
        name: "give_back_stale_batch: waits for the second row",
        patches: &[(
            "give_back_stale_batch",
            "for no key update nowait",
            "for no key update",
        )],
        sql: None,
        scenario: Scenario::CrossedLeases {
            pairs: 16,
            rounds: 12,
        },
    },
    Mutant {
        name: "claim_batch: the stale batch is not given back",
        patches: &[(
            "claim_batch",
            "perform private.give_back_stale_batch(p_driver_id);",
            "",
        )],
        sql: None,
        scenario: Scenario::CrossedLeases {
            pairs: 4,
            rounds: 1,
        },
    },
    Mutant {
        name: "act_on_held_batch: holding is not checked again under the lock",
        patches: &[(
            "act_on_held_batch",
            "and b.driver_id = p_driver_id
      and b.status in ('claimed', 'in_progress')
      and b.lease_expires_at > private.clock()",
            "",
        )],
        sql: None,
        scenario: Scenario::TakenBackMeanwhile,
    },
];

/// The definition of a function of schema `private`.
async fn definition(bench: &Bench, function: &str) -> String {
    bench
        .db
        .query_one(
            "select pg_get_functiondef(p.oid) from pg_proc p
             where p.pronamespace = 'private'::regnamespace and p.proname = $1",
            &[&function],
        )
        .await
        .unwrap_or_else(|error| panic!("there is no function private.{function}: {error}"))
        .get(0)
}

/// Runs a mutant's scenario on the broken product and mends it again, whatever happens.
async fn run(bench: Arc<Bench>, mutant: &'static Mutant, adapter: Adapter) -> Verdict {
    let mut originals = Vec::new();
    for (function, from, to) in mutant.patches {
        let original = definition(&bench, function).await;
        let hits = original.matches(from).count();
        assert_eq!(
            hits, 1,
            "{}: `{from}` stands {hits} times in private.{function}",
            mutant.name
        );
        bench
            .db
            .batch_execute(&original.replace(from, to))
            .await
            .expect("the mutant compiles");
        originals.push(original);
    }
    if let Some((change, _)) = mutant.sql {
        bench
            .db
            .batch_execute(change)
            .await
            .expect("the mutant applies");
    }
    let broken = Arc::clone(&bench);
    let verdict = tokio::spawn(async move { mutant.scenario.run(&broken, adapter).await }).await;
    if let Some((_, undo)) = mutant.sql {
        bench
            .db
            .batch_execute(undo)
            .await
            .expect("the mutant can be undone");
    }
    for original in originals.iter().rev() {
        bench
            .db
            .batch_execute(original)
            .await
            .expect("the original compiles");
    }
    verdict.unwrap_or_else(|panic| Err(panic.to_string()))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mutant_is_killed() {
    let bench = Arc::new(Bench::take().await);
    assert!(
        bench.stack.is_local(),
        "mutants break the database for a moment: use a local stack"
    );
    let mut survivors = Vec::new();
    for mutant in MUTANTS {
        match run(Arc::clone(&bench), mutant, Adapter::Sql).await {
            Ok(()) => {
                println!("SURVIVED  {}", mutant.name);
                survivors.push(mutant.name);
            }
            Err(reason) => println!("killed    {} ({reason})", mutant.name),
        }
        bench.clear().await;
    }
    println!(
        "mutants: {} killed of {}",
        MUTANTS.len() - survivors.len(),
        MUTANTS.len()
    );
    assert!(survivors.is_empty(), "survivors: {survivors:?}");
}
