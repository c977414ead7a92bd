//! The error catalogue: every error that a client can see, once.
//!
//! `docs/errors.md` and the SQL function `private.raise_error` are generated from this table
//! (`cargo xtask codegen`), and `cargo xtask tidy` fails when SQL or Rust raises a code that is not
//! here, or when nothing raises one that is.

/// Whether the same request may succeed if it is simply sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Sending it again changes nothing until something else changes.
    Final,
    /// The cause is passing: send it again after `Retry-After`.
    Retryable,
}

/// One row of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The stable name that clients branch on.
    pub code: &'static str,
    /// The HTTP status; the SQLSTATE in the database is `PT` followed by it.
    pub status: u16,
    /// Whether the same request may be sent again.
    pub retry: Retry,
    /// What happened, for a person.
    pub message: &'static str,
    /// What the client should do next.
    pub hint: &'static str,
}

macro_rules! catalogue {
    ($($name:ident $code:literal $status:literal $retry:ident $message:literal $hint:literal)*) => {
        /// A code of the catalogue.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = concat!("`", $code, "`, HTTP ", $status, ": ", $message)] $name,)*
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Code] = &[$(Code::$name,)*];

            /// The row of this code.
            pub fn entry(self) -> &'static Entry {
                &ENTRIES[self as usize]
            }
        }

        /// The table; a code is its own row's index.
        static ENTRIES: &[Entry] = &[$(Entry {
            code: $code,
            status: $status,
            retry: Retry::$retry,
            message: $message,
            hint: $hint,
        },)*];
    };
}

