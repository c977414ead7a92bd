//! What is fuzzed: each target runs one input and says what does not hold.

use crate::contract::{self, BUDGET, Holds};
use crate::corpus::Corpus;
use crate::probe;
use interlock_domain::FUNCTIONS;
use interlock_domain::exchange::{self, Call, State, Step};
use interlock_domain::function::Function;
use interlock_domain::http::{BodyFault, MAX_ANSWER, MAX_BODY, Request};
use interlock_domain::json::{Codec as _, MAX_DEPTH, Malformed, SerdeJson, Value};
use interlock_domain::upstream::Outcome;
use std::borrow::Cow;

/// When every request of the corpus came; its tokens are valid then.
const NOW: f64 = 1_800_000_000_000.0;

/// One thing to fuzz.
pub(crate) struct Target {
    /// As on the command line and in the names of findings.
    pub(crate) name: &'static str,
    /// What it is, for the report.
    pub(crate) title: &'static str,
    /// The members of an input that are changed.
    pub(crate) open: &'static [&'static str],
    /// The inputs to begin with.
    pub(crate) seeds: fn(&Corpus) -> Vec<Value>,
    /// Runs an input. The answer is a name for what came out; the error says what does not hold.
    pub(crate) run: fn(&Value) -> Result<String, String>,
}

/// Every target.
pub(crate) static TARGETS: [Target; 4] = [
    Target {
        name: "request",
        title: "any request, to its answer",
        open: &["request", "request", "request", "function"],
        seeds: |corpus| corpus.exchanges.clone(),
        run: whole_exchange,
    },
    Target {
        name: "answer",
        title: "any answers of the database, to ours",
        open: &["outcomes"],
        seeds: |corpus| corpus.exchanges.clone(),
        run: whole_exchange,
    },
    Target {
        name: "state",
        title: "any state that comes back through the shim",
        open: &["request", "call", "outcome", "host"],
        seeds: |corpus| corpus.states.clone(),
        run: state,
    },
    Target {
        name: "json",
        title: "any text as JSON, against serde_json",
        open: &["text"],
        seeds: |corpus| corpus.texts.clone(),
        run: json,
    },
];

fn function(input: &Value) -> Result<&'static Function, String> {
    let name = input.get("function").and_then(Value::as_text);
    let named = FUNCTIONS
        .iter()
        .find(|function| Some(function.name) == name);
    named
        .copied()
        .ok_or_else(|| format!("an input names a function: {name:?}"))
}

/// A request and the outcomes of its calls, from beginning to end.
fn whole_exchange(input: &Value) -> Result<String, String> {
    let function = function(input)?;
    let request = request(input.get("request").unwrap_or(&Value::Null));
    let outcomes = match input.get("outcomes") {
        Some(Value::List(outcomes)) => outcomes.as_slice(),
        _ => &[],
    };
    let mut size = size_of(&request);
    let mut elapsed = 0.0;
    // Those of the same call count; there are more only of a function that asks a third party.
    let (mut calls, mut of_same, mut last) = (0, 0, None);
    let (mut posted, mut heard) = (String::new(), String::new());
    let mut step = probe::call(size, || {
        exchange::begin(function, &SerdeJson, request.clone())
    })?;
    loop {
        let call = match step {
            Step::Reply(reply) => {
                contract::reply(function, &request, last.as_ref(), &heard, &reply, size)?;
                return Ok(format!(
                    "{} {} after {calls} calls",
                    function.name, reply.status
                ));
            }
            Step::Call(call) => call,
        };
        calls += 1;
        of_same = if call.body.is_some() { 1 } else { of_same + 1 };
        posted = call.body.clone().unwrap_or(posted);
        contract::call(function, &request, &call, &posted, of_same, elapsed)?;
        let given = outcomes.get(calls as usize - 1).unwrap_or(&Value::Null);
        let outcome = outcome(given);
        // What is put together of several answers is in proportion to all of them.
        let before = if function.third_party.is_some() {
            size
        } else {
            size_of(&request)
        };
        size = before + answer_size(&outcome);
        elapsed += call.delay_ms + took(given, &outcome, call.timeout_ms);
        let random = given
            .get("random")
            .and_then(Value::as_number)
            .unwrap_or(0.5);
        let random = random.clamp(0.0, 0.999_999);
        let may_have_acted =
            contract::is_unknown(&outcome) && contract::acts_again(function, &posted);
        let before = call.state.clone();
        step = probe::call(size, || {
            exchange::resume(
                function,
                &SerdeJson,
                call.state,
                outcome.clone(),
                elapsed,
                random,
            )
        })?;
        match &step {
            Step::Call(again) if again.delay_ms < contract::asked_ms(&outcome) => {
                return Err(format!("what upstream asks to wait is waited: {again:?}"));
            }
            Step::Call(next) if next.body.is_some() => {}
            Step::Call(again) => same_call(&before, again, elapsed, may_have_acted)?,
            Step::Reply(reply) if may_have_acted => unknown(reply)?,
            Step::Reply(_) => {}
        }
        if let Outcome::Answered { body, .. } = &outcome {
            heard += body;
        }
        last = Some(outcome);
    }
}

