//! A function whose RPC changes only what is as it was expected to be: what it reads of `If-Match`, tells by `ETag`, and asks
//! for again where others came first.

use interlock_domain::FUNCTIONS;
use interlock_domain::exchange::{State, Step, begin, resume};
use interlock_domain::function::{Arguments, Function, Takes, Versions};
use interlock_domain::http::{Reply, Request};
use interlock_domain::json::{Codec, SerdeJson, Value};
use interlock_domain::upstream::Outcome;

const USER: &str = "Bearer e30.eyJzdWIiOiJiMDAwMDAwMC0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMDAwMDEiLCJyb2xlIjoiYXV0aGVudGljYXRlZCJ9.c2ln";
const BUDGET: f64 = 10_000.0;

/// Sets a number that must be what it was expected to be, and does so again on what it is.
fn set() -> Function {
    Function {
        name: "set",
        rpc: "set_number",
        takes: Takes::Fields {
            keyed: true,
            by_shop: false,
            read: |mut fields| {
                let again = fields.flag("again");
                let expected = fields.if_match();
                fields.finish()?;
                let arguments = Arguments::new([("p_expected", expected.map(Value::from))], false);
                Ok(Arguments {
                    remembered: again == Some(true),
                    ..arguments
                })
            },
        },
        third_party: None,
        versions: Some(Versions {
            of: |answer| answer.get("version").and_then(Value::as_number),
            again: |code, details, arguments| {
                let Value::Object(mut arguments) = arguments else {
                    return None;
                };
                let present = details.get("version").filter(|_| code == "CHANGED")?;
                arguments.retain(|(name, _)| name != "p_expected");
                arguments.push(("p_expected".to_owned(), present.clone()));
                Some(Value::Object(arguments))
            },
        }),
        ..*FUNCTIONS[0]
    }
}

fn answered(status: u16, body: &str) -> Outcome {
    Outcome::Answered {
        status,
        body: body.to_owned(),
        replayed: false,
        retry_after_s: None,
    }
}

fn member(text: Option<&String>, name: &str) -> Value {
    let value = SerdeJson.parse(text.expect("a text")).expect("JSON");
    value.get(name).cloned().unwrap_or(Value::Null)
}

/// Status, code, whether it may be sent again, and what the log says of the cause.
fn told(reply: &Reply) -> (u16, String, bool, String) {
    let text = |value: Value| value.as_text().unwrap_or("-").to_owned();
    let cause = [
        member(reply.log.as_ref(), "cause"),
        member(reply.log.as_ref(), "cause_code"),
    ];
    (
        reply.status,
        text(member(reply.body.as_ref(), "error")),
        member(reply.body.as_ref(), "retryable") == Value::Bool(true),
        cause.map(text).join(" "),
    )
}

fn set_request(again: bool) -> Request<'static> {
    Request {
        method: "POST".into(),
        authorization: Some(USER.into()),
        content_type: Some("application/json".into()),
        request_id: Some("an-id".into()),
        shop: None,
        if_match: Some("\"5\"".into()),
        idempotency_key: Some("key".into()),
        body: Some(format!(r#"{{"again":{again}}}"#)),
        body_fault: None,
        id: "fresh".into(),
        came_ms: 0.0,
        budget_ms: BUDGET,
    }
}

fn changed(version: u32) -> Outcome {
    let details = format!(r#"{{\"version\":{version}}}"#);
    let body =
        format!(r#"{{"code":"PT409","message":"CHANGED","details":"{details}","hint":"x"}}"#);
    answered(409, &body)
}

/// Everything that is sent, the pause before it, and the reply.
fn run_set(again: bool, outcomes: &[(Outcome, f64)]) -> (Vec<(Option<String>, f64)>, Reply) {
    let function = set();
    let mut step = begin(&function, &SerdeJson, set_request(again));
    let mut sent = Vec::new();
    for (outcome, elapsed_ms) in outcomes {
        let Step::Call(call) = step else {
            panic!("more outcomes than calls: {step:?}")
        };
        let state = State::read(&call.state.write()).expect("a state");
        assert_eq!(state, call.state);
        assert!(call.delay_ms + call.timeout_ms <= BUDGET);
        sent.push((call.body, call.delay_ms));
        step = resume(
            &function,
            &SerdeJson,
            state,
            outcome.clone(),
            *elapsed_ms,
            0.5,
        );
    }
    match step {
        Step::Reply(reply) => (sent, reply),
        Step::Call(call) => panic!("a call more: {call:?}"),
    }
}

fn expecting(version: u32) -> Option<String> {
    Some(format!(
        r#"{{"p_idempotency_key":"key","p_expected":{version}}}"#
    ))
}

#[test]
fn what_others_came_first_with_is_asked_for_again_on_the_present_state_after_a_pause() {
    let outcomes = [
        (changed(7), 5.0),
        (Outcome::Broken, 60.0),
        (changed(9), 200.0),
        (answered(200, r#"{"version":10}"#), 300.0),
    ];
    let (sent, reply) = run_set(true, &outcomes);
    let first = r#"{"p_expected":5,"p_idempotency_key":"key"}"#.to_owned();
    assert_eq!(
        sent,
        [
            (Some(first), 0.0),
            (expecting(7), 50.0),
            // The same once more, since nobody knows.
            (None, 50.0),
            (expecting(9), 200.0),
        ]
    );
    assert_eq!(reply.status, 200);
    assert!(reply.headers.contains(&("etag", "\"10\"".to_owned())));
}

#[test]
fn after_three_more_tries_the_refusal_is_the_reply_and_so_it_is_where_nobody_asked_for_any() {
    let all = [1, 2, 3, 4].map(|version| (changed(version), f64::from(version)));
    let (sent, reply) = run_set(true, &all);
    let pauses: Vec<f64> = sent.iter().map(|(_, pause)| *pause).collect();
    assert_eq!(pauses, [0.0, 50.0, 100.0, 200.0]);
    let refusal = (409, "CHANGED".to_owned(), false, "raised PT409".to_owned());
    assert_eq!(told(&reply), refusal);
    let details = member(reply.body.as_ref(), "details");
    assert_eq!(details.get("version"), Some(&Value::Number(4.0)));
    assert!(!reply.headers.iter().any(|(name, _)| *name == "etag"));

    for (again, outcome) in [(false, (changed(1), 5.0)), (true, (changed(1), BUDGET))] {
        let (sent, reply) = run_set(again, &[outcome]);
        assert_eq!(sent.len(), 1);
        assert_eq!(told(&reply), refusal);
    }
}

#[test]
fn an_answer_without_a_version_has_no_etag() {
    let (_, reply) = run_set(false, &[(answered(200, "{}"), 5.0)]);
    assert_eq!(reply.status, 200);
    assert!(!reply.headers.iter().any(|(name, _)| *name == "etag"));
}

#[test]
fn a_guard_that_names_no_version_is_refused_by_the_name_of_its_header() {
    let request = Request {
        if_match: Some("*".into()),
        ..set_request(false)
    };
    let Step::Reply(reply) = begin(&set(), &SerdeJson, request) else {
        panic!("it is refused")
    };
    assert_eq!(told(&reply).1, "VALIDATION_FAILED");
    assert!(
        reply
            .body
            .is_some_and(|body| body.contains("/headers/if-match"))
    );
}
