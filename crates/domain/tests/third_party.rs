//! A function that makes more than one call: an RPC, a payment provider, another RPC.

use interlock_domain::FUNCTIONS;
use interlock_domain::errors::Code;
use interlock_domain::exchange::{Call, State, Step, begin, resume};
use interlock_domain::fields::{Fields, Problems};
use interlock_domain::function::{Arguments, Function, Takes};
use interlock_domain::http::{Reply, Request};
use interlock_domain::json::{Codec, SerdeJson, Value, object};
use interlock_domain::third_party::{
    Api, Body, MAX_CALLS, Next, NextCall, Target, ThirdParty, Turn, encode, form,
};
use interlock_domain::upstream::Outcome;

const USER: &str = "Bearer e30.eyJzdWIiOiJiMDAwMDAwMC0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMDAwMDEiLCJyb2xlIjoiYXV0aGVudGljYXRlZCJ9.c2ln";
const ORDER: &str = "0de40000-0000-4000-8000-000000000001";
const BUDGET: f64 = 10_000.0;

const ASKED: u32 = 1;
const STORED: u32 = 2;

/// Pays an order: `begin_payment` says what is to be paid, the provider makes an intent of it, `store_payment` keeps that.
fn pay(repeatable: bool) -> Function {
    Function {
        name: "pay",
        rpc: "begin_payment",
        takes: Takes::Fields {
            keyed: false,
            by_shop: false,
            read: if repeatable {
                |fields| read(fields, true)
            } else {
                |fields| read(fields, false)
            },
        },
        route: None,
        note: None,
        third_party: Some(ThirdParty {
            api: Some(Api {
                name: "PROVIDER",
                url: "https://api.provider.example",
                headers: &[("provider-version", "2026-01-01")],
            }),
            outlets: &[],
            budget_ms: 10_000,
            next,
        }),
        ..*FUNCTIONS[0]
    }
}

fn read(mut fields: Fields, repeatable: bool) -> Result<Arguments, Problems> {
    fields.require("order_id");
    let order = fields.uuid("order_id");
    fields.finish()?;
    let arguments = [("p_order_id", order.map(Value::from))];
    Ok(Arguments::new(arguments, repeatable))
}

