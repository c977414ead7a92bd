//! Mutants that show only where two sessions meet, and the scene in which they do.

/// The mutant, and the scene that must notice it.
pub(crate) const NOTICED_BY: &[(&str, &str)] = &[
    (
        "move_guest: without `perform 1 from interlock.accounts u where u.id in (p_from_user_id, p_to_user_id) order by u.id for …`",
        "what a guest orders while the rest moves stays theirs",
    ),
    (
        "move_guest: never `v_transfer.moved_at is not null and v_transfer.to_user_id = p_to_user_id`",
        "a redemption sent twice at once counts once",
    ),
    (
        "move_guest: never `exists ( select from interlock.idempotency_keys k where k.user_id = p_from_user_id and k.expires_at…`",
        "an order that is placed under a key before the accounts are had is not moved without it",
    ),
    (
        "move_guest: without `where (c.user_id, c.operation, c.key) = (p_to_user_id, k.operation, k.key)`",
        "an order that is placed under a key before the accounts are had is not moved without it",
    ),
    (
        "move_guest: never `not pg_try_advisory_xact_lock(hashtextextended('interlock limits ' || p_to_user_id, 0)) or exists (…`",
        "who is ordering the guest's cart for the account is not waited for",
    ),
    (
        "move_guest: without `perform 1 from interlock.customer_open_orders c where c.user_id in (p_from_user_id, p_to_user_id) o…`",
        "open orders of both are counted under the locks of both, in the order of their owners",
    ),
    (
        "move_guest: backwards `order by c.user_id`",
        "open orders of both are counted under the locks of both, in the order of their owners",
    ),
    (
        "move_guest: without `for no key update` (2)",
        "open orders of both are counted under the locks of both, in the order of their owners",
    ),
    (
        "move_wallet_money: without `perform 1 from interlock.wallets w where w.user_id in (p_from_user_id, p_to_user_id) order by w.use…`",
        "wallets are locked in the order of their owners before money moves",
    ),
    (
        "move_promo_uses: without `perform interlock.lock_promo_users( v_promo_ids || v_promo_ids, array_fill(p_from_user_id, array[ca…`",
        "uses of both are locked before the codes",
    ),
    (
        "purge_idempotency_keys: without `for update skip locked` (2)",
        "a token that is renewed meanwhile is not purged, nor waited for",
    ),
    (
        "take_off_order: without `where l.restocked > 0`",
        "a part that gives no goods back waits for none",
    ),
    (
        "begin_card_payment: never `v_order.user_id <> v_user_id`",
        "nor to pay by card",
    ),
    (
        "cancel_order: without `and (v_shop or o.user_id = auth.uid())`",
        "an order of somebody else is not waited for to cancel it",
    ),
    (
        "cancel_order: never `not v_shop and v_order.user_id <> auth.uid()`",
        "an order that has moved meanwhile is not the guest's to cancel",
    ),
    (
        "submit_payment_proof: never `not exists (select 1 from interlock.orders o where o.id = p_order_id and o.user_id = v_user_id)` (2)",
        "nor to prove a payment for",
    ),
    (
        "move_guest: without `for update`",
        "what a guest orders while the rest moves stays theirs",
    ),
    (
        "move_wallet_money: without `for no key update`",
        "wallets are locked in the order of their owners before money moves",
    ),
    (
        "move_wallet_money: backwards `order by w.user_id`",
        "wallets are locked in the order of their owners before money moves",
    ),
    (
        "checkout: never `p_on_behalf_of is not null and not interlock.lock_user(p_on_behalf_of)`",
        "nor does staff for them",
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
        "lock_cart: without `perform pg_advisory_xact_lock(hashtextextended(format('interlock cart %s %s', p_user_id, p_cart_id)…`",
        "of two checkouts of one cart the second finds the order of the first, before it asks for money",
    ),
    (
        "checkout: without `perform interlock.lock_cart(v_user_id, p_cart_id)`",
        "of two checkouts of one cart the second finds the order of the first, before it asks for money",
    ),
    (
        "checkout_line: without `and p.stock_slots = 0`",
        "a sale goes on when slots are switched on meanwhile",
    ),
    (
        "checkout_line: without `perform interlock.lock_cart(v_user_id, p_cart_id)`",
        "of two checkouts of one cart in cash the second finds the order of the first",
    ),
    (
        "checkout: never `exists ( select from unnest(v_look.product_ids, v_look.unit_prices) as w (product_id, unit_price) l…`",
        "a price of an untracked product that changes meanwhile is not charged",
    ),
    (
        "checkout: never `v_answer is not null` (3)",
        "what is owed since the look is not answered as if it were there",
    ),
    (
        "take_customer_limits: without `perform pg_advisory_xact_lock(hashtextextended('interlock limits ' || p_user_id, 0))`",
        "of two orders of one customer at a product's limit the second is refused",
    ),
    (
        "expire_cart_reservations: without `for no key update skip locked`",
        "a reservation that is redeemed meanwhile does not expire, and is not waited for",
    ),
    (
        "take_reservation: without `for no key update`",
        "a reservation that is released meanwhile is not given back again",
    ),
    (
        "note_tax_rates: without `perform 1 from interlock.settings for no key update`",
        "the last tax rate goes while another one comes: the shop is taxed",
    ),
    (
        "note_tax_rates: without `for no key update`",
        "the last tax rate goes while another one comes: the shop is taxed",
    ),
    (
        "lock_order: without `for no key update`",
        "an order that was rejected meanwhile is not paid",
    ),
    (
        "replace_product_code: without `perform interlock.take_stock(array[v_old.product_id], array[1], 'replacement', v_old.order_id)`",
        "the last free code is sold or given as a replacement, not both",
    ),
    (
        "lock_exact_stock: without `for no key update`",
        "a count does not overwrite a sale meanwhile",
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
        "settle_orders: backwards `order by o.user_id, o.id`",
        "orders that end together lock the wallets in the order of their owners",
    ),
    (
        "settle_orders: without `perform interlock.lock_stock(array( select i.product_id from interlock.order_items i where i.order_…`",
        "orders that end together lock the products of all in the order of their ids",
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
        "take_from_rows: backwards `order by p.id`",
        "a checkout locks its products in the order of their ids",
    ),
    (
        "take_from_rows: without `for no key update of p`",
        "stock that was sold meanwhile is refused, with what is left",
    ),
    (
        "take_from_rows: without `and p.available_quantity >= w.quantity`",
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
        "lock_slots: backwards `order by s.slot`",
        "slots are called in in the order of their numbers",
    ),
    (
        "lock_slots: without `for no key update`",
        "switching slots off waits for the sales from them",
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
        "close_ledger: without `for no key update skip locked`",
        "a ledger stays open while somebody pays from the wallet",
    ),
    (
        "close_ledger: waits, without `skip locked`",
        "a ledger stays open while somebody pays from the wallet",
    ),
    (
        "close_ledger: without `for no key update skip locked` (2)",
        "a ledger stays open while somebody changes the stock",
    ),
    (
        "close_ledger: waits, without `skip locked` (2)",
        "a ledger stays open while somebody changes the stock",
    ),
    (
        "close_ledger: never `not found`",
        "a ledger stays open while somebody changes the stock",
    ),
    (
        "close_ledger: without `perform interlock.lock_slots(p_owner_id)`",
        "a ledger is closed when the sales from its slots are over",
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
        "settle_slots: without `where p.id = v_owner_id`",
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
    (
        "count_open_orders: backwards `order by c.user_id`",
        "orders that end together lock the counters in the order of their customers",
    ),
    (
        "erase_user_after: without `for update skip locked`",
        "an erasure leaves a key alone that somebody is using",
    ),
    (
        "erase_user_after: waits, without `skip locked`",
        "an erasure leaves a key alone that somebody is using",
    ),
    (
        "refund_order: without `perform interlock.lock_order(p_order_id)`",
        "a refund outside takes the account before the order",
    ),
    (
        "retake_order: without `perform interlock.lock_cart(v_order.user_id, v_order.cart_id)`",
        "a cart that is ordered meanwhile is not reopened",
    ),
    (
        "begin_card_payment: without `perform interlock.lock_order(p_order_id)`",
        "an attempt to pay waits for what happens to its order",
    ),
    (
        "apply_payment_event: without `perform interlock.lock_order(order_id)`",
        "an event about a payment waits for what happens to its order",
    ),
    (
        "apply_refund_event: without `perform interlock.lock_order(order_id)`",
        "an event about a refund waits for what happens to its order",
    ),
    (
        "apply_refund_event: never `order_id is not null`",
        "an event about a refund waits for what happens to its order",
    ),
    (
        "apply_dispute_event: without `perform interlock.lock_order(order_id)`",
        "an event about a dispute waits for what happens to its order",
    ),
    (
        "apply_dispute_event: never `order_id is not null`",
        "an event about a dispute waits for what happens to its order",
    ),
    (
        "retake_order: without `perform interlock.lock_first_order(v_order.user_id)`",
        "a first order that another has taken the place of meanwhile is not reopened",
    ),
];
