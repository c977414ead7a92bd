//! One request from beginning to end, without IO.
//!
//! Call [`begin`] with the request. It returns a [`Step`]: either the reply, and the exchange is
//! over, or a call to make after a delay and within a time. Make it and hand its outcome to
//! [`resume`] together with the call, which returns the next step; and so on until a reply comes.
//! Between two calls everything there is to know is in the [`Call`] itself, nothing stays here.

use crate::catalogue::Code;
use crate::fields::{self, Fields, Problem};
use crate::function::{Arguments, Function};
use crate::http::{self, BodyFault, Host, MAX_BODY, Reply, Request};
use crate::identity;
use crate::json::{Codec, Malformed, Value, object};
use crate::retry;
use crate::upstream::{Answer, Failure, Outcome, Verdict, judge};

/// What the driver of an exchange has to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Send this reply; the exchange is over.
    Reply(Reply),
    /// Make this call and [`resume`] with its outcome.
    Call(Call),
}

/// A call to the function's RPC, and all that the exchange remembers.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The arguments: the JSON text to post.
    pub body: String,
    /// The caller's own `authorization` header.
    pub authorization: String,
    /// Milliseconds to wait before the call.
    pub delay: f64,
    /// Milliseconds after which the call is given up.
    pub timeout: f64,
    /// The id of the request.
    pub request_id: String,
    /// When the request came, in milliseconds since 1970.
    pub started: f64,
    /// How often the call was repeated.
    pub repeats: u32,
    /// Whether the call may be repeated after one whose outcome is not known.
    pub repeatable: bool,
    /// What the log says beside its usual line when it worked; nothing if empty.
    pub note: String,
}

/// Takes a request.
pub fn begin(function: &Function, codec: &impl Codec, request: Request) -> Step {
    let request_id = http::request_id(request.request_id.as_deref(), &request.host.id);
    if request.method == "OPTIONS" {
        return Step::Reply(http::preflight());
    }
    match prepare(function, codec, &request) {
        Ok(arguments) => Step::Call(Call {
            body: codec.write(&arguments.json),
            authorization: request.authorization.unwrap_or_default(),
            delay: 0.0,
            timeout: request.host.timeout,
            request_id,
            started: request.host.now,
            repeats: 0,
            repeatable: arguments.repeatable,
            note: arguments.note,
        }),
        Err((code, details)) => {
            let failure = Failure::new(code, details, "");
            refuse(codec, function.name, &Progress::none(&request_id), failure)
        }
    }
}

/// Takes the outcome of a call. `host.timeout` is the whole request's budget, as it was for
/// [`begin`].
pub fn resume(
    function: &Function,
    codec: &impl Codec,
    call: Call,
    outcome: Outcome,
    host: &Host,
) -> Step {
    let elapsed = (host.now - call.started).max(0.0);
    let request_id = http::request_id(Some(&call.request_id), &host.id);
    let progress = Progress {
        request_id: &request_id,
        attempts: call.repeats.saturating_add(1),
        elapsed,
    };
    let (failure, may_repeat) = match judge(codec, outcome) {
        Verdict::Done(answer) => {
            return succeed(codec, function.name, &progress, &call.note, answer);
        }
        Verdict::Failed(failure) => (failure, false),
        Verdict::Passing(failure) => (failure, true),
        Verdict::Unknown(failure) | Verdict::Lost(failure) if !call.repeatable => {
            (failure.that_may_have_acted(), false)
        }
        Verdict::Unknown(failure) => (failure, true),
        Verdict::Lost(failure) => (failure, false),
    };
    let left = host.timeout - elapsed;
    match retry::backoff(call.repeats, host.random, left).filter(|_| may_repeat) {
        Some(delay) => Step::Call(Call {
            delay,
            timeout: left - delay,
            repeats: call.repeats + 1,
            ..call
        }),
        None => refuse(codec, function.name, &progress, failure),
    }
}

/// The reply to a request during which the instance broke down.
pub fn crashed(
    function: &Function,
    codec: &impl Codec,
    request_id: Option<&str>,
    fresh_id: &str,
) -> Step {
    let request_id = http::request_id(request_id, fresh_id);
    let failure = Failure::new(Code::Internal, Value::Null, "trap");
    refuse(codec, function.name, &Progress::none(&request_id), failure)
}

