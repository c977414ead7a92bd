//! One request from beginning to end, without IO.
//!
//! Call [`begin`] with the request. It returns a [`Step`]: either the reply, and the exchange is
//! over, or a call to make after a delay and within a time. Make it and hand its outcome to
//! [`resume`] together with the call's [`State`], which returns the next step; and so on until a reply comes. Most functions
//! make one call, perhaps more than once; others make a few, as [`crate::third_party`] has it.
//! Between two calls everything there is to know is in that state, nothing stays here. Texts that
//! are only passed on stay with the driver: `Text` is its handle of them (see [`Codec`]).

use crate::errors::Code;
use crate::fields::{self, Fields, Problem, Problems};
use crate::function::{Arguments, Function, Route, Takes, Versions};
use crate::http::{self, BodyFault, MAX_BODY, Reply, Request};
use crate::identity;
use crate::json::{Codec, Malformed, Value, object};
use crate::retry;
use crate::third_party::{
    Asks, Body, Branch, MAX_CALLS, MOST_PATIENCE_MS, Next, NextCall, Target, ThirdParty, Turn, told,
};
use crate::upstream::{Answer, Cause, Failure, Outcome, Verdict, judge};
use std::borrow::Cow;

/// What the driver of an exchange has to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step<Text = String> {
    /// Send this reply; the exchange is over.
    Reply(Reply<Text>),
    /// Make this call, as the caller, and [`resume`] with its outcome.
    Call(Call<Text>),
}

/// A call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call<Text = String> {
    /// What to send: to the function's own RPC its arguments, as JSON; `None` for the very call that was made before.
    pub body: Option<Text>,
    /// Where to, if not to the function's own RPC.
    pub target: Option<Target>,
    /// How long to wait before the call.
    pub delay_ms: f64,
    /// After how long the call is given up.
    pub timeout_ms: f64,
    /// What [`resume`] needs to know.
    pub state: State,
}

/// All that an exchange remembers while a call is under way. The driver keeps it, as a text that it does not look
/// into, so that the instance can be thrown away at any moment without harm to a request.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// The id of the request.
    pub request_id: String,
    /// The budget for all calls of the request, in milliseconds.
    pub budget_ms: f64,
    /// When the call is made, in whole milliseconds since the request came.
    pub sent_ms: f64,
    /// How often the call was repeated.
    pub repeats: u32,
    /// Whether the call may be repeated after one whose outcome is not known.
    pub repeatable: bool,
    /// How many of what [`Function::note`] tells.
    pub count: u32,
    /// Which call it is, if it is not the first one.
    pub stage: Option<Stage>,
}

/// A call that followed the answer to another one, or whose arguments have to be known when its answer comes.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// As the function calls it: see [`crate::third_party::NextCall::step`].
    pub step: u32,
    /// How many calls were made before it.
    pub calls: u32,
    /// Whom it asks.
    pub asks: Asks,
    /// What the function noted, as JSON.
    pub memo: String,
}

impl State {
    /// How many calls were made, this one counted.
    fn calls(&self) -> u32 {
        let before = self.stage.as_ref().map_or(0, |stage| stage.calls);
        before.saturating_add(self.repeats).saturating_add(1)
    }

    /// As a text, by which it travels.
    pub fn write(&self) -> String {
        let mut text = String::with_capacity(128);
        let counts = [self.repeats, self.repeatable.into(), self.count];
        let times = [self.budget_ms, self.sent_ms].map(|time| time as u64);
        for number in counts.into_iter().map(u64::from).chain(times) {
            push_decimal(&mut text, number);
            text.push(' ');
        }
        text.push_str(&self.request_id);
        if let Some(stage) = &self.stage {
            let asks = match stage.asks {
                Asks::Database => 0,
                Asks::ThirdParty => 1,
                Asks::Anybody => 2,
            };
            for number in [stage.step, stage.calls, asks] {
                text.push(' ');
                push_decimal(&mut text, number.into());
            }
            text.push(' ');
            text.push_str(&stage.memo);
        }
        text
    }

