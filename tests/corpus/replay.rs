//! Replays recorded exchanges: each case is a request and the outcomes of the calls it leads to, and
//! every step of the exchange must come out as recorded, whatever runs it (native or WASM). Of calls that are made at once
//! the outcome has, under `branches`, those of each, and so has the step.

use interlock_domain::exchange::{Call, State, Step};
use interlock_domain::json::{Codec, SerdeJson, Value, object};

/// The time of every request by the clock on the wall; each upstream call then takes [`CALL_MS`].
const NOW: f64 = 1_800_000_000_000.0;
const CALL_MS: f64 = 5.0;

/// An implementation of the exchange, from JSON text to JSON text.
pub(crate) struct Exchange<'a> {
    /// Request → step.
    pub(crate) begin: &'a dyn Fn(&str) -> String,
    /// Call, outcome, host → step.
    pub(crate) resume: &'a dyn Fn(&str, &str, &str) -> String,
}

/// Replays every case of a corpus; returns the corpus with the steps that came out.
pub(crate) fn replay(corpus: &str, exchange: &Exchange<'_>) -> Value {
    let Ok(Value::List(cases)) = SerdeJson.parse(corpus) else {
        panic!("the corpus is not a JSON list")
    };
    Value::List(
        cases
            .iter()
            .map(|case| replay_case(case, exchange))
            .collect(),
    )
}

fn replay_case(case: &Value, exchange: &Exchange<'_>) -> Value {
    let field = |name| case.get(name).cloned().unwrap_or(Value::Null);
    let Value::Object(mut request) = field("request") else {
        panic!("a case has no request")
    };
    let Value::List(outcomes) = field("outcomes") else {
        panic!("a case has no outcomes")
    };
    request.push(("host".to_owned(), host(0.0)));

    let first = parse(&(exchange.begin)(&SerdeJson.write(&Value::Object(request))));
    let (steps, _) = play(&field("name"), first, &outcomes, 0.0, exchange);
    object([
        ("name", field("name")),
        ("request", field("request")),
        ("outcomes", field("outcomes")),
        ("steps", Value::List(steps)),
    ])
}

/// Makes calls up to the reply: every step, and when the last one came.
fn play(
    name: &Value,
    mut step: Value,
    outcomes: &[Value],
    mut elapsed: f64,
    exchange: &Exchange<'_>,
) -> (Vec<Value>, f64) {
    let mut steps = Vec::new();
    for outcome in outcomes {
        let Some(call) = step.get("call").cloned() else {
            panic!("{name:?}: more outcomes than calls")
        };
        let mut outcome = outcome.clone();
        if let Some(Value::List(branches)) = outcome.get("branches") {
            let played = play_each(name, &call, branches, elapsed, exchange);
            elapsed = played.iter().map(|(_, end)| *end).fold(elapsed, f64::max);
            let played: Vec<Vec<Value>> = played.into_iter().map(|(steps, _)| steps).collect();
            outcome = together(&played);
            if let Value::Object(members) = &mut step {
                let played = played.into_iter().map(Value::List).collect();
                members.push(("branches".to_owned(), Value::List(played)));
            }
        } else {
            elapsed += CALL_MS
                + call
                    .get("delay")
                    .and_then(Value::as_number)
                    .unwrap_or_default();
        }
        steps.push(step);
        let text = |value: &Value| SerdeJson.write(value);
        step = parse(&(exchange.resume)(
            &text(&call),
            &text(&outcome),
            &text(&host(elapsed)),
        ));
    }
    assert!(
        step.get("reply").is_some(),
        "{name:?}: fewer outcomes than calls"
    );
    steps.push(step);
    (steps, elapsed)
}

/// Plays calls that are made at once, each with its own outcomes.
fn play_each(
    name: &Value,
    call: &Value,
    outcomes: &[Value],
    elapsed: f64,
    exchange: &Exchange<'_>,
) -> Vec<(Vec<Value>, f64)> {
    let Some(Value::List(calls)) = call.get("target").and_then(|target| target.get("each")) else {
        panic!("{name:?}: nothing is made at once")
    };
    assert_eq!(calls.len(), outcomes.len(), "{name:?}: another number");
    let played = calls.iter().zip(outcomes).map(|(call, outcomes)| {
        let Value::List(outcomes) = outcomes else {
            panic!("{name:?}: no list of outcomes")
        };
        play(name, branch(call), outcomes, elapsed, exchange)
    });
    played.collect()
}

/// A call of several as the step that it would be alone.
fn branch(call: &Value) -> Value {
    let text = |name| call.get(name)?.as_text();
    let step = Step::Call(Call {
        body: text("body").map(str::to_owned),
        target: None,
        delay_ms: 0.0,
        timeout_ms: call
            .get("timeoutMs")
            .and_then(Value::as_number)
            .expect("a time"),
        state: text("state").and_then(State::read).expect("a state"),
    });
    let mut step = step.into_value(None);
    if let (Some(target), Value::Object(members)) = (call.get("target"), &mut step)
        && let Some((_, Value::Object(call))) = members.first_mut()
    {
        call.push(("target".to_owned(), target.clone()));
    }
    step
}

/// What the driver makes of the replies to calls that were made at once.
fn together(played: &[Vec<Value>]) -> Value {
    let replies = played.iter().filter_map(|steps| {
        let reply = steps.last()?.get("reply")?;
        Some(reply.get("body")?.as_text()?.to_owned())
    });
    let replies: Vec<String> = replies.collect();
    let body = format!("{{\"replies\":[{}]}}", replies.join(","));
    object([
        ("kind", "answered".into()),
        ("status", 200_u32.into()),
        ("body", body.as_str().into()),
        ("replayed", false.into()),
    ])
}

fn host(elapsed: f64) -> Value {
    object([
        ("now", Value::Number(NOW)),
        ("elapsed", Value::Number(elapsed)),
        ("random", Value::Number(0.5)),
        ("id", "fresh-id".into()),
        ("timeout", Value::Number(10_000.0)),
    ])
}

fn parse(text: &str) -> Value {
    SerdeJson
        .parse(text)
        .unwrap_or_else(|error| panic!("{error:?}: {text}"))
}

/// Compares what came out with what is recorded, case by case.
pub(crate) fn assert_as_recorded(corpus: &str, replayed: &Value) {
    let (Value::List(recorded), Value::List(replayed)) = (parse(corpus), replayed) else {
        panic!("no lists")
    };
    assert!(!recorded.is_empty(), "an empty corpus proves nothing");
    assert_eq!(recorded.len(), replayed.len());
    for (recorded, replayed) in recorded.iter().zip(replayed) {
        assert_eq!(recorded, replayed, "the exchange differs from the corpus");
    }
}
