//! Errors: a schema for each code of the catalogue, and the codes that each function can answer with.

use interlock_domain::errors::{Code, Entry, Retry};
use serde_json::{Map, Value, json};

use super::answers::{ORDER_STATUSES, amount, currency, list, object, or_null, time, uuid};
use super::{common_headers, reference};

/// What any function may answer.
const COMMON: &[Code] = &[
    Code::ValidationFailed,
    Code::Unauthenticated,
    Code::Forbidden,
    Code::BodyTooLarge,
    Code::UnsupportedMediaType,
    Code::Internal,
    Code::UpstreamUnavailable,
    Code::UpstreamTimeout,
];

/// What a function may answer beside that.
fn own(function: &str) -> &'static [Code] {
    match function {
        "claim-route" => &[
            Code::NotADriver,
            Code::BatchNotFound,
            Code::BatchUnavailable,
            Code::NoBatchAvailable,
            Code::DriverBusy,
            Code::LeaseExpired,
            Code::BatchNotHeld,
            Code::IdempotencyKeyReused,
        ],
        "checkout" => &[
            Code::InsufficientFunds,
            Code::ProductNotFound,
            Code::PromoNotFound,
            Code::InsufficientInventory,
            Code::PromoExhausted,
            Code::PromoAlreadyApplied,
            Code::PromoChanged,
            Code::PromoExpired,
            Code::IdempotencyKeyReused,
            Code::MixedCurrencies,
            Code::CurrencyMismatch,
            Code::PromoNotApplicable,
            Code::PromoNotStarted,
            Code::TooManyAttempts,
        ],
        "promo-validate" => &[
            Code::ProductNotFound,
            Code::PromoNotFound,
            Code::PromoExhausted,
            Code::PromoAlreadyApplied,
            Code::PromoExpired,
            Code::MixedCurrencies,
            Code::PromoNotApplicable,
            Code::PromoNotStarted,
            Code::TooManyAttempts,
        ],
        _ => &[],
    }
}

/// A function's error answers by status.
pub(super) fn responses(
    function: &str,
    examples: impl Fn(u16) -> Value,
) -> impl Iterator<Item = (String, Value)> {
    let mut codes: Vec<Code> = COMMON.iter().chain(own(function)).copied().collect();
    codes.sort_by_key(|code| code.entry().status);
    let by_status = codes.chunk_by(|one, other| one.entry().status == other.entry().status);
    let responses: Vec<_> = by_status
        .map(|codes| {
            let status = codes[0].entry().status;
            (status.to_string(), response(codes, examples(status)))
        })
        .collect();
    responses.into_iter()
}

/// The answer to any method but POST and OPTIONS, which no operation of the document stands for.
pub(super) fn method_not_allowed() -> Value {
    let mut response = response(&[Code::MethodNotAllowed], json!({}));
    response["headers"]["allow"] =
        json!({ "required": true, "schema": { "const": "POST, OPTIONS" } });
    response
}

fn response(codes: &[Code], examples: Value) -> Value {
    let said: Vec<String> = codes
        .iter()
        .map(|code| format!("`{}`: {}", code.entry().code, code.entry().message))
        .collect();
    // The platform's gateway answers some requests in a function's stead, without its headers.
    let by_gateway = codes == [Code::Unauthenticated];
    let mut headers = if by_gateway {
        Map::new()
    } else {
        common_headers()
    };
    if codes.iter().any(|code| code.is_retryable()) {
        headers.insert("retry-after".to_owned(), reference("headers", "RetryAfter"));
    }
    json!({
        "description": said.join(" "),
        "headers": headers,
        "content": { "application/json": { "schema": one_of(codes), "examples": examples } },
    })
}

fn one_of(codes: &[Code]) -> Value {
    let names: Vec<Value> = codes
        .iter()
        .map(|code| reference("schemas", &schema_name(*code)))
        .collect();
    match <[Value; 1]>::try_from(names) {
        Ok([only]) => only,
        Err(names) => json!({ "oneOf": names }),
    }
}

fn schema_name(code: Code) -> String {
    format!("{code:?}Error")
}

/// A schema for each code, and `Error` for any of them.
pub(super) fn schemas() -> Map<String, Value> {
    let mut schemas = Map::new();
    schemas.insert("Error".to_owned(), one_of(&Code::all()));
    for code in Code::all() {
        schemas.insert(schema_name(code), schema(code.entry(), details(code)));
    }
    schemas
}