fn next(turn: Turn) -> Next {
    let text = |name| turn.answer.get(name).and_then(Value::as_text);
    match (turn.step, turn.status) {
        (0, _) if text("intent").is_some() => Next::Pass,
        (0, _) => {
            let Some(payment) = text("payment") else {
                return Next::Unexpected;
            };
            let amount = turn.answer.get("amount").and_then(Value::as_number);
            let amount = amount.unwrap_or_default().to_string();
            Next::Call(NextCall {
                step: ASKED,
                memo: object([("payment", payment.into())]),
                target: Target::ThirdParty {
                    method: "POST",
                    path: "/v1/intents".to_owned(),
                    headers: vec![
                        (
                            "content-type",
                            "application/x-www-form-urlencoded".to_owned(),
                        ),
                        ("idempotency-key", format!("interlock-{payment}")),
                    ],
                },
                body: Body::Text(form(&[("amount", &amount), ("metadata[payment]", payment)])),
            })
        }
        (ASKED, 200) => {
            let payment = turn.memo.get("payment").cloned();
            let (Some(payment), Some(intent)) = (payment, text("id")) else {
                return Next::Unexpected;
            };
            Next::Call(NextCall {
                step: STORED,
                memo: turn.answer.clone(),
                target: Target::Rpc("store_payment"),
                body: Body::Json(object([
                    ("p_payment", payment),
                    ("p_intent", intent.into()),
                ])),
            })
        }
        (ASKED, 402) => Next::Refuse(
            Code::InsufficientFunds,
            object([("decline", text("code").unwrap_or_default().into())]),
        ),
        (ASKED, 409) => Next::Repeat,
        (ASKED, 500) => Next::Reply(Value::Null),
        (STORED, _) => Next::Reply(object([("intent", turn.memo)])),
        _ => Next::Unexpected,
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

fn request(body: &str) -> Request<'static> {
    Request {
        method: "POST".into(),
        authorization: Some(USER.into()),
        content_type: Some("application/json".into()),
        request_id: Some("an-id".into()),
        shop: None,
        if_match: None,
        idempotency_key: None,
        body: Some(body.to_owned()),
        body_fault: None,
        id: "fresh".into(),
        came_ms: 0.0,
        budget_ms: BUDGET,
    }
}

/// What came of each call, and when.
fn run(function: &Function, outcomes: Vec<(Outcome, f64)>) -> (Vec<Call>, Reply) {
    let request = request(&format!(r#"{{"order_id":"{ORDER}"}}"#));
    let mut step = begin(function, &SerdeJson, request);
    let mut calls = Vec::new();
    for (outcome, elapsed_ms) in outcomes {
        let Step::Call(call) = step else {
            panic!("more outcomes than calls: {step:?}")
        };
        // As it travels.
        let state = State::read(&call.state.write()).expect("a state");
        assert_eq!(state, call.state);
        step = resume(function, &SerdeJson, state, outcome, elapsed_ms, 0.5);
        calls.push(call);
    }
    match step {
        Step::Reply(reply) => (calls, reply),
        Step::Call(call) => panic!("a call more: {call:?}"),
    }
}

fn begun() -> (Outcome, f64) {
    let payment = r#"{"payment":"p 1","amount":1299}"#;
    (answered(200, payment), 5.0)
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

#[test]
fn an_rpc_the_third_party_and_an_rpc_are_one_request() {
    let intent = r#"{"id":"pi_1","secret":"s"}"#;
    let outcomes = vec![
        begun(),
        (answered(200, intent), 300.0),
        (answered(200, r#"{"success":true}"#), 310.0),
    ];
    let (calls, reply) = run(&pay(true), outcomes);
    assert_eq!(calls[0].target, None);
    assert_eq!(
        calls[0].body.as_deref(),
        Some(format!(r#"{{"p_order_id":"{ORDER}"}}"#).as_str())
    );
    let target = calls[1].target.as_ref().map(Target::to_value);
    assert_eq!(
        target.map(|target| SerdeJson.write(&target)).as_deref(),
        Some(
            r#"{"to":"third_party","method":"POST","path":"/v1/intents","headers":{"content-type":"application/x-www-form-urlencoded","idempotency-key":"interlock-p 1"}}"#
        )
    );
    assert_eq!(
        calls[1].body.as_deref(),
        Some("amount=1299&metadata%5Bpayment%5D=p%201")
    );
    assert_eq!(calls[2].target, Some(Target::Rpc("store_payment")));
    assert_eq!(
        calls[2].body.as_deref(),
        Some(r#"{"p_payment":"p 1","p_intent":"pi_1"}"#)
    );
    // One budget for all.
    let times: Vec<f64> = calls.iter().map(|call| call.timeout_ms).collect();
    assert_eq!(times, [BUDGET, BUDGET - 5.0, BUDGET - 300.0]);

    assert_eq!(reply.status, 200);
    let expected = format!(r#"{{"intent":{intent}}}"#);
    assert_eq!(reply.body, Some(expected));
    assert_eq!(member(reply.log.as_ref(), "attempts"), Value::Number(3.0));
}

#[test]
fn an_answer_may_be_the_reply_at_once() {
    let known = r#"{"intent":"pi_1"}"#;
    let (calls, reply) = run(&pay(true), vec![(answered(200, known), 5.0)]);
    assert_eq!((calls.len(), reply.body.as_deref()), (1, Some(known)));
}

#[test]
fn a_lost_call_is_made_again_where_the_whole_may_be_and_its_answer_goes_on() {
    for lost in [
        Outcome::Broken,
        answered(502, ""),
        answered(500, "{}"),
        answered(409, "{}"),
        answered(429, ""),
        Outcome::Unsent,
    ] {
        let outcomes = vec![
            begun(),
            (lost.clone(), 20.0),
            (answered(200, r#"{"id":"pi_1"}"#), 1_300.0),
            (Outcome::Broken, 1_310.0),
            (answered(200, "{}"), 1_500.0),
        ];
        let (calls, reply) = run(&pay(true), outcomes);
        assert_eq!(reply.status, 200, "{lost:?}");
        // The very call that was made before.
        for repeated in [2, 4] {
            assert_eq!(
                (&calls[repeated].body, &calls[repeated].target),
                (&None, &None)
            );
        }
        assert_eq!(member(reply.log.as_ref(), "attempts"), Value::Number(5.0));
    }
}

#[test]
fn a_failure_that_is_kept_is_the_functions_to_read() {
    let kept = Outcome::Answered {
        status: 500,
        body: "{}".to_owned(),
        replayed: true,
        retry_after_s: None,
    };
    let outcomes = vec![begun(), (answered(500, "{}"), 20.0), (kept, 1_300.0)];
    let (calls, reply) = run(&pay(true), outcomes);
    assert_eq!((calls.len(), reply.status), (3, 200));
    assert_eq!(reply.body.as_deref(), Some("null"));
}

#[test]
fn what_cannot_go_on_is_told_as_what_it_is() {
    let unavailable = |cause: &str| {
        (
            503,
            "UPSTREAM_UNAVAILABLE".to_owned(),
            true,
            cause.to_owned(),
        )
    };
    let unknown = |cause: &str| (504, "UPSTREAM_TIMEOUT".to_owned(), false, cause.to_owned());
    let late = |cause: &str| (504, "UPSTREAM_TIMEOUT".to_owned(), true, cause.to_owned());
    let failed = |code: &str, cause: &str| (500, code.to_owned(), false, cause.to_owned());
    let near_the_end = BUDGET - 50.0;
    for (outcome, at_ms, if_repeatable, if_not) in [
        // The client may send all of it again, or not: then it is told that nobody knows.
        (
            Outcome::Unsent,
            near_the_end,
            unavailable("unsent PROVIDER"),
            unknown("unsent PROVIDER"),
        ),
        (
            Outcome::Broken,
            near_the_end,
            unavailable("broken PROVIDER"),
            unknown("broken PROVIDER"),
        ),
        (
            answered(503, ""),
            near_the_end,
            unavailable("proxy PROVIDER 503"),
            unknown("proxy PROVIDER 503"),
        ),
        (
            answered(429, ""),
            near_the_end,
            unavailable("limited PROVIDER 429"),
            unknown("limited PROVIDER 429"),
        ),
        (
            Outcome::TimedOut,
            BUDGET,
            late("timed_out PROVIDER"),
            unknown("timed_out PROVIDER"),
        ),
        // The time is over before the next call.
        (
            answered(200, r#"{"id":"pi_1"}"#),
            BUDGET,
            late("timed_out -"),
            unknown("timed_out -"),
        ),
    ] {
        for (repeatable, expected) in [(true, if_repeatable), (false, if_not)] {
            let outcomes = vec![begun(), (outcome.clone(), at_ms)];
            let (_, reply) = run(&pay(repeatable), outcomes);
            assert_eq!(told(&reply), expected, "{outcome:?}");
        }
    }
    for (outcome, expected) in [
        (
            answered(401, "{}"),
            failed("MISCONFIGURED", "settings PROVIDER 401"),
        ),
        (
            answered(403, "{}"),
            failed("MISCONFIGURED", "settings PROVIDER 403"),
        ),
        (
            answered(400, "{}"),
            failed("INTERNAL", "unexpected PROVIDER 400"),
        ),
        (
            answered(200, "<html>"),
            failed("INTERNAL", "unexpected PROVIDER 200"),
        ),
        (
            answered(302, ""),
            failed("INTERNAL", "unexpected PROVIDER 302"),
        ),
        (
            Outcome::Unreadable,
            failed("INTERNAL", "unreadable PROVIDER"),
        ),
        (
            answered(402, r#"{"code":"card_declined"}"#),
            (
                402,
                "INSUFFICIENT_FUNDS".to_owned(),
                false,
                "refused PROVIDER 402".to_owned(),
            ),
        ),
    ] {
        let outcomes = vec![begun(), (outcome.clone(), 20.0)];
        let (_, reply) = run(&pay(true), outcomes);
        assert_eq!(told(&reply), expected, "{outcome:?}");
    }
    // What the database refuses later is told as ever.
    let refusal = r#"{"code":"PT409","message":"TOO_LATE"}"#;
    let outcomes = vec![
        begun(),
        (answered(200, r#"{"id":"pi_1"}"#), 20.0),
        (answered(409, refusal), 30.0),
    ];
    let (_, reply) = run(&pay(true), outcomes);
    assert_eq!(
        told(&reply),
        (409, "TOO_LATE".to_owned(), false, "raised PT409".to_owned())
    );
}

#[test]
fn a_function_that_never_comes_to_an_end_is_ended() {
    let circling = Function {
        third_party: Some(ThirdParty {
            next: |_| {
                Next::Call(NextCall {
                    step: 0,
                    memo: Value::Null,
                    target: Target::Rpc("again"),
                    body: Body::Json(object([])),
                })
            },
            ..pay(true).third_party.expect("it asks one")
        }),
        ..pay(true)
    };
    let outcomes = vec![(answered(200, "{}"), 1.0); MAX_CALLS as usize];
    let (calls, reply) = run(&circling, outcomes);
    assert_eq!(calls.len(), MAX_CALLS as usize);
    assert_eq!(told(&reply).1, "INTERNAL");
}

#[test]
fn a_form_is_encoded_as_its_reference_does() {
    let pairs = [("a b", "ü&=+%~"), ("metadata[x]", ""), ("-._", "A/z?9")];
    assert_eq!(
        form(&pairs),
        "a%20b=%C3%BC%26%3D%2B%25~&metadata%5Bx%5D=&-._=A%2Fz%3F9"
    );
    let mut path = "/v1/intents/".to_owned();
    encode(&mut path, "../x?y");
    assert_eq!(path, "/v1/intents/..%2Fx%3Fy");
}

#[test]
fn what_is_due_is_sent_at_once_and_each_outcome_is_recorded() {
    let deliver = *FUNCTIONS
        .iter()
        .find(|function| function.name == "deliver")
        .expect("it is registered");
    let request = || Request {
        authorization: Some("a secret".into()),
        body: Some(String::new()),
        ..request("")
    };
    let ask = |state: &State, outcome, elapsed_ms| {
        let state = State::read(&state.write()).expect("a state");
        resume(deliver, &SerdeJson, state, outcome, elapsed_ms, 0.5)
    };
    let call = |step| match step {
        Step::Call(call) => call,
        Step::Reply(reply) => panic!("a reply: {reply:?}"),
    };
    let reply = |step| match step {
        Step::Reply(reply) => reply.body.unwrap_or_default(),
        Step::Call(call) => panic!("a call: {call:?}"),
    };

    let claim = call(begin(deliver, &SerdeJson, request()));
    assert_eq!(claim.body.as_deref(), Some(r#"{"p_secret":"a secret"}"#));
    let none = ask(
        &claim.state,
        answered(200, r#"{"success":true,"deliveries":[]}"#),
        5.0,
    );
    assert_eq!(
        reply(none),
        r#"{"success":true,"claimed":0,"delivered":0,"failed":0}"#
    );

    let delivery = |id| {
        format!(
            r#"{{"id":{id},"lease":"l{id}","url":"https://r.example/{id}","headers":{{"webhook-id":"e"}},"body":"b{id}"}}"#
        )
    };
    let mail = r#"{"id":4,"lease":"l4","outlet":"RESEND","url":"/emails","headers":{"idempotency-key":"k"},"body":"b4"}"#;
    let claimed = format!(
        r#"{{"success":true,"deliveries":[{},{},{},{mail}]}}"#,
        delivery(1),
        delivery(2),
        delivery(3)
    );
    let all = call(ask(&claim.state, answered(200, &claimed), 5.0));
    let Some(Target::Each(branches)) = &all.target else {
        panic!("{all:?}")
    };
    let sent: Vec<String> = branches
        .iter()
        .map(|branch| {
            format!(
                "{} {}",
                SerdeJson.write(&branch.target.to_value()),
                branch.body
            )
        })
        .collect();
    assert_eq!(
        sent[0],
        r#"{"to":"anybody","method":"POST","path":"https://r.example/1","headers":{"content-type":"application/json","user-agent":"Interlock-Webhooks/1","webhook-id":"e"}} b1"#
    );
    assert_eq!(
        sent[3],
        r#"{"to":"anybody","method":"POST","path":"/emails","headers":{"content-type":"application/json","user-agent":"Interlock-Webhooks/1","idempotency-key":"k"},"outlet":"RESEND"} b4"#
    );
    assert_eq!(branches.len(), 4);
    assert!(branches.iter().all(|branch| branch.timeout_ms == 7_496.25));

    let outcomes = [
        (
            Outcome::Answered {
                status: 503,
                body: "busy\0".to_owned(),
                replayed: false,
                retry_after_s: Some(1.5),
            },
            r#"{"p_delivery_id":1,"p_lease":"l1","p_duration_ms":95,"p_status":503,"p_retry_after_s":2,"p_answer":"busy"}"#,
        ),
        (
            Outcome::TimedOut,
            r#"{"p_delivery_id":2,"p_lease":"l2","p_duration_ms":95,"p_error":"timed_out"}"#,
        ),
        (
            answered(200, "unset"),
            r#"{"p_delivery_id":3,"p_lease":"l3","p_duration_ms":95,"p_status":200,"p_answer":"unset"}"#,
        ),
        (
            Outcome::Unset,
            r#"{"p_delivery_id":4,"p_lease":"l4","p_duration_ms":95,"p_error":"RESEND_API_KEY is not set"}"#,
        ),
    ];
    for (branch, (outcome, recorded)) in branches.iter().zip(outcomes) {
        let record = call(ask(&branch.state, outcome, 100.0));
        assert_eq!(record.target, Some(Target::Rpc("record_delivery")));
        assert_eq!(record.body.as_deref(), Some(recorded));
        // A busy database is asked again; the outcome is not forgotten.
        let busy = answered(500, r#"{"code":"55P03"}"#);
        let again = call(ask(&record.state, busy, 110.0));
        assert_eq!((again.body, again.state.repeats), (None, 1));
        let done = r#"{"success":true,"recorded":true,"state":"pending"}"#;
        assert_eq!(reply(ask(&again.state, answered(200, done), 200.0)), done);
    }
    let replies = r#"{"replies":[{"state":"pending"},{"error":"INTERNAL"},{"state":"delivered"}]}"#;
    assert_eq!(
        reply(ask(&all.state, answered(200, replies), 300.0)),
        r#"{"success":true,"claimed":3,"delivered":1,"failed":2}"#
    );
}

#[test]
fn what_must_be_public_is_sent_only_where_all_of_its_addresses_are() {
    let deliver = *FUNCTIONS
        .iter()
        .find(|function| function.name == "deliver")
        .expect("it is registered");
    let ask = |state: &State, outcome| {
        let state = State::read(&state.write()).expect("a state");
        match resume(deliver, &SerdeJson, state, outcome, 20.0, 0.5) {
            Step::Call(call) => call,
            Step::Reply(reply) => panic!("a reply: {reply:?}"),
        }
    };
    let begun = begin(
        deliver,
        &SerdeJson,
        Request {
            authorization: Some("a secret".into()),
            body: Some(String::new()),
            ..request("")
        },
    );
    let Step::Call(claim) = begun else {
        panic!("{begun:?}")
    };
    let claimed = r#"{"success":true,"deliveries":[
        {"id":1,"lease":"l","url":"https://shop.example:8443/a?b=c#d","public":true,"headers":{"webhook-id":"e"},"body":"{\"a\":1}"},
        {"id":2,"lease":"l","url":"http://10.0.0.1/","public":false,"headers":{},"body":"b"}]}"#;
    let all = ask(&claim.state, answered(200, claimed));
    let Some(Target::Each(branches)) = &all.target else {
        panic!("{all:?}")
    };
    assert_eq!(
        branches[0].target,
        Target::Names("shop.example".to_owned()),
        "its port is none of its name"
    );
    assert_eq!(
        SerdeJson.write(&branches[0].target.to_value()),
        r#"{"to":"names","method":"","path":"shop.example","headers":{}}"#
    );
    assert!(
        matches!(&branches[1].target, Target::Anybody { url, .. } if url == "http://10.0.0.1/"),
        "where webhooks may go anywhere nobody looks"
    );
    for outcome in [answered(200, "1.1.1.1 2606:4700::1111"), Outcome::Unset] {
        let send = ask(&branches[0].state, outcome);
        assert!(
            matches!(&send.target, Some(Target::Anybody { url, outlet: None, .. }) if url == "https://shop.example:8443/a?b=c#d"),
            "{send:?}"
        );
        assert_eq!(send.body.as_deref(), Some(r#"{"a":1}"#));
        let record = ask(&send.state, answered(204, ""));
        assert_eq!(record.target, Some(Target::Rpc("record_delivery")));
        assert_eq!(
            record.body.as_deref(),
            Some(
                r#"{"p_delivery_id":1,"p_lease":"l","p_duration_ms":0,"p_status":204,"p_answer":""}"#
            )
        );
    }
    for (outcome, why) in [
        (
            answered(200, "1.1.1.1 10.0.0.1 2606:4700::1111"),
            "its name leads to 10.0.0.1, which is not public",
        ),
        (
            answered(200, "::1"),
            "its name leads to ::1, which is not public",
        ),
        (answered(200, ""), "its name leads to , which is not public"),
        (Outcome::Unsent, "its name was not found"),
        (Outcome::TimedOut, "its name was not found in time"),
    ] {
        let record = ask(&branches[0].state, outcome);
        assert_eq!(record.target, Some(Target::Rpc("record_delivery")));
        assert_eq!(
            record.body,
            Some(format!(
                r#"{{"p_delivery_id":1,"p_lease":"l","p_error":"{why}"}}"#
            ))
        );
    }
}
