//! What is fuzzed: each target runs one input and says what does not hold.

use crate::contract::{self, BUDGET, Holds};
use crate::corpus::Corpus;
use crate::probe;
use interlock_domain::FUNCTIONS;
use interlock_domain::exchange::{self, Call, State, Step};
use interlock_domain::function::Function;
use interlock_domain::http::{BodyFault, MAX_ANSWER, MAX_BODY, Reply, Request};
use interlock_domain::json::{Codec as _, MAX_DEPTH, Malformed, SerdeJson, Value};
use interlock_domain::third_party::{self, Branch};
use interlock_domain::upstream::Outcome;
use std::borrow::Cow;
use std::collections::BTreeMap;

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
    let size = size_of(&request);
    let step = probe::call(size, || {
        exchange::begin(function, &SerdeJson, request.clone())
    })?;
    let mut played = Played {
        function,
        request: &request,
        size,
        elapsed: 0.0,
        heard: String::new(),
        asked: BTreeMap::new(),
    };
    let (reply, calls) = played.play(step, list(input.get("outcomes")), false)?;
    let asked = played.asked.iter();
    let asked: String = asked
        .map(|(whom, times)| format!(", {whom} {times}"))
        .collect();
    let name = function.name;
    Ok(format!(
        "{name} {} after {calls} calls{asked}",
        reply.status
    ))
}

fn list(value: Option<&Value>) -> &[Value] {
    match value {
        Some(Value::List(items)) => items,
        _ => &[],
    }
}

/// An exchange so far, with the calls that were made at once in it.
struct Played<'a> {
    function: &'static Function,
    request: &'a Request<'static>,
    /// What came in.
    size: usize,
    elapsed: f64,
    /// The answers to all calls.
    heard: String,
    /// Whom calls asked but the function's own RPC, and how often.
    asked: BTreeMap<&'static str, u32>,
}

impl Played<'_> {
    /// Makes calls up to the reply, and says how many; those of several that are made at once have outcomes of their own.
    fn play(
        &mut self,
        mut step: Step,
        outcomes: &[Value],
        is_branch: bool,
    ) -> Result<(Reply, u32), String> {
        let (function, request) = (self.function, self.request);
        // Those of the same call count; there are more only of a function that asks a third party.
        let (mut calls, mut of_same, mut last) = (0, 0, None);
        let (mut posted, mut target) = (String::new(), None);
        loop {
            let call = match step {
                Step::Reply(reply) => {
                    let (last, heard) = (last.as_ref(), &self.heard);
                    if is_branch {
                        contract::branch(request, last, target.as_ref(), heard, &reply)?;
                    } else {
                        contract::reply(function, request, last, heard, &reply, self.size)?;
                    }
                    return Ok((reply, calls));
                }
                Step::Call(call) => call,
            };
            calls += 1;
            of_same = if call.body.is_some() { 1 } else { of_same + 1 };
            posted = call.body.clone().unwrap_or(posted);
            contract::call(function, request, &call, &posted, of_same, self.elapsed)?;
            if call.body.is_some() {
                target = call.target.clone();
            }
            let whom = target.as_ref().map(whom);
            *whom.map_or(&mut 0, |whom| self.asked.entry(whom).or_default()) += 1;
            let given = outcomes.get(calls as usize - 1).unwrap_or(&Value::Null);
            let outcome = match &call.target {
                Some(third_party::Target::Each(branches)) => self.each(branches, given)?,
                _ => outcome(given),
            };
            // What is put together of several answers is in proportion to all of them.
            let before = if function.third_party.is_some() {
                self.size
            } else {
                size_of(request)
            };
            self.size = before + answer_size(&outcome);
            self.elapsed += call.delay_ms;
            if !matches!(call.target, Some(third_party::Target::Each(_))) {
                self.elapsed += took(given, &outcome, call.timeout_ms);
            }
            let random = given
                .get("random")
                .and_then(Value::as_number)
                .unwrap_or(0.5);
            let random = random.clamp(0.0, 0.999_999);
            let may_have_acted =
                contract::is_unknown(&outcome) && contract::acts_again(function, &posted);
            let before = call.state.clone();
            let elapsed = self.elapsed;
            step = probe::call(self.size, || {
                let (state, outcome) = (call.state, outcome.clone());
                exchange::resume(function, &SerdeJson, state, outcome, elapsed, random)
            })?;
            contract::after(target.as_ref(), &before, &outcome, &step)?;
            match &step {
                Step::Call(next) if next.body.is_some() => {}
                Step::Call(again) => same_call(&before, again, elapsed, may_have_acted)?,
                Step::Reply(reply) if may_have_acted => unknown(reply)?,
                Step::Reply(_) => {}
            }
            if let Outcome::Answered { body, .. } = &outcome {
                self.heard += body;
            }
            last = Some(outcome);
        }
    }

    /// Makes several calls at once, as the shim does: what comes of all of them.
    fn each(&mut self, branches: &[Branch], given: &Value) -> Result<Outcome, String> {
        let given = list(given.get("branches"));
        let begun = self.elapsed;
        let mut end = begun;
        let mut replies = Vec::new();
        for (index, branch) in branches.iter().enumerate() {
            self.elapsed = begun;
            let step = Step::Call(Call {
                body: Some(branch.body.clone()),
                target: Some(branch.target.clone()),
                delay_ms: 0.0,
                timeout_ms: branch.timeout_ms,
                state: branch.state.clone(),
            });
            let (reply, _) = self.play(step, list(given.get(index)), true)?;
            replies.extend(reply.body);
            end = end.max(self.elapsed);
        }
        self.elapsed = end;
        Ok(Outcome::Answered {
            status: 200,
            body: format!("{{\"replies\":[{}]}}", replies.join(",")),
            replayed: false,
            retry_after_s: None,
        })
    }
}

