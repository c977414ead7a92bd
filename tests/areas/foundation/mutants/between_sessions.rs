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
];
