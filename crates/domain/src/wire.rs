//! How the exchange's values are written down: in the corpora of tests/corpus and as what the fuzzer changes.
//! The functions do without; in WASM each value crosses as what it is.

use crate::exchange::{Call, Step};
use crate::http::{BodyFault, Host, Reply, Request};
use crate::json::{Value, object};
use crate::upstream::Outcome;

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_text().map(str::to_owned)
}

fn number(value: &Value, name: &str) -> Option<f64> {
    value.get(name)?.as_number()
}

fn is_true(value: &Value, name: &str) -> bool {
    matches!(value.get(name), Some(Value::Bool(true)))
}

impl Request {
    /// Reads a request; `None` if it has not the form that the shim sends.
    pub fn from_value(value: &Value) -> Option<Self> {
        let body_fault = match text(value, "bodyFault").as_deref() {
            None => None,
            Some("too_large") => Some(BodyFault::TooLarge),
            Some("not_utf8") => Some(BodyFault::NotUtf8),
            Some(_) => Some(BodyFault::Aborted),
        };
        Some(Request {
            method: text(value, "method")?,
            authorization: text(value, "authorization"),
            content_type: text(value, "contentType"),
            request_id: text(value, "requestId"),
            idempotency_key: text(value, "idempotencyKey"),
            body: text(value, "body"),
            body_fault,
            host: Host::from_value(value.get("host")?)?,
        })
    }
}

impl Host {
    /// Reads the host's values.
    pub fn from_value(value: &Value) -> Option<Self> {
        Some(Host {
            now: number(value, "now")?,
            random: number(value, "random")?,
            id: text(value, "id")?,
            timeout: number(value, "timeout")?,
        })
    }
}

impl Outcome {
    /// Reads what came of a call.
    pub fn from_value(value: &Value) -> Option<Self> {
        Some(match text(value, "kind")?.as_str() {
            "answered" => Outcome::Answered {
                status: number(value, "status")? as u16,
                body: text(value, "body")?,
                replayed: is_true(value, "replayed"),
            },
            "unsent" => Outcome::Unsent,
            "broken" => Outcome::Broken,
            "timedOut" => Outcome::TimedOut,
            "unreadable" => Outcome::Unreadable,
            _ => return None,
        })
    }
}

impl Call {
    /// Reads a call that came back.
    pub fn from_value(value: &Value) -> Option<Self> {
        Some(Call {
            body: text(value, "body")?,
            delay: number(value, "delay")?,
            timeout: number(value, "timeout")?,
            request_id: text(value, "requestId")?,
            started: number(value, "started")?,
            repeats: number(value, "repeats")? as u32,
            repeatable: is_true(value, "repeatable"),
            count: number(value, "count")? as u32,
        })
    }

    fn into_value(self) -> Value {
        object([
            ("body", self.body.into()),
            ("delay", self.delay.into()),
            ("timeout", self.timeout.into()),
            ("requestId", self.request_id.into()),
            ("started", self.started.into()),
            ("repeats", self.repeats.into()),
            ("repeatable", self.repeatable.into()),
            ("count", self.count.into()),
        ])
    }
}

impl Step {
    /// The step as `{reply}` or `{call}`.
    pub fn into_value(self) -> Value {
        match self {
            Step::Reply(reply) => object([("reply", reply.into_value())]),
            Step::Call(call) => object([("call", call.into_value())]),
        }
    }
}

impl Reply {
    fn into_value(self) -> Value {
        let headers = self.headers.into_iter();
        let headers = headers.map(|(name, value)| Value::List(vec![name.into(), value.into()]));
        object([
            ("status", u32::from(self.status).into()),
            ("headers", Value::List(headers.collect())),
            ("body", self.body.into()),
            ("log", self.log.into()),
        ])
    }
}
