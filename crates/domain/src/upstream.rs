//! What came of a call to PostgREST, and what it means.

use crate::errors::Code;
use crate::json::{Codec, Value};
use crate::retry;
use std::borrow::Cow;

/// The most that a sentence of the database may have, in bytes.
const MAX_SENTENCE: usize = 500;

/// What the shim saw of one call; `Text` is the [`Codec`]'s.
#[derive(Clone, Debug)]
pub enum Outcome<Text = String> {
    /// PostgREST answered.
    Answered {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: Text,
        /// Whether the header `idempotent-replayed` said that this is the stored answer.
        replayed: bool,
        /// The seconds in its `retry-after`; not a number if that cannot be read.
        retry_after_s: Option<f64>,
    },
    /// It was not made: its key is not set.
    Unset,
    /// There was no connection, so nothing can have happened.
    Unsent,
    /// The connection broke; whether the call had its effect is not known.
    Broken,
    /// No answer within the time allowed; whether the call had its effect is not known.
    TimedOut,
    /// The answer was larger than [`crate::http::MAX_ANSWER`] or no text.
    Unreadable,
}

/// What an outcome means for the request.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict<Text = String> {
    /// It worked.
    Done(Answer<Text>),
    /// It is settled: this error.
    Failed(Failure),
    /// It did not take effect and may work if it is repeated, else this error.
    Passing(Failure),
    /// It may or may not have taken effect, and repeating it at once may help, else this error.
    Unknown(Failure),
    /// It may or may not have taken effect, and there is no time left to repeat it.
    Lost(Failure),
}

/// A success of PostgREST.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<Text = String> {
    /// The body, to be passed on as it is.
    pub body: Text,
    /// Whether it is the stored answer to an earlier request with the same key.
    pub replayed: bool,
}

/// An error with what is known about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The HTTP status.
    pub status: u16,
    /// What clients branch on.
    pub code: Cow<'static, str>,
    /// What happened, for a person.
    pub message: Cow<'static, str>,
    /// What to do next.
    pub hint: Option<Cow<'static, str>>,
    /// More about it for the client; `Null` for nothing.
    pub details: Value,
    /// Why, for the log; none where the request itself is refused.
    pub cause: Option<Cause>,
    /// What the log says beside it: the code that came in the answer (an SQLSTATE or PostgREST's own), else the
    /// answer's status; of a trap, the name of what was thrown. Empty where there was no answer, and for other names.
    pub cause_code: String,
    /// Whether the same request may simply be sent again.
    pub retryable: bool,
    /// The seconds that upstream asks to wait before.
    pub retry_after_s: Option<f64>,
}

impl Failure {
    /// One that Rust itself tells; it may be sent again if its code says so.
    pub fn new(code: Code, details: Value, cause: Option<Cause>) -> Self {
        let entry = code.entry();
        Failure {
            status: entry.status,
            code: entry.code.into(),
            message: entry.message.into(),
            hint: Some(entry.hint.into()),
            details,
            cause,
            cause_code: String::new(),
            retryable: code.is_retryable(),
            retry_after_s: None,
        }
    }

    /// The same after a call whose outcome is not known, where a second one could act a second time:
    /// a client that repeats whatever is retryable must not buy twice.
    pub fn that_may_have_acted(self) -> Self {
        Failure {
            retryable: false,
            cause_code: self.cause_code,
            ..Failure::new(Code::UpstreamTimeout, self.details, self.cause)
        }
    }
}