fn same_call(before: &State, again: &Call, elapsed: f64, may_have_acted: bool) -> Holds {
    if may_have_acted {
        return Err(format!("nothing is done twice: {again:?}"));
    }
    let expected = State {
        sent_ms: (elapsed + again.delay_ms).floor(),
        repeats: before.repeats + 1,
        ..before.clone()
    };
    if expected == again.state {
        Ok(())
    } else {
        Err(format!("a repeated call is the same: {again:?}"))
    }
}

fn unknown(reply: &interlock_domain::http::Reply) -> Holds {
    let body = contract::error(reply)?;
    if reply.status == 504 && body.get("retryable") == Some(&Value::Bool(false)) {
        return Ok(());
    }
    Err(format!(
        "an unknown outcome is told as one: {:?}",
        reply.body
    ))
}

/// The request as the shim would hand it over: bytes that are no text become a fault, and so do too
/// many of them.
fn request(value: &Value) -> Request<'static> {
    let text = |name| {
        value
            .get(name)
            .and_then(text_or_bytes)
            .map(|bytes| Cow::from(String::from_utf8_lossy(&bytes).into_owned()))
    };
    let fault = match text("bodyFault").as_deref() {
        Some("too_large") => Some(BodyFault::TooLarge),
        Some("not_utf8") => Some(BodyFault::NotUtf8),
        Some(_) => Some(BodyFault::Aborted),
        None => None,
    };
    let body = value
        .get("body")
        .and_then(text_or_bytes)
        .unwrap_or_default();
    let (body, body_fault) = match (fault, String::from_utf8(body)) {
        (Some(fault), _) => (None, Some(fault)),
        (None, Ok(body)) if body.len() > MAX_BODY as usize => (None, Some(BodyFault::TooLarge)),
        (None, Ok(body)) => (Some(body), None),
        (None, Err(_)) => (None, Some(BodyFault::NotUtf8)),
    };
    Request {
        method: text("method").unwrap_or("POST".into()),
        authorization: text("authorization"),
        content_type: text("contentType"),
        request_id: text("requestId"),
        if_match: text("ifMatch"),
        idempotency_key: text("idempotencyKey"),
        body,
        body_fault,
        id: "fresh-id".into(),
        came_ms: NOW,
        budget_ms: BUDGET,
    }
}

/// An outcome as the shim would hand it over.
fn outcome(value: &Value) -> Outcome {
    let status = value
        .get("status")
        .and_then(Value::as_number)
        .unwrap_or(200.0);
    let body = value
        .get("body")
        .and_then(text_or_bytes)
        .unwrap_or_default();
    match value.get("kind").and_then(Value::as_text) {
        Some("answered") => match String::from_utf8(body) {
            Ok(body) if body.len() <= MAX_ANSWER as usize => Outcome::Answered {
                status: status as u16,
                body,
                replayed: value.get("replayed") == Some(&Value::Bool(true)),
                retry_after_s: value.get("retryAfter").and_then(Value::as_number),
            },
            _ => Outcome::Unreadable,
        },
        Some("broken") => Outcome::Broken,
        Some("timedOut") => Outcome::TimedOut,
        Some("unreadable") => Outcome::Unreadable,
        _ => Outcome::Unsent,
    }
}

/// How long a call took: all of its time if it ran out.
fn took(value: &Value, outcome: &Outcome, timeout: f64) -> f64 {
    match outcome {
        Outcome::TimedOut => timeout,
        _ => value
            .get("took")
            .and_then(Value::as_number)
            .unwrap_or(5.0)
            .clamp(0.0, timeout),
    }
}

/// A text, or a list of numbers for bytes that need not be one.
fn text_or_bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::Text(text) => Some(text.clone().into_bytes()),
        Value::List(bytes) => Some(
            bytes
                .iter()
                .filter_map(Value::as_number)
                .map(|byte| byte as u8)
                .collect(),
        ),
        _ => None,
    }
}

