//! What the database raises for any function.

super::codes! {
    IdempotencyKeyReused 422 Final "IDEMPOTENCY_KEY_REUSED"
        "This idempotency key was used for another request."
        "Use a new Idempotency-Key for a new request; repeat a key only with exactly the same request."
        Partly("What the key was used for.", &[
            ("operation", Text), ("reference", Uuid),
        ], &["operation", "reference"]);
}
