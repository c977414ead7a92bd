//! Functions that one call is not enough for: between calls of the database they ask a third party.
//!
//! Such a function says so in its record. Its first call is its RPC, as of every function. Each answer then goes to
//! [`ThirdParty::next`], which says what comes of it: the reply, or the next call, to another RPC or to the third party.
//! What it must know then travels with the call as its `memo`, and nothing stays here. All calls together have
//! the one budget of the request.
//!
//! Whichever call is lost, a client that may send the request again finds its way to the end: so
//! [`crate::function::Arguments::repeatable`] counts for the whole. A repeatable request makes all of its calls so that a
//! second one has no second effect (the third party's under an idempotency key of its own), and each is repeated by
//! itself. Any other request is told as one whose outcome is not known as soon as a call has been answered.

use crate::errors::Code;
use crate::json::{Codec, Value, object};
use crate::retry;
use crate::upstream::{Answer, Cause, Failure, Outcome, Verdict};

/// The most calls of one request, repeats included: more than any way to an answer has.
pub const MAX_CALLS: u32 = 20;

/// Whom a function asks besides the database, and what comes of the answers.
#[derive(Clone, Copy, Debug)]
pub struct ThirdParty {
    /// What its settings begin with, and what the log calls it: `STRIPE` for `STRIPE_SECRET_KEY` and `STRIPE_API_URL`.
    pub name: &'static str,
    /// Where its API is, unless `STRIPE_API_URL` says otherwise.
    pub url: &'static str,
    /// What each call of it has beside `Authorization: Bearer` and the secret key.
    pub headers: &'static [(&'static str, &'static str)],
    /// What comes of an answer.
    pub next: fn(Turn) -> Next,
}

/// An answer, and what is known when it comes.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Which step it answers, by the number that [`NextCall`] gave it; 0 is the function's own RPC.
    pub step: u32,
    /// The HTTP status: of an RPC a success always, of the third party perhaps a refusal, from 400 to 499, or a failure,
    /// from 500 on, that it has kept under its idempotency key: whoever repeats the call will be told of it again.
    pub status: u16,
    /// The body; null if that is no JSON.
    pub answer: Value,
    /// What [`NextCall`] noted.
    pub memo: Value,
}

/// What comes of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// It is the reply, as it came.
    Pass,
    /// This is the reply.
    Reply(Value),
    /// The third party has refused it: this error, with these details.
    Refuse(Code, Value),
    /// The call did not take effect and may work if it is repeated.
    Repeat,
    /// Nobody expects such an answer.
    Unexpected,
    /// Another call.
    Call(NextCall),
}

/// A call that follows an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct NextCall {
    /// A number of the function's own choice, by which [`Turn`] knows the answer.
    pub step: u32,
    /// What has to be known when the answer comes.
    pub memo: Value,
    /// Where it goes.
    pub target: Target,
    /// What is sent.
    pub body: Body,
}

/// Where a call goes that is not to the function's own RPC.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// To this RPC, as the caller.
    Rpc(&'static str),
    /// To the third party, under the function's secret key.
    ThirdParty {
        /// The HTTP method.
        method: &'static str,
        /// The path, from its API's root on, and perhaps a query.
        path: String,
        /// Headers of this call alone, the type of its body among them.
        headers: Vec<(&'static str, String)>,
    },
}

/// What is sent with a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// JSON.
    Json(Value),
    /// Any text; none with `GET`.
    Text(String),
}

impl Target {
    /// Whether the third party is asked.
    pub fn is_third_party(&self) -> bool {
        matches!(self, Target::ThirdParty { .. })
    }

    /// As it crosses the boundary: see `Target` in contract.d.ts.
    pub fn to_value(&self) -> Value {
        let (method, path, headers) = match self {
            Target::Rpc(name) => ("POST", *name, &[][..]),
            Target::ThirdParty {
                method,
                path,
                headers,
            } => (*method, path.as_str(), headers.as_slice()),
        };
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_str().into()));
        object([
            ("thirdParty", self.is_third_party().into()),
            ("method", method.into()),
            ("path", path.into()),
            ("headers", Value::Object(headers.collect())),
        ])
    }
}

/// Writes a body of the type `application/x-www-form-urlencoded`.
pub fn form(fields: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        if !text.is_empty() {
            text.push('&');
        }
        encode(&mut text, name);
        text.push('=');
        encode(&mut text, value);
    }
    text
}

/// Percent-encodes all but the unreserved characters of RFC 3986, so that a text fits into a form and into a path alike.
pub fn encode(to: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                to.push(char::from(byte));
            }
            _ => {
                to.push('%');
                to.push(char::from(HEX[usize::from(byte >> 4)]));
                to.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
}

impl ThirdParty {
    /// Reads the outcome of a call to the third party. What it refuses is the function's to read, as is what it grants.
    pub(crate) fn judge<C: Codec>(&self, outcome: Outcome<C::Text>) -> Verdict<C::Text> {
        let failure = |code, cause, of: &str| Failure {
            cause_code: [self.name, of].concat(),
            ..Failure::new(code, Value::Null, Some(cause))
        };
        let unavailable = |cause, of: &str| failure(Code::UpstreamUnavailable, cause, of);
        match outcome {
            Outcome::Answered {
                status,
                body,
                retry_after_s,
                replayed,
            } => {
                let of = format!(" {status}");
                let later = |cause| Failure {
                    retry_after_s: retry::asked_s(status, retry_after_s),
                    ..unavailable(cause, &of)
                };
                match status {
                    // It does not know the key.
                    401 | 403 => {
                        Verdict::Failed(failure(Code::Misconfigured, Cause::Settings, &of))
                    }
                    429 => Verdict::Passing(later(Cause::Limited)),
                    408 | 500..=599 if !replayed => Verdict::Unknown(later(Cause::Proxy)),
                    200..=299 | 400..=599 => Verdict::Done(Answer {
                        body,
                        replayed: false,
                    }),
                    _ => Verdict::Failed(failure(Code::Internal, Cause::Unexpected, &of)),
                }
            }
            Outcome::Unsent => Verdict::Passing(unavailable(Cause::Unsent, "")),
            Outcome::Broken => Verdict::Unknown(unavailable(Cause::Broken, "")),
            Outcome::TimedOut => Verdict::Lost(failure(Code::UpstreamTimeout, Cause::TimedOut, "")),
            Outcome::Unreadable => Verdict::Failed(failure(Code::Internal, Cause::Unreadable, "")),
        }
    }

    /// What an answer that cannot be used comes to; `of` is its status.
    pub(crate) fn failure(&self, code: Code, details: Value, cause: Cause, of: u16) -> Failure {
        Failure {
            cause_code: format!("{} {of}", self.name),
            ..Failure::new(code, details, Some(cause))
        }
    }
}