    /// Reads what [`State::write`] wrote; `None` for any other text.
    pub fn read(text: &str) -> Option<Self> {
        let ([repeats, repeatable, count, budget, sent], rest) = decimals(text)?;
        // An id has no blank in it.
        let (request_id, stage) = match rest.split_once(' ') {
            None => (rest, None),
            Some((request_id, rest)) => {
                let ([step, calls, asks], memo) = decimals(rest)?;
                let stage = Stage {
                    step: step.try_into().ok()?,
                    calls: calls.try_into().ok()?,
                    asks: match asks {
                        1 => Asks::ThirdParty,
                        2 => Asks::Anybody,
                        _ => Asks::Database,
                    },
                    memo: memo.to_owned(),
                };
                (request_id, Some(stage))
            }
        };
        Some(State {
            request_id: request_id.to_owned(),
            budget_ms: budget as f64,
            sent_ms: sent as f64,
            repeats: repeats.try_into().ok()?,
            repeatable: repeatable == 1,
            count: count.try_into().ok()?,
            stage,
        })
    }
}

/// Writes a number. By hand, as [`decimal`] reads it: the standard ways cost an allocation each and a kilobyte.
fn push_decimal(text: &mut String, number: u64) {
    if number >= 10 {
        push_decimal(text, number / 10);
    }
    text.push(char::from(b'0' + (number % 10) as u8));
}

/// The numbers that a text begins with, a blank after each, and what follows.
fn decimals<const N: usize>(text: &str) -> Option<([u64; N], &str)> {
    let mut numbers = [0_u64; N];
    let mut rest = text;
    for number in &mut numbers {
        let (digits, after) = rest.split_once(' ')?;
        (*number, rest) = (decimal(digits)?, after);
    }
    Some((numbers, rest))
}

fn decimal(digits: &str) -> Option<u64> {
    // More than a count or a budget has.
    if !(1..=15).contains(&digits.len()) {
        return None;
    }
    digits.bytes().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + u64::from(digit - b'0'))
    })
}

/// Takes a request.
pub fn begin<C: Codec>(
    function: &Function,
    codec: &C,
    request: Request<'_, C::Text>,
) -> Step<C::Text> {
    if request.method == "OPTIONS" {
        return Step::Reply(http::preflight(function.route.is_some()));
    }
    match prepare(function, codec, &request) {
        Ok(arguments) => {
            let body = codec.write(&arguments.json);
            let is_remembered = function.versions.is_some() && arguments.remembered;
            let stage = is_remembered.then(|| own_call(0, body.clone()));
            Step::Call(Call {
                body: Some(codec.keep(body)),
                target: None,
                delay_ms: 0.0,
                timeout_ms: request.budget_ms,
                state: State {
                    request_id: http::request_id(request.request_id.as_deref(), &request.id),
                    budget_ms: request.budget_ms,
                    sent_ms: 0.0,
                    repeats: 0,
                    repeatable: arguments.repeatable,
                    count: arguments.count,
                    stage,
                },
            })
        }
        Err((code, details)) => {
            let failure = Failure::new(code, details, None);
            Step::Reply(refuse_untaken(codec, function, &request, failure))
        }
    }
}

