//! End-to-end and race tests. They need a running stack whose URL and keys are in the environment
//! under the names of `supabase status -o env`: `npm test` starts one, or export those of your own.
//!
//! Scenarios state what must hold; an adapter (function, RPC, SQL) only says how a call is made.

mod client;
mod http_contract;
mod lifecycle;
mod meanwhile;
mod mutants;
mod openapi;
mod promo_model;
mod races;
mod reports;
mod shop_contract;
mod shop_races;
mod slot_races;
