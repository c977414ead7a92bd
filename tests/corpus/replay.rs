//! Replays recorded exchanges: each case is a request and the outcomes of the calls it leads to, and
//! every step of the exchange must come out as recorded, whatever runs it (native or WASM).

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

    let mut elapsed = 0.0;
    let mut step = parse(&(exchange.begin)(&SerdeJson.write(&Value::Object(request))));
    let mut steps = vec![step.clone()];
    for outcome in &outcomes {
        let Some(call) = step.get("call") else {
            panic!("{:?}: more outcomes than calls", field("name"))
        };
        elapsed += CALL_MS
            + call
                .get("delay")
                .and_then(Value::as_number)
                .unwrap_or_default();
        let text = |value: &Value| SerdeJson.write(value);
        step = parse(&(exchange.resume)(
            &text(call),
            &text(outcome),
            &text(&host(elapsed)),
        ));
        steps.push(step.clone());
    }
    assert!(
        step.get("reply").is_some(),
        "{:?}: fewer outcomes than calls",
        field("name")
    );
    object([
        ("name", field("name")),
        ("request", field("request")),
        ("outcomes", field("outcomes")),
        ("steps", Value::List(steps)),
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
