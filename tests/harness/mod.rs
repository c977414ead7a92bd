//! What every test against a running stack needs: the stack itself, and ways to make a call. Scenarios state
//! what must hold; an adapter (function, RPC, SQL) only says how a call is made.

pub mod calls;
pub mod openapi;
#[cfg(test)]
pub(crate) mod races;
pub mod stack;
