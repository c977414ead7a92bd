//! The exports of a function's WASM as an exchange of the corpus: what is written down there as one object
//! crosses as so many arguments, and a step comes back as a flat list.

use interlock_domain::exchange::{Call, State, Step};
use interlock_domain::http::ANSWER_HEADERS;
use interlock_domain::json::{Codec, SerdeJson, Value, object};
use js_sys::Array;
use wasm_bindgen::{JsCast, JsValue};

/// The exchange of the function in this crate.
#[macro_export]
macro_rules! through_wasm {
    ($function:ident) => {
        $crate::replay::Exchange {
            begin: &|request| {
                let request = $crate::boundary::read(request);
                let head = $crate::boundary::head(&request);
                let (now, budget, ..) =
                    $crate::boundary::host(request.get("host").expect("a host"));
                let step = match $crate::boundary::text(&request, "bodyFault") {
                    Some(fault) => {
                        let fault = $crate::boundary::word(&fault);
                        $function::begin_without(&head, &fault, now, budget)
                    }
                    None => {
                        let body = $crate::boundary::text(&request, "body").unwrap_or_default();
                        $function::begin(&head, body.into(), now, budget)
                    }
                };
                $crate::boundary::written(&step, None)
            },
            resume: &|call, outcome, host| {
                let [call, outcome, host] = [call, outcome, host].map($crate::boundary::read);
                let state = State::from_value(&call, &host).expect("a call").write();
                let (_, _, elapsed, random) = $crate::boundary::host(&host);
                let step = match $crate::boundary::answer(&outcome) {
                    Some((status, body, replayed, retry_after)) => $function::resume(
                        &state,
                        status,
                        body.into(),
                        replayed,
                        retry_after,
                        elapsed,
                        random,
                    ),
                    None => {
                        let kind = $crate::boundary::text(&outcome, "kind").expect("a kind");
                        let outcome =
                            $crate::boundary::word(&kind.replace("timedOut", "timed_out"));
                        $function::resume_without(&state, &outcome, elapsed, random)
                    }
                };
                $crate::boundary::written(&step, $crate::boundary::text(&call, "body"))
            },
        }
    };
}

/// A document of the corpus.
pub(crate) fn read(text: &str) -> Value {
    SerdeJson.parse(text).expect("the corpus is JSON")
}

/// A member that is a text.
pub(crate) fn text(value: &Value, name: &str) -> Option<String> {
    Some(value.get(name)?.as_text()?.to_owned())
}

/// The head of a request.
pub(crate) fn head(request: &Value) -> String {
    let host = request.get("host").expect("a host");
    let line = |name| text(request, name).unwrap_or_default();
    let lines = [
        line("method"),
        text(host, "id").expect("an id"),
        line("requestId"),
        line("contentType"),
        line("authorization"),
    ];
    let marked = |value: &Value| {
        let text = value.as_text();
        text.map_or_else(String::new, |text| format!("={text}"))
    };
    let shop = marked(request.get("shop").unwrap_or(&Value::Null));
    // Only where the function is conditional.
    let guard = request.get("ifMatch").map(marked);
    let key = text(request, "idempotencyKey");
    lines
        .into_iter()
        .chain([shop])
        .chain(guard)
        .chain(key)
        .collect::<Vec<_>>()
        .join("\n")
}

/// The time on the wall, the budget, the time that has passed and a random number.
pub(crate) fn host(host: &Value) -> (f64, f64, f64, f64) {
    let number = |name| host.get(name).and_then(Value::as_number).expect(name);
    (
        number("now"),
        number("timeout"),
        number("elapsed"),
        number("random"),
    )
}

/// Status, body, whether it was replayed and what it asks to wait, if there is an answer.
pub(crate) fn answer(outcome: &Value) -> Option<(u16, String, bool, Option<f64>)> {
    let status = outcome.get("status")?.as_number()? as u16;
    let replayed = outcome.get("replayed") == Some(&true.into());
    let retry_after = outcome.get("retryAfter").and_then(Value::as_number);
    Some((status, text(outcome, "body")?, replayed, retry_after))
}

/// A word of the contract.
pub(crate) fn word<Word: JsCast>(word: &str) -> Word {
    JsValue::from(word).unchecked_into()
}

/// A step as the corpus has it; `posted` is what was posted before.
pub(crate) fn written(step: &JsValue, posted: Option<String>) -> String {
    let step = Array::from(step);
    let text = |index| step.get(index).as_string();
    let number = |index| step.get(index).as_f64().expect("a number");
    if step.get(0).is_falsy() {
        let Value::Object(own) = read(&text(2).expect("a text")) else {
            panic!("the headers are no object")
        };
        let common = ANSWER_HEADERS.map(|(name, value)| (name.to_owned(), value.into()));
        let common = common.into_iter().filter(|_| text(3).is_some());
        let pairs = common.chain(own);
        let pairs = pairs.map(|(name, value)| Value::List(vec![name.into(), value]));
        let reply = object([
            ("status", number(1).into()),
            ("headers", Value::List(pairs.collect())),
            ("body", text(3).into()),
            ("log", text(4).into()),
        ]);
        return SerdeJson.write(&object([("reply", reply)]));
    }
    let call = Call {
        body: text(2),
        target: None,
        delay_ms: number(3),
        timeout_ms: number(4),
        state: State::read(&text(1).expect("a text")).expect("a state"),
    };
    let mut step = Step::Call(call).into_value(posted.as_deref());
    if let (Some(target), Value::Object(members)) = (text(5), &mut step)
        && let Some((_, Value::Object(call))) = members.first_mut()
    {
        call.push(("target".to_owned(), read(&target)));
    }
    SerdeJson.write(&step)
}
