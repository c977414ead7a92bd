//! What the database raises for any function.

super::codes! {
    IdempotencyKeyReused 422 Final "IDEMPOTENCY_KEY_REUSED"
        "This idempotency key was used for another request."
        "Look first what the request under this key has done: it may be all that was wanted. Only what is wanted besides goes under a key of its own."
        Partly("What the key was used for.", &[
            ("operation", Text), ("reference", Uuid),
        ], &["operation", "reference"]);

    IsolationLevelUnsupported 500 Final "ISOLATION_LEVEL_UNSUPPORTED"
        "Interlock works in transactions of isolation level read committed only."
        "Begin with `isolation level read committed`; over the API, look at default_transaction_isolation of role and database."
        known(&[("isolation_level", Text)]);
}
