//! The domain's exchange, between JavaScript values.
//!
//! What is asked for with each request comes and goes as arguments and flat lists, since a call of a WASM
//! function is cheap and a look into an object is a call in the other direction. What a shim that breaks
//! the contract gets is an exception, as after any other trap.

use crate::json::HostJson;
use interlock_domain::exchange::{self, Call, Step};
use interlock_domain::function::Function;
use interlock_domain::http::{ANSWER_HEADERS, BodyFault, Host, Reply, Request};
use interlock_domain::json;
use interlock_domain::upstream::Outcome;
use js_sys::JsString;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = Array, js_name = of)]
    fn call_step(
        is_call: bool,
        body: JsString,
        delay: f64,
        timeout: f64,
        repeats: u32,
        repeatable: bool,
        count: u32,
    ) -> JsValue;

    #[wasm_bindgen(js_namespace = Array, js_name = of)]
    fn reply_step(
        is_call: bool,
        status: u16,
        headers: &str,
        body: Option<JsString>,
        log: Option<&str>,
    ) -> JsValue;
}

/// [`exchange::begin`].
pub fn begin(function: &Function, request: Request<JsString>) -> JsValue {
    #[cfg(feature = "failpoint")]
    crate::failpoint::reach(request.body.as_ref());
    answer(exchange::begin(function, &HostJson, request))
}

/// [`exchange::resume`].
pub fn resume(
    function: &Function,
    call: Call<JsString>,
    outcome: Outcome<JsString>,
    host: &Host,
) -> JsValue {
    answer(exchange::resume(function, &HostJson, call, outcome, host))
}

/// [`exchange::crashed`].
pub fn crashed(function: &Function, request_id: Option<&str>, fresh_id: &str) -> JsValue {
    answer(exchange::crashed(function, &HostJson, request_id, fresh_id))
}

/// Why there is no body, by the word that the shim has for it.
pub fn body_fault(word: Option<&str>) -> Option<BodyFault> {
    word.map(|word| match word {
        "too_large" => BodyFault::TooLarge,
        "not_utf8" => BodyFault::NotUtf8,
        _ => BodyFault::Aborted,
    })
}

/// What came of a call, by the word that the shim has for it.
pub fn outcome(
    word: &str,
    status: u16,
    body: Option<JsString>,
    replayed: bool,
) -> Outcome<JsString> {
    match (word, body) {
        ("answered", Some(body)) => Outcome::Answered {
            status,
            body,
            replayed,
        },
        ("unsent", _) => Outcome::Unsent,
        ("timedOut", _) => Outcome::TimedOut,
        ("unreadable", _) => Outcome::Unreadable,
        // Of an outcome without a name nothing is known.
        _ => Outcome::Broken,
    }
}

fn answer(step: Step<JsString>) -> JsValue {
    match step {
        Step::Call(call) => call_step(
            true,
            call.body,
            call.delay,
            call.timeout,
            call.repeats,
            call.repeatable,
            call.count,
        ),
        Step::Reply(reply) => reply_step(
            false,
            reply.status,
            &headers(&reply),
            reply.body,
            reply.log.as_deref(),
        ),
    }
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
