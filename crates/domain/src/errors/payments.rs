//! What the database raises about payments by card.

super::codes! {
    WebhookSignatureInvalid 400 Final "WEBHOOK_SIGNATURE_INVALID"
        "The event is not signed by whom it should come from."
        "Look at details.reason: no_secret, call set_payment_secret or set_mail_webhook_secret; too_old or in_the_future, check the clocks; else the secret is another one, or the body is not the one that was signed."
        known(&[("reason", Words(&["missing", "malformed", "no_secret", "too_old", "in_the_future", "mismatch"]))]);

    PaymentNotFound 404 Final "PAYMENT_NOT_FOUND"
        "There is no such payment."
        "Check the id of the payment, and that you are signed in as the user whose order it pays."
        known(&[("payment_id", Uuid)]);

    RefundExceedsPayment 409 Final "REFUND_EXCEEDS_PAYMENT"
        "More would go back than was paid."
        "Ask for details.refundable at most: what was paid, less what has been asked back before."
        known(&[("payment_id", Uuid), ("amount", AMOUNT), ("refundable", AMOUNT), ("currency", Currency)]);
}
