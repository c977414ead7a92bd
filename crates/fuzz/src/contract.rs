//! What must hold of every step of an exchange, whatever came in: docs/api.md as checks. Written from
//! the contract and not from the code that it judges.

use crate::mutate::token;
use interlock_domain::FUNCTIONS;
use interlock_domain::addresses::is_public;
use interlock_domain::describe::{self, Field};
use interlock_domain::errors::{Code, Retry};
use interlock_domain::exchange::{Call, State, Step};
use interlock_domain::fields::is_uuid;
use interlock_domain::function::{Function, Takes};
use interlock_domain::http::{Reply, Request};
use interlock_domain::json::{Codec as _, MAX_DEPTH, MAX_SAFE_INTEGER, SerdeJson, Value};
use interlock_domain::rule::{Bound, Rule, Special};
use interlock_domain::third_party::{Asks, Target};
use interlock_domain::upstream::{Cause, Outcome};
use std::sync::LazyLock;

/// All that one request may take, in milliseconds.
pub(crate) const BUDGET: f64 = 10_000.0;

/// A call, three repeats, and after each of them a step.
pub(crate) const MAX_CALLS: u32 = 4;

/// `Err` says what does not hold: a fixed text, and behind a colon what it was.
pub(crate) type Holds = Result<(), String>;

fn hold(truth: bool, what: &str, seen: impl std::fmt::Debug) -> Holds {
    if truth {
        return Ok(());
    }
    let seen: String = format!("{seen:?}").chars().take(400).collect();
    Err(format!("{what}: {seen}"))
}

/// What is sent to the database.
pub(crate) fn call(
    function: &Function,
    request: &Request,
    call: &Call,
    posted: &str,
    calls: u32,
    elapsed: f64,
) -> Holds {
    let repeats = call.state.repeats;
    hold(repeats + 1 == calls, "repeats are counted", repeats)?;
    hold(
        call.body.is_some() == (repeats == 0),
        "what is posted is told once",
        &call.body,
    )?;
    hold(
        call.target.is_none() || call.body.is_some() && function.third_party.is_some(),
        "only who says so asks anybody else",
        &call.target,
    )?;
    hold(
        State::read(&call.state.write()).as_ref() == Some(&call.state),
        "a state comes back as it was",
        &call.state,
    )?;
    hold(
        calls <= MAX_CALLS,
        "a call is repeated three times at the most",
        calls,
    )?;
    hold(
        call.delay_ms >= 0.0 && call.timeout_ms > 0.0,
        "times are positive",
        (call.delay_ms, call.timeout_ms),
    )?;
    hold(
        request.shop.as_deref().is_none_or(names_a_shop),
        "only what names a shop reaches the database",
        &request.shop,
    )?;
    let end = elapsed + call.delay_ms + call.timeout_ms;
    hold(end <= BUDGET, "a call ends within the budget", end)?;
    // What a later call sends is the function's own to check.
    if call.state.stage.is_some() {
        return Ok(());
    }
    let Ok(Value::Object(arguments)) = SerdeJson.parse(posted) else {
        return hold(false, "a call's body is a JSON object", posted);
    };
    let has = |name: &str| arguments.iter().any(|(argument, _)| argument == name);
    let complete = function.told.always.iter().all(|name| has(name));
    hold(complete, "a call has what it needs", posted)?;
    if let Takes::Signed { .. } = function.takes {
        return signed(request, &arguments, function.told.always.len());
    }
    let fields = fields(function);
    for (name, value) in &arguments {
        let valid = match name.strip_prefix("p_") {
            Some("idempotency_key") => {
                function.is_keyed() && value.as_text() == request.idempotency_key.as_deref()
            }
            Some(field) => obeys(value, fields, "", field),
            None => false,
        };
        hold(
            valid,
            "only what the contract allows reaches the database",
            (name, value),
        )?;
    }
    hold(
        !function.is_keyed() || has("p_idempotency_key") == request.idempotency_key.is_some(),
        "a key that was sent is passed on",
        posted,
    )
}

/// An id without a zero before it, or a handle.
fn names_a_shop(name: &str) -> bool {
    let of = |letters: &str| name.chars().all(|letter| letters.contains(letter));
    let is_id = name.len() <= 9 && !name.starts_with('0') && of("0123456789");
    let is_handle = name.len() <= 63
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && of("abcdefghijklmnopqrstuvwxyz0123456789-");
    !name.is_empty() && (is_id || is_handle)
}

