//! What one edge function is: a name, the RPC it calls, and how it reads its request.

use crate::fields::{Fields, Problems};
use crate::json::Value;

/// An edge function. Everything that the functions have in common is in [`crate::exchange`].
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// Its name in the URL and in the log.
    pub name: &'static str,
    /// The PostgREST RPC that does the work, in one transaction.
    pub rpc: &'static str,
    /// Whether the RPC keeps its answers by idempotency key. Where it does not, a key is accepted and
    /// not needed: a second call has no second effect anyway.
    pub keyed: bool,
    /// Reads the fields of the request body.
    pub read: fn(Fields) -> Result<Arguments, Problems>,
    /// What the log says beside its usual line when it worked, of what [`Arguments::count`] counts.
    pub note: Option<fn(count: u32) -> String>,
}

/// What a request asks of the database.
#[derive(Clone, Debug, PartialEq)]
pub struct Arguments {
    /// The RPC's arguments by name.
    pub json: Value,
    /// How many of what [`Function::note`] tells.
    pub count: u32,
    /// Whether the call may be made again after one whose outcome is not known: true only if a
    /// second execution has no further effect and gives the same answer.
    pub repeatable: bool,
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
