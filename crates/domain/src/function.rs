//! What one edge function is: one record says everything that the tools ask about it.

#[cfg(not(target_arch = "wasm32"))]
use crate::errors::Code;
use crate::fields::{Fields, Problems};
#[cfg(not(target_arch = "wasm32"))]
use crate::json::Codec;
use crate::json::Value;
#[cfg(not(target_arch = "wasm32"))]
use crate::shape::Shape;
use crate::third_party::ThirdParty;

/// An edge function. Everything that the functions have in common is in [`crate::exchange`]. Nothing of a record
/// has a default: what is forgotten does not compile.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// Its name in the URL and in the log.
    pub name: &'static str,
    /// The PostgREST RPC that does the work, in one transaction.
    pub rpc: &'static str,
    /// Who calls it, and what of a request its RPC gets.
    pub takes: Takes,
    /// A second way to ask it, if it has one.
    pub route: Option<Route>,
    /// What the log says beside its usual line when it worked, of what [`Arguments::count`] counts.
    pub note: Option<fn(count: u32) -> String>,
    /// Whom it asks besides the database, if one call of its RPC is not enough.
    pub third_party: Option<ThirdParty>,
    /// What it knows of versions, if its RPC changes only what is as it was expected to be.
    pub versions: Option<Versions>,
    /// What a running function does not need to know.
    #[cfg(not(target_arch = "wasm32"))]
    pub told: Told,
}

/// What a function knows of versions. Its reader finds the one that `If-Match` names, by [`Fields::if_match`].
#[derive(Clone, Copy, Debug)]
pub struct Versions {
    /// The version that an answer tells, for its `ETag`; `None` if it tells of more than one row.
    pub of: fn(&Value) -> Option<f64>,
    /// What is asked for instead where others came first: of the code of a refusal, its details, and the arguments,
    /// where they are [`Arguments::remembered`]. `None` if the refusal is the reply, as it is after so many repeats
    /// as [`crate::retry`] has.
    pub again: fn(&str, &Value, Value) -> Option<Value>,
}

/// A second way to ask a function: by PUT, with one of its fields in the path.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// What stands before the value in the path: `sessions` of `/functions/v1/pack/sessions/ID`.
    pub segment: &'static str,
    /// The field whose value it is.
    pub field: &'static str,
    /// What other fields may be called in such a request, and what they are.
    pub names: &'static [(&'static str, &'static str)],
}

impl Route {
    /// The value in the path of `PUT PATH`, the method as the shim tells it; `None` if it is another request.
    pub fn value<'a>(&self, method: &'a str) -> Option<&'a str> {
        let path = method.strip_prefix("PUT ")?;
        let (before, value) = path.rsplit_once('/')?;
        (before.rsplit('/').next() == Some(self.segment)).then_some(value)
    }
}

/// Who calls a function, and what of a request its RPC gets.
#[derive(Clone, Copy, Debug)]
pub enum Takes {
    /// A signed-in user's JSON. The gateway asks for a token, and the RPC is called with it, so that rights and row
    /// security are the user's.
    Fields {
        /// Whether the RPC keeps its answers by idempotency key. Where it does not, a key is accepted and
        /// not needed: a second call has no second effect anyway.
        keyed: bool,
        /// Whether the shop's own code calls it too, with a token of the service role, which is nobody's.
        by_shop: bool,
        /// Reads the fields of the request body.
        read: fn(Fields) -> Result<Arguments, Problems>,
    },
    /// A text that its sender has signed, exactly as it came, whatever its `content-type`. Nobody is signed in: the
    /// gateway asks for no token, one that comes all the same is not passed on, and the RPC, which looks at the
    /// signature, is called with the API key alone.
    Signed {
        /// The header that has the signature, in lower case; or several, with blanks between, as their values then have.
        header: &'static str,
        /// The arguments of that text and the signature, which is empty if there is none.
        arguments: fn(body: &str, signature: &str) -> Arguments,
    },
}