/// What a signed text becomes: itself, and its signature, whatever stands in them, in so many arguments.
fn signed(request: &Request, arguments: &[(String, Value)], count: usize) -> Holds {
    let text = |name: &str| {
        let (_, value) = arguments.iter().find(|(argument, _)| argument == name)?;
        value.as_text()
    };
    // A secret alone, whatever the body.
    if let [(name, Value::Text(secret))] = arguments
        && name == "p_secret"
    {
        return hold(
            Some(secret.as_str()) == request.authorization.as_deref().or(Some("")),
            "the secret is passed on as it came",
            secret,
        );
    }
    hold(
        text("p_body") == Some(request.body.as_deref().unwrap_or_default()),
        "what was signed is passed on as it came",
        text("p_body"),
    )?;
    hold(
        text("p_signature") == Some(request.authorization.as_deref().unwrap_or_default()),
        "so is its signature",
        text("p_signature"),
    )?;
    hold(
        arguments.len() == count,
        "nothing else reaches the database",
        arguments,
    )
}

fn uuid(value: &Value) -> bool {
    value
        .as_text()
        .is_some_and(|text| is_uuid(text) && text.to_ascii_lowercase() == text)
}

fn word(value: &Value, words: &[&str]) -> bool {
    value.as_text().is_some_and(|text| words.contains(&text))
}

fn whole(value: &Value, least: f64, most: f64) -> bool {
    value
        .as_number()
        .is_some_and(|number| number.fract() == 0.0 && least <= number && number <= most)
}

/// By its digits, as it is written.
fn quantity(value: &Value, bound: Bound) -> bool {
    let Some(number) = value.as_number() else {
        return false;
    };
    let written = SerdeJson.write(value);
    let digits = written.trim_start_matches('-');
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_written_so = (1..=11).contains(&whole.len())
        && fraction.len() <= 3
        && (whole.bytes().chain(fraction.bytes())).all(|byte| byte.is_ascii_digit());
    is_written_so
        && match bound {
            Bound::Any => true,
            Bound::NotZero => number != 0.0,
            Bound::Positive => number > 0.0,
            Bound::NotNegative => number >= 0.0,
        }
}

/// A time whose parts are in their ranges; which days there are is the reader's own to know.
fn time(value: &Value) -> bool {
    value.as_text().is_some_and(|text| {
        (20..=32).contains(&text.len())
            && text.is_ascii()
            && text[..19]
                .bytes()
                .enumerate()
                .all(|(index, byte)| match index {
                    4 | 7 => byte == b'-',
                    10 => byte == b'T',
                    13 | 16 => byte == b':',
                    _ => byte.is_ascii_digit(),
                })
    })
}

fn line(value: &Value, most: usize) -> bool {
    value.as_text().is_some_and(|text| {
        (1..=most).contains(&text.chars().count())
            && text.trim() == text
            && !text.chars().any(char::is_control)
    })
}

fn without_nul(value: &Value) -> bool {
    match value {
        Value::Text(text) => !text.contains('\0'),
        Value::List(items) => items.iter().all(without_nul),
        Value::Object(members) => members
            .iter()
            .all(|(name, member)| !name.contains('\0') && without_nul(member)),
        _ => true,
    }
}

/// Whether a value is what the field of that name must be.
fn obeys(value: &Value, fields: &[Field], parent: &str, name: &str) -> bool {
    let is_it = |field: &&Field| field.parent == parent && field.name == name;
    let Some(field) = fields.iter().find(is_it) else {
        return false;
    };
    match field.rule {
        Rule::Uuid => uuid(value),
        Rule::Word(words) => word(value, words),
        Rule::Flag => matches!(value, Value::Bool(_)),
        Rule::Integer(least, most) => whole(value, least.into(), most.into()),
        Rule::Amount => whole(value, 0.0, MAX_SAFE_INTEGER),
        Rule::Special(Special::Quantity(bound), _) => quantity(value, bound),
        Rule::Special(Special::Version, _) => whole(value, 0.0, MAX_SAFE_INTEGER),
        Rule::Special(Special::Balance, _) => whole(value, -MAX_SAFE_INTEGER, MAX_SAFE_INTEGER),
        Rule::Special(Special::Time, _) => time(value),
        Rule::Special(Special::Reference, _) => value.as_text().is_some_and(|text| {
            (1..=255).contains(&text.len()) && text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
        }),
        Rule::Special(Special::Barcode, _) => value.as_text().is_some_and(|text| {
            (1..=64).contains(&text.len()) && text.bytes().all(|byte| (0x21..0x7f).contains(&byte))
        }),
        Rule::Line(most) => line(value, most),
        Rule::Object => matches!(value, Value::Object(_)) && without_nul(value),
        Rule::List(least, most) => {
            let place = format!("{parent}/{name}");
            matches!(value, Value::List(items) if (least..=most).contains(&items.len())
                && items.iter().all(|item| item_obeys(item, fields, &place)))
        }
    }
}