/// Takes the outcome of a call. `elapsed_ms` has passed since the request came, by a monotonic clock, and `random` is
/// in [0, 1).
pub fn resume<C: Codec>(
    function: &Function,
    codec: &C,
    state: State,
    outcome: Outcome<C::Text>,
    elapsed_ms: f64,
    random: f64,
) -> Step<C::Text> {
    // It was checked; a shim that damaged the state still gets an answer that can be sent.
    let request_id = http::request_id(Some(&state.request_id), "");
    let progress = Progress {
        request_id: &request_id,
        attempts: state.calls(),
        elapsed_ms,
    };
    let status = match outcome {
        Outcome::Answered { status, .. } => status,
        _ => 0,
    };
    let took_ms = elapsed_ms - state.sent_ms;
    let asks = state.stage.as_ref().map(|stage| stage.asks);
    let verdict = match (&function.third_party, asks) {
        (Some(third_party), Some(Asks::ThirdParty)) => third_party.judge::<C>(outcome),
        (Some(_), Some(Asks::Anybody)) => {
            let body = codec.keep(codec.write(&told(codec, outcome, took_ms)));
            let replayed = false;
            Verdict::Done(Answer { body, replayed })
        }
        _ => judge(codec, outcome, took_ms),
    };
    let (failure, may_repeat) = match verdict {
        Verdict::Done(answer) => {
            let next = match &function.third_party {
                Some(third_party) => go_on(codec, third_party, &state, status, answer, elapsed_ms),
                None => Onward::Reply(answer),
            };
            match next {
                Onward::Reply(answer) => {
                    let version = function.versions.as_ref().and_then(|versions| {
                        let answer = codec.read(&answer.body).ok()?;
                        (versions.of)(&answer)
                    });
                    let mut reply = succeed(codec, function, &progress, state.count, answer);
                    reply.headers.extend(version.map(http::etag));
                    return Step::Reply(reply);
                }
                Onward::Call(call) => return Step::Call(call),
                Onward::Fail(failure, may_repeat) => (failure, may_repeat),
            }
        }
        Verdict::Unknown(failure) | Verdict::Lost(failure) if !state.repeatable => {
            (failure.that_may_have_acted(), false)
        }
        Verdict::Failed(failure) => {
            let call = function.versions.as_ref().and_then(|versions| {
                ask_again(codec, versions, &state, &failure, elapsed_ms, random)
            });
            if let Some(call) = call {
                return Step::Call(call);
            }
            (failure, false)
        }
        Verdict::Passing(failure) | Verdict::Unknown(failure) => (failure, true),
        Verdict::Lost(failure) => (failure, false),
    };
    let left_ms = state.budget_ms - elapsed_ms;
    let asked_ms = failure.retry_after_s.unwrap_or_default() * 1_000.0;
    let backoff_ms = retry::backoff(state.repeats, random, asked_ms, left_ms);
    match backoff_ms.filter(|_| may_repeat) {
        Some(delay_ms) => Step::Call(Call {
            body: None,
            target: None,
            delay_ms,
            timeout_ms: left_ms - delay_ms,
            state: State {
                sent_ms: (elapsed_ms + delay_ms).floor(),
                repeats: state.repeats + 1,
                ..state
            },
        }),
        None => {
            // What was done before this call may be done a second time, if the client sends all of it again.
            let has_acted = state.stage.is_some_and(|stage| stage.step > 0) && !state.repeatable;
            let failure = match failure.retryable && has_acted {
                true => failure.that_may_have_acted(),
                false => failure,
            };
            Step::Reply(refuse(codec, function, &progress, failure))
        }
    }
}

/// Where an answer leads.
enum Onward<Text> {
    Reply(Answer<Text>),
    Call(Call<Text>),
    /// It cannot go on; and whether the call may be repeated.
    Fail(Failure, bool),
}

/// What comes of an answer by [`ThirdParty::next`].
fn go_on<C: Codec>(
    codec: &C,
    third_party: &ThirdParty,
    state: &State,
    status: u16,
    answer: Answer<C::Text>,
    elapsed_ms: f64,
) -> Onward<C::Text> {
    let unexpected = || third_party.failure(Code::Internal, Value::Null, Cause::Unexpected, status);
    let stage = state.stage.as_ref();
    let next = (third_party.next)(Turn {
        step: stage.map_or(0, |stage| stage.step),
        status,
        answer: codec.read(&answer.body).unwrap_or(Value::Null),
        memo: stage.map_or(Value::Null, |stage| {
            codec.parse(&stage.memo).unwrap_or(Value::Null)
        }),
    });
    let next = match next {
        Next::Pass => return Onward::Reply(answer),
        Next::Reply(value) => {
            let body = codec.keep(codec.write(&value));
            let replayed = false;
            return Onward::Reply(Answer { body, replayed });
        }
        Next::Refuse(code, details) => {
            let failure = third_party.failure(code, details, Cause::Refused, status);
            return Onward::Fail(failure, false);
        }
        Next::Repeat => {
            let code = Code::UpstreamUnavailable;
            let failure = third_party.failure(code, Value::Null, Cause::Limited, status);
            return Onward::Fail(failure, true);
        }
        Next::Unexpected => return Onward::Fail(unexpected(), false),
        next @ (Next::Call(_) | Next::Each { .. }) => next,
    };
    let calls = state.calls();
    if calls >= MAX_CALLS {
        return Onward::Fail(unexpected(), false);
    }
    let left_ms = state.budget_ms - elapsed_ms;
    if left_ms <= 0.0 {
        let code = Code::UpstreamTimeout;
        let failure = Failure::new(code, Value::Null, Some(Cause::TimedOut));
        return Onward::Fail(failure, false);
    }
    let follow = |next: NextCall| {
        let asks = next.target.asks();
        Branch {
            body: match next.body {
                Body::Json(value) => codec.write(&value),
                Body::Text(text) => text,
            },
            timeout_ms: match asks {
                // Time is left to say what came of it.
                Asks::Anybody => f64::min(MOST_PATIENCE_MS, left_ms * 0.75),
                Asks::Database | Asks::ThirdParty => left_ms,
            },
            state: State {
                sent_ms: elapsed_ms.floor(),
                repeats: 0,
                stage: Some(Stage {
                    step: next.step,
                    calls,
                    asks,
                    memo: codec.write(&next.memo),
                }),
                ..state.clone()
            },
            target: next.target,
        }
    };
    let branch = match next {
        Next::Call(next) => follow(next),
        Next::Each { step, calls } => follow(NextCall {
            step,
            memo: Value::Null,
            target: Target::Each(calls.into_iter().map(&follow).collect()),
            body: Body::Json(object([])),
        }),
        _ => return Onward::Fail(unexpected(), false),
    };
    Onward::Call(Call {
        body: Some(codec.keep(branch.body)),
        delay_ms: 0.0,
        timeout_ms: branch.timeout_ms,
        state: branch.state,
        target: Some(branch.target),
    })
}

