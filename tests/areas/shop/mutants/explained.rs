//! Mutants that no test can notice, each with the reason.

/// The mutant, and why it changes nothing that anybody could see.
pub(crate) const EXPLAINED: &[(&str, &str)] = &[
    (
        "move_guest: backwards `order by k.operation, k.key`",
        "It only orders the keys that are copied: two moves to one account at once would have to copy the same two to wait for each other.",
    ),
    (
        "move_guest: without `for no key update`",
        "The update that follows locks the same orders, as a rule in the same order: that depends on the plan.",
    ),
    (
        "move_guest: without `where c.user_id = p_from_user_id`",
        "A counter of nothing counts nothing.",
    ),
    (
        "move_guest: without `where c.user_id in (p_from_user_id, p_to_user_id)`",
        "It only locks less: those of others are not touched.",
    ),
    (
        "move_wallet_money: without `where w.user_id in (p_from_user_id, p_to_user_id)`",
        "It only locks less: those of others are not touched.",
    ),
    (
        "move_promo_uses: backwards `order by p.id`",
        "lock_promo_users, which follows, locks in its own order; a row that is made here is nobody's yet.",
    ),
    (
        "redeem_order_transfer: never `v_transfer.to_user_id = auth.uid()`",
        "It only saves locks: move_guest answers the same.",
    ),
    (
        "begin_card_payment: never `not exists (select from interlock.orders o where o.id = p_order_id and o.user_id = v_user_id)`",
        "It only saves locks: the same is asked again under the lock.",
    ),
    (
        "cancel_order: never `v_answer is not null`",
        "An order that is cancelled stays so, and is answered the same again.",
    ),
    (
        "checkout: never `p_promo_code is null and not v_charged`",
        "It only saves work: an order that is not made before the key is made after it.",
    ),
    (
        "checkout_line: never `v_slots > 0` (2)",
        "It only saves work: a row with slots is not taken from, and take_from_slots, which comes next, takes from the same slots.",
    ),
    (
        "checkout_line: without `and p.kind = 'physical'` (2)",
        "It was asked before, and the kind of a product does not change.",
    ),
    (
        "shape_details: never `num_nonnulls(p_shipping_address, p_contact, p_metadata) = 0`",
        "It only saves work: of no members there is no object.",
    ),
    (
        "expire_orders: without `and o.fulfillment = 'unfulfilled'`",
        "It only saves a try: the order is asked again under its lock.",
    ),
    (
        "expire_orders: without `and o.fulfillment = 'unfulfilled'` (2)",
        "It only saves a warning: guard_order_change refuses it, and the order is left as it is.",
    ),
    (
        "expire_orders: without `perform set_config('lock_timeout', v_wait, true)`",
        "Only time shows it: `orders_that_cannot_end_now_do_not_hold_up_those_that_can` fails, which no mutant meets.",
    ),
    (
        "expire_orders: one turn only, without `when v_expired > 0`",
        "It only saves time: the second turn waits for what the next call would wait for.",
    ),
    (
        "take_stock: never `cardinality(p_product_ids) = 1 and interlock.take_from_row( p_product_ids[1], p_quantities[1], p_re…`",
        "It only saves work: the statement for several products takes one as well.",
    ),
    (
        "find_checkout_problems: without `where not ( c.is_object and c.product_id_valid and c.quantity_valid and c.price_valid and c.others …`",
        "It only saves work: each kind of problem is asked for again.",
    ),
    (
        "checkout: never `not v_digital and v_backorder is not true and v_order.wallet_amount = 0`",
        "It only saves work: an answer that is not made before the order is made after it.",
    ),
    (
        "checkout: never `v_answer is null and not v_digital and v_backorder is not true`",
        "It only saves work: an answer that is not made before the stock is taken is made after it.",
    ),
    (
        "end_reservation: never `v_id is null`",
        "It only saves work: nothing is taken out of no reservation.",
    ),
    (
        "take_reservation: never `not o_ended`",
        "It only saves work: what has ended has no lines, and counts nothing.",
    ),
    (
        "reserve_cart: never `v_user_id is null`",
        "lock_user finds no account for nobody, and it is refused the same.",
    ),
    (
        "expire_cart_reservations: without `where r.expires_at <= interlock.clock()`",
        "It only saves tries: each is asked again under its lock.",
    ),
    (
        "expire_cart_reservations: backwards `order by random()`",
        "Any order will do.",
    ),
    (
        "expire_cart_reservations: without `where r.user_id = v_user_id`",
        "It locks others that are due as well; only who waits for them notices.",
    ),
    (
        "expire_cart_reservations: without `and r.expires_at <= interlock.clock()`",
        "Nobody can be made to refresh it between the look and the lock but by the interleavings, which play it.",
    ),
    (
        "expire_cart_reservations: without `perform set_config('lock_timeout', '1ms', true)`",
        "Only time shows it.",
    ),
    (
        "expire_cart_reservations: without `for update of r skip locked`",
        "It waits a moment for who reserves just then, and forgets nothing else.",
    ),
    (
        "move_reservation: without `perform 1 from interlock.cart_reservations r where r.user_id in (p_from_user_id, p_to_user_id) orde…`",
        "Both accounts are locked, so only the sweep can be at them, and what changes the rows locks them again.",
    ),
    (
        "move_reservation: without `where r.user_id in (p_from_user_id, p_to_user_id)`",
        "It locks those of others as well; only who waits for them notices.",
    ),
    (
        "move_reservation: backwards `order by r.user_id`",
        "Both accounts are locked, so nobody else takes two of them, and the sweep passes over what is locked.",
    ),
    (
        "move_reservation: without `for no key update`",
        "Both accounts are locked, so only the sweep can be at them, and what changes the rows locks them again.",
    ),
    (
        "checkout: without `and r.status = 'redeemed'`",
        "The order is new, so its only redemption is the one just made.",
    ),
    (
        "claim_product_codes_atomic: never `not found`",
        "take_stock does not find the product either.",
    ),
    (
        "claim_product_codes_atomic: without `perform interlock.take_stock(array[p_product_id], array[p_quantity], 'codes', p_order_id)`",
        "take_product_codes refuses what is short, and the trigger that counts codes locks the stock.",
    ),
    (
        "count_free_codes: never `v_product_ids is null`",
        "It only saves work: without products nothing is updated.",
    ),
    (
        "count_free_codes: without `perform interlock.lock_stock(v_product_ids)`",
        "The update that follows locks the same rows, as a rule in the same order: that depends on the plan.",
    ),
    (
        "return_stock: without `perform interlock.lock_stock(p_product_ids)`",
        "settle_orders, its only caller, has locked them all.",
    ),
    (
        "expire_orders: without `where o.status in ('pending_payment', 'confirmed')`",
        "It only saves locks: the same is asked again under the lock.",
    ),
    (
        "expire_orders: without `and o.payment_expires_at <= interlock.clock()`",
        "It only saves locks: the same is asked again under the lock.",
    ),
    (
        "return_stock: without `perform interlock.set_ledger_context(null, null)`",
        "settle_orders, its only caller, sets another context at once and ends it.",
    ),
    (
        "settle_orders: without `and c.used_at is null`",
        "An order becomes paid once, and none of its codes is delivered before.",
    ),
    (
        "settle_orders: never `v_ended is null`",
        "It only saves work: nothing is given back for no order.",
    ),
    (
        "settle_orders: backwards `order by o.id`",
        "All stock rows are locked before; it orders the rows of the ledger only.",
    ),
    (
        "submit_payment_proof: without `where f.order_id = p_order_id`",
        "The path of a proof begins with its order (checked above).",
    ),
    (
        "take_product_codes: without `where f.product_id = w.product_id` (2)",
        "The second look finds something only if a lock was released between the two looks.",
    ),
    (
        "take_product_codes: without `and f.order_id is null` (2)",
        "The second look finds something only if a lock was released between the two looks.",
    ),
    (
        "take_product_codes: backwards `order by f.id` (2)",
        "The second look finds something only if a lock was released between the two looks.",
    ),
    (
        "pay_from_wallet: without `perform interlock.set_ledger_context(null, null)`",
        "take_stock, which follows, sets another context and ends it.",
    ),
    (
        "call_in_slots: never `not exists (select from interlock.counter_slots s where s.owner_id = p_owner_id and s.granted > 0)`",
        "It only saves locks: slots that are granted nothing have used nothing.",
    ),
    (
        "call_in_slots: without `and s.granted > 0`",
        "It only saves writes: a slot that is granted nothing is empty.",
    ),
    (
        "look_at_cart: without `and q.stock_slots > 0`",
        "It only saves a look: a product without slots has no rows there.",
    ),
    (
        "cover_slots: without `and s.granted > s.used`",
        "It only saves writes: the others are what they would be set to.",
    ),
    (
        "make_slots: without `and s.slot >= p_slots`",
        "It only saves writes: the slots are empty, and are made again.",
    ),
    (
        "set_stock_slots: without `and p.stock_slots <> p_slots`",
        "It only saves a write.",
    ),
    (
        "take_from_slots: without `where w.product_id = any (p_slotted)` (2)",
        "The others are locked and were compared already.",
    ),
    (
        "use_slot: without `where s.owner_id = p_owner_id`",
        "A number of somebody else's slot is asked for as one's own: the update decides, and the gate does what it cannot.",
    ),
    (
        "use_slot: without `where s.owner_id = p_owner_id` (2)",
        "A number of somebody else's slot is asked for as one's own: the update decides, and the gate does what it cannot.",
    ),
    (
        "use_slot: without `and s.granted - s.used >= p_units`",
        "The update asks again, and the gate does what it cannot.",
    ),
    (
        "use_slot: without `and s.granted - s.used >= p_units` (2)",
        "The update asks again, and the gate does what it cannot.",
    ),
    (
        "use_slot: backwards `order by random()`",
        "It is as random backwards.",
    ),
    (
        "use_slot: backwards `order by random()` (2)",
        "It is as random backwards.",
    ),
    (
        "product_codes: without constraint product_codes_replaced_by_fkey",
        "guard_product_code refuses what is not there, and a delivered code stays.",
    ),
    (
        "find_signature_problem: without `where s.provider = p_provider`",
        "There is one provider so far.",
    ),
    (
        "take_payment: without `and p.provider = p_provider`",
        "There is one provider so far.",
    ),
    (
        "refund_payment: without `perform interlock.lock_order(p.order_id) from interlock.payments p where p.id = p_payment_id`",
        "The lock of the payment suffices; without both a schedule shows it (interleavings).",
    ),
    (
        "refund_payment: without `for no key update`",
        "The lock of the order suffices; without both a schedule shows it (interleavings).",
    ),
];
