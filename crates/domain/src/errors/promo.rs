//! What the database raises about promo codes.

super::codes! {
    PromoNotFound 404 Final "PROMO_NOT_FOUND"
        "There is no such promo code."
        "Check the spelling of the code, or send the request without it."

    PromoExhausted 409 Final "PROMO_EXHAUSTED"
        "This promo code is used up."
        "Use another code, or send the request without it."

    PromoAlreadyApplied 409 Final "PROMO_ALREADY_APPLIED"
        "This customer has applied this promo code already."
        "Use the code in the cart that holds it, or wait until that hold is over."

    PromoChanged 409 Final "PROMO_CHANGED"
        "The promo code no longer takes off what was shown."
        "Validate the code again: its terms are no longer those it was held under."

    PromoExpired 410 Final "PROMO_EXPIRED"
        "This promo code is over."
        "Use another code, or send the request without it."

    PromoNotApplicable 422 Final "PROMO_NOT_APPLICABLE"
        "This promo code does not apply to this cart."
        "Look at details.reason: change the cart, or send the request without the code."

    PromoNotStarted 422 Final "PROMO_NOT_STARTED"
        "This promo code does not apply yet."
        "Try the code again once details.starts_at has come."

    TooManyAttempts 429 Retryable "TOO_MANY_ATTEMPTS"
        "Too many unknown promo codes were tried."
        "Wait Retry-After seconds before the next attempt."
}
