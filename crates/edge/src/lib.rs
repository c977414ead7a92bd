//! The WASM boundary of every edge function: an export converts, calls the domain, converts.
//!
//! Where a request passes, nothing is converted that need not be: see [`exchange`].
//! What a function exports is decided once, by [`export!`]. Errors cross as values. Nothing of a request stays here between two calls, so the
//! shim may reset the instance at any moment without harming another request in flight.
#![cfg(target_arch = "wasm32")]
// The build cuts every `{:?}` out of the modules: only panics have one, and their texts go nowhere.
#![cfg_attr(not(test), deny(clippy::use_debug))]

pub mod contract;
pub mod exchange;
#[cfg(feature = "failpoint")]
mod failpoint;
mod json;
mod profile;

pub use js_sys::JsString;
pub use profile::profile;

use lol_alloc::{AssumeSingleThreaded, FreeListAllocator};

// Seven kilobytes smaller than the standard one, and fast enough for a few hundred short-lived
// allocations a request.
// SAFETY: a WASM instance of an edge function has one thread.
#[global_allocator]
static ALLOCATOR: AssumeSingleThreaded<FreeListAllocator> =
    unsafe { AssumeSingleThreaded::new(FreeListAllocator::new()) };

/// Exports an [`interlock_domain::function::Function`] from a cdylib. What arrives with every request has a few
/// arguments; what is rare, a body or an answer that could not be read, has functions of its own.
#[macro_export]
macro_rules! export {
    ($function:path) => {
        use interlock_domain::upstream::Outcome;
        use wasm_bindgen::prelude::*;
        use $crate::JsString;
        use $crate::contract::{BodyFault, NoAnswer, Reply, Settings, Start, Step};

        // One for all calls, so that the compiler sees what it is, and leaves out what only other functions need.
        static FUNCTION: interlock_domain::function::Function = $function;

        /// Reads the settings of the isolate.
        #[wasm_bindgen]
        pub fn profile(settings: &Settings) -> Start {
            $crate::profile(&FUNCTION, settings)
        }

        /// Takes a request that came at `came_ms`, in milliseconds since 1970. `head` has a line for each of: the method,
        /// a fresh id, and the headers `x-request-id`, `content-type`, `authorization` (or the profile's
        /// `signatureHeader`), `x-shop` behind a `=`, if the profile says `conditional` `if-match` behind another, and, unless
        /// it is absent, `idempotency-key`.
        #[wasm_bindgen]
        pub fn begin(head: &str, body: JsString, came_ms: f64, budget_ms: f64) -> Step {
            $crate::exchange::begin(&FUNCTION, head, Ok(body), came_ms, budget_ms)
        }

        /// Takes a request whose body could not be read.
        #[wasm_bindgen(js_name = beginWithout)]
        pub fn begin_without(head: &str, fault: &BodyFault, came_ms: f64, budget_ms: f64) -> Step {
            let fault = $crate::exchange::body_fault(fault);
            $crate::exchange::begin(&FUNCTION, head, Err(fault), came_ms, budget_ms)
        }

        /// Takes the answer to a call. `retry_after_s` is what its `retry-after` says, NaN if that cannot be read;
        /// `elapsed_ms` has passed since `begin`, by a monotonic clock; `random` is in [0, 1).
        #[wasm_bindgen]
        pub fn resume(
            state: &str,
            status: u16,
            body: JsString,
            replayed: bool,
            retry_after_s: Option<f64>,
            elapsed_ms: f64,
            random: f64,
        ) -> Step {
            let outcome = Outcome::Answered {
                status,
                body,
                replayed,
                retry_after_s,
            };
            $crate::exchange::resume(&FUNCTION, state, outcome, elapsed_ms, random)
        }

        /// Takes the outcome of a call that has no answer.
        #[wasm_bindgen(js_name = resumeWithout)]
        pub fn resume_without(
            state: &str,
            outcome: &NoAnswer,
            elapsed_ms: f64,
            random: f64,
        ) -> Step {
            let outcome = $crate::exchange::no_answer(outcome);
            $crate::exchange::resume(&FUNCTION, state, outcome, elapsed_ms, random)
        }

        /// The reply to a request under which the instance broke down; `thrown` is the name of what was thrown.
        #[wasm_bindgen]
        pub fn trapped(head: &str, thrown: &str) -> Reply {
            $crate::exchange::trapped(&FUNCTION, head, thrown)
        }

        /// The reply to a request where there is no profile.
        #[wasm_bindgen]
        pub fn misconfigured(head: &str) -> Reply {
            $crate::exchange::misconfigured(&FUNCTION, head)
        }
    };
}
