//! What Rust itself answers, before the database is asked or when it does not answer as it should.
//! Every module of a function holds these and no others.

super::codes! {
    ValidationFailed 400 Final "VALIDATION_FAILED"
        "The request is not valid."
        "Correct every problem listed in details.problems; each has a JSON pointer to its field."
        known(&[("problems", PROBLEMS)]);

    Unauthenticated 401 Final "UNAUTHENTICATED"
        "No signed-in user."
        "Sign in and send the user's access token as Authorization: Bearer <token>; an API key is not a user."
        known(&[("reason", Words(&["no_token", "not_a_user_token", "malformed_token", "expired_token"]))]);

    Forbidden 403 Final "FORBIDDEN"
        "This user may not do that."
        "Sign in as a user who has the right to do it."
        Null;

    MethodNotAllowed 405 Final "METHOD_NOT_ALLOWED"
        "This function is called with POST."
        "Send the same request as POST."
        known(&[("method", Text)]);

    BodyTooLarge 413 Final "BODY_TOO_LARGE"
        "The request body is too large."
        "Send at most 64 KiB."
        known(&[("max_bytes", Whole)]);

    UnsupportedMediaType 415 Final "UNSUPPORTED_MEDIA_TYPE"
        "The request body must be JSON."
        "Send the header Content-Type: application/json."
        Null;

    PaymentRefused 422 Final "PAYMENT_REFUSED"
        "The payment provider does not take this payment."
        "Look up details.provider_code in the provider's documentation, or choose another payment_method."
        known(&[("provider_code", Says("As the provider calls it.", &OrNull(&Text)))]);

    Internal 500 Final "INTERNAL"
        "Something went wrong on our side."
        "Tell the shop's operator the request_id; the function's log has the cause under it."
        Anything;

    Misconfigured 500 Final "MISCONFIGURED"
        "This function is not set up."
        "Tell the shop's operator: the function's log says which setting cannot be used."
        Null;

    UpstreamUnavailable 503 Retryable "UPSTREAM_UNAVAILABLE"
        "What this function needs is not available right now."
        "Send the same request again after Retry-After seconds."
        Null;

    ReadOnly 503 Final "READ_ONLY"
        "The database that was asked only reads: it is a read replica, or it was set to read only."
        "Nothing has happened: send the same request to the primary."
        Null;

    UpstreamTimeout 504 Retryable "UPSTREAM_TIMEOUT"
        "No answer came, so the outcome is not known."
        "Send it again under the same Idempotency-Key; without one, look first whether it took effect."
        Null;
}
