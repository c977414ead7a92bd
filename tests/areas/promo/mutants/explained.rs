//! Mutants that no test can notice, each with the reason.

/// The mutant, and why it changes nothing that anybody could see.
pub(crate) const EXPLAINED: &[(&str, &str)] = &[
    (
        "end_promo_uses: without `for no key update`",
        "The update that follows locks the same rows, as a rule in the same order: that depends on the plan.",
    ),
    (
        "expire_promo_holds: without `and r.held_until <= interlock.clock()`",
        "end_promo_uses asks again; holds that are over sort first, so the limit is not used up.",
    ),
    (
        "lock_first_order: without `perform pg_advisory_xact_lock(hashtextextended('interlock first order ' || p_user_id, 0))`",
        "The lock of the customer's promo attempts comes first; `combined` takes both.",
    ),
    (
        "split_discount: never `cardinality(p_amounts) = 1`",
        "One line's share is the whole, however it is found.",
    ),
    (
        "redeem_promo: never `v_promo.id is null`",
        "take_promo_use does not find the code either.",
    ),
    (
        "redeem_promo: never `v_promo.first_order_only`",
        "The lock of the customer's promo attempts comes first; `combined` takes both.",
    ),
    (
        "redeem_promo: without `perform interlock.lock_first_order(p_user_id)`",
        "The lock of the customer's promo attempts comes first; `combined` takes both.",
    ),
    (
        "release_promo_hold: without `perform interlock.lock_promo_users(array[p_promo_id], array[p_user_id])`",
        "end_promo_uses compares the status again, after it has waited for the row.",
    ),
    (
        "return_promos: without `and r.status = 'redeemed'`",
        "end_promo_uses compares the status again, after it has waited for the row.",
    ),
    (
        "return_promos: never `v_ids is null`",
        "It only saves work: without uses nothing is given back.",
    ),
    (
        "return_promos: without `perform interlock.lock_promo_users(v_promo_ids, v_user_ids)`",
        "end_promo_uses compares the status again, after it has waited for the row.",
    ),
    (
        "take_promo_use: without `raise exception using errcode = 'lock_not_available', message = format('promo code %s is too busy',…`",
        "Only after 200 lost races in a row.",
    ),
    (
        "release_promo_hold: without `and r.status = 'held'`",
        "end_promo_uses asks again.",
    ),
    (
        "take_promo_use: without `and r.status = 'held'`",
        "end_promo_uses asks again.",
    ),
    (
        "take_promo_use: without `and r.held_until <= interlock.clock()`",
        "end_promo_uses asks again; `combined` takes both.",
    ),
    (
        "end_promo_uses: without `where p.use_slots > 0`",
        "A code without slots counts at least the uses that it gives back, so the next condition leaves it out.",
    ),
    (
        "end_promo_uses: backwards `order by p.id` (2)",
        "The codes are locked by then, in order; nobody waits for the slots of two codes but who holds both.",
    ),
    (
        "find_promo_use: without `and p.use_slots > 0`",
        "It only saves a look: a code without slots has no rows there.",
    ),
    (
        "set_promo_slots: without `and p.use_slots <> p_slots`",
        "It only saves a write.",
    ),
];
