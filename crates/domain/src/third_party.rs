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
//!
//! Who the third party is may also be data: such a function has no [`Api`], and sends to whatever URL its database names
//! ([`Target::Anybody`]). It can do several things at once, too ([`Next::Each`]).

use crate::errors::Code;
use crate::exchange::State;
use crate::json::{Codec, Value, object};
use crate::retry;
use crate::upstream::{Answer, Cause, Failure, Outcome, Verdict};

/// The most calls of one request, repeats included: more than any way to an answer has.
pub const MAX_CALLS: u32 = 20;

/// The most that a call to anybody may take, in milliseconds; a request of little time gives it less.
pub const MOST_PATIENCE_MS: f64 = 15_000.0;

/// Whom a function asks besides the database, and what comes of the answers.
#[derive(Clone, Copy, Debug)]
pub struct ThirdParty {
    /// Its API; `None` if each call says itself where it goes.
    pub api: Option<Api>,
    /// What calls to anybody can name ([`Target::Anybody`]) in place of a host.
    pub outlets: &'static [Outlet],
    /// What all calls of a request may take, in milliseconds, unless `INTERLOCK_UPSTREAM_TIMEOUT_MS` says otherwise.
    pub budget_ms: u32,
    /// What comes of an answer.
    pub next: fn(Turn) -> Next,
}

/// The API of a third party that is always the same one.
#[derive(Clone, Copy, Debug)]
pub struct Api {
    /// What its settings begin with, and what the log calls it: `STRIPE` for `STRIPE_SECRET_KEY` and `STRIPE_API_URL`.
    pub name: &'static str,
    /// Where its API is, unless `STRIPE_API_URL` says otherwise.
    pub url: &'static str,
    /// What each call of it has beside `Authorization: Bearer` and the secret key.
    pub headers: &'static [(&'static str, &'static str)],
}

/// An API that a function may or may not have a key of: without one, a call of it is not made.
#[derive(Clone, Copy, Debug)]
pub struct Outlet {
    /// What its settings begin with: `RESEND` for `RESEND_API_KEY` and `RESEND_API_URL`.
    pub name: &'static str,
    /// Where it is, unless `RESEND_API_URL` says otherwise; empty: only where that says so.
    pub url: &'static str,
    /// The header that its key goes in, unless `RESEND_API_HEADER` says otherwise: `x-key`, or `authorization: Bearer`.
    pub header: &'static str,
    /// What stands before the key there.
    pub before: &'static str,
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
    /// All of these calls at once, each up to a reply of its own; the answer to the step is `{"replies": […]}` with what
    /// these said, in no order.
    Each {
        /// The step that all of them together are.
        step: u32,
        /// What is made.
        calls: Vec<NextCall>,
    },
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
    /// To any URL, with nobody's token or key; or to an [`Outlet`], with its key. Whatever comes of it is the function's to read, as the object that
    /// [`told`] makes of it; no redirect is followed.
    Anybody {
        /// The outlet's name, if it is one of [`ThirdParty::outlets`].
        outlet: Option<String>,
        /// The HTTP method.
        method: &'static str,
        /// The URL; of an outlet the path.
        url: String,
        /// Headers, the type of the body among them.
        headers: Vec<(String, String)>,
    },
    /// To whoever knows the addresses of a name; the answer has them with a blank between, in the object that [`told`] makes of it.
    /// Its error is `unset` where nobody can be asked, and `unsent` if there are none.
    Names(String),
    /// Nowhere: these calls are made at once, each up to its reply.
    Each(Vec<Branch>),
}

/// Whom a call asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// The database, or nobody.
    Database,
    /// The third party's [`Api`].
    ThirdParty,
    /// Whoever is at a URL.
    Anybody,
}

