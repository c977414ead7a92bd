//! The domain's exchange, between JavaScript values.
//!
//! What is asked for with each request comes and goes as a few arguments, texts of lines and flat lists: a call of a
//! WASM function is cheap, each text that crosses costs, and a look into an object is a call in the other
//! direction. So a request is no `web_sys::Request`: to read its headers alone as `web_sys::Headers` was measured to
//! cost 0.5 µs more per request in today's Deno and 0.9 µs in 2.1, of the 11 and 12 µs that all of the core takes,
//! and 1.3 KB. What a shim that breaks the contract gets is an answer, as after a trap.

use crate::contract;
use crate::json::HostJson;
use interlock_domain::exchange::{self, State, Step};
use interlock_domain::function::Function;
use interlock_domain::http::{ANSWER_HEADERS, BodyFault, Reply, Request};
use interlock_domain::json::{self, Codec as _};
use interlock_domain::upstream::Outcome;
use js_sys::JsString;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = Array, js_name = of)]
    fn list_call(
        is_call: bool,
        state: &str,
        body: Option<JsString>,
        delay_ms: f64,
        timeout_ms: f64,
    ) -> contract::Step;

    #[wasm_bindgen(js_namespace = Array, js_name = of)]
    fn list_call_to(
        is_call: bool,
        state: &str,
        body: Option<JsString>,
        delay_ms: f64,
        timeout_ms: f64,
        target: &str,
    ) -> contract::Step;

    #[wasm_bindgen(js_namespace = Array, js_name = of)]
    fn list_reply(
        is_call: bool,
        status: u16,
        headers: &str,
        body: Option<&JsString>,
        log: Option<&str>,
    ) -> contract::Step;
}

/// [`exchange::begin`] with what [`Request::read`] reads.
pub fn begin(
    function: &Function,
    head: &str,
    body: Result<JsString, BodyFault>,
    came_ms: f64,
    budget_ms: f64,
) -> contract::Step {
    #[cfg(feature = "failpoint")]
    crate::failpoint::reach(body.as_ref().ok());
    let request = Request::read(head, function.is_conditional(), body, came_ms, budget_ms);
    answer(exchange::begin(function, &HostJson, request))
}

/// [`exchange::resume`].
pub fn resume(
    function: &Function,
    state: &str,
    outcome: Outcome<JsString>,
    elapsed_ms: f64,
    random: f64,
) -> contract::Step {
    match State::read(state) {
        Some(state) => {
            let step = exchange::resume(function, &HostJson, state, outcome, elapsed_ms, random);
            answer(step)
        }
        None => trapped(function, "", "").unchecked_into(),
    }
}

/// [`exchange::trapped`].
pub fn trapped(function: &Function, head: &str, thrown: &str) -> contract::Reply {
    let reply = exchange::trapped(function, &HostJson, &without_body(head), thrown);
    reply_step(&reply).unchecked_into()
}

/// [`exchange::misconfigured`].
pub fn misconfigured(function: &Function, head: &str) -> contract::Reply {
    let reply = exchange::misconfigured(function, &HostJson, &without_body(head));
    reply_step(&reply).unchecked_into()
}

fn without_body(head: &str) -> Request<'_, JsString> {
    // What else it has is of no interest any more.
    Request::read(head, false, Err(BodyFault::Aborted), 0.0, 0.0)
}

/// Why there is no body, by the word that the contract has for it.
pub fn body_fault(word: &contract::BodyFault) -> BodyFault {
    match word.as_string().as_deref() {
        Some("too_large") => BodyFault::TooLarge,
        Some("not_utf8") => BodyFault::NotUtf8,
        _ => BodyFault::Aborted,
    }
}

/// Why there is no answer, by the word that the contract has for it.
pub fn no_answer(word: &contract::NoAnswer) -> Outcome<JsString> {
    match word.as_string().as_deref() {
        Some("unset") => Outcome::Unset,
        Some("unsent") => Outcome::Unsent,
        Some("timed_out") => Outcome::TimedOut,
        Some("unreadable") => Outcome::Unreadable,
        // Of an outcome without a name nothing is known.
        _ => Outcome::Broken,
    }
}

fn answer(step: Step<JsString>) -> contract::Step {
    match step {
        Step::Call(call) => {
            let state = call.state.write();
            let (body, delay_ms, timeout_ms) = (call.body, call.delay_ms, call.timeout_ms);
            match call.target {
                None => list_call(true, &state, body, delay_ms, timeout_ms),
                Some(target) => {
                    let target = HostJson.write(&target.to_value());
                    list_call_to(true, &state, body, delay_ms, timeout_ms, &target)
                }
            }
        }
        Step::Reply(reply) => reply_step(&reply),
    }
}

fn reply_step(reply: &Reply<JsString>) -> contract::Step {
    let (headers, log) = (headers(reply), reply.log.as_deref());
    list_reply(false, reply.status, &headers, reply.body.as_ref(), log)
}

/// The headers as one JSON text, which costs less than so many texts; without those that the shim knows by the
/// profile.
fn headers(reply: &Reply<JsString>) -> String {
    let headers = reply
        .headers
        .iter()
        .map(|(name, value)| (*name, value.as_str()));
    json::texts(headers.filter(|header| reply.body.is_none() || !ANSWER_HEADERS.contains(header)))
}
