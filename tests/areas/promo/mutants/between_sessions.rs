//! Mutants that show only where two sessions meet, and the scene in which they do.

/// The mutant, and the scene that must notice it.
pub(crate) const NOTICED_BY: &[(&str, &str)] = &[
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
        "expire_promo_holds: without `for no key update skip locked`",
        "holds of a customer who is busy are not expired, nor waited for",
    ),
    (
        "expire_promo_holds: waits, without `skip locked`",
        "holds of a customer who is busy are not expired, nor waited for",
    ),
    (
        "lock_promo_attempts: without `perform pg_advisory_xact_lock(hashtextextended('interlock promo attempts ' || p_user_id, 0))`",
        "guesses at codes are counted one by one",
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
        "refuse_unknown_promo: without `perform interlock.lock_promo_attempts(p_user_id)`",
        "guesses at codes are counted one by one",
    ),
    (
        "take_promo_use: without `perform interlock.lock_promo_users( array[p_promo_id, p_promo_id], array[p_user_id, v_look.o_reap_f…`",
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
        "take_promo_use: without `and ( p_held_until is null or p.holds_per_user > ( select count(*) from interlock.promo_redemptions…`",
        "a code that the customer holds in another tab meanwhile is held once",
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
        "expire_promo_holds: without `perform 1 from interlock.promo_user_uses u where u.promo_id = v_hold.promo_id and u.user_id = v_hol…`",
        "holds of a customer who is busy are not expired, nor waited for",
    ),
];