fn size_of(request: &Request) -> usize {
    let texts = [
        &request.authorization,
        &request.content_type,
        &request.request_id,
        &request.if_match,
        &request.idempotency_key,
    ];
    let texts: usize = texts.into_iter().flatten().map(|text| text.len()).sum();
    request.method.len() + texts + request.body.as_ref().map_or(0, String::len)
}

fn answer_size(outcome: &Outcome) -> usize {
    match outcome {
        Outcome::Answered { body, .. } => body.len(),
        _ => 0,
    }
}

/// One crossing of the boundary with values that only a broken shim would send: an answer or a call
/// all the same, and nothing that cannot be written down.
fn state(input: &Value) -> Result<String, String> {
    let function = function(input)?;
    let size = SerdeJson.write(input).len();
    let step = probe::call(size, || {
        if let Some(request) = input.get("request") {
            return Request::from_value(request)
                .map(|request| exchange::begin(function, &SerdeJson, request));
        }
        let host = input.get("host")?;
        let state = State::from_value(input.get("call")?, host)?;
        let outcome = Outcome::from_value(input.get("outcome")?)?;
        let number = |name| host.get(name).and_then(Value::as_number);
        let (elapsed, random) = (number("elapsed")?, number("random")?);
        Some(exchange::resume(
            function, &SerdeJson, state, outcome, elapsed, random,
        ))
    })?;
    // What crates/edge does with values that it cannot read.
    let (step, read) = match step {
        Some(step) => (step, "read"),
        None => (
            Step::Reply(exchange::trapped(
                function,
                &SerdeJson,
                &Request::read("POST\nfresh-id", false, Err(BodyFault::Aborted), 0.0, 0.0),
                "RangeError",
            )),
            "unreadable",
        ),
    };
    let written = SerdeJson.write(&step.clone().into_value(None));
    if !SerdeJson.is_object(&written) {
        return Err(format!("a step can be written: {written}"));
    }
    match step {
        Step::Call(call) if call.state.repeats > 3 => Err(format!(
            "a call is repeated three times at the most: {}",
            call.state.repeats
        )),
        Step::Call(_) => Ok(format!("{read}, a call")),
        Step::Reply(reply) if reply.status >= 400 => {
            contract::error(&reply).map(|_| format!("{read}, {}", reply.status))
        }
        Step::Reply(reply) => Ok(format!("{read}, {}", reply.status)),
    }
}

/// Any text: the codec says what serde_json says, and reads what it wrote.
fn json(input: &Value) -> Result<String, String> {
    let text = input
        .get("text")
        .and_then(text_or_bytes)
        .unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let parsed = probe::call(text.len(), || SerdeJson.parse(&text))?;
    let theirs = serde_json::from_str::<serde_json::Value>(&text);
    let value = match (parsed, theirs) {
        (Ok(value), Ok(theirs)) if same(&value, &theirs) => value,
        (Err(Malformed::TooDeep), Ok(_)) if depth(&text) > MAX_DEPTH => {
            return Ok("too deep".to_owned());
        }
        (Err(malformed), Err(_)) => return Ok(format!("{malformed:?}")),
        (ours, theirs) => return Err(format!("both codecs agree: {ours:?} and {theirs:?}")),
    };
    let written = SerdeJson.write(&value);
    if SerdeJson.parse(&written).as_ref() != Ok(&value) {
        return Err(format!("what is written can be read: {written}"));
    }
    if SerdeJson.is_object(&text.into_owned()) != matches!(value, Value::Object(_)) {
        return Err(format!("an object is known as one: {written}"));
    }
    let kind = format!("{value:?}");
    Ok(kind.split(['(', ' ']).next().unwrap_or_default().to_owned())
}

fn same(ours: &Value, theirs: &serde_json::Value) -> bool {
    match (ours, theirs) {
        (Value::Null, serde_json::Value::Null) => true,
        (Value::Bool(ours), serde_json::Value::Bool(theirs)) => ours == theirs,
        (Value::Number(ours), serde_json::Value::Number(theirs)) => Some(*ours) == theirs.as_f64(),
        (Value::Text(ours), serde_json::Value::String(theirs)) => ours == theirs,
        (Value::List(ours), serde_json::Value::Array(theirs)) => {
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .zip(theirs)
                    .all(|(ours, theirs)| same(ours, theirs))
        }
        // Ours keeps every member of a name; the last one counts for both.
        (Value::Object(members), serde_json::Value::Object(theirs)) => {
            members.iter().all(|(name, _)| theirs.contains_key(name))
                && theirs
                    .iter()
                    .all(|(name, theirs)| ours.get(name).is_some_and(|ours| same(ours, theirs)))
        }
        _ => false,
    }
}

/// How deeply a JSON text is nested; of a name that stands twice, both values count.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}
