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
    /// Reads the fields of the request body.
    pub read: fn(Fields) -> Result<Arguments, Problems>,
}

/// What a request asks of the database.
#[derive(Clone, Debug, PartialEq)]
pub struct Arguments {
    /// The RPC's arguments by name.
    pub json: Value,
    /// Whether the call may be made again after one whose outcome is not known: true only if a
    /// second execution has no further effect and gives the same answer.
    pub repeatable: bool,
}
