//! Errors: a schema for each code of the catalogue, and the codes that each function can answer with.

use interlock_domain::FUNCTIONS;
use interlock_domain::errors::{Code, Entry, Retry};
use interlock_domain::function::{Function, Takes};
use interlock_domain::shape::{PROBLEMS, Shape};
use serde_json::{Map, Value, json};

use super::{common_headers, reference, shapes};

/// What a function may answer that takes fields of a user.
const OF_FIELDS: &[Code] = &[Code::Unauthenticated, Code::UnsupportedMediaType];

/// What any function may answer.
const COMMON: &[Code] = &[
    Code::ValidationFailed,
    Code::Forbidden,
    Code::ShopForbidden,
    Code::ShopClosed,
    Code::ShopUnknown,
    Code::BodyTooLarge,
    Code::Internal,
    Code::IsolationLevelUnsupported,
    Code::Misconfigured,
    Code::UpstreamUnavailable,
    Code::ReadOnly,
    Code::ShopMoving,
    Code::ShopBusy,
    Code::UpstreamTimeout,
];

/// A function's error answers by status.
pub(super) fn responses(
    function: &Function,
    examples: impl Fn(u16) -> Value,
) -> impl Iterator<Item = (String, Value)> {
    let of_fields = match function.takes {
        Takes::Fields { .. } => OF_FIELDS,
        Takes::Signed { .. } => &[],
    };
    let all = [of_fields, COMMON, function.told.codes];
    let mut codes: Vec<Code> = all.concat();
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
        schemas.insert(schema_name(code), schema(code.entry()));
    }
    schemas
}

fn schema(entry: &Entry) -> Value {
    let retryable = match entry.retry {
        Retry::Final => json!({ "const": false }),
        // An outcome that is not known is not for repeating where a second call could act twice.
        Retry::Retryable => json!({ "type": "boolean" }),
    };
    shapes::object(
        entry.message,
        json!({
            "error": { "const": entry.code },
            "code": { "const": entry.code, "description": "What to branch on; the same as `error`." },
            "message": { "type": "string", "description": "What happened, for a person." },
            "details": details(entry),
            "hint": { "type": ["string", "null"], "description": "What to do next.", "examples": [entry.hint] },
            "retryable": retryable,
            "request_id": { "type": "string" },
        }),
        &[],
    )
}

/// What stands in `details`: its shape, or null; and all that is wrong, where a function tells it together.
fn details(entry: &Entry) -> Value {
    let told_together = FUNCTIONS.iter().any(|function| {
        let codes = function.told.codes;
        function.told.together && codes.iter().any(|code| code.entry() == entry)
    });
    let mut details = match entry.details {
        Shape::Null if told_together => shapes::object("What is known about it.", json!({}), &[]),
        shape => shapes::schema(&shape),
    };
    if told_together {
        details["properties"]["problems"] = shapes::schema(&PROBLEMS);
    }
    match entry.details {
        Shape::Null if !told_together => details,
        _ => shapes::or_null(details),
    }
}
