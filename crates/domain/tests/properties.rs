//! Whatever a client sends and whatever comes back from upstream, the exchange ends within its
//! bounds with an answer of the catalogue or with upstream's own success.

use interlock_domain::FUNCTIONS;
use interlock_domain::errors::Code;
use interlock_domain::exchange::{Call, State, Step, begin, resume};
use interlock_domain::function::Function;
use interlock_domain::http::{BodyFault, Reply, Request};
use interlock_domain::json::{Codec, SerdeJson, Value, object};
use interlock_domain::retry::MAX_REPEATS;
use interlock_domain::third_party::{Asks, MAX_CALLS};
use interlock_domain::upstream::Outcome;
use proptest::prelude::*;

/// A seeded buyer's token, unsigned: the exchange leaves signatures to the gateway.
const USER: &str = "Bearer e30.eyJzdWIiOiJiMDAwMDAwMC0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMDAwMDEiLCJyb2xlIjoiYXV0aGVudGljYXRlZCJ9.c2ln";
const BUDGET: f64 = 10_000.0;

fn functions() -> impl Strategy<Value = &'static Function> {
    prop::sample::select(FUNCTIONS)
}

/// A good request of any function, which need not be the one that gets it.
fn samples() -> impl Strategy<Value = String> {
    let samples = FUNCTIONS.iter().flat_map(|function| function.told.samples);
    prop::sample::select(
        samples
            .map(|sample| sample.body.to_owned())
            .collect::<Vec<_>>(),
    )
}

fn body() -> impl Strategy<Value = String> {
    prop_oneof![
        1 => any::<String>(),
        3 => samples(),
        1 => r#"\{"(batch_id|action|x)":("[a-z0-9-]{0,40}"|null|[0-9]{1,20}|\[\]|\{\})(,"action":"(claim|renew|release)")?\}"#,
        1 => (0_usize..200).prop_map(|depth| "[".repeat(depth) + &"]".repeat(depth)),
    ]
}

fn request() -> impl Strategy<Value = Request<'static>> {
    (
        prop_oneof![8 => Just("POST".to_owned()), 1 => Just("OPTIONS".to_owned()), 1 => any::<String>()],
        prop_oneof![8 => Just(Some(USER.to_owned())), 1 => any::<Option<String>>(), 1 => "Bearer .{0,20}\\..{0,40}\\..{0,9}".prop_map(Some)],
        prop_oneof![8 => Just(Some("application/json".to_owned())), 1 => any::<Option<String>>()],
        (any::<Option<String>>(), prop_oneof![4 => Just(None), 1 => Just(Some("berlin".to_owned())), 1 => any::<Option<String>>()], prop_oneof![4 => Just(None), 1 => Just(Some("\"5\"".to_owned())), 1 => any::<Option<String>>()], prop_oneof![Just(None), any::<Option<String>>(), Just(Some("key-1".to_owned()))]),
        body(),
        prop_oneof![
            8 => Just(None),
            1 => Just(Some(BodyFault::TooLarge)),
            1 => Just(Some(BodyFault::NotUtf8)),
            1 => Just(Some(BodyFault::Aborted)),
        ],
    )
        .prop_map(|(method, authorization, content_type, (request_id, shop, if_match, idempotency_key), body, body_fault)| Request {
            method: method.into(),
            authorization: authorization.map(Into::into),
            content_type: content_type.map(Into::into),
            request_id: request_id.map(Into::into),
            shop: shop.map(Into::into),
            if_match: if_match.map(Into::into),
            idempotency_key: idempotency_key.map(Into::into),
            body: body_fault.is_none().then_some(body),
            body_fault,
            id: "fresh".into(),
            came_ms: 0.0,
            budget_ms: BUDGET,
        })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let error = (
        any::<u16>(),
        "(PT[4-6][0-9]{2}|PT.{3}|PGRST[0-9]{3}|40001|55P03|42501|.{0,9})",
        prop_oneof![any::<String>(), "[A-Z_]{2,66}".prop_map(String::from)],
        prop_oneof![
            any::<String>(),
            r#"\{"(message|retryable|retry_after)":("[a-z ]{0,9}"|true|7|null)\}"#
                .prop_map(String::from)
        ],
    )
        .prop_map(|(status, code, message, details)| {
            let text = |text: String| SerdeJson.write(&Value::Text(text));
            let (code, message, details) = (text(code), text(message), text(details));
            (
                status,
                format!(r#"{{"code":{code},"message":{message},"details":{details}}}"#),
            )
        });
    prop_oneof![
        error.prop_map(|(status, body)| Outcome::Answered {
            status,
            body,
            replayed: false,
            retry_after_s: None,
        }),
        (
            any::<u16>(),
            any::<String>(),
            any::<bool>(),
            any::<Option<f64>>()
        )
            .prop_map(
                |(status, body, replayed, retry_after_s)| Outcome::Answered {
                    status,
                    body,
                    replayed,
                    retry_after_s,
                }
            ),
        (429_u16..505, prop_oneof![Just(f64::NAN), 0.0..12.0]).prop_map(|(status, seconds)| {
            Outcome::Answered {
                status,
                body: String::new(),
                replayed: false,
                retry_after_s: Some(seconds),
            }
        }),
        Just(Outcome::Answered {
            status: 200,
            body: r#"{"success":true}"#.to_owned(),
            replayed: false,
            retry_after_s: None,
        }),
        Just(Outcome::Unsent),
        Just(Outcome::Broken),
        Just(Outcome::TimedOut),
        Just(Outcome::Unreadable),
    ]
}

