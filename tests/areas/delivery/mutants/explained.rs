//! Mutants that no test can notice, each with the reason.

/// The mutant, and why it changes nothing that anybody could see.
pub(crate) const EXPLAINED: &[(&str, &str)] = &[
    (
        "act_on_held_batch: without `where b.id = p_batch_id`",
        "A driver holds one batch at most (batches_one_active_per_driver), and their own calls go one after the other.",
    ),
    (
        "act_on_held_batch: without `and b.status in ('claimed', 'in_progress')`",
        "Only these statuses have a lease (batches_holder_matches_status), and the next condition asks for one.",
    ),
    (
        "assign_batch: without `perform interlock.raise_error('DRIVER_BUSY', interlock.batch_state(v_held))`",
        "batches_one_active_per_driver refuses the second batch, and the answer is the same.",
    ),
    (
        "claim_batch: without `perform interlock.raise_error('DRIVER_BUSY', interlock.batch_state(v_held))`",
        "batches_one_active_per_driver refuses the second batch, and claim_route answers the same.",
    ),
    (
        "claim_batch: never `not interlock.lock_claimable_batch(p_batch_id)`",
        "take_batch asks again, and a refusal undoes what was given back.",
    ),
    (
        "claim_next_batch: never `v_held.lease_expires_at > interlock.clock()`",
        "batches_one_active_per_driver refuses the second batch, and claim_route answers the same.",
    ),
    (
        "claim_route: never `v_constraint <> 'batches_one_active_per_driver'`",
        "No other unique constraint can fail there; it is for constraints to come.",
    ),
    (
        "give_back_stale_batch: without `and b.status in ('claimed', 'in_progress')`",
        "Only these statuses have a lease (batches_holder_matches_status), and the next condition asks for one.",
    ),
    (
        "give_back_stale_batch: without `and b.lease_expires_at <= interlock.clock()`",
        "Its caller has refused a driver whose lease is live, under the lock of the driver.",
    ),
    (
        "lock_claimable_batch: without `and interlock.is_claimable(b.status, b.lease_expires_at)`",
        "take_batch asks again, and a refusal undoes what was given back.",
    ),
    (
        "lock_first_expired_batch: without `where b.status in ('claimed', 'in_progress')`",
        "Only these statuses have a lease (batches_holder_matches_status); it names the index.",
    ),
    (
        "lock_next_claimable_batch: without `where b.status in ('claimed', 'in_progress')`",
        "It only saves work: lock_first_expired_batch asks again.",
    ),
    (
        "lock_next_claimable_batch: without `and b.lease_expires_at <= interlock.clock()`",
        "It only saves work: lock_first_expired_batch asks again.",
    ),
];