/// Whom a call asks.
fn whom(target: &third_party::Target) -> &'static str {
    match target {
        third_party::Target::Rpc(name) => name,
        third_party::Target::ThirdParty { .. } => "third party",
        third_party::Target::Anybody { .. } => "anybody",
        third_party::Target::Names(_) => "names",
        third_party::Target::Each(_) => "each",
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

fn unknown(reply: &Reply) -> Holds {
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
        shop: text("shop"),
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
        Some("unset") => Outcome::Unset,
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
        &request.shop,
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

#[cfg(test)]
mod tests {
    use super::{Value, state, whole_exchange};
    use crate::corpus::Corpus;
    use crate::memory::TURN;
    use std::collections::BTreeSet;

    fn of<'a>(inputs: &'a [Value], function: &str) -> Vec<&'a Value> {
        let is_of =
            |input: &&Value| input.get("function").and_then(Value::as_text) == Some(function);
        inputs.iter().filter(is_of).collect()
    }

    #[test]
    fn the_seeds_of_deliver_look_names_up_and_send_and_record() {
        let _turn = TURN.lock();
        let corpus = Corpus::read().expect("the corpus can be read");
        let mut ends = BTreeSet::new();
        for seed in of(&corpus.exchanges, "deliver") {
            ends.insert(whole_exchange(seed).expect("it holds"));
        }
        for end in [
            "deliver 500 after 1 calls",
            "deliver 200 after 1 calls",
            // All of it: a name, both are sent, both are recorded.
            "deliver 200 after 2 calls, anybody 2, each 1, names 1, record_delivery 2",
            // What must not be sent is recorded all the same.
            "deliver 200 after 2 calls, anybody 1, each 1, names 1, record_delivery 2",
            // A record is made again.
            "deliver 200 after 2 calls, anybody 2, each 1, names 1, record_delivery 3",
        ] {
            assert!(ends.contains(end), "{end} is not among {ends:?}");
        }
        // Each of its steps is a state that is changed, too.
        let steps = of(&corpus.states, "deliver")
            .into_iter()
            .filter_map(|seed| {
                let end = state(seed).expect("it holds");
                assert!(end.starts_with("read, "), "{end}");
                seed.get("call")?.get("stage")?.get("step")?.as_number()
            });
        let steps: BTreeSet<u32> = steps.map(|step| step as u32).collect();
        assert_eq!(steps, BTreeSet::from([1, 2, 3, 4]));
    }
}