/// The causes that the log knows, each by its word.
macro_rules! causes {
    ($($(#[$doc:meta])* $name:ident $word:literal)*) => {
        /// Why a request failed, for the log: one of these words.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Cause {
            $($(#[$doc])* $name,)*
        }

        impl Cause {
            /// As the log has it.
            pub fn word(self) -> &'static str {
                match self {
                    $(Cause::$name => $word,)*
                }
            }

            /// Every word.
            #[cfg(not(target_arch = "wasm32"))]
            pub const WORDS: &[&str] = &[$($word,)*];
        }
    };
}

causes! {
    /// SQL refused it by name.
    Raised "raised"
    /// The caller's role lacks a right.
    Denied "denied"
    /// PostgREST refused the token, or its user is gone.
    Token "token"
    /// A lock, a deadlock or a time limit: rolled back.
    Busy "busy"
    /// The database has no connection to give.
    Down "down"
    /// The database only reads.
    ReadOnly "read_only"
    /// Too many calls.
    Limited "limited"
    /// The connection to the database broke under the call.
    Lost "lost"
    /// Something on the way answered in PostgREST's stead.
    Proxy "proxy"
    /// There was no connection.
    Unsent "unsent"
    /// The connection broke.
    Broken "broken"
    /// There was no answer in time.
    TimedOut "timed_out"
    /// The answer was too large, or no text.
    Unreadable "unreadable"
    /// A third party refused it.
    Refused "refused"
    /// An answer that nobody expects.
    Unexpected "unexpected"
    /// The instance broke down.
    Trap "trap"
    /// The function's settings cannot be used.
    Settings "settings"
}

/// Reads the outcome of a call that took so long.
pub fn judge<C: Codec>(codec: &C, outcome: Outcome<C::Text>, took_ms: f64) -> Verdict<C::Text> {
    let failure = |code, cause| Failure::new(code, Value::Null, Some(cause));
    match outcome {
        Outcome::Answered {
            status: 200..=299,
            body,
            replayed,
            ..
        } if codec.is_object(&body) => Verdict::Done(Answer { body, replayed }),
        Outcome::Answered {
            status,
            body,
            retry_after_s,
            ..
        } => {
            let error = codec.read(&body).unwrap_or(Value::Null);
            judge_error(codec, status, retry_after_s, &error, took_ms)
        }
        Outcome::Unset => Verdict::Failed(failure(Code::Misconfigured, Cause::Settings)),
        Outcome::Unsent => Verdict::Passing(failure(Code::UpstreamUnavailable, Cause::Unsent)),
        Outcome::Broken => Verdict::Unknown(failure(Code::UpstreamUnavailable, Cause::Broken)),
        Outcome::TimedOut => Verdict::Lost(failure(Code::UpstreamTimeout, Cause::TimedOut)),
        Outcome::Unreadable => Verdict::Failed(failure(Code::Internal, Cause::Unreadable)),
    }
}

fn judge_error<Text>(
    codec: &impl Codec,
    status: u16,
    retry_after_s: Option<f64>,
    error: &Value,
    took_ms: f64,
) -> Verdict<Text> {
    let text = |name| error.get(name).and_then(Value::as_text).unwrap_or_default();
    let sqlstate = text("code");
    let failure = |code, cause| Failure {
        cause_code: cause_code(status, sqlstate),
        ..Failure::new(code, Value::Null, Some(cause))
    };
    let failed = |code, cause| Verdict::Failed(failure(code, cause));
    let unavailable = |cause| Failure {
        retry_after_s: retry::asked_s(status, retry_after_s),
        ..failure(Code::UpstreamUnavailable, cause)
    };
    let passing = |cause| Verdict::Passing(unavailable(cause));
    let unknown = |cause| Verdict::Unknown(unavailable(cause));

    match sqlstate {
        // Raised by name, as `raise_error` does: the error brings all that is told of it.
        _ if sqlstate.starts_with("PT") => match raised(codec, error) {
            Some(raised) => Verdict::Failed(raised),
            None => failed(Code::Internal, Cause::Unexpected),
        },
        // Lock not available, or a statement cancelled by our own time limits, after a wait: a call waits for locks
        // two seconds, all in all, and the next one would do so again.
        "55P03" | "57014" if took_ms >= retry::WAITED_MS => {
            Verdict::Failed(unavailable(Cause::Busy))
        }
        // The same at once; serialisation failure and deadlock: all rolled back.
        "40001" | "40P01" | "55P03" | "57014" => passing(Cause::Busy),
        // Shutting down, starting up; and of class 53 too many connections, no memory, no disk: Postgres
        // itself says that it did not.
        "57P01" | "57P03" => passing(Cause::Down),
        _ if sqlstate.starts_with("53") => passing(Cause::Down),
        // A replica, or a database that was set to read only. At a replica a transaction that may write does not even begin.
        "25006" => failed(Code::ReadOnly, Cause::ReadOnly),
        "0A000" if names(text("message"), b"during recovery") => {
            failed(Code::ReadOnly, Cause::ReadOnly)
        }
        // The database crashed, or the connection to it broke: if that was during the commit, it may
        // have taken effect. PostgREST says PGRST001, postrust PGRST500, a pooler class 08.
        "57P02" | "PGRST001" | "PGRST500" => unknown(Cause::Lost),
        _ if sqlstate.starts_with("08") => unknown(Cause::Lost),
        // The token is still good, and its user has been deleted: there is nobody to sell to.
        "23503" if names(text("message"), b"_user_id_fkey") => {
            failed(Code::Unauthenticated, Cause::Token)
        }
        // Whatever the status: some servers say 401 to a signed-in role as well.
        "42501" => failed(Code::Forbidden, Cause::Denied),
        "PGRST301" | "PGRST302" | "PGRST303" => failed(Code::Unauthenticated, Cause::Token),
        // PostgREST has no database connection to give (PGRST000, PGRST002, PGRST003).
        _ if sqlstate.starts_with("PGRST00") => passing(Cause::Down),
        _ => match status {
            401 => failed(Code::Unauthenticated, Cause::Token),
            429 => passing(Cause::Limited),
            // Something on the way gave up, and the database may have gone on: a proxy says 503 as well when its
            // upstream ended after it got the request. From 520 on they are those of content networks.
            502..=504 | 520..=530 => unknown(Cause::Proxy),
            _ => failed(Code::Internal, Cause::Unexpected),
        },
    }
}

/// Whether a message has these words in it. `str::contains` would do the same with a search that costs each function 2 KB.
fn names(message: &str, words: &[u8]) -> bool {
    message
        .as_bytes()
        .windows(words.len())
        .any(|at| at == words)
}

/// An error that SQL raised by name: SQLSTATE `PT` and the HTTP status, `message` the code, `hint` what to do
/// next, and `details` JSON text. There, two members are reserved: `message` for a person, and `retryable`; the
/// others are passed on. PostgREST may leave `details` out, and a shop's own SQL may know nothing of this, so all
/// but status and code may be missing. What is not of that shape is none: its text may be anybody's.
fn raised(codec: &impl Codec, error: &Value) -> Option<Failure> {
    let text = |name| error.get(name).and_then(Value::as_text).unwrap_or_default();
    let status = raised_status(text("code"))?;
    let code = Some(text("message")).filter(|code| is_code(code))?;
    let mut details = match codec.parse(text("details")) {
        Ok(details @ (Value::Object(_) | Value::List(_))) => details,
        _ => Value::Null,
    };
    let (mut message, mut retryable) = (None, false);
    if let Value::Object(members) = &mut details {
        members.retain(|(name, member)| match name.as_str() {
            "message" => {
                message = member.as_text().and_then(readable);
                false
            }
            "retryable" => {
                retryable = *member == Value::Bool(true);
                false
            }
            _ => true,
        });
        if members.is_empty() {
            details = Value::Null;
        }
    }
    Some(Failure {
        status,
        code: code.to_owned().into(),
        message: message.unwrap_or_else(|| unnamed(status).into()),
        hint: readable(text("hint")),
        details,
        cause: Some(Cause::Raised),
        cause_code: text("code").to_owned(),
        retryable,
        retry_after_s: None,
    })
}

/// The status of an SQLSTATE like `PT409`; none but an error's.
fn raised_status(sqlstate: &str) -> Option<u16> {
    match sqlstate.as_bytes() {
        [
            b'P',
            b'T',
            class @ b'4'..=b'5',
            tens @ b'0'..=b'9',
            ones @ b'0'..=b'9',
        ] => Some(
            [class, tens, ones]
                .into_iter()
                .fold(0, |status, digit| status * 10 + u16::from(digit - b'0')),
        ),
        _ => None,
    }
}

/// Whether a text is a code as clients branch on: `OUT_OF_LUCK`.
fn is_code(text: &str) -> bool {
    (3..=64).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text
            .bytes()
            .all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_'))
}

/// A sentence that may be shown.
fn readable(text: &str) -> Option<Cow<'static, str>> {
    let fits = (1..=MAX_SENTENCE).contains(&text.len()) && !text.contains(char::is_control);
    fits.then(|| text.to_owned().into())
}

/// What is said of an error that brings no message.
fn unnamed(status: u16) -> &'static str {
    match status {
        404 => "There is no such thing.",
        409 => "This does not fit the present state.",
        400..=499 => "The request was refused.",
        _ => Code::Internal.entry().message,
    }
}