/// Whether an item of a list has what it needs, and nothing else.
fn item_obeys(item: &Value, fields: &[Field], place: &str) -> bool {
    let Value::Object(members) = item else {
        return false;
    };
    let own = fields.iter().filter(|field| field.parent == place);
    members
        .iter()
        .all(|(name, value)| obeys(value, fields, place, name))
        && own
            .filter(|field| field.required)
            .all(|field| item.get(&field.name).is_some())
}

/// The fields of a function's request.
fn fields(function: &Function) -> &'static [Field] {
    static FIELDS: LazyLock<Vec<(&str, Vec<Field>)>> = LazyLock::new(|| {
        let told = FUNCTIONS.iter();
        told.map(|function| (function.name, describe::fields(function)))
            .collect()
    });
    let found = FIELDS.iter().find(|(name, _)| *name == function.name);
    found.map_or(&[], |(_, fields)| fields)
}

/// Whether executing this call a second time would be a second effect.
pub(crate) fn acts_again(function: &Function, posted: &str) -> bool {
    let arguments = SerdeJson.parse(posted).unwrap_or(Value::Null);
    let has = |name| arguments.get(name).is_some();
    if has("p_idempotency_key") {
        return false;
    }
    (function.told.acts_again)(&arguments)
}

/// Whether nobody can tell if the call took effect: it was sent, and no answer of ours came back. A status that a
/// proxy may have given says nothing, unless the database itself says with a code of its own that it did not.
pub(crate) fn is_unknown(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Broken | Outcome::TimedOut => true,
        Outcome::Answered {
            status: 502..=504 | 520..=530,
            body,
            ..
        } => !did_not_act(body),
        _ => false,
    }
}

/// Whether an error is PostgREST's or Postgres's own, and says that the transaction was rolled back or never began.
fn did_not_act(body: &str) -> bool {
    let error = SerdeJson.parse(body).unwrap_or(Value::Null);
    let code = error.get("code").and_then(Value::as_text).unwrap_or("");
    let of_postgrest = code.starts_with("PGRST00") && code != "PGRST001";
    let of_a_token = ["PGRST301", "PGRST302", "PGRST303"].contains(&code);
    let rolled_back = [
        "40001", "40P01", "55P03", "57014", "57P01", "57P03", "42501", "23503",
    ]
    .contains(&code);
    of_postgrest || of_a_token || rolled_back || code.starts_with("53") || code.starts_with("PT")
}

/// What an answer asks to wait, in milliseconds. One that is kept would be the same after that.
pub(crate) fn asked_ms(outcome: &Outcome) -> f64 {
    match outcome {
        Outcome::Answered {
            status: 429 | 503,
            retry_after_s: Some(seconds),
            replayed: false,
            ..
        } if *seconds >= 0.0 => seconds * 1_000.0,
        _ => 0.0,
    }
}

/// The body that must be passed on as it is.
pub(crate) fn success(outcome: &Outcome) -> Option<(&str, bool)> {
    match outcome {
        Outcome::Answered {
            status: 200..=299,
            body,
            replayed,
            ..
        } if matches!(SerdeJson.parse(body), Ok(Value::Object(_))) => Some((body, *replayed)),
        _ => None,
    }
}