/// The call that asks by [`Versions::again`] for what others came first with; `None` if the refusal is the reply. It
/// waits as a repeat does, and all calls together are not more than repeats would be.
fn ask_again<C: Codec>(
    codec: &C,
    versions: &Versions,
    state: &State,
    failure: &Failure,
    elapsed_ms: f64,
    random: f64,
) -> Option<Call<C::Text>> {
    let remembered = codec.parse(&state.stage.as_ref()?.memo).ok()?;
    let arguments = (versions.again)(&failure.code, &failure.details, remembered)?;
    let left_ms = state.budget_ms - elapsed_ms;
    let delay_ms = retry::backoff(state.calls() - 1, random, 0.0, left_ms)?;
    let body = codec.write(&arguments);
    Some(Call {
        target: None,
        delay_ms,
        timeout_ms: left_ms - delay_ms,
        state: State {
            sent_ms: (elapsed_ms + delay_ms).floor(),
            repeats: 0,
            stage: Some(own_call(state.calls(), body.clone())),
            ..state.clone()
        },
        body: Some(codec.keep(body)),
    })
}

/// A call of the function's own RPC whose arguments have to be known when its answer comes. Nothing was done before it.
fn own_call(calls: u32, memo: String) -> Stage {
    Stage {
        step: 0,
        calls,
        asks: Asks::Database,
        memo,
    }
}

/// The reply to a request under which the instance broke down; `thrown` is the name of what was thrown.
pub fn trapped<C: Codec>(
    function: &Function,
    codec: &C,
    request: &Request<'_, C::Text>,
    thrown: &str,
) -> Reply<C::Text> {
    // A message may quote the request; a name does not.
    let is_name = thrown.len() <= 16 && thrown.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let failure = Failure {
        cause_code: if is_name { thrown } else { "" }.to_owned(),
        ..Failure::new(Code::Internal, Value::Null, Some(Cause::Trap))
    };
    refuse_untaken(codec, function, request, failure)
}

/// The reply to a request where the function's settings cannot be used; [`misconfiguration`] has said why. A preflight
/// succeeds: a browser shows what the function answers only if it may send the request.
pub fn misconfigured<C: Codec>(
    function: &Function,
    codec: &C,
    request: &Request<'_, C::Text>,
) -> Reply<C::Text> {
    if request.method == "OPTIONS" {
        return http::preflight(function.route.is_some());
    }
    let failure = Failure::new(Code::Misconfigured, Value::Null, Some(Cause::Settings));
    refuse_untaken(codec, function, request, failure)
}

/// The line that the log gets once, when a function starts whose settings cannot be used.
pub fn misconfiguration(function: &Function, codec: &impl Codec, reason: &str) -> String {
    codec.write(&object([
        ("level", "error".into()),
        ("function", function.name.into()),
        ("outcome", Code::Misconfigured.entry().code.into()),
        ("cause", Cause::Settings.word().into()),
        ("reason", reason.into()),
    ]))
}

