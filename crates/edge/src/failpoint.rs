//! Fault points for the tests of trap recovery: a request whose body is the name of one.

use js_sys::JsString;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};

/// A Rust panic.
const PANIC: &str = "failpoint:panic";
/// Recursion until the stack is gone.
const OVERFLOW: &str = "failpoint:overflow";
/// A JavaScript exception that passes through WASM.
const EXCEPTION: &str = "failpoint:exception";

#[wasm_bindgen]
extern "C" {
    // Without `catch`, so that its SyntaxError unwinds through the WASM frames.
    #[wasm_bindgen(js_namespace = JSON, js_name = parse)]
    fn parse_or_throw(text: &str) -> JsValue;
}

/// Fails as the request asks.
pub(crate) fn reach(body: Option<&JsString>) {
    match body.map(String::from).as_deref() {
        Some(PANIC) => panic!("failpoint"),
        Some(OVERFLOW) => drop(std::hint::black_box(descend(1))),
        Some(EXCEPTION) => drop(parse_or_throw("")),
        _ => {}
    }
}

#[expect(unconditional_recursion, reason = "that is the fault")]
fn descend(depth: u64) -> u64 {
    std::hint::black_box(depth) + descend(std::hint::black_box(depth + 1)) + 1
}