fn schema(entry: &Entry, details: Value) -> Value {
    let retryable = match entry.retry {
        Retry::Final => json!({ "const": false }),
        // An outcome that is not known is not for repeating where a second call could act twice.
        Retry::Retryable => json!({ "type": "boolean" }),
    };
    object(
        entry.message,
        json!({
            "error": { "const": entry.code },
            "code": { "const": entry.code, "description": "What to branch on; the same as `error`." },
            "message": { "type": "string", "description": "What happened, for a person." },
            "details": details,
            "hint": { "type": ["string", "null"], "description": "What to do next.", "examples": [entry.hint] },
            "retryable": retryable,
            "request_id": { "type": "string" },
        }),
        &[],
    )
}

/// What stands in `details`. Only details with a fixed shape are told; they may always be null, since
/// the way from the database may leave them out.
fn details(code: Code) -> Value {
    let shape = match code {
        Code::ValidationFailed => json!({ "problems": list(object(
            "One problem of the request.",
            json!({
                "pointer": { "type": "string", "description": "JSON pointer of the field; empty for the whole body." },
                "message": { "type": "string" },
            }),
            &[],
        )) }),
        Code::Unauthenticated => json!({
            "reason": { "enum": ["no_token", "not_a_user_token", "malformed_token", "expired_token"] },
        }),
        Code::InsufficientFunds => {
            json!({ "balance": amount(), "amount": amount(), "currency": currency() })
        }
        Code::BatchNotFound => json!({ "batch_id": uuid() }),
        Code::ProductNotFound => json!({ "product_ids": list(uuid()) }),
        Code::OrderNotFound => json!({ "order_id": uuid() }),
        Code::UserNotFound => json!({ "user_id": uuid() }),
        Code::MethodNotAllowed => json!({ "method": { "type": "string" } }),
        Code::BatchUnavailable | Code::DriverBusy | Code::LeaseExpired => json!({
            "batch_id": uuid(),
            "status": { "type": "string" },
            "lease_expires_at": or_null(time()),
        }),
        Code::BatchNotHeld => json!({ "batch_id": uuid(), "status": { "type": "string" } }),
        Code::InsufficientInventory => json!({ "shortages": list(object(
            "A product that is short.",
            json!({ "product_id": uuid(), "requested": amount(), "available": amount() }),
            &[],
        )) }),
        Code::OrderNotCancellable | Code::OrderStateConflict => {
            json!({ "order_id": uuid(), "status": { "enum": ORDER_STATUSES } })
        }
        Code::PromoExhausted => json!({ "reason": { "enum": ["max_uses", "max_uses_per_user"] } }),
        Code::PromoAlreadyApplied => {
            return nullable(object(
                "Where the code is already.",
                json!({
                    "reason": { "enum": ["redeemed", "held"] },
                    "cart_id": or_null(uuid()),
                    "order_id": or_null(uuid()),
                    "held_until": or_null(time()),
                }),
                &["order_id", "held_until"],
            ));
        }
        Code::PromoChanged => {
            json!({ "shown": amount(), "now": amount(), "currency": currency() })
        }
        Code::PromoExpired => json!({ "expires_at": time() }),
        Code::BodyTooLarge => json!({ "max_bytes": { "type": "integer" } }),
        Code::IdempotencyKeyReused => {
            return nullable(object(
                "What the key was used for.",
                json!({ "operation": { "type": "string" }, "reference": uuid() }),
                &["operation", "reference"],
            ));
        }
        Code::MixedCurrencies => json!({ "currencies": list(currency()) }),
        Code::CurrencyMismatch => {
            json!({ "currency": currency(), "wallet_currency": currency() })
        }
        Code::PromoNotApplicable => {
            return nullable(object(
                "Why not, and what is missing to the minimum.",
                json!({
                    "reason": { "enum": [
                        "inactive", "currency", "cart_items_needed", "products", "min_subtotal", "first_order_only",
                    ] },
                    "currency": currency(),
                    "min_subtotal": amount(),
                    "subtotal": amount(),
                    "missing": amount(),
                }),
                &["currency", "min_subtotal", "subtotal", "missing"],
            ));
        }
        Code::PromoNotStarted => json!({ "starts_at": time() }),
        Code::TooManyAttempts => {
            json!({ "retry_after": { "type": "integer", "description": "Seconds." } })
        }
        Code::Internal => {
            return nullable(json!({ "type": "object", "additionalProperties": true }));
        }
        _ => return json!({ "type": "null" }),
    };
    nullable(object("What is known about it.", shape, &[]))
}

fn nullable(mut schema: Value) -> Value {
    schema["type"] = json!(["object", "null"]);
    schema
}
