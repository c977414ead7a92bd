//! Mutants that show only where two sessions meet, and the scene in which they do.

/// The mutant, and the scene that must notice it.
pub(crate) const NOTICED_BY: &[(&str, &str)] = &[
    (
        "act_on_held_batch: without `and b.driver_id = p_driver_id`",
        "a batch handed to another driver meanwhile is not completed",
    ),
    (
        "act_on_held_batch: without `and (p_action = 'complete' or b.lease_expires_at > interlock.clock())`",
        "a lease that is over meanwhile ends the right to renew",
    ),
    (
        "act_on_held_batch: one turn only, without `when found`",
        "a batch handed to another driver meanwhile is not completed",
    ),
    (
        "assign_batch: without `for no key update`",
        "a driver made inactive meanwhile is given nothing",
    ),
    (
        "assign_batch: without `for no key update` (2)",
        "a batch completed meanwhile is given to nobody",
    ),
    (
        "claim_batch: one turn only, without `when v_batch.id is not null`",
        "a batch claimed meanwhile is refused with its state",
    ),
    (
        "claim_next_batch: never `v_batch_id is not null`",
        "the next batch is the first that nobody is locking",
    ),
    (
        "claim_next_batch: backwards `order by c.priority desc, c.created_at, c.id`",
        "when all are locked the first of the queue is waited for",
    ),
    (
        "claim_next_batch: one turn only, without `when v_batch.id is not null`",
        "when all batches go meanwhile there is none",
    ),
    (
        "give_back_stale_batch: without `for no key update nowait`",
        "nobody waits for their own stale batch",
    ),
    (
        "give_back_stale_batch: waits, without `nowait`",
        "nobody waits for their own stale batch",
    ),
    (
        "lock_claimable_batch: without `where b.id = p_batch_id`",
        "who gives back a stale batch waits for the batch they claim and for no other",
    ),
    (
        "lock_driver: without `for no key update`",
        "a driver made inactive meanwhile claims nothing",
    ),
    (
        "lock_first_available_batch: without `for no key update skip locked`",
        "the next batch is the first that nobody is locking",
    ),
    (
        "lock_first_available_batch: waits, without `skip locked`",
        "the next batch is the first that nobody is locking",
    ),
    (
        "lock_first_expired_batch: without `for no key update skip locked`",
        "the next lease that is over is the first that nobody is locking",
    ),
    (
        "lock_first_expired_batch: waits, without `skip locked`",
        "the next lease that is over is the first that nobody is locking",
    ),
    (
        "take_batch: without `and interlock.is_claimable(b.status, b.lease_expires_at)`",
        "a batch claimed meanwhile is refused with its state",
    ),
];
