//! What the database raises about promo codes.

super::codes! {
    PromoNotFound 404 Final "PROMO_NOT_FOUND"
        "There is no such promo code."
        "Check the spelling of the code, or send the request without it."
        Null;

    PromoExhausted 409 Final "PROMO_EXHAUSTED"
        "This promo code is used up."
        "Use another code, or send the request without it."
        known(&[("reason", Words(&["max_uses", "max_uses_per_user"]))]);

    PromoAlreadyApplied 409 Final "PROMO_ALREADY_APPLIED"
        "This customer has applied this promo code already."
        "Look at details.reason: held, use the code in that cart, give its hold back, or wait until it is over; redeemed, this cart was ordered with it."
        Partly("Where the code is already.", &[
            ("reason", Words(&["redeemed", "held"])),
            ("cart_id", OrNull(&Uuid)),
            ("order_id", OrNull(&Uuid)),
            ("held_until", OrNull(&Time)),
        ], &["order_id", "held_until"]);

    PromoChanged 409 Final "PROMO_CHANGED"
        "The promo code no longer takes off what was shown."
        "Validate the code again: its terms are no longer those it was held under."
        known(&[("shown", AMOUNT), ("now", AMOUNT), ("currency", Currency)]);

    PromoExpired 410 Final "PROMO_EXPIRED"
        "This promo code is over."
        "Use another code, or send the request without it."
        known(&[("expires_at", Time)]);

    PromoNotApplicable 422 Final "PROMO_NOT_APPLICABLE"
        "This promo code does not apply to this cart."
        "Look at details.reason: change the cart, or send the request without the code."
        Partly("Why not, and what is missing to the minimum.", &[
            ("reason", Words(&[
                "inactive", "currency", "cart_items_needed", "products", "min_subtotal", "first_order_only",
                "no_discount",
            ])),
            ("currency", Currency),
            ("min_subtotal", AMOUNT),
            ("subtotal", AMOUNT),
            ("missing", AMOUNT),
        ], &["currency", "min_subtotal", "subtotal", "missing"]);

    PromoNotStarted 422 Final "PROMO_NOT_STARTED"
        "This promo code does not apply yet."
        "Try the code again once details.starts_at has come."
        known(&[("starts_at", Time)]);

    TooManyAttempts 429 Retryable "TOO_MANY_ATTEMPTS"
        "Too many unknown promo codes were tried."
        "Wait Retry-After seconds before the next attempt."
        known(&[("retry_after", Says("Seconds.", &Whole))]);
}
