//! What came of a call to PostgREST, and what it means.

use crate::catalogue::Code;
use crate::json::{Codec, Value};

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
    },
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

/// An error of the catalogue with what is known about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// What the client is told.
    pub code: Code,
    /// More about it for the client; `Null` for nothing.
    pub details: Value,
    /// What the log says beside it: the SQLSTATE or PostgREST's code, or the HTTP status.
    pub cause: String,
    /// Whether the same request may simply be sent again.
    pub retryable: bool,
}

impl Failure {
    /// A failure that may be sent again if its code says so.
    pub fn new(code: Code, details: Value, cause: impl Into<String>) -> Self {
        Failure {
            code,
            details,
            cause: cause.into(),
            retryable: code.is_retryable(),
        }
    }

    /// The same after a call whose outcome is not known, where a second one could act a second time:
    /// a client that repeats whatever is retryable must not buy twice.
    pub fn that_may_have_acted(self) -> Self {
        Failure {
            code: Code::UpstreamTimeout,
            retryable: false,
            ..self
        }
    }
}

/// Reads an outcome.
pub fn judge<C: Codec>(codec: &C, outcome: Outcome<C::Text>) -> Verdict<C::Text> {
    match outcome {
        Outcome::Answered {
            status: 200..=299,
            body,
            replayed,
        } if codec.is_object(&body) => Verdict::Done(Answer { body, replayed }),
        Outcome::Answered { status, body, .. } => {
            let error = codec.read(&body).unwrap_or(Value::Null);
            judge_error(codec, status, &error)
        }
        Outcome::Unsent => Verdict::Passing(Failure::new(
            Code::UpstreamUnavailable,
            Value::Null,
            "unsent",
        )),
        Outcome::Broken => Verdict::Unknown(Failure::new(
            Code::UpstreamUnavailable,
            Value::Null,
            "broken",
        )),
        Outcome::TimedOut => Verdict::Lost(Failure::new(
            Code::UpstreamTimeout,
            Value::Null,
            "timed out",
        )),
        Outcome::Unreadable => {
            Verdict::Failed(Failure::new(Code::Internal, Value::Null, "unreadable"))
        }
    }
}

fn judge_error<Text>(codec: &impl Codec, status: u16, error: &Value) -> Verdict<Text> {
    let text = |name| error.get(name).and_then(Value::as_text).unwrap_or_default();
    let sqlstate = text("code");
    let cause = cause(status, sqlstate);
    let failed = |code| Verdict::Failed(Failure::new(code, Value::Null, cause.clone()));
    let passing = || {
        Verdict::Passing(Failure::new(
            Code::UpstreamUnavailable,
            Value::Null,
            cause.clone(),
        ))
    };

    let unknown = || {
        Verdict::Unknown(Failure::new(
            Code::UpstreamUnavailable,
            Value::Null,
            cause.clone(),
        ))
    };

    match sqlstate {
        // Ours: private.raise_error puts the catalogue's code into the message.
        _ if sqlstate.starts_with("PT") => match Code::named(text("message")) {
            Some(code) => Verdict::Failed(Failure::new(
                code,
                details(codec, text("details")),
                cause.clone(),
            )),
            None => failed(Code::Internal),
        },
        // Serialisation failure, deadlock, lock not available, and a statement cancelled by our own
        // time limits: all rolled back.
        "40001" | "40P01" | "55P03" | "57014" => passing(),
        // Too many connections, shutting down, starting up: refused before anything ran.
        "53300" | "57P01" | "57P03" => passing(),
        // The database crashed, or the connection to it broke: if that was during the commit, it may
        // have taken effect. PostgREST says PGRST001, postrust PGRST500, a pooler class 08.
        "57P02" | "PGRST001" | "PGRST500" => unknown(),
        _ if sqlstate.starts_with("08") => unknown(),
        // The token is still good, and its user has been deleted: there is nobody to sell to.
        "23503" if names_user_id_fkey(text("message")) => failed(Code::Unauthenticated),
        "42501" => failed(Code::Forbidden),
        "PGRST301" | "PGRST302" | "PGRST303" => failed(Code::Unauthenticated),
        _ => match status {
            401 => failed(Code::Unauthenticated),
            // PostgREST has no database connection to give (PGRST000, PGRST002, PGRST003).
            _ if sqlstate.starts_with("PGRST00") => passing(),
            429 | 503 => passing(),
            // A proxy on the way gave up; the database may have gone on. 520 to 527 are Cloudflare's.
            502 | 504 | 520..=527 => unknown(),
            _ => failed(Code::Internal),
        },
    }
}

/// Whether a message names the foreign key that a row has to its user. `str::contains` would do the same
/// with a search that costs each function 2 KB.
fn names_user_id_fkey(message: &str) -> bool {
    const NAME: &[u8] = b"_user_id_fkey";
    message.as_bytes().windows(NAME.len()).any(|at| at == NAME)
}

/// `details` as raised by our SQL is JSON text. PostgREST may leave it out, so nothing depends on it.
fn details(codec: &impl Codec, text: &str) -> Value {
    match codec.parse(text) {
        Ok(details @ (Value::Object(_) | Value::List(_))) => details,
        _ => Value::Null,
    }
}