/// For the log: a code that looks like one, else the status. Never text of unknown content.
fn cause_code(status: u16, sqlstate: &str) -> String {
    let is_code = (1..=8).contains(&sqlstate.len())
        && sqlstate.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_code {
        sqlstate.to_owned()
    } else {
        format!("HTTP {status}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{SerdeJson, object};

    fn answered(status: u16, body: &str) -> Verdict {
        answered_later(status, body, None)
    }

    fn answered_later(status: u16, body: &str, retry_after_s: Option<f64>) -> Verdict {
        answered_after(5.0, status, body, retry_after_s)
    }

    fn answered_after(
        took_ms: f64,
        status: u16,
        body: &str,
        retry_after_s: Option<f64>,
    ) -> Verdict {
        let outcome = Outcome::Answered {
            status,
            body: body.to_owned(),
            replayed: false,
            retry_after_s,
        };
        judge(&SerdeJson, outcome, took_ms)
    }

    fn code_of(verdict: &Verdict) -> &str {
        match verdict {
            Verdict::Done(answer) => panic!("done: {}", answer.body),
            Verdict::Failed(failure)
            | Verdict::Passing(failure)
            | Verdict::Unknown(failure)
            | Verdict::Lost(failure) => &failure.code,
        }
    }

    #[test]
    fn a_json_object_is_passed_on_as_it_is() {
        assert_eq!(
            answered(200, r#"{ "success":true }"#),
            Verdict::Done(Answer {
                body: r#"{ "success":true }"#.to_owned(),
                replayed: false
            })
        );
    }

    #[test]
    fn rubbish_is_internal_and_not_repeated() {
        for (status, body) in [
            (200, ""),
            (200, "<html>"),
            (200, "[1]"),
            (204, ""),
            (400, "{}"),
            (302, ""),
            (500, "x"),
        ] {
            let verdict = answered(status, body);
            assert!(matches!(verdict, Verdict::Failed(_)), "{status} {body}");
            assert_eq!(code_of(&verdict), "INTERNAL", "{status} {body}");
        }
    }

    fn failed(status: u16, body: &str) -> Failure {
        match answered(status, body) {
            Verdict::Failed(failure) => failure,
            other => panic!("settled, not {other:?}"),
        }
    }

    #[test]
    fn a_raised_error_brings_all_that_is_told_of_it() {
        let body = r#"{"code":"PT429","message":"OUT_OF_LUCK","hint":"Wait.",
            "details":"{\"retry_after\":7,\"message\":\"No luck.\",\"retryable\":true}"}"#;
        let expected = Failure {
            status: 429,
            code: "OUT_OF_LUCK".into(),
            message: "No luck.".into(),
            hint: Some("Wait.".into()),
            details: object([("retry_after", 7_u32.into())]),
            cause: Some(Cause::Raised),
            cause_code: "PT429".to_owned(),
            retryable: true,
            retry_after_s: None,
        };
        assert_eq!(failed(429, body), expected);
    }

    #[test]
    fn every_code_of_the_catalogue_comes_back_as_it_was_raised() {
        for code in Code::all() {
            let entry = code.entry();
            let details = SerdeJson.write(&object([
                ("message", entry.message.into()),
                ("retryable", code.is_retryable().into()),
            ]));
            let body = SerdeJson.write(&object([
                ("code", format!("PT{}", entry.status).into()),
                ("message", entry.code.into()),
                ("details", details.into()),
                ("hint", entry.hint.into()),
            ]));
            let expected = Failure {
                cause_code: format!("PT{}", entry.status),
                ..Failure::new(code, Value::Null, Some(Cause::Raised))
            };
            assert_eq!(failed(entry.status, &body), expected);
        }
    }

    #[test]
    fn a_raised_error_does_without_the_rest() {
        for (details, left) in [
            ("null", Value::Null),
            (r#""""#, Value::Null),
            (r#""no json""#, Value::Null),
            (r#""3""#, Value::Null),
            ("{}", Value::Null),
            (r#""{}""#, Value::Null),
            (r#""{\"message\":7,\"retryable\":1}""#, Value::Null),
            (r#""{\"message\":\"a\\nb\"}""#, Value::Null),
            (r#""[\"message\"]""#, Value::List(vec!["message".into()])),
        ] {
            for (status, message) in [
                (404, "There is no such thing."),
                (409, "This does not fit the present state."),
                (418, "The request was refused."),
                (599, "Something went wrong on our side."),
            ] {
                let body = format!(
                    r#"{{"code":"PT{status}","message":"A_SHOP_S_OWN","details":{details},"hint":"a\tb"}}"#
                );
                let failure = failed(status, &body);
                assert_eq!(failure.message, message, "{details}");
                assert_eq!(failure.details, left, "{details}");
                assert_eq!((failure.hint, failure.retryable), (None, false));
            }
        }
    }

    #[test]
    fn what_is_not_raised_by_name_is_internal_and_not_told() {
        let long = "A".repeat(65);
        for (sqlstate, message) in [
            ("PT409", "SECRET TEXT"),
            ("PT409", "secret"),
            ("PT409", "SÉCRET"),
            ("PT409", "_SECRET"),
            ("PT409", "9SECRET"),
            ("PT409", "AB"),
            ("PT409", ""),
            ("PT409", &long),
            ("PT399", "SECRET"),
            ("PT600", "SECRET"),
            ("PT4x9", "SECRET"),
            ("PT4090", "SECRET"),
            ("PT40", "SECRET"),
        ] {
            let body = format!(
                r#"{{"code":"{sqlstate}","message":"{message}","hint":"SECRET","details":"{{\"message\":\"SECRET\"}}"}}"#
            );
            assert_eq!(
                failed(409, &body),
                Failure {
                    cause_code: sqlstate.to_owned(),
                    ..Failure::new(Code::Internal, Value::Null, Some(Cause::Unexpected))
                },
                "{sqlstate} {message}"
            );
        }
        let shortest = format!(r#"{{"code":"PT400","message":"{}"}}"#, &long[..64]);
        assert_eq!(failed(400, &shortest).code, long[..64]);
    }

    #[test]
    fn a_sentence_has_500_bytes_at_the_most() {
        assert!(readable(&"x".repeat(500)).is_some());
        assert_eq!(readable(&"x".repeat(501)), None);
        assert_eq!(readable(""), None);
    }

    #[test]
    fn a_user_who_was_deleted_is_signed_out() {
        let violation = |constraint| {
            let message = format!("violates foreign key constraint \\\"{constraint}\\\"");
            answered(409, &format!(r#"{{"code":"23503","message":"{message}"}}"#))
        };
        assert_eq!(
            code_of(&violation("orders_user_id_fkey")),
            "UNAUTHENTICATED"
        );
        assert_eq!(code_of(&violation("order_items_order_id_fkey")), "INTERNAL");
    }

    #[test]
    fn what_was_rolled_back_is_passing_and_what_is_unknown_is_not() {
        for sqlstate in [
            "40001", "40P01", "55P03", "57014", "53100", "53200", "53300", "57P01", "57P03",
            "PGRST000", "PGRST002", "PGRST003",
        ] {
            // The code says more than the status, whatever a gateway made of that.
            for status in [500, 503, 504] {
                let verdict =
                    answered(status, &format!(r#"{{"code":"{sqlstate}","message":"m"}}"#));
                assert!(matches!(verdict, Verdict::Passing(_)), "{sqlstate}");
                assert_eq!(code_of(&verdict), "UPSTREAM_UNAVAILABLE");
            }
        }
        for sqlstate in ["57P02", "08006", "08P01", "PGRST001", "PGRST500"] {
            for status in [500, 503] {
                let body = format!(r#"{{"code":"{sqlstate}","message":"m"}}"#);
                let verdict = answered(status, &body);
                assert!(matches!(verdict, Verdict::Unknown(_)), "{sqlstate}");
                assert_eq!(code_of(&verdict), "UPSTREAM_UNAVAILABLE");
            }
        }
        assert!(matches!(answered(429, "limit"), Verdict::Passing(_)));
        // Envoy, Kong, Cloudflare: what they say does not tell whether their upstream had acted.
        for body in [
            "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
            r#"{"message":"An invalid response was received from the upstream server"}"#,
            r#"{"code":"UPSTREAM_UNAVAILABLE","message":"m"}"#,
            r#"{"code":503,"message":"m"}"#,
            "",
        ] {
            for status in (502..=504).chain(520..=530) {
                let verdict = answered(status, body);
                assert!(matches!(verdict, Verdict::Unknown(_)), "{status} {body}");
                assert_eq!(code_of(&verdict), "UPSTREAM_UNAVAILABLE");
            }
        }
        assert!(matches!(
            judge(&SerdeJson, Outcome::Broken, 5.0),
            Verdict::Unknown(_)
        ));
        assert!(matches!(
            judge(&SerdeJson, Outcome::Unsent, 5.0),
            Verdict::Passing(_)
        ));
        assert!(matches!(
            judge(&SerdeJson, Outcome::TimedOut, 5.0),
            Verdict::Lost(_)
        ));
    }

    #[test]
    fn a_call_that_has_waited_for_a_lock_is_not_made_again() {
        let after = |took_ms, sqlstate| {
            answered_after(took_ms, 500, &format!(r#"{{"code":"{sqlstate}"}}"#), None)
        };
        for sqlstate in ["55P03", "57014"] {
            assert!(matches!(after(499.0, sqlstate), Verdict::Passing(_)));
            for took_ms in [500.0, 2_004.0] {
                let Verdict::Failed(failure) = after(took_ms, sqlstate) else {
                    panic!("{sqlstate} after {took_ms} ms")
                };
                // Its client may, later.
                assert_eq!((failure.status, failure.retryable), (503, true));
            }
        }
        for sqlstate in ["40P01", "PGRST003"] {
            assert!(matches!(after(1_004.0, sqlstate), Verdict::Passing(_)));
        }
    }

    #[test]
    fn what_upstream_asks_to_wait_is_passed_on() {
        for (status, header_s, seconds) in [
            (429, Some(30.0), Some(30.0)),
            (429, None, Some(1.0)),
            (503, Some(30.0), Some(30.0)),
            (503, None, None),
        ] {
            let (Verdict::Passing(failure) | Verdict::Unknown(failure)) =
                answered_later(status, "", header_s)
            else {
                panic!("{status} is not settled")
            };
            assert_eq!(failure.retry_after_s, seconds, "{status}");
            // Where it may have acted, there is nothing to send again.
            assert_eq!(failure.that_may_have_acted().retry_after_s, None);
        }
    }

    #[test]
    fn each_cause_has_its_word_in_the_documentation() {
        let told = include_str!("../../../docs/api.md");
        let rows: Vec<&str> = told
            .lines()
            .skip_while(|line| !line.starts_with("| `cause` |"))
            .skip(2)
            .map_while(|line| line.strip_prefix("| `")?.split('`').next())
            .collect();
        assert_eq!(rows, Cause::WORDS);
    }

    #[test]
    fn a_database_that_only_reads_has_not_acted_and_will_not() {
        let said = [
            r#"{"code":"25006","message":"cannot execute INSERT in a read-only transaction"}"#,
            r#"{"code":"0A000","message":"cannot set transaction read-write mode during recovery"}"#,
        ];
        for (body, status) in said.iter().flat_map(|body| [(body, 405), (body, 500)]) {
            let Verdict::Failed(failure) = answered(status, body) else {
                panic!("{body} is settled")
            };
            assert_eq!(
                (failure.status, &*failure.code, failure.retryable),
                (503, "READ_ONLY", false)
            );
        }
        let other = r#"{"code":"0A000","message":"cannot do that"}"#;
        assert_eq!(code_of(&answered(500, other)), "INTERNAL");
    }

    #[test]
    fn tokens_refused_upstream_are_unauthenticated_and_missing_rights_forbidden() {
        // The code decides, whatever status a gateway made of it.
        for code in ["PGRST301", "PGRST302", "PGRST303"] {
            let body = format!(r#"{{"code":"{code}"}}"#);
            for status in [400, 401] {
                assert_eq!(code_of(&answered(status, &body)), "UNAUTHENTICATED");
            }
        }
        assert_eq!(code_of(&answered(401, "")), "UNAUTHENTICATED");
        // postrust answers 401 to a signed-in role as well, PostgREST 403: the SQLSTATE decides.
        assert_eq!(code_of(&answered(401, r#"{"code":"42501"}"#)), "FORBIDDEN");
    }

    #[test]
    fn the_log_gets_a_code_and_never_text() {
        assert_eq!(cause_code(500, "XX000"), "XX000");
        assert_eq!(cause_code(500, "key=secret"), "HTTP 500");
        assert_eq!(cause_code(500, ""), "HTTP 500");
    }
}
