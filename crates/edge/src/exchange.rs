//! The domain's exchange, between JavaScript values.

use crate::json::{HostJson, from_js, to_js};
use interlock_domain::exchange::{self, Call, Step};
use interlock_domain::function::Function;
use interlock_domain::http::{Host, Request};
use interlock_domain::upstream::Outcome;
use wasm_bindgen::JsValue;

/// [`exchange::begin`] on a JavaScript request.
pub fn begin(function: &Function, request: JsValue) -> JsValue {
    #[cfg(feature = "failpoint")]
    crate::failpoint::reach(&request);
    let request = from_js(&request).and_then(|request| Request::from_value(&request));
    answer(
        function,
        request.map(|request| exchange::begin(function, &HostJson, request)),
    )
}

/// [`exchange::resume`] on a JavaScript call, its outcome and the host's values.
pub fn resume(function: &Function, call: JsValue, outcome: JsValue, host: JsValue) -> JsValue {
    answer(function, try_resume(function, call, outcome, host))
}

fn try_resume(function: &Function, call: JsValue, outcome: JsValue, host: JsValue) -> Option<Step> {
    let call = Call::from_value(&from_js(&call)?)?;
    let outcome = Outcome::from_value(&from_js(&outcome)?)?;
    let host = Host::from_value(&from_js(&host)?)?;
    Some(exchange::resume(function, &HostJson, call, outcome, &host))
}

/// [`exchange::crashed`].
pub fn crashed(function: &Function, request_id: Option<&str>, fresh_id: &str) -> JsValue {
    to_js(&exchange::crashed(function, &HostJson, request_id, fresh_id).into_value())
}

/// A shim that breaks the contract is a defect of ours; the client gets an answer all the same.
fn answer(function: &Function, step: Option<Step>) -> JsValue {
    let step = step.unwrap_or_else(|| exchange::crashed(function, &HostJson, None, ""));
    to_js(&step.into_value())
}