/// Everything that can be known before the database is asked, from the cheapest check on.
fn prepare<C: Codec>(
    function: &Function,
    codec: &C,
    request: &Request<'_, C::Text>,
) -> Result<Arguments, Refusal> {
    let route = function.route.as_ref();
    let routed = route.and_then(|route| Some((route, route.value(&request.method)?)));
    if request.method != "POST" && routed.is_none() {
        let method = request.method.split(' ').next().unwrap_or_default();
        return Err((Code::MethodNotAllowed, object([("method", method.into())])));
    }
    match function.takes {
        Takes::Fields {
            keyed,
            by_shop,
            read,
        } => {
            let authorization = request.authorization.as_deref();
            identity::check(codec, authorization, request.came_ms, by_shop).map_err(
                |anonymous| {
                    let reason = anonymous.reason();
                    (Code::Unauthenticated, object([("reason", reason.into())]))
                },
            )?;
            let conditional = function.is_conditional();
            prepare_fields(codec, request, keyed, conditional, routed, read)
        }
        Takes::Signed { arguments, .. } => {
            if let Some(problem) = shop_problem(request) {
                return Err(invalid(vec![problem]));
            }
            let body = body_of(request)?.map_or_else(String::new, |body| codec.take(body));
            // No text of the database can hold it, so nobody can have signed it for us.
            if body.contains('\0') {
                return Err(of_the_whole("has a NUL character"));
            }
            let signature = request.authorization.as_deref().unwrap_or_default();
            Ok(arguments(&body, signature))
        }
    }
}

/// A refusal, with its details.
type Refusal = (Code, Value);

/// The refusal of a body as a whole.
fn of_the_whole(message: &str) -> Refusal {
    let problem = Problem {
        pointer: String::new(),
        message: message.to_owned(),
    };
    invalid(vec![problem])
}

/// The refusal of a request that has these problems.
fn invalid(problems: Vec<Problem>) -> Refusal {
    (Code::ValidationFailed, fields::details(problems))
}

/// What is wrong with the header that says which shop is meant.
fn shop_problem<Text>(request: &Request<'_, Text>) -> Option<Problem> {
    let message = "must be the id or the handle of a shop";
    header_problem("/headers/x-shop", &request.shop, http::is_shop, message)
}

/// What is wrong with a header, if it is there.
fn header_problem(
    pointer: &str,
    value: &Option<Cow<'_, str>>,
    is_good: fn(&str) -> bool,
    message: &str,
) -> Option<Problem> {
    let is_bad = !is_good(value.as_deref()?);
    is_bad.then(|| Problem {
        pointer: pointer.to_owned(),
        message: message.to_owned(),
    })
}

/// The body, if it could be read.
fn body_of<'a, Text>(request: &'a Request<'_, Text>) -> Result<Option<&'a Text>, Refusal> {
    match request.body_fault {
        Some(BodyFault::TooLarge) => {
            Err((Code::BodyTooLarge, object([("max_bytes", MAX_BODY.into())])))
        }
        Some(BodyFault::NotUtf8) => Err(of_the_whole("is not UTF-8")),
        Some(BodyFault::Aborted) => Err(of_the_whole("did not arrive completely")),
        None => Ok(request.body.as_ref()),
    }
}

/// The arguments of a signed-in user's JSON.
fn prepare_fields<C: Codec>(
    codec: &C,
    request: &Request<'_, C::Text>,
    keyed: bool,
    conditional: bool,
    routed: Option<(&Route, &str)>,
    read: fn(Fields) -> Result<Arguments, Problems>,
) -> Result<Arguments, Refusal> {
    let body = body_of(request)?;
    if !http::is_json(request.content_type.as_deref()) {
        return Err((Code::UnsupportedMediaType, Value::Null));
    }
    let body = match body.map(|body| codec.read(body)) {
        Some(Ok(body)) => body,
        Some(Err(Malformed::TooDeep)) => return Err(of_the_whole("is nested too deeply")),
        Some(Err(Malformed::NotJson)) | None => return Err(of_the_whole("is not JSON")),
    };
    let mut fields = Fields::of_body(body);
    if let Some((route, value)) = routed {
        fields.take_route(route, value);
    }
    if conditional {
        fields.take_if_match(request.if_match.as_deref());
    }
    let mut problems = Vec::new();
    let read = read(fields).map_err(|found| problems = found);
    let key = &request.idempotency_key;
    problems.extend(header_problem(
        "/headers/idempotency-key",
        key,
        http::is_idempotency_key,
        "must have 1 to 255 printable ASCII characters",
    ));
    problems.extend(shop_problem(request));
    match read {
        Ok(arguments) if problems.is_empty() => Ok(match key {
            Some(key) if keyed => arguments.with_idempotency_key(key),
            _ => arguments,
        }),
        _ => Err(invalid(problems)),
    }
}