/// A call of several that are made at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    /// As of a call that is made alone.
    pub state: State,
    /// Where it goes.
    pub target: Target,
    /// What is sent.
    pub body: String,
    /// After how long it is given up.
    pub timeout_ms: f64,
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
    /// Whom it asks.
    pub fn asks(&self) -> Asks {
        match self {
            Target::Rpc(_) | Target::Each(_) => Asks::Database,
            Target::ThirdParty { .. } => Asks::ThirdParty,
            Target::Anybody { .. } | Target::Names(_) => Asks::Anybody,
        }
    }

    /// As it crosses the boundary: see `Target` in contract.d.ts.
    pub fn to_value(&self) -> Value {
        let own: Vec<(String, Value)>;
        let mut named = None;
        let (to, method, path) = match self {
            Target::Rpc(name) => {
                own = Vec::new();
                ("rpc", "POST", *name)
            }
            Target::ThirdParty {
                method,
                path,
                headers,
            } => {
                let headers = headers.iter();
                own = headers
                    .map(|(name, value)| ((*name).to_owned(), value.as_str().into()))
                    .collect();
                ("third_party", *method, path.as_str())
            }
            Target::Anybody {
                outlet,
                method,
                url,
                headers,
            } => {
                named = outlet.as_deref();
                let headers = headers.iter();
                own = headers
                    .map(|(name, value)| (name.clone(), value.as_str().into()))
                    .collect();
                ("anybody", *method, url.as_str())
            }
            Target::Names(name) => {
                own = Vec::new();
                ("names", "", name.as_str())
            }
            Target::Each(branches) => {
                let branches = branches.iter().map(Branch::to_value);
                return object([("each", Value::List(branches.collect()))]);
            }
        };
        let mut place = vec![
            ("to".to_owned(), to.into()),
            ("method".to_owned(), method.into()),
            ("path".to_owned(), path.into()),
            ("headers".to_owned(), Value::Object(own)),
        ];
        place.extend(named.map(|name| ("outlet".to_owned(), name.into())));
        Value::Object(place)
    }
}

impl Branch {
    fn to_value(&self) -> Value {
        object([
            ("state", self.state.write().as_str().into()),
            ("body", self.body.as_str().into()),
            ("timeoutMs", self.timeout_ms.into()),
            ("target", self.target.to_value()),
        ])
    }
}

/// What came of a call to anybody, for [`Turn::answer`]: `status`, or `error` (`unset`, `unsent`, `broken`, `timed_out` or `unreadable`); `retry_after_s`, in
/// whole seconds, if the answer says so; `answer`, what its body began with; `duration_ms`.
pub(crate) fn told<C: Codec>(codec: &C, outcome: Outcome<C::Text>, took_ms: f64) -> Value {
    let mut members = vec![("duration_ms", took_ms.max(0.0).round().into())];
    let error = match outcome {
        Outcome::Answered {
            status,
            body,
            retry_after_s,
            ..
        } => {
            members.push(("status", u32::from(status).into()));
            let seconds = retry_after_s.filter(|seconds| (0.0..1e9).contains(seconds));
            members.extend(seconds.map(|seconds| ("retry_after_s", seconds.ceil().into())));
            // No text of the database can hold a NUL.
            let answer = codec.take(&body).replace('\0', "");
            members.push(("answer", answer.as_str().into()));
            None
        }
        Outcome::Unset => Some("unset"),
        Outcome::Unsent => Some("unsent"),
        Outcome::Broken => Some("broken"),
        Outcome::TimedOut => Some("timed_out"),
        Outcome::Unreadable => Some("unreadable"),
    };
    members.extend(error.map(|error| ("error", error.into())));
    let members = members.into_iter();
    Value::Object(
        members
            .map(|(name, value): (&str, Value)| (name.to_owned(), value))
            .collect(),
    )
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
    /// What the log calls it.
    fn name(&self) -> &'static str {
        self.api.map_or("", |api| api.name)
    }

    /// Reads the outcome of a call to the third party. What it refuses is the function's to read, as is what it grants.
    pub(crate) fn judge<C: Codec>(&self, outcome: Outcome<C::Text>) -> Verdict<C::Text> {
        let failure = |code, cause, of: &str| Failure {
            cause_code: [self.name(), of].concat(),
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
            Outcome::Unset => Verdict::Failed(failure(Code::Misconfigured, Cause::Settings, "")),
            Outcome::Unsent => Verdict::Passing(unavailable(Cause::Unsent, "")),
            Outcome::Broken => Verdict::Unknown(unavailable(Cause::Broken, "")),
            Outcome::TimedOut => Verdict::Lost(failure(Code::UpstreamTimeout, Cause::TimedOut, "")),
            Outcome::Unreadable => Verdict::Failed(failure(Code::Internal, Cause::Unreadable, "")),
        }
    }

    /// What an answer that cannot be used comes to; `of` is its status.
    pub(crate) fn failure(&self, code: Code, details: Value, cause: Cause, of: u16) -> Failure {
        Failure {
            cause_code: format!("{} {of}", self.name()),
            ..Failure::new(code, details, Some(cause))
        }
    }
}
