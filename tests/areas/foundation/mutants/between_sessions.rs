//! Mutants that show only where two sessions meet, and the scene in which they do.

/// The mutant, and the scene that must notice it.
pub(crate) const NOTICED_BY: &[(&str, &str)] = &[
    (
        "begin_idempotent: without `where k.expires_at <= interlock.clock()`",
        "a twin waits and gets the same order",
    ),
    (
        "begin_idempotent: one turn only, without `when found`",
        "a twin waits and gets the same order",
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
        "purge_history: without `for update skip locked`",
        "history in use is not purged, nor waited for",
    ),
    (
        "purge_history: waits, without `skip locked`",
        "history in use is not purged, nor waited for",
    ),
    (
        "purge_history: without `for update skip locked` (2)",
        "history in use is not purged, nor waited for",
    ),
    (
        "purge_history: waits, without `skip locked` (2)",
        "history in use is not purged, nor waited for",
    ),
    (
        "purge_history: without `for update skip locked` (3)",
        "history in use is not purged, nor waited for",
    ),
    (
        "purge_history: waits, without `skip locked` (3)",
        "history in use is not purged, nor waited for",
    ),
    (
        "purge_history: without `for update skip locked` (4)",
        "history in use is not purged, nor waited for",
    ),
    (
        "purge_history: waits, without `skip locked` (4)",
        "history in use is not purged, nor waited for",
    ),
    (
        "purge_history: without `for update skip locked` (5)",
        "history in use is not purged, nor waited for",
    ),
    (
        "purge_history: waits, without `skip locked` (5)",
        "history in use is not purged, nor waited for",
    ),
    (
        "purge_history: without `for update skip locked` (6)",
        "history in use is not purged, nor waited for",
    ),
    (
        "purge_history: waits, without `skip locked` (6)",
        "history in use is not purged, nor waited for",
    ),
    (
        "purge_history: without `for update skip locked` (7)",
        "history in use is not purged, nor waited for",
    ),
    (
        "purge_history: waits, without `skip locked` (7)",
        "history in use is not purged, nor waited for",
    ),
    (
        "purge_history: without `for update of m skip locked`",
        "history in use is not purged, nor waited for",
    ),
    (
        "purge_history: waits, without `skip locked` (8)",
        "history in use is not purged, nor waited for",
    ),
    (
        "purge_history: waits, without `skip locked` (9)",
        "history in use is not purged, nor waited for",
    ),
    (
        "purge_parts: without `for update skip locked`",
        "history in use is not purged, nor waited for",
    ),
    (
        "erase_user: without `perform interlock.lock_promo_attempts(p_user_id)`",
        "a guess at a promo code meanwhile is erased, too",
    ),
    (
        "erase_user: without `for update`",
        "nor is it erased, and the shop is told why",
    ),
    (
        "erase_user_after: without `perform interlock.lock_promo_users(array_agg(u.promo_id), array_agg(u.user_id)) from interlock.prom…`",
        "an erasure locks the uses of promo codes in the order of the codes",
    ),
    (
        "erase_user_after: without `where u.user_id = p_user_id`",
        "an erasure does not wait for the uses of others",
    ),
    (
        "erase_user_after: without `for no key update`",
        "an erasure locks the codes that were for them in the order of their ids",
    ),
    (
        "erase_user_after: without `perform 1 from interlock.promo_codes p where p.user_id = p_user_id order by p.id for no key update`",
        "an erasure locks the codes that were for them in the order of their ids",
    ),
    (
        "erase_user_after: without `for update skip locked` (2)",
        "an erasure leaves points alone that somebody is booking",
    ),
    (
        "erase_user_after: waits, without `skip locked` (2)",
        "an erasure leaves points alone that somebody is booking",
    ),
];