/// What the log says about the way to a reply.
struct Progress<'a> {
    request_id: &'a str,
    attempts: u32,
    elapsed_ms: f64,
}

impl<'a> Progress<'a> {
    /// No call was made.
    fn none(request_id: &'a str) -> Self {
        Progress {
            request_id,
            attempts: 0,
            elapsed_ms: 0.0,
        }
    }

    /// One line of JSON: no personal data, no tokens.
    fn log(
        &self,
        codec: &impl Codec,
        function: &str,
        outcome: &str,
        status: u16,
        cause: Option<Cause>,
        cause_code: &str,
    ) -> String {
        let level = if status < 500 { "info" } else { "error" };
        let word = |word: Option<&str>| word.map_or(Value::Null, Value::from);
        let cause_code = Some(cause_code).filter(|code| !code.is_empty());
        codec.write(&object([
            ("level", level.into()),
            ("function", function.into()),
            ("request_id", self.request_id.into()),
            ("outcome", outcome.into()),
            ("status", u32::from(status).into()),
            ("attempts", self.attempts.into()),
            ("ms", Value::Number(self.elapsed_ms.round())),
            ("cause", word(cause.map(Cause::word))),
            ("cause_code", word(cause_code)),
        ]))
    }
}

fn succeed<C: Codec>(
    codec: &C,
    function: &Function,
    progress: &Progress<'_>,
    count: u32,
    answer: Answer<C::Text>,
) -> Reply<C::Text> {
    let mut headers = http::headers(progress.request_id);
    let mut log = progress.log(codec, function.name, "OK", 200, None, "");
    if answer.replayed {
        headers.push(("idempotent-replayed", "true".to_owned()));
    } else if let Some(note) = function.note {
        for part in ["\n[", progress.request_id, "] ", &note(count)] {
            log.push_str(part);
        }
    }
    Reply {
        status: 200,
        headers,
        body: Some(answer.body),
        log: Some(log),
    }
}

/// The reply to a request that led to no call.
fn refuse_untaken<C: Codec>(
    codec: &C,
    function: &Function,
    request: &Request<'_, C::Text>,
    failure: Failure,
) -> Reply<C::Text> {
    let request_id = http::request_id(request.request_id.as_deref(), &request.id);
    refuse(codec, function, &Progress::none(&request_id), failure)
}