/// Everything that can be known before the database is asked, from the cheapest check on.
fn prepare(
    function: &Function,
    codec: &impl Codec,
    request: &Request,
) -> Result<Arguments, (Code, Value)> {
    if request.method != "POST" {
        return Err((
            Code::MethodNotAllowed,
            object([("method", request.method.as_str().into())]),
        ));
    }
    identity::check(codec, request.authorization.as_deref(), request.host.now).map_err(
        |anonymous| {
            (
                Code::Unauthenticated,
                object([("reason", anonymous.reason().into())]),
            )
        },
    )?;
    let whole = |message: &str| {
        let problem = Problem {
            pointer: String::new(),
            message: message.to_owned(),
        };
        (Code::ValidationFailed, fields::details(vec![problem]))
    };
    match request.body_fault {
        Some(BodyFault::TooLarge) => {
            return Err((Code::BodyTooLarge, object([("max_bytes", MAX_BODY.into())])));
        }
        Some(BodyFault::NotUtf8) => return Err(whole("is not UTF-8")),
        Some(BodyFault::Aborted) => return Err(whole("did not arrive completely")),
        None => {}
    }
    if !http::is_json(request.content_type.as_deref()) {
        return Err((Code::UnsupportedMediaType, Value::Null));
    }
    let body = codec
        .parse(request.body.as_deref().unwrap_or_default())
        .map_err(|malformed| match malformed {
            Malformed::NotJson => whole("is not JSON"),
            Malformed::TooDeep => whole("is nested too deeply"),
        })?;
    let read = (function.read)(Fields::of_body(body));
    let key = request.idempotency_key.as_deref();
    let key_problem = key
        .is_some_and(|key| !http::is_idempotency_key(key))
        .then(|| Problem {
            pointer: "/headers/idempotency-key".to_owned(),
            message: "must have 1 to 255 printable ASCII characters".to_owned(),
        });
    match (read, key_problem) {
        (Ok(arguments), None) => Ok(match key {
            Some(key) if function.keyed => arguments.with_idempotency_key(key),
            _ => arguments,
        }),
        (read, key_problem) => {
            let problems = read
                .err()
                .unwrap_or_default()
                .into_iter()
                .chain(key_problem);
            Err((Code::ValidationFailed, fields::details(problems.collect())))
        }
    }
}

/// What the log says about the way to a reply.
struct Progress<'a> {
    request_id: &'a str,
    attempts: u32,
    elapsed: f64,
}

impl<'a> Progress<'a> {
    /// No call was made.
    fn none(request_id: &'a str) -> Self {
        Progress {
            request_id,
            attempts: 0,
            elapsed: 0.0,
        }
    }

    /// One line of JSON: no personal data, no tokens.
    fn log(
        &self,
        codec: &impl Codec,
        function: &str,
        outcome: &str,
        status: u16,
        cause: &str,
    ) -> String {
        let level = if status < 500 { "info" } else { "error" };
        let cause = if cause.is_empty() {
            Value::Null
        } else {
            cause.into()
        };
        codec.write(&object([
            ("level", level.into()),
            ("function", function.into()),
            ("request_id", self.request_id.into()),
            ("outcome", outcome.into()),
            ("status", u32::from(status).into()),
            ("attempts", self.attempts.into()),
            ("ms", Value::Number(self.elapsed.round())),
            ("cause", cause),
        ]))
    }
}

fn succeed(
    codec: &impl Codec,
    function: &str,
    progress: &Progress<'_>,
    note: &str,
    answer: Answer,
) -> Step {
    let mut headers = http::headers(progress.request_id);
    let mut log = progress.log(codec, function, "OK", 200, "");
    if answer.replayed {
        headers.push(("idempotent-replayed", "true".to_owned()));
    } else if !note.is_empty() {
        log = format!("{log}\n[{}] {note}", progress.request_id);
    }
    Step::Reply(Reply {
        status: 200,
        headers,
        body: Some(answer.body),
        log: Some(log),
    })
}

fn refuse(codec: &impl Codec, function: &str, progress: &Progress<'_>, failure: Failure) -> Step {
    let entry = failure.code.entry();
    Step::Reply(Reply {
        status: entry.status,
        headers: http::error_headers(&failure, progress.request_id),
        log: Some(progress.log(codec, function, entry.code, entry.status, &failure.cause)),
        body: Some(http::error_body(codec, failure, progress.request_id)),
    })
}