/// What a step may be after an outcome of a call to `target`, or to the function's own RPC.
pub(crate) fn after(
    target: Option<&Target>,
    state: &State,
    outcome: &Outcome,
    step: &Step,
) -> Holds {
    // Whoever is at a URL is asked once; what it wants to be waited is for the database to keep.
    let asks = state.stage.as_ref().map(|stage| stage.asks);
    let next = match step {
        Step::Call(again) if asks != Some(Asks::Anybody) => {
            let waits = again.delay_ms >= asked_ms(outcome);
            hold(waits, "what upstream asks to wait is waited", again)?;
            return Ok(());
        }
        Step::Call(next) => next,
        Step::Reply(_) => return Ok(()),
    };
    let is_record = next.target == Some(Target::Rpc("record_delivery"));
    let may_send = match (target, outcome) {
        (Some(Target::Names(_)), Outcome::Answered { body, .. }) => {
            body.replace('\0', "").split(' ').all(is_public)
        }
        (Some(Target::Names(_)), Outcome::Unset) => true,
        _ => false,
    };
    let is_sent = may_send && matches!(next.target, Some(Target::Anybody { .. }));
    hold(
        is_record || is_sent,
        "what is not sent, or is, is recorded, and only what leads to the public is sent",
        (outcome, next),
    )
}

/// The reply to one of several calls that were made at once, of which the last asked `target`: whatever was recorded says so
/// itself, and the rest is an error.
pub(crate) fn branch(
    request: &Request,
    outcome: Option<&Outcome>,
    target: Option<&Target>,
    heard: &str,
    reply: &Reply,
) -> Holds {
    headers(reply)?;
    let told = if reply.status == 200 {
        hold(
            matches!(target, Some(Target::Rpc(_))),
            "only who has recorded is done",
            target,
        )?;
        hold(
            reply.body.as_deref() == outcome.and_then(success).map(|(body, _)| body),
            "what the record says is passed on unchanged",
            &reply.body,
        )?;
        header(reply, "x-request-id").map(str::to_owned)
    } else {
        let body = error(reply)?;
        body.get("request_id")
            .and_then(Value::as_text)
            .map(str::to_owned)
    };
    request_id(request, reply, told.as_deref())?;
    secret(request, heard, reply)
}

/// The reply to a request that needs or got no call, or whose last call came out as `outcome`; `heard` are the answers to
/// all of its calls.
pub(crate) fn reply(
    function: &Function,
    request: &Request,
    outcome: Option<&Outcome>,
    heard: &str,
    reply: &Reply,
    input: usize,
) -> Holds {
    headers(reply)?;
    if request.method == "OPTIONS" {
        return hold(
            reply.status == 204 && reply.body.is_none() && reply.log.is_none(),
            "a preflight has no body",
            reply,
        );
    }
    let passed_on = outcome
        .and_then(success)
        .filter(|_| function.third_party.is_none());
    match passed_on {
        // Put together of several answers.
        None if reply.status == 200 && function.third_party.is_some() => {
            let body = SerdeJson.parse(reply.body.as_deref().unwrap_or_default());
            let body = body.unwrap_or(Value::Null);
            let is_success = body.get("success") == Some(&Value::Bool(true));
            hold(is_success, "a success says so", &reply.body)?;
            let secret = body
                .get("payment")
                .and_then(|payment| payment.get("client_secret"));
            let secret = secret
                .and_then(Value::as_text)
                .filter(|secret| secret.len() > 8);
            let log = reply.log.as_deref().unwrap_or_default();
            let is_logged = secret.is_some_and(|secret| log.contains(secret));
            hold(!is_logged, "no secret of a payment is in the log", log)?;
            request_id(request, reply, header(reply, "x-request-id"))?;
        }
        Some((body, replayed)) => {
            hold(reply.status == 200, "a success is a success", reply)?;
            hold(
                reply.body.as_deref() == Some(body),
                "a success is passed on unchanged",
                &reply.body,
            )?;
            let told = header(reply, "idempotent-replayed") == Some("true");
            hold(told == replayed, "a stored answer says so", &reply.headers)?;
            request_id(request, reply, header(reply, "x-request-id"))?;
        }
        None => {
            let body = error(reply)?;
            request_id(
                request,
                reply,
                body.get("request_id").and_then(Value::as_text),
            )?;
            if outcome.is_none() {
                refusal(&body)?;
            }
        }
    }
    let size =
        reply.body.as_ref().map_or(0, String::len) + reply.log.as_ref().map_or(0, String::len);
    hold(
        size <= 16 * input + 65_536,
        "an answer is in proportion to its input",
        (size, input),
    )?;
    secret(request, heard, reply)
}