fn refuse<C: Codec>(
    codec: &C,
    function: &Function,
    progress: &Progress<'_>,
    failure: Failure,
) -> Reply<C::Text> {
    Reply {
        status: failure.status,
        headers: http::error_headers(&failure, progress.request_id),
        log: Some(progress.log(
            codec,
            function.name,
            &failure.code,
            failure.status,
            failure.cause,
            &failure.cause_code,
        )),
        body: Some(codec.keep(http::error_body(codec, failure, progress.request_id))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::SerdeJson;

    #[test]
    fn a_state_comes_back_as_it_was() {
        let stage = Stage {
            step: 2,
            calls: 3,
            asks: Asks::ThirdParty,
            memo: r#"{"a note": 1}"#.to_owned(),
        };
        for (repeatable, stage) in [(true, None), (false, Some(stage))] {
            let state = State {
                request_id: "an-id".to_owned(),
                budget_ms: 10_000.0,
                sent_ms: 1_205.0,
                repeats: 3,
                repeatable,
                count: u32::MAX,
                stage,
            };
            assert_eq!(State::read(&state.write()), Some(state));
        }
    }

    fn request(method: &str) -> Request<'_> {
        let head = Request::read(method, false, Err(http::BodyFault::Aborted), 0.0, 0.0);
        Request {
            request_id: Some("id".into()),
            ..head
        }
    }

    #[test]
    fn every_function_refuses_a_shop_that_none_can_be_called() {
        let signed_in = "Bearer e30.eyJzdWIiOiJiMDAwMDAwMC0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMDAwMDEiLCJyb2xlIjoiYXV0aGVudGljYXRlZCJ9.c2ln";
        for function in crate::FUNCTIONS {
            let step = |shop: Option<&'static str>, key: &'static str| {
                let request = Request {
                    authorization: Some(signed_in.into()),
                    content_type: Some("application/json".into()),
                    shop: shop.map(Into::into),
                    idempotency_key: Some(key.into()),
                    body: Some(function.told.samples[0].body.to_owned()),
                    body_fault: None,
                    ..request("POST")
                };
                begin(function, &SerdeJson, request)
            };
            let Step::Call(without) = step(None, "key") else {
                panic!("{} refuses its sample", function.name)
            };
            for good in ["1", "7", "berlin"] {
                // It is the shim that passes it on.
                assert_eq!(step(Some(good), "key"), Step::Call(without.clone()));
            }
            for (bad, key) in [("", "key"), ("Berlin", "key"), ("7, 8", "")] {
                let Step::Reply(reply) = step(Some(bad), key) else {
                    panic!("{} takes the shop {bad:?}", function.name)
                };
                let body = reply.body.unwrap_or_default();
                assert_eq!(reply.status, 400, "{body}");
                assert!(body.contains(r#""pointer":"/headers/x-shop""#), "{body}");
                // All that is wrong is told at once.
                let told = body.contains("/headers/idempotency-key");
                assert_eq!(told, key.is_empty() && function.is_for_users(), "{body}");
            }
        }
    }

    #[test]
    fn what_was_thrown_is_told_by_its_name_and_nothing_else() {
        for (thrown, code) in [
            ("RangeError", r#""RangeError""#),
            ("LinkError16chars", r#""LinkError16chars""#),
            ("LinkError17charss", "null"),
            ("card 4711", "null"),
            ("", "null"),
        ] {
            let reply = trapped(crate::FUNCTIONS[0], &SerdeJson, &request("POST"), thrown);
            let log = reply.log.unwrap_or_default();
            let expected = format!(r#""cause":"trap","cause_code":{code}}}"#);
            assert!(log.ends_with(&expected), "{thrown:?}: {log}");
            assert_eq!(reply.status, 500);
        }
    }

    #[test]
    fn without_settings_each_request_is_refused_and_a_preflight_succeeds() {
        let answer = |method| misconfigured(crate::FUNCTIONS[0], &SerdeJson, &request(method));
        let reply = answer("POST");
        let body = reply.body.unwrap_or_default();
        assert!(body.contains("MISCONFIGURED") && body.contains(r#""id""#));
        assert!(
            reply
                .headers
                .contains(&("access-control-allow-origin", "*".to_owned()))
        );
        let log = reply.log.unwrap_or_default();
        assert!(log.ends_with(r#""cause":"settings","cause_code":null}"#));
        assert_eq!(reply.status, 500);
        assert_eq!(answer("OPTIONS"), http::preflight(false));
    }

    #[test]
    fn only_the_call_itself_counts_as_a_wait_for_a_lock() {
        let state = |sent_ms| State {
            request_id: "id".to_owned(),
            budget_ms: 10_000.0,
            sent_ms,
            repeats: 1,
            repeatable: false,
            count: 0,
            stage: None,
        };
        let at_1200 = |sent_ms| {
            let refused = Outcome::Answered {
                status: 500,
                body: r#"{"code":"55P03"}"#.to_owned(),
                replayed: false,
                retry_after_s: None,
            };
            let state = state(sent_ms);
            resume(
                crate::FUNCTIONS[0],
                &SerdeJson,
                state,
                refused,
                1_200.5,
                0.5,
            )
        };
        // It was told at once to come again, after a wait that upstream had asked for.
        let Step::Call(call) = at_1200(1_100.0) else {
            panic!("it has not waited for the lock")
        };
        assert_eq!(call.state.sent_ms, (1_200.5 + call.delay_ms).floor());
        assert!(matches!(at_1200(100.0), Step::Reply(_)));
    }

    #[test]
    fn another_text_is_no_state() {
        for text in [
            "",
            "0 1 1 5 0",
            "x 1 1 5 0 id",
            "-1 1 1 5 0 id",
            "0 1 4294967296 5 0 id",
            "0 1 1 1e9 0 id",
            "0 1 1 5  id",
            "0 1 1 5 1000000000000000 id",
            "0 1 1 5 0 id 1",
            "0 1 1 5 0 id 1 2 x {}",
        ] {
            assert_eq!(State::read(text), None, "{text}");
        }
    }
}
