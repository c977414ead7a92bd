//! One request from beginning to end, without IO.
//!
//! Call [`begin`] with the request. It returns a [`Step`]: either the reply, and the exchange is
//! over, or a call to make after a delay and within a time. Make it and hand its outcome to
//! [`resume`] together with the call, which returns the next step; and so on until a reply comes.
//! Between two calls everything there is to know is in the [`Call`] itself, nothing stays here. Texts that
//! are only passed on stay with the driver: `Text` is its handle of them (see [`Codec`]).

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
pub enum Step<Text = String> {
    /// Send this reply; the exchange is over.
    Reply(Reply<Text>),
    /// Make this call, as the caller, and [`resume`] with its outcome.
    Call(Call<Text>),
}

/// A call to the function's RPC, and all that the exchange remembers.
#[derive(Clone, Debug, PartialEq)]
pub struct Call<Text = String> {
    /// The arguments: the JSON text to post.
    pub body: Text,
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
    /// How many of what [`Function::note`] tells.
    pub count: u32,
}

/// Takes a request.
pub fn begin<C: Codec>(function: &Function, codec: &C, request: Request<C::Text>) -> Step<C::Text> {
    let request_id = http::request_id(request.request_id.as_deref(), &request.host.id);
    if request.method == "OPTIONS" {
        return Step::Reply(http::preflight());
    }
    match prepare(function, codec, &request) {
        Ok(arguments) => Step::Call(Call {
            body: codec.keep(codec.write(&arguments.json)),
            delay: 0.0,
            timeout: request.host.timeout,
            request_id,
            started: request.host.now,
            repeats: 0,
            repeatable: arguments.repeatable,
            count: arguments.count,
        }),
        Err((code, details)) => {
            let failure = Failure::new(code, details, "");
            refuse(codec, function.name, &Progress::none(&request_id), failure)
        }
    }
}

/// Takes the outcome of a call. `host.timeout` is the whole request's budget, as it was for
/// [`begin`].
pub fn resume<C: Codec>(
    function: &Function,
    codec: &C,
    call: Call<C::Text>,
    outcome: Outcome<C::Text>,
    host: &Host,
) -> Step<C::Text> {
    let elapsed = (host.now - call.started).max(0.0);
    let request_id = http::request_id(Some(&call.request_id), &host.id);
    let progress = Progress {
        request_id: &request_id,
        attempts: call.repeats.saturating_add(1),
        elapsed,
    };
    let (failure, may_repeat) = match judge(codec, outcome) {
        Verdict::Done(answer) => {
            return succeed(codec, function, &progress, call.count, answer);
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
pub fn crashed<C: Codec>(
    function: &Function,
    codec: &C,
    request_id: Option<&str>,
    fresh_id: &str,
) -> Step<C::Text> {
    let request_id = http::request_id(request_id, fresh_id);
    let failure = Failure::new(Code::Internal, Value::Null, "trap");
    refuse(codec, function.name, &Progress::none(&request_id), failure)
}

/// Everything that can be known before the database is asked, from the cheapest check on.
fn prepare<C: Codec>(
    function: &Function,
    codec: &C,
    request: &Request<C::Text>,
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
    let body = match request.body.as_ref().map(|body| codec.read(body)) {
        Some(Ok(body)) => body,
        Some(Err(Malformed::TooDeep)) => return Err(whole("is nested too deeply")),
        Some(Err(Malformed::NotJson)) | None => return Err(whole("is not JSON")),
    };
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
        let cause = Some(cause).filter(|cause| !cause.is_empty());
        codec.write(&object([
            ("level", level.into()),
            ("function", function.into()),
            ("request_id", self.request_id.into()),
            ("outcome", outcome.into()),
            ("status", u32::from(status).into()),
            ("attempts", self.attempts.into()),
            ("ms", Value::Number(self.elapsed.round())),
            ("cause", cause.map_or(Value::Null, Value::from)),
        ]))
    }
}

fn succeed<C: Codec>(
    codec: &C,
    function: &Function,
    progress: &Progress<'_>,
    count: u32,
    answer: Answer<C::Text>,
) -> Step<C::Text> {
    let mut headers = http::headers(progress.request_id);
    let mut log = progress.log(codec, function.name, "OK", 200, "");
    if answer.replayed {
        headers.push(("idempotent-replayed", "true".to_owned()));
    } else if let Some(note) = function.note {
        for part in ["\n[", progress.request_id, "] ", &note(count)] {
            log.push_str(part);
        }
    }
    Step::Reply(Reply {
        status: 200,
        headers,
        body: Some(answer.body),
        log: Some(log),
    })
}

fn refuse<C: Codec>(
    codec: &C,
    function: &str,
    progress: &Progress<'_>,
    failure: Failure,
) -> Step<C::Text> {
    let entry = failure.code.entry();
    Step::Reply(Reply {
        status: entry.status,
        headers: http::error_headers(&failure, progress.request_id),
        log: Some(progress.log(codec, function, entry.code, entry.status, &failure.cause)),
        body: Some(codec.keep(http::error_body(codec, failure, progress.request_id))),
    })
}