/// For the log: a code that looks like one, else the status. Never text of unknown content.
fn cause(status: u16, sqlstate: &str) -> String {
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
        judge(
            &SerdeJson,
            Outcome::Answered {
                status,
                body: body.to_owned(),
                replayed: false,
            },
        )
    }

    fn code_of(verdict: &Verdict) -> Code {
        match verdict {
            Verdict::Done(answer) => panic!("done: {}", answer.body),
            Verdict::Failed(failure)
            | Verdict::Passing(failure)
            | Verdict::Unknown(failure)
            | Verdict::Lost(failure) => failure.code,
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
            assert_eq!(code_of(&verdict), Code::Internal, "{status} {body}");
        }
    }

    #[test]
    fn a_catalogue_error_keeps_its_details() {
        let body = r#"{"code":"PT409","message":"BATCH_UNAVAILABLE","details":"{\"status\":\"claimed\"}","hint":"x"}"#;
        let Verdict::Failed(failure) = answered(409, body) else {
            panic!("settled")
        };
        assert_eq!(failure.code, Code::BatchUnavailable);
        assert_eq!(failure.details, object([("status", "claimed".into())]));
    }

    #[test]
    fn a_catalogue_error_does_without_details() {
        for details in ["null", r#""""#, r#""no json""#, r#""3""#, "{}"] {
            let body =
                format!(r#"{{"code":"PT404","message":"BATCH_NOT_FOUND","details":{details}}}"#);
            let Verdict::Failed(failure) = answered(404, &body) else {
                panic!("settled")
            };
            assert_eq!(
                (failure.code, failure.details),
                (Code::BatchNotFound, Value::Null),
                "{details}"
            );
        }
    }

    #[test]
    fn an_unknown_business_code_is_internal() {
        let verdict = answered(409, r#"{"code":"PT409","message":"SECRET TEXT"}"#);
        assert_eq!(
            verdict,
            Verdict::Failed(Failure::new(Code::Internal, Value::Null, "PT409"))
        );
    }

    #[test]
    fn a_user_who_was_deleted_is_signed_out() {
        let violation = |constraint| {
            let message = format!("violates foreign key constraint \\\"{constraint}\\\"");
            answered(409, &format!(r#"{{"code":"23503","message":"{message}"}}"#))
        };
        assert_eq!(
            code_of(&violation("orders_user_id_fkey")),
            Code::Unauthenticated
        );
        assert_eq!(
            code_of(&violation("order_items_order_id_fkey")),
            Code::Internal
        );
    }

    #[test]
    fn what_was_rolled_back_is_passing_and_what_is_unknown_is_not() {
        for sqlstate in [
            "40001", "40P01", "55P03", "57014", "53300", "57P01", "57P03", "PGRST000", "PGRST002",
            "PGRST003",
        ] {
            let verdict = answered(500, &format!(r#"{{"code":"{sqlstate}","message":"m"}}"#));
            assert!(matches!(verdict, Verdict::Passing(_)), "{sqlstate}");
            assert_eq!(code_of(&verdict), Code::UpstreamUnavailable);
        }
        for sqlstate in ["57P02", "08006", "08P01", "PGRST001", "PGRST500"] {
            for status in [500, 503] {
                let body = format!(r#"{{"code":"{sqlstate}","message":"m"}}"#);
                let verdict = answered(status, &body);
                assert!(matches!(verdict, Verdict::Unknown(_)), "{sqlstate}");
                assert_eq!(code_of(&verdict), Code::UpstreamUnavailable);
            }
        }
        assert!(matches!(answered(503, "busy"), Verdict::Passing(_)));
        assert!(matches!(answered(522, "cloud"), Verdict::Unknown(_)));
        assert!(matches!(answered(504, "gateway"), Verdict::Unknown(_)));
        assert!(matches!(
            judge(&SerdeJson, Outcome::Broken),
            Verdict::Unknown(_)
        ));
        assert!(matches!(
            judge(&SerdeJson, Outcome::Unsent),
            Verdict::Passing(_)
        ));
        assert!(matches!(
            judge(&SerdeJson, Outcome::TimedOut),
            Verdict::Lost(_)
        ));
    }

    #[test]
    fn tokens_refused_upstream_are_unauthenticated_and_missing_rights_forbidden() {
        // The code decides, whatever status a gateway made of it.
        for code in ["PGRST301", "PGRST302", "PGRST303"] {
            let body = format!(r#"{{"code":"{code}"}}"#);
            for status in [400, 401] {
                assert_eq!(code_of(&answered(status, &body)), Code::Unauthenticated);
            }
        }
        assert_eq!(code_of(&answered(401, "")), Code::Unauthenticated);
        // postrust answers 401 to a signed-in role as well, PostgREST 403: the SQLSTATE decides.
        assert_eq!(
            code_of(&answered(401, r#"{"code":"42501"}"#)),
            Code::Forbidden
        );
    }

    #[test]
    fn the_log_gets_a_code_and_never_text() {
        assert_eq!(cause(500, "XX000"), "XX000");
        assert_eq!(cause(500, "key=secret"), "HTTP 500");
        assert_eq!(cause(500, ""), "HTTP 500");
    }
}