fn header<'a>(reply: &'a Reply, wanted: &str) -> Option<&'a str> {
    reply
        .headers
        .iter()
        .find(|(name, _)| *name == wanted)
        .map(|(_, value)| value.as_str())
}

/// Every header can be sent, and stands once.
fn headers(reply: &Reply) -> Holds {
    for (index, (name, value)) in reply.headers.iter().enumerate() {
        let valid = !value.is_empty() && value.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        hold(valid, "a header can be sent", (name, value))?;
        let first = reply.headers.iter().position(|(other, _)| other == name) == Some(index);
        hold(first, "a header stands once", name)?;
    }
    hold(
        header(reply, "access-control-allow-origin") == Some("*"),
        "a browser may read every answer",
        reply,
    )
}

/// The one shape of an error: every field, as the catalogue has it.
pub(crate) fn error(reply: &Reply) -> Result<Value, String> {
    headers(reply)?;
    let text = reply.body.as_deref().unwrap_or_default();
    let parsed = SerdeJson.parse_within(text, MAX_DEPTH + 1);
    let Ok(Value::Object(members)) = parsed else {
        return hold(false, "an error's body is a JSON object", text).map(|()| Value::Null);
    };
    let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    let fields = [
        "error",
        "code",
        "message",
        "details",
        "hint",
        "retryable",
        "request_id",
    ];
    hold(names == fields, "an error has every field once", names)?;
    let body = Value::Object(members);
    let field = |name| body.get(name).and_then(Value::as_text).unwrap_or_default();
    let retryable = body.get("retryable") == Some(&Value::Bool(true));
    let code = field("error");
    hold(field("code") == code, "an error has one code", text)?;
    match raised_status(reply) {
        Some(status) => {
            hold(
                reply.status == status,
                "a raised error has its status",
                text,
            )?;
            hold(
                (3..=64).contains(&code.len())
                    && code.bytes().all(|byte| {
                        byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_'
                    }),
                "a raised error has a code that clients can branch on",
                text,
            )?;
            let sentence = |name: &str| match body.get(name) {
                Some(Value::Text(text)) => {
                    (1..=500).contains(&text.len()) && !text.chars().any(char::is_control)
                }
                other => name == "hint" && other == Some(&Value::Null),
            };
            hold(
                sentence("message") && sentence("hint"),
                "a raised error speaks in sentences",
                text,
            )?;
        }
        None => {
            let Some(code) = Code::named(code) else {
                return hold(false, "an error is in the catalogue", text).map(|()| Value::Null);
            };
            let entry = code.entry();
            hold(
                field("message") == entry.message && field("hint") == entry.hint,
                "an error speaks with the catalogue's words",
                text,
            )?;
            hold(
                reply.status == entry.status,
                "the status is the catalogue's",
                (reply.status, entry),
            )?;
            // After a call that may have acted, "send it again" would be wrong advice.
            let agrees = retryable == (entry.retry == Retry::Retryable)
                || (code == Code::UpstreamTimeout && !retryable);
            hold(agrees, "retryable is the catalogue's", text)?;
        }
    }
    let seconds = header(reply, "retry-after").map(str::parse::<u32>);
    let told = matches!(seconds, Some(Ok(1..=86_400)));
    hold(
        if retryable { told } else { seconds.is_none() },
        "Retry-After stands where an error is retryable",
        &reply.headers,
    )?;
    let details = body.get("details");
    let details_fit = matches!(
        details,
        Some(Value::Null | Value::Object(_) | Value::List(_))
    );
    hold(details_fit, "details are a document or null", details)?;
    hold(
        (header(reply, "allow") == Some("POST, OPTIONS")) == (reply.status == 405),
        "405 says what is allowed",
        &reply.headers,
    )?;
    let id = header(reply, "x-request-id").unwrap_or_default();
    let fits = (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    hold(
        fits && id == field("request_id"),
        "an error names its request",
        id,
    )?;
    hold(
        header(reply, "content-type") == Some("application/json")
            && header(reply, "cache-control") == Some("no-store"),
        "an answer is JSON and not stored",
        &reply.headers,
    )?;
    log(reply, code)?;
    Ok(body)
}

/// The status of what the database raised by name, as the log has it.
fn raised_status(reply: &Reply) -> Option<u16> {
    let log = SerdeJson.parse(reply.log.as_deref()?).ok()?;
    if log.get("cause")?.as_text()? != "raised" {
        return None;
    }
    let status = log.get("cause_code")?.as_text()?.strip_prefix("PT")?;
    status.parse().ok()
}

/// One line of JSON with the outcome, and nothing of what was said.
fn log(reply: &Reply, code: &str) -> Holds {
    let log = reply.log.as_deref().unwrap_or_default();
    let line = SerdeJson.parse(log).unwrap_or(Value::Null);
    let agrees = line.get("outcome").and_then(Value::as_text) == Some(code)
        && line.get("status") == Some(&u32::from(reply.status).into())
        && !log.contains('\n');
    hold(agrees, "the log has one line with the outcome", log)?;
    let known = match line.get("cause") {
        Some(Value::Null) => true,
        Some(Value::Text(cause)) => Cause::WORDS.contains(&cause.as_str()),
        _ => false,
    };
    hold(known, "the log's cause is a word of the list", log)?;
    let quiet = match line.get("cause_code") {
        Some(Value::Null) => true,
        Some(Value::Text(code)) => {
            // The name of a third party may stand before a status.
            code.len() <= 16
                && code
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b' ')
        }
        _ => false,
    };
    hold(quiet, "what is behind a cause is a code", log)
}

