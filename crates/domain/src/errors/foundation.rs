//! What the database raises for any function.

super::codes! {
    IdempotencyKeyReused 422 Final "IDEMPOTENCY_KEY_REUSED"
        "This idempotency key was used for another request."
        "Look first what the request under this key has done: it may be all that was wanted. Only what is wanted besides goes under a key of its own."
        Partly("What the key was used for.", &[
            ("operation", Text), ("reference", Uuid),
        ], &["operation", "reference"]);
}
