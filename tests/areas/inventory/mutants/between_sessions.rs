//! What shows only where two sessions meet, and the scene that shows it.

/// The mutant, and its scene.
pub(crate) const NOTICED_BY: &[(&str, &str)] = &[
    (
        "audit_inventory: never `not pg_try_advisory_xact_lock(hashtextextended('interlock audit', 0))`",
        "an audit that meets another one gives up",
    ),
    (
        "correct_codes: without `perform interlock.lock_stock(array[p_product_id])`",
        "codes that somebody counts anew are not counted twice",
    ),
    (
        "decrement_row: one turn only, without `when v_left is not null`",
        "the last that somebody takes meanwhile is not sold again",
    ),
    (
        "decrement_row: without `and i.quantity >= p_quantity`",
        "the last that somebody takes meanwhile is not sold again",
    ),
    (
        "get_inventory: one turn only, without `when v_slotted is null or v_slotted <@ v_locked`",
        "the version of a hot product waits for what is sold from its slots",
    ),
    (
        "get_inventory: without `perform interlock.lock_stock(v_locked)`",
        "the version of a hot product waits for who changes its slots",
    ),
    (
        "get_inventory: without `perform interlock.lock_slots(u.id) from (select unnest(v_locked) as id order by 1) u`",
        "the version of a hot product waits for what is sold from its slots",
    ),
    (
        "lock_inventory: without `where (i.product_id, i.location_id) in ( select l.product_id, l.location_id from jsonb_to_recordset…`",
        "stock that is not named is not waited for",
    ),
    (
        "lock_inventory: backwards `order by i.id`",
        "stock in stores is locked in the order of its ids",
    ),
    (
        "lock_inventory: without `for no key update`",
        "stock in a store that somebody takes is adjusted after them",
    ),
    (
        "lock_inventory: without `where l.location_id = interlock.online_location()`",
        "stock that is not named is not waited for",
    ),
    (
        "lock_inventory: backwards `order by l.product_id`",
        "slots of several products are called in in the order of their ids",
    ),
    (
        "lock_inventory: without `perform interlock.lock_stock(v_products)`",
        "online stock that somebody buys is adjusted after them",
    ),
    (
        "lock_transfer: without `for no key update`",
        "what came of a transfer is booked after what somebody books",
    ),
];