/// What the tools are told of a function.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// The area that it belongs to: the folder of this crate, and of tests/areas.
    pub area: &'static str,
    /// What it is for, in half a line: in its crate and its shim.
    pub purpose: &'static str,
    /// The title of its operation.
    pub summary: &'static str,
    /// Whether it waits at the admission gate, if the shop has one (docs/gate.md).
    pub gated: bool,
    /// What it does, for who calls it.
    pub description: &'static str,
    /// What each field of the request means, by its place.
    pub fields: &'static [(&'static str, &'static str)],
    /// What the fields say about each other, as JSON Schema; `{}` if nothing.
    pub between_fields: &'static str,
    /// The schema of its answer; one of `schemas`.
    pub answer: &'static str,
    /// What its answers are made of, by name.
    pub schemas: &'static [(&'static str, Shape)],
    /// What the database refuses, beside what any function refuses.
    pub codes: &'static [Code],
    /// Whether a refusal of the database tells all that is wrong, as `problems` in its details.
    pub together: bool,
    /// The arguments that every call of the RPC has. An argument is called `p_` and the field that it comes from.
    pub always: &'static [&'static str],
    /// Whether a call with these arguments, and without a key, acts a second time when it is made twice.
    pub acts_again: fn(&Value) -> bool,
    /// Good requests, with ids that need not exist; of a signed text its signature may be anything. The first one has every field that can stand beside the others.
    pub samples: &'static [Sample],
}

/// A request.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// What it is.
    pub name: &'static str,
    /// Its body.
    pub body: &'static str,
}

impl Function {
    /// Whether `If-Match` may guard its requests.
    pub fn is_conditional(&self) -> bool {
        self.versions.is_some()
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Function {
    /// The name as one of Rust's: of its module here, and of its crate elsewhere.
    pub fn ident(&self) -> String {
        self.name.replace('-', "_")
    }

    /// What reads the fields of its request, if it has any.
    pub fn reader(&self) -> Option<fn(Fields) -> Result<Arguments, Problems>> {
        match self.takes {
            Takes::Fields { read, .. } => Some(read),
            Takes::Signed { .. } => None,
        }
    }

    /// What a body leads to; `None` if it is refused. The signature of a signed one is the database's to look at.
    pub fn arguments(&self, codec: &impl Codec, body: &str) -> Option<Arguments> {
        match self.takes {
            Takes::Fields { read, .. } => read(Fields::of_body(codec.parse(body).ok()?)).ok(),
            Takes::Signed { arguments, .. } => Some(arguments(body, "")),
        }
    }

    /// Whether its RPC keeps its answers by idempotency key.
    pub fn is_keyed(&self) -> bool {
        matches!(self.takes, Takes::Fields { keyed: true, .. })
    }

    /// Whether the shop's own code calls it, too.
    pub fn is_by_shop(&self) -> bool {
        matches!(self.takes, Takes::Fields { by_shop: true, .. })
    }

    /// Whether only a signed-in user may call it.
    pub fn is_for_users(&self) -> bool {
        matches!(self.takes, Takes::Fields { .. })
    }

    /// The name in JavaScript: `claimRoute`.
    pub fn camel(&self) -> String {
        let mut camel = String::new();
        for (index, word) in self.name.split('-').enumerate() {
            let (first, rest) = word.split_at(1);
            match index {
                0 => camel.push_str(first),
                _ => camel.push_str(&first.to_ascii_uppercase()),
            }
            camel.push_str(rest);
        }
        camel
    }
}

/// What a request asks of the database.
#[derive(Clone, Debug, PartialEq)]
pub struct Arguments {
    /// The RPC's arguments by name.
    pub json: Value,
    /// How many of what [`Function::note`] tells.
    pub count: u32,
    /// Whether the call may be made again after one whose outcome is not known: true only if a
    /// second execution has no further effect and gives the same answer. Of a function that makes more than one call it
    /// says so of all of them.
    pub repeatable: bool,
    /// Whether [`Versions::again`] has to know them.
    pub remembered: bool,
}

impl Arguments {
    /// Those of the arguments that are there. Absent ones are left out rather than null: the
    /// database's defaults apply, and `postrust-server` 3.1.0 passes a null uuid on as ''.
    pub fn new<const N: usize>(arguments: [(&str, Option<Value>); N], repeatable: bool) -> Self {
        let present = arguments
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Arguments {
            json: Value::Object(present.collect()),
            count: 0,
            repeatable,
            remembered: false,
        }
    }

    /// Names the submission. From then on a repeated call has no second effect.
    pub fn with_idempotency_key(mut self, key: &str) -> Self {
        if let Value::Object(arguments) = &mut self.json {
            arguments.push(("p_idempotency_key".to_owned(), key.into()));
        }
        self.repeatable = true;
        self
    }
}
