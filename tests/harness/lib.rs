//! What every test against a running stack needs: the stack itself, rows to work on, and ways to
//! make a call. Scenarios state what must hold; an adapter (function, RPC, SQL) only says how a call
//! is made.

pub mod calls;
pub mod openapi;
pub mod shop;
pub mod stack;
