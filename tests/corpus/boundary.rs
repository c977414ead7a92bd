//! The exports of a function's WASM as an exchange of the corpus: what is written down there as one object
//! crosses as so many arguments, and a step comes back as a flat list.

use interlock_domain::exchange::{Call, Step};
use interlock_domain::http::ANSWER_HEADERS;
use interlock_domain::json::{Codec, SerdeJson, Value, object};
use js_sys::Array;
use wasm_bindgen::JsValue;

/// The exchange of the function in this crate.
#[macro_export]
macro_rules! through_wasm {
    ($function:ident) => {
        $crate::replay::Exchange {
            begin: &|request| {
                let value = $crate::boundary::read(request);
                let request = Request::from_value(&value).expect("a request");
                let step = $function::begin(
                    request.method,
                    request.authorization,
                    request.content_type,
                    request.idempotency_key,
                    request.body.map(Into::into),
                    value
                        .get("bodyFault")
                        .and_then(|fault| fault.as_text())
                        .map(str::to_owned),
                    request.request_id.clone(),
                    request.host.id.clone(),
                    request.host.timeout,
                    request.host.now,
                );
                let id = request_id(request.request_id.as_deref(), &request.host.id);
                $crate::boundary::written(&step, id, request.host.now)
            },
            resume: &|call, outcome, host| {
                let [call, outcome, host] = [call, outcome, host].map($crate::boundary::read);
                let call = Call::from_value(&call).expect("a call");
                let host = Host::from_value(&host).expect("a host");
                let text = |name| outcome.get(name).and_then(|text| text.as_text());
                let status = outcome.get("status").and_then(|status| status.as_number());
                let step = $function::resume(
                    call.body.into(),
                    call.repeats,
                    call.repeatable,
                    call.count,
                    text("kind").expect("an outcome").to_owned(),
                    status.unwrap_or_default() as u16,
                    text("body").map(Into::into),
                    outcome.get("replayed") == Some(&true.into()),
                    Some(call.request_id.clone()),
                    host.id,
                    host.timeout,
                    call.started,
                    host.now,
                    host.random,
                );
                $crate::boundary::written(&step, call.request_id, call.started)
            },
        }
    };
}

/// A document of the corpus.
pub(crate) fn read(text: &str) -> Value {
    SerdeJson.parse(text).expect("the corpus is JSON")
}

/// A step as the corpus has it. The id and the beginning of a request stay with the shim.
pub(crate) fn written(step: &JsValue, request_id: String, started: f64) -> String {
    let step = Array::from(step);
    let text = |index| Value::from(step.get(index).as_string());
    let number = |index| step.get(index).as_f64().expect("a number");
    if step.get(0).is_falsy() {
        let headers = read(&step.get(2).as_string().expect("a text"));
        let Value::Object(own) = headers else {
            panic!("the headers are no object")
        };
        let common = ANSWER_HEADERS.map(|(name, value)| (name.to_owned(), value.into()));
        let common = common.into_iter().filter(|_| !step.get(3).is_undefined());
        let pairs = common.chain(own);
        let pairs = pairs.map(|(name, value)| Value::List(vec![name.into(), value]));
        let reply = object([
            ("status", number(1).into()),
            ("headers", Value::List(pairs.collect())),
            ("body", text(3)),
            ("log", text(4)),
        ]);
        return SerdeJson.write(&object([("reply", reply)]));
    }
    let call = Call {
        body: step.get(1).as_string().expect("a text"),
        delay: number(2),
        timeout: number(3),
        request_id,
        started,
        repeats: number(4) as u32,
        repeatable: step.get(5).is_truthy(),
        count: number(6) as u32,
    };
    SerdeJson.write(&Step::Call(call).into_value())
}