catalogue! {
    ValidationFailed "VALIDATION_FAILED" 400 Final
        "The request is not valid."
        "Correct every problem listed in details.problems; each has a JSON pointer to its field."

    Unauthenticated "UNAUTHENTICATED" 401 Final
        "No signed-in user."
        "Sign in and send the user's access token as Authorization: Bearer <token>; an API key is not a user."

    InsufficientFunds "INSUFFICIENT_FUNDS" 402 Final
        "The wallet does not hold enough money."
        "Top up the wallet, or choose another payment_method; details has the balance and the amount."

    Forbidden "FORBIDDEN" 403 Final
        "This user may not do that."
        "Sign in as a user who has the right to do it."

    NotADriver "NOT_A_DRIVER" 403 Final
        "This user is not an active driver."
        "Ask the shop to add this user to its drivers, or to activate the driver again."

    BatchNotFound "BATCH_NOT_FOUND" 404 Final
        "There is no such batch."
        "Check batch_id, or send {} to claim the next available batch."

    ProductNotFound "PRODUCT_NOT_FOUND" 404 Final
        "A product does not exist or is not for sale."
        "Remove the products in details.product_ids from the cart: they do not exist or are not for sale."

    OrderNotFound "ORDER_NOT_FOUND" 404 Final
        "There is no such order."
        "Check order_id, and that you are signed in as the user who placed the order."

    UserNotFound "USER_NOT_FOUND" 404 Final
        "There is no such user."
        "Check the user id."

    PromoNotFound "PROMO_NOT_FOUND" 404 Final
        "There is no such promo code."
        "Check the spelling of the code, or send the request without it."

    MethodNotAllowed "METHOD_NOT_ALLOWED" 405 Final
        "This function is called with POST."
        "Send the same request as POST."

    BatchUnavailable "BATCH_UNAVAILABLE" 409 Final
        "This batch cannot be claimed now."
        "Take another batch: send {} to claim the next available one."

    NoBatchAvailable "NO_BATCH_AVAILABLE" 409 Final
        "No batch is waiting for a driver."
        "Ask again when new batches come in."

    DriverBusy "DRIVER_BUSY" 409 Final
        "This driver already holds another batch."
        "Complete or release the batch in details.batch_id first."

    LeaseExpired "LEASE_EXPIRED" 409 Final
        "The lease on this batch is over."
        "Claim the batch again; if another driver has it by then, take another one."

    BatchNotHeld "BATCH_NOT_HELD" 409 Final
        "This driver does not hold this batch."
        "Claim the batch before you renew, release, start or complete it."

    InsufficientInventory "INSUFFICIENT_INVENTORY" 409 Final
        "There is not enough in stock."
        "Lower each quantity in details.shortages to what is available, or remove the line."

    OrderNotCancellable "ORDER_NOT_CANCELLABLE" 409 Final
        "This order cannot be cancelled any more."
        "Look at details.status: an order that is paid is cancelled or refunded by the shop, one that has ended cannot be."

    OrderStateConflict "ORDER_STATE_CONFLICT" 409 Final
        "The order is not in a state in which this can be done."
        "Look at details.status: the order is not in a state in which this can be done."

    PromoExhausted "PROMO_EXHAUSTED" 409 Final
        "This promo code is used up."
        "Use another code, or send the request without it."

    PromoAlreadyApplied "PROMO_ALREADY_APPLIED" 409 Final
        "This customer has applied this promo code already."
        "Use the code in the cart that holds it, or wait until that hold is over."

    PromoChanged "PROMO_CHANGED" 409 Final
        "The promo code no longer takes off what was shown."
        "Validate the code again: its terms are no longer those it was held under."

    PromoExpired "PROMO_EXPIRED" 410 Final
        "This promo code is over."
        "Use another code, or send the request without it."

    BodyTooLarge "BODY_TOO_LARGE" 413 Final
        "The request body is too large."
        "Send at most 64 KiB."

    UnsupportedMediaType "UNSUPPORTED_MEDIA_TYPE" 415 Final
        "The request body must be JSON."
        "Send the header Content-Type: application/json."

    IdempotencyKeyReused "IDEMPOTENCY_KEY_REUSED" 422 Final
        "This idempotency key was used for another request."
        "Use a new Idempotency-Key for a new request; repeat a key only with exactly the same request."

    MixedCurrencies "MIXED_CURRENCIES" 422 Final
        "The products of this cart have different currencies."
        "Check out the products of each currency in details.currencies separately."

    CurrencyMismatch "CURRENCY_MISMATCH" 422 Final
        "The wallet holds another currency."
        "Choose another payment_method, or products in the wallet's currency; details has both."

    PromoNotApplicable "PROMO_NOT_APPLICABLE" 422 Final
        "This promo code does not apply to this cart."
        "Look at details.reason: change the cart, or send the request without the code."

    PromoNotStarted "PROMO_NOT_STARTED" 422 Final
        "This promo code does not apply yet."
        "Try the code again once details.starts_at has come."

    TooManyAttempts "TOO_MANY_ATTEMPTS" 429 Retryable
        "Too many unknown promo codes were tried."
        "Wait Retry-After seconds before the next attempt."

    Internal "INTERNAL" 500 Final
        "Something went wrong on our side."
        "Tell the shop's operator the request_id; the function's log has the cause under it."

    UpstreamUnavailable "UPSTREAM_UNAVAILABLE" 503 Retryable
        "The database is not available right now."
        "Send the same request again after Retry-After seconds."

    UpstreamTimeout "UPSTREAM_TIMEOUT" 504 Retryable
        "The database did not answer, so the outcome is not known."
        "Send it again under the same Idempotency-Key; without one, look first whether it took effect."
}

impl Code {
    /// The code of that name, if the catalogue has it.
    pub fn named(name: &str) -> Option<Code> {
        Code::ALL
            .iter()
            .copied()
            .find(|code| code.entry().code == name)
    }

    /// Whether the same request may be sent again.
    pub fn is_retryable(self) -> bool {
        self.entry().retry == Retry::Retryable
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_own_name_only() {
        for code in Code::ALL {
            assert_eq!(Code::named(code.entry().code), Some(*code));
        }
        assert_eq!(Code::named("batch_unavailable"), None);
        assert_eq!(Code::named(""), None);
    }

    #[test]
    fn statuses_are_errors_and_server_side_ones_alone_are_retryable() {
        for code in Code::ALL {
            let entry = code.entry();
            assert!((400..600).contains(&entry.status), "{}", entry.code);
            if code.is_retryable() {
                assert!(entry.status >= 429, "{}", entry.code);
            }
        }
    }
}
