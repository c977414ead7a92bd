//! docs/openapi.json and the functions agree: what the document calls valid is read, what it does not is
//! refused, and every recorded answer is one that it tells of.

#[path = "../../../tests/openapi/requests.rs"]
mod requests;

use interlock_domain::FUNCTIONS;
use interlock_domain::errors::Code;
use interlock_domain::function::Function;
use interlock_domain::json::SerdeJson;
use jsonschema::Validator;
use proptest::prelude::*;
use proptest::strategy::Union;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::LazyLock;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../docs/openapi.json")).expect("JSON")
});

/// The functions that read their requests.
fn of_users() -> impl Iterator<Item = &'static &'static Function> {
    FUNCTIONS.iter().filter(|function| function.is_for_users())
}

fn operation(function: &Function) -> &'static Value {
    &DOCUMENT["paths"][format!("/{}", function.name)]["post"]
}

/// References lead from the root of the document.
fn validator(schema: &Value) -> Validator {
    let schema = json!({ "allOf": [schema], "components": DOCUMENT["components"] });
    jsonschema::draft202012::new(&schema).expect("a schema")
}

fn request_schema(function: &Function) -> &'static Value {
    let body = &operation(function)["requestBody"]["content"]["application/json"]["schema"];
    let pointer = body["$ref"].as_str().expect("a reference");
    let schema = DOCUMENT.pointer(pointer.trim_start_matches('#'));
    schema.expect("the reference leads to a schema")
}

fn is_read(function: &Function, body: &str) -> bool {
    function.arguments(&SerdeJson, body).is_some()
}

fn body_and_verdicts() -> impl Strategy<Value = (&'static str, Value, bool, bool)> {
    let verdicts = of_users().map(|function| {
        let schema = request_schema(function);
        let valid = validator(schema);
        requests::bodies(schema, &[]).prop_map(move |body| {
            let read = is_read(function, &body.to_string());
            let valid = valid.is_valid(&body);
            (function.name, body, valid, read)
        })
    });
    Union::new(verdicts)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_valid_is_read_and_nothing_else((function, body, valid, read) in body_and_verdicts()) {
        prop_assert_eq!(valid, read, "{} {}", function, body);
    }
}

/// The last step of every recorded exchange whose request was JSON: the body, the status, the answer.
fn recorded(function: &Function) -> Vec<(String, u64, Value)> {
    let path = format!(
        "{}/../../tests/corpus/{}.json",
        env!("CARGO_MANIFEST_DIR"),
        function.name
    );
    let corpus = std::fs::read_to_string(path).expect("the corpus is there");
    let corpus: Vec<Value> = serde_json::from_str(&corpus).expect("a list");
    let answer = |case: &Value| {
        let reply = case["steps"].as_array()?.last()?.get("reply")?;
        let mut answer: Value = serde_json::from_str(reply["body"].as_str()?).ok()?;
        // What upstream said in a recorded exchange is made up.
        if case["outcomes"] != json!([]) {
            answer["details"] = Value::Null;
        }
        let body = case["request"]["body"].as_str().unwrap_or_default();
        Some((body.to_owned(), reply["status"].as_u64()?, answer))
    };
    corpus.iter().filter_map(answer).collect()
}

#[test]
fn recorded_refusals_are_told_of() {
    let mut seen = BTreeSet::new();
    for function in FUNCTIONS {
        for (body, status, answer) in recorded(function) {
            // A success is upstream's own, and so is a code that a shop's own SQL raises; a method is no part of
            // the operation.
            let code = answer["code"].as_str().and_then(Code::named);
            if status == 200 || status == 405 || code.is_none() {
                continue;
            }
            let response = &operation(function)["responses"][status.to_string()];
            let schema = validator(&response["content"]["application/json"]["schema"]);
            let problems: Vec<String> = schema
                .iter_errors(&answer)
                .map(|error| error.to_string())
                .collect();
            assert!(
                problems.is_empty(),
                "{} {body}: {problems:?}",
                function.name
            );
            seen.insert(answer["code"].to_string());
        }
    }
    // Those that a stack in good health cannot be made to answer: see tests/openapi/mod.rs.
    for code in [
        "FORBIDDEN",
        "INTERNAL",
        "UPSTREAM_UNAVAILABLE",
        "UPSTREAM_TIMEOUT",
    ] {
        assert!(
            seen.contains(&format!("{code:?}")),
            "{code} is not in the corpus"
        );
    }
}

#[test]
fn recorded_requests_are_valid_if_and_only_if_they_are_read() {
    for function in of_users() {
        let schema = validator(request_schema(function));
        for (body, ..) in recorded(function) {
            let valid = serde_json::from_str(&body).is_ok_and(|body: Value| schema.is_valid(&body));
            assert_eq!(valid, is_read(function, &body), "{} {body}", function.name);
        }
    }
}