/// The client's own id where it is usable, else the fresh one.
fn request_id(request: &Request, reply: &Reply, told: Option<&str>) -> Holds {
    let usable =
        |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    let expected = request
        .request_id
        .as_deref()
        .filter(usable)
        .unwrap_or(&request.id);
    hold(
        told == Some(expected) && header(reply, "x-request-id") == Some(expected),
        "an answer names its request",
        (expected, told),
    )
}

/// What can be refused before the database is asked, and how its problems are told.
fn refusal(body: &Value) -> Holds {
    let code = body
        .get("error")
        .and_then(Value::as_text)
        .and_then(Code::named);
    let own = matches!(
        code,
        Some(
            Code::ValidationFailed
                | Code::Unauthenticated
                | Code::MethodNotAllowed
                | Code::BodyTooLarge
                | Code::UnsupportedMediaType
        )
    );
    hold(
        own,
        "without a call only the request itself is refused",
        body,
    )?;
    if code != Some(Code::ValidationFailed) {
        return Ok(());
    }
    let problems = body
        .get("details")
        .and_then(|details| details.get("problems"));
    let Some(Value::List(problems)) = problems else {
        return hold(false, "problems are a list", body);
    };
    hold(!problems.is_empty(), "there is a problem", body)?;
    for problem in problems {
        let text = |name| problem.get(name).and_then(Value::as_text);
        let pointer = text("pointer").is_some_and(|pointer| {
            (pointer.is_empty() || pointer.starts_with('/'))
                && pointer
                    .split('~')
                    .skip(1)
                    .all(|rest| rest.starts_with(['0', '1']))
        });
        let message = text("message").is_some_and(|message| !message.is_empty());
        hold(
            pointer && message,
            "a problem has a JSON pointer and a message",
            problem,
        )?;
    }
    Ok(())
}

/// No long part of the token is in the answer or in the log, unless it stands elsewhere in the input
/// too; shorter ones are words of ours as well.
fn secret(request: &Request, heard: &str, reply: &Reply) -> Holds {
    let authorization = request.authorization.as_deref().unwrap_or_default();
    let claims = token(authorization).map(|(_, claims, _)| claims);
    let told = [reply.body.as_deref(), reply.log.as_deref()];
    let elsewhere = [
        Some(request.method.as_ref()),
        request.request_id.as_deref(),
        request.body.as_deref(),
        request.idempotency_key.as_deref(),
        Some(heard),
    ];
    let parts = authorization.split(['.', ' ']).chain(claims.as_deref());
    for part in parts.filter(|part| part.len() >= 24) {
        let is_in = |texts: &[Option<&str>]| texts.iter().flatten().any(|text| text.contains(part));
        hold(
            !is_in(&told) || is_in(&elsewhere),
            "no part of a token is told",
            part,
        )?;
    }
    Ok(())
}
