//! Everything that is tested on a running stack, whose URL and keys are in the environment under the names
//! of `supabase status -o env`: `npm test` starts one, or export those of your own.
//!
//! `areas` has what is known of each area: contract, races, scenes, stages, model, mutants. Everything else names no
//! function: `harness` (the stack, and ways to make a call), `meanwhile` and `mutants`, `openapi`, and `prove`,
//! which is `npm run prove`.

mod areas;
#[cfg(test)]
mod client;
pub mod harness;
#[cfg(test)]
mod meanwhile;
#[cfg(test)]
mod mutants;
#[cfg(test)]
mod openapi;
pub mod prove;
