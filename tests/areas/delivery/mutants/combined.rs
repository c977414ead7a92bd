//! Mutants that take more than one thing away, because each alone suffices, and those that only a crowd
//! notices. Each names its race.

use crate::areas::delivery::races::Scenario;
use crate::mutants::Combined;

const ONE_BATCH: Scenario = Scenario::OneBatch {
    drivers: 32,
    rounds: 5,
};

const GUARD: &str = "and interlock.is_claimable(b.status, b.lease_expires_at)";

/// The mutants.
pub(crate) const COMBINED: &[Combined] = &[
    Combined {
        name: "take_batch: claimable is not checked again under the lock",
        patches: &[("take_batch", GUARD, "")],
        sql: None,
        race: &ONE_BATCH,
    },
    Combined {
        name: "check, then act: neither the update nor the trigger looks again",
        patches: &[("take_batch", GUARD, "")],
        sql: Some((
            "alter table interlock.batches disable trigger batches_guard_transition",
            "alter table interlock.batches enable trigger batches_guard_transition",
        )),
        race: &ONE_BATCH,
    },
    Combined {
        name: "is_claimable: a live lease counts as over",
        patches: &[(
            "is_claimable",
            "and p_lease_expires_at <= interlock.clock()",
            "",
        )],
        sql: None,
        race: &ONE_BATCH,
    },
    Combined {
        name: "batch_events: history is not written by a trigger",
        patches: &[],
        sql: Some((
            "alter table interlock.batches disable trigger batches_record_event",
            "alter table interlock.batches enable trigger batches_record_event",
        )),
        race: &ONE_BATCH,
    },
    Combined {
        name: "take_batch on an expired lease: claimable is not checked again",
        patches: &[("take_batch", GUARD, "")],
        sql: None,
        race: &Scenario::ExpiredLease { drivers: 16 },
    },
    Combined {
        name: "lock_first_available_batch: finds without locking",
        patches: &[(
            "lock_first_available_batch",
            "for no key update skip locked",
            "",
        )],
        sql: None,
        race: &Scenario::NextBatch {
            drivers: 32,
            batches: 20,
        },
    },
    Combined {
        name: "claim_next_batch: no waiting pass before it says none",
        patches: &[("claim_next_batch", "if not found then", "if true then")],
        sql: None,
        race: &Scenario::NextWaitsForRollback,
    },
    Combined {
        name: "one active batch per driver: neither index nor driver lock",
        patches: &[("lock_driver", "for no key update", "")],
        sql: Some((
            "drop index interlock.batches_one_active_per_driver",
            "update interlock.batches set status = 'cancelled' where reference like 'test:%'
               and status in ('claimed', 'in_progress');
             create unique index batches_one_active_per_driver on interlock.batches (driver_id)
               where status in ('claimed', 'in_progress')",
        )),
        race: &Scenario::OneDriver { calls: 16 },
    },
    Combined {
        name: "lock_driver: reads without locking",
        patches: &[("lock_driver", "for no key update", "")],
        sql: None,
        race: &Scenario::DeactivatedMeanwhile,
    },
    Combined {
        name: "give_back_stale_batch: waits for the second row",
        patches: &[(
            "give_back_stale_batch",
            "for no key update nowait",
            "for no key update",
        )],
        sql: None,
        race: &Scenario::CrossedLeases {
            pairs: 16,
            rounds: 40,
        },
    },
    Combined {
        name: "claim_batch: the stale batch is not given back",
        patches: &[(
            "claim_batch",
            "perform interlock.give_back_stale_batch(p_driver_id);",
            "",
        )],
        sql: None,
        race: &Scenario::CrossedLeases {
            pairs: 4,
            rounds: 1,
        },
    },
    Combined {
        name: "act_on_held_batch: holding is not checked again under the lock",
        patches: &[(
            "act_on_held_batch",
            "and b.driver_id = p_driver_id
      and b.status in ('claimed', 'in_progress')
      and (p_action = 'complete' or b.lease_expires_at > interlock.clock())",
            "",
        )],
        sql: None,
        race: &Scenario::TakenBackMeanwhile,
    },
    Combined {
        name: "lock_claimable_batch: without `for no key update`",
        patches: &[("lock_claimable_batch", "for no key update", "")],
        sql: None,
        race: &Scenario::CrossedLeases {
            pairs: 16,
            rounds: 40,
        },
    },
];