fn check_call(call: &Call, now: f64) -> Result<(), TestCaseError> {
    prop_assert!(call.state.repeats <= MAX_REPEATS);
    let state = State::read(&call.state.write());
    prop_assert_eq!(state.as_ref(), Some(&call.state));
    prop_assert!(call.delay_ms >= 0.0 && call.timeout_ms > 0.0);
    prop_assert!(
        now + call.delay_ms + call.timeout_ms <= BUDGET,
        "the call ends within the budget"
    );
    // A repeat posts what was posted before.
    prop_assert_eq!(call.body.is_none(), call.state.repeats > 0);
    let is_form = (call.target.as_ref()).is_some_and(|target| target.asks() != Asks::Database);
    prop_assert!(
        call.body
            .as_ref()
            .is_none_or(|body| is_form || SerdeJson.is_object(body))
    );
    Ok(())
}

fn check_reply(reply: &Reply) -> Result<(), TestCaseError> {
    if reply.status == 204 {
        prop_assert!(reply.body.is_none());
        return Ok(());
    }
    let body = SerdeJson.parse(reply.body.as_deref().unwrap_or_default());
    let body = body.map_err(|_| TestCaseError::fail("the body is not JSON"))?;
    for (name, value) in &reply.headers {
        prop_assert!(
            value.bytes().all(|byte| (0x20..0x7f).contains(&byte)),
            "{name} cannot be sent: {value:?}"
        );
    }
    let log = reply.log.as_deref().unwrap_or_default();
    prop_assert!(
        log.lines()
            .next()
            .is_some_and(|line| matches!(SerdeJson.parse(line), Ok(Value::Object(_)))),
        "the log begins with a line of JSON: {log}"
    );
    if reply.status == 200 {
        return Ok(());
    }
    let code = body
        .get("error")
        .and_then(Value::as_text)
        .unwrap_or_default();
    // What the database raises by name brings its own status; all else is the catalogue's.
    if log.contains(r#""cause":"raised""#) {
        let cause = format!(r#""cause_code":"PT{}""#, reply.status);
        prop_assert!(log.contains(&cause));
        return Ok(());
    }
    let code = Code::named(code)
        .ok_or_else(|| TestCaseError::fail("the error is not in the catalogue"))?;
    prop_assert_eq!(reply.status, code.entry().status);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_exchange_ends_with_an_answer(
        function in functions(),
        request in request(),
        outcomes in prop::collection::vec((outcome(), 0.0..4_000.0, 0.0..1.0), 1 + MAX_REPEATS as usize),
    ) {
        let mut now = 0.0;
        let mut step = begin(function, &SerdeJson, request);
        // Over again only for a function that makes more than one call.
        let most = (MAX_CALLS + MAX_REPEATS) as usize;
        for (outcome, took, random) in outcomes.into_iter().cycle().take(most) {
            let Step::Call(call) = step else { break };
            check_call(&call, now)?;
            now += call.delay_ms + f64::min(took, call.timeout_ms);
            step = resume(function, &SerdeJson, call.state, outcome, now, random);
        }
        match step {
            Step::Reply(reply) => check_reply(&reply)?,
            Step::Call(_) => prop_assert!(false, "more calls than repeats are allowed"),
        }
    }

    #[test]
    fn json_is_written_as_its_reference_does(text in any::<String>(), number in -1e15..1e15_f64) {
        let whole = number.trunc();
        let list = Value::List(vec![whole.into(), true.into(), Value::Null]);
        let value = object([(&text, Value::from(text.as_str())), ("list", list)]);
        let quoted = serde_json::to_string(&text).expect("a text");
        let expected = format!(r#"{{{quoted}:{quoted},"list":[{},true,null]}}"#, whole as i64);
        prop_assert_eq!(SerdeJson.write(&value), expected);
    }

    #[test]
    fn json_is_read_as_it_was_written(text in any::<String>(), number in -1e300..1e300_f64) {
        let value = Value::List(vec![Value::Text(text), Value::Number(number)]);
        prop_assert_eq!(SerdeJson.parse(&SerdeJson.write(&value)), Ok(value));
    }
}

/// The state of a request travels through the shim; a shim that damages it still gets an answer that
/// can be sent.
#[test]
fn a_state_that_comes_back_damaged_is_answered() {
    let state = State {
        request_id: "two\nlines".to_owned(),
        budget_ms: f64::NAN,
        sent_ms: f64::NAN,
        repeats: u32::MAX,
        repeatable: true,
        count: 0,
        stage: None,
    };
    let step = resume(FUNCTIONS[0], &SerdeJson, state, Outcome::Unsent, 0.0, 0.5);
    let Step::Reply(reply) = step else {
        panic!("a call is not repeated forever")
    };
    assert_eq!(reply.status, 503);
    assert!(
        reply
            .headers
            .contains(&("x-request-id", "unknown".to_owned()))
    );
}

#[test]
fn names_are_those_of_rust_and_javascript() {
    let named = |wanted| FUNCTIONS.iter().find(|function| function.name == wanted);
    let function = named("claim-route").expect("it is registered");
    assert_eq!(function.ident(), "claim_route");
    assert_eq!(function.camel(), "claimRoute");
}

/// Written down twice, on purpose: what the record says of a call, and what the code that makes it does.
#[test]
fn what_acts_twice_is_not_repeated() {
    let batch = "ba7c4000-0000-4000-8000-000000000001";
    let others = ["claim", "release"]
        .map(|action| format!(r#"{{"batch_id":"{batch}","action":"{action}"}}"#));
    for function in FUNCTIONS {
        let samples = function.told.samples.iter().map(|sample| sample.body);
        for body in samples.chain(others.iter().map(String::as_str)) {
            if let Some(arguments) = function.arguments(&SerdeJson, body) {
                let acts_again = (function.told.acts_again)(&arguments.json);
                assert_eq!(acts_again, !arguments.repeatable, "{arguments:?}");
            }
        }
    }
}
