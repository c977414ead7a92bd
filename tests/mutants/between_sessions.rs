//! Mutants that show only where two sessions meet, and the scene in which they do.

/// The mutant, and the scene of `meanwhile` that must notice it.
pub(super) const NOTICED_BY: &[(&str, &str)] = &[
    (
        "act_on_held_batch: without `and b.driver_id = p_driver_id`",
        "a batch handed to another driver meanwhile is not completed",
    ),
    (
        "act_on_held_batch: without `and b.lease_expires_at > interlock.clock()`",
        "a lease that is over meanwhile ends the right to complete",
    ),
    (
        "act_on_held_batch: one turn only, without `when found`",
        "a batch handed to another driver meanwhile is not completed",
    ),
    (
        "begin_idempotent: without `where k.expires_at <= interlock.clock()`",
        "a twin waits and gets the same order",
    ),
    (
        "begin_idempotent: one turn only, without `when found`",
        "a twin waits and gets the same order",
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
        "end_promo_uses: without `and r.status = p_from`",
        "a use given back twice at once comes back once",
    ),
    (
        "end_promo_uses: without `where p.id = any (v_promo_ids)`",
        "a use that ends waits for its code and for no other",
    ),
    (
        "end_promo_uses: backwards `order by p.id`",
        "holds that end together lock their codes in the order of their ids",
    ),
    (
        "expire_orders: without `for no key update skip locked`",
        "an order whose proof comes in meanwhile does not expire, and is not waited for",
    ),
    (
        "expire_orders: waits, without `skip locked`",
        "an order whose proof comes in meanwhile does not expire, and is not waited for",
    ),
    (
        "expire_promo_holds: without `for no key update of u skip locked`",
        "holds of a customer who is busy are not expired, nor waited for",
    ),
    (
        "expire_promo_holds: waits, without `skip locked`",
        "holds of a customer who is busy are not expired, nor waited for",
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
        "lock_order: without `for no key update`",
        "an order that was rejected meanwhile is not paid",
    ),
    (
        "lock_promo_attempts: without `perform pg_advisory_xact_lock(hashtextextended('interlock promo attempts ' || p_user_id, 0))`",
        "guesses at codes are counted one by one",
    ),
    (
        "lock_promo_users: without `perform 1 from interlock.promo_user_uses u where (u.promo_id, u.user_id) in (select * from unnest(p_p…`",
        "a cart's hold that is redeemed meanwhile is not redeemed again",
    ),
    (
        "lock_promo_users: without `where (u.promo_id, u.user_id) in (select * from unnest(p_promo_ids, p_user_ids))`",
        "customers of a code do not wait for each other",
    ),
    (
        "lock_promo_users: backwards `order by u.promo_id, u.user_id`",
        "who takes back a hold locks both customers in the order of their ids",
    ),
    (
        "lock_promo_users: without `for no key update`",
        "a cart's hold that is redeemed meanwhile is not redeemed again",
    ),
    (
        "lock_stock: without `perform 1 from interlock.products p where p.id = any (p_product_ids) order by p.id for no key update`",
        "orders that end together lock the products of all in the order of their ids",
    ),
    (
        "lock_stock: without `where p.id = any (p_product_ids)`",
        "an order that ends waits for its products and for no other",
    ),
    (
        "lock_stock: backwards `order by p.id`",
        "an order that ends locks its products in the order of their ids",
    ),
    (
        "lock_stock: without `for no key update`",
        "orders that end together lock the products of all in the order of their ids",
    ),
    (
        "lock_wallet: without `for no key update`",
        "money spent meanwhile is not spent again",
    ),
    (
        "purge_idempotency_keys: without `for update skip locked`",
        "keys in use are not purged, nor waited for",
    ),
    (
        "purge_idempotency_keys: waits, without `skip locked`",
        "keys in use are not purged, nor waited for",
    ),
    (
        "refuse_unknown_promo: without `perform interlock.lock_promo_attempts(p_user_id)`",
        "guesses at codes are counted one by one",
    ),
    (
        "settle_orders: backwards `order by o.user_id, o.id`",
        "orders that end together lock the wallets in the order of their owners",
    ),
    (
        "settle_orders: without `perform interlock.lock_stock(array( select i.product_id from interlock.order_items i where i.order_id = …`",
        "orders that end together lock the products of all in the order of their ids",
    ),
    (
        "take_batch: without `and interlock.is_claimable(b.status, b.lease_expires_at)`",
        "a batch claimed meanwhile is refused with its state",
    ),
    (
        "take_product_codes: without `for no key update skip locked`",
        "a code that somebody is locking is passed over",
    ),
    (
        "take_product_codes: waits, without `skip locked`",
        "a code that somebody is locking is passed over",
    ),
    (
        "take_product_codes: without `for no key update nowait`",
        "codes that somebody is locking are neither waited for nor missed",
    ),
    (
        "take_product_codes: waits, without `nowait`",
        "codes that somebody is locking are neither waited for nor missed",
    ),
    (
        "take_product_codes: never `coalesce(cardinality(v_code_ids), 0) < v_wanted`",
        "codes that somebody is locking are neither waited for nor missed",
    ),
    (
        "take_promo_use: without `perform interlock.lock_promo_users( array[p_promo_id, p_promo_id], array[p_user_id, v_look.o_reap_fro…`",
        "a cart's hold that is redeemed meanwhile is not redeemed again",
    ),
    (
        "take_promo_use: never `v_own.status = 'redeemed'`",
        "a cart's hold that is redeemed meanwhile is not redeemed again",
    ),
    (
        "take_promo_use: without `and (p.max_uses_per_user is null or u.used < p.max_uses_per_user)`",
        "a use that the customer takes in another tab meanwhile is taken once",
    ),
    (
        "take_promo_use: never `not found`",
        "a use that the customer takes in another tab meanwhile is taken once",
    ),
    (
        "count_promo_use: without `and (p.max_uses is null or p.used_count < p.max_uses)`",
        "the last use that goes to somebody else meanwhile is gone",
    ),
    (
        "take_promo_use: without `and p.id = p_promo_id`",
        "a use that the customer takes in another tab meanwhile is taken once",
    ),
    (
        "take_from_rows: backwards `order by p.id`",
        "a checkout locks its products in the order of their ids",
    ),
    (
        "take_from_rows: without `for no key update of p`",
        "stock that was sold meanwhile is refused, with what is left",
    ),
    (
        "take_from_rows: without `and l.available_quantity >= l.quantity`",
        "stock that was sold meanwhile is refused, with what is left",
    ),
    (
        "take_stock: never `v_rows.o_shortages is not null`",
        "stock that was sold meanwhile is refused, with what is left",
    ),
    (
        "take_stock: never `v_rows.o_changed`",
        "a price that changes meanwhile is not charged",
    ),
    (
        "take_from_rows: never `cardinality(v_found) is distinct from cardinality(p_product_ids)`",
        "a product deleted meanwhile is not found",
    ),
    (
        "top_up_wallet: without `insert into interlock.wallets (user_id, currency) values (p_user_id, p_currency) on conflict (user_id)…`",
        "a payment that makes the wallet counts once, booked twice at once",
    ),
    (
        "lock_slots: backwards `order by s.slot`",
        "slots are called in in the order of their numbers",
    ),
    (
        "lock_slots: without `for no key update`",
        "switching slots off waits for the sales from them",
    ),
    (
        "count_promo_use: without `for no key update`",
        "a use that finds the slots dry takes the code before its slots",
    ),
    (
        "count_promo_use: without `and (p.max_uses is null or p.used_count < p.max_uses)` (2)",
        "the last use of a code whose slots are empty may be gone",
    ),
    (
        "count_promo_use: without `raise exception using errcode = 'IL001', message = 'used up meanwhile: look again'`",
        "the last use that goes to somebody else meanwhile is gone",
    ),
    (
        "set_promo_slots: without `for no key update`",
        "a switch of slots takes the code before its slots",
    ),
    (
        "set_stock_slots: without `for no key update`",
        "a switch of slots takes the product before its slots",
    ),
    (
        "settle_slots: backwards `order by p.id`",
        "settling goes by the ids of the codes",
    ),
    (
        "settle_slots: backwards `order by p.id` (2)",
        "settling goes by the ids of the products",
    ),
    (
        "settle_slots: without `for no key update skip locked`",
        "settling passes over a code that somebody has locked",
    ),
    (
        "settle_slots: waits, without `skip locked`",
        "settling passes over a code that somebody has locked",
    ),
    (
        "settle_slots: without `for no key update skip locked` (2)",
        "settling passes over a product that somebody has locked",
    ),
    (
        "settle_slots: waits, without `skip locked` (2)",
        "settling passes over a product that somebody has locked",
    ),
    (
        "settle_slots: without `where p.id = v_owner_id` (2)",
        "settling leaves a product alone that somebody has locked, and settles the others",
    ),
    (
        "take_at_gate: never `v_available < p_quantity`",
        "what was sold from a slot meanwhile is missing at the gate",
    ),
    (
        "take_from_slots: never `v_rows.o_shortages is not null or v_rows.o_with_slots is not null`",
        "a mixed cart whose row is sold out meanwhile takes nothing from a slot",
    ),
    (
        "take_from_slots: backwards `order by u.product_id`",
        "a cart takes slots of its products in the order of their ids",
    ),
    (
        "take_stock: backwards `order by w.product_id`",
        "a large cart calls in the slots of its products in the order of their ids",
    ),
    (
        "take_stock: never `v_available is not null`",
        "what was sold from a slot meanwhile is missing at the gate",
    ),
    (
        "use_slot: never `p_wait`",
        "a sale waits for a slot that has enough, and leaves the others alone",
    ),
    (
        "use_slot: without `for no key update skip locked`",
        "a sale finds the one slot of many that nobody is using",
    ),
    (
        "use_slot: waits, without `skip locked`",
        "a sale finds the one slot of many that nobody is using",
    ),
    (
        "use_slot: without `and s.granted - s.used >= p_units` (3)",
        "a slot emptied meanwhile is not sold from",
    ),
];
