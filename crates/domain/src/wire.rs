//! How the exchange's values are written down: in the corpora of tests/corpus and as what the fuzzer changes.
//! The functions do without; in WASM each value crosses as what it is.

use crate::exchange::{Stage, State, Step};
use crate::http::{BodyFault, Reply, Request};
use crate::json::{Value, object};
use crate::third_party::Asks;
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

impl Request<'static> {
    /// Reads a request; `None` if it has not the form that the shim sends.
    pub fn from_value(value: &Value) -> Option<Self> {
        let body_fault = match text(value, "bodyFault").as_deref() {
            None => None,
            Some("too_large") => Some(BodyFault::TooLarge),
            Some("not_utf8") => Some(BodyFault::NotUtf8),
            Some(_) => Some(BodyFault::Aborted),
        };
        Some(Request {
            method: text(value, "method")?.into(),
            authorization: text(value, "authorization").map(Into::into),
            content_type: text(value, "contentType").map(Into::into),
            request_id: text(value, "requestId").map(Into::into),
            shop: text(value, "shop").map(Into::into),
            if_match: text(value, "ifMatch").map(Into::into),
            idempotency_key: text(value, "idempotencyKey").map(Into::into),
            body: text(value, "body"),
            body_fault,
            id: text(value.get("host")?, "id")?.into(),
            came_ms: number(value.get("host")?, "now")?,
            budget_ms: number(value.get("host")?, "timeout")?,
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
                retry_after_s: number(value, "retryAfter"),
            },
            "unset" => Outcome::Unset,
            "unsent" => Outcome::Unsent,
            "broken" => Outcome::Broken,
            "timedOut" => Outcome::TimedOut,
            "unreadable" => Outcome::Unreadable,
            _ => return None,
        })
    }
}

impl State {
    /// Reads the state in a call that came back, and the budget that `host` has.
    pub fn from_value(call: &Value, host: &Value) -> Option<Self> {
        Some(State {
            request_id: text(call, "requestId")?,
            budget_ms: number(host, "timeout")?,
            sent_ms: number(call, "sent")?,
            repeats: number(call, "repeats")? as u32,
            repeatable: is_true(call, "repeatable"),
            count: number(call, "count")? as u32,
            stage: match call.get("stage") {
                None | Some(Value::Null) => None,
                Some(stage) => Some(Stage {
                    step: number(stage, "step")? as u32,
                    calls: number(stage, "calls")? as u32,
                    asks: match text(stage, "asks")?.as_str() {
                        "third_party" => Asks::ThirdParty,
                        "anybody" => Asks::Anybody,
                        _ => Asks::Database,
                    },
                    memo: text(stage, "memo")?,
                }),
            },
        })
    }
}

impl Step {
    /// The step as `{reply}` or `{call}`; `posted` is what was posted before, if anything was.
    pub fn into_value(self, posted: Option<&str>) -> Value {
        match self {
            Step::Reply(reply) => object([("reply", reply.into_value())]),
            Step::Call(call) => {
                let body = call.body.or(posted.map(str::to_owned));
                let state = call.state;
                let mut members = vec![
                    ("body", body.into()),
                    ("delay", call.delay_ms.into()),
                    ("timeout", call.timeout_ms.into()),
                    ("requestId", state.request_id.into()),
                    ("sent", state.sent_ms.into()),
                    ("repeats", state.repeats.into()),
                    ("repeatable", state.repeatable.into()),
                    ("count", state.count.into()),
                ];
                // Most calls have neither.
                members.extend(state.stage.map(|stage| ("stage", stage.into_value())));
                members.extend(call.target.map(|target| ("target", target.to_value())));
                let members = members.into_iter();
                let call = members.map(|(name, value)| (name.to_owned(), value));
                object([("call", Value::Object(call.collect()))])
            }
        }
    }
}

impl Stage {
    fn into_value(self) -> Value {
        object([
            ("step", self.step.into()),
            ("calls", self.calls.into()),
            (
                "asks",
                match self.asks {
                    Asks::Database => "database",
                    Asks::ThirdParty => "third_party",
                    Asks::Anybody => "anybody",
                }
                .into(),
            ),
            ("memo", self.memo.into()),
        ])
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
