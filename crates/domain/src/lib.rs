//! Interlock's rules, pure: no IO, no clock, no randomness, no WASM.
//!
//! A function is a value ([`function::Function`]) and a request runs through the sans-IO
//! [`exchange`]: [`exchange::begin`] yields a finished reply or one PostgREST call to make, and
//! [`exchange::resume`] takes what came of that call and yields a reply or the call to repeat.
//! Whatever these need from outside (the time, a fresh id, a random number, the host's JSON) comes
//! in as an argument, so the same code is tested natively and runs as WASM.
#![forbid(unsafe_code)]
// The build cuts every `{:?}` out of the modules: only panics have one, and their texts go nowhere.
#![cfg_attr(not(test), deny(clippy::use_debug))]

pub mod cart;
pub mod checkout;
pub mod claim_route;
#[cfg(feature = "describe")]
pub mod describe;
pub mod errors;
pub mod exchange;
pub mod fields;
pub mod function;
pub mod http;
pub mod identity;
pub mod json;
#[cfg(feature = "serde_json")]
mod native_json;
pub mod promo_validate;
pub mod retry;
pub mod rule;
pub mod upstream;
#[cfg(feature = "serde_json")]
pub mod wire;
