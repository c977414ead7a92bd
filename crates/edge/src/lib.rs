//! The WASM boundary of every edge function: an export converts, calls the domain, converts.
//!
//! What a function exports is decided once, by [`export!`]: `profile`, `begin`, `resume` and
//! `crashed`. Errors cross as values. Nothing of a request stays here between two calls, so the
//! shim may reset the instance at any moment without harming another request in flight.
#![cfg(target_arch = "wasm32")]
// The build cuts every `{:?}` out of the modules: only panics have one, and their texts go nowhere.
#![cfg_attr(not(test), deny(clippy::use_debug))]

pub mod exchange;
#[cfg(feature = "failpoint")]
mod failpoint;
mod json;
mod profile;

pub use profile::profile;

use lol_alloc::{AssumeSingleThreaded, FreeListAllocator};

// Seven kilobytes smaller than the standard one, and fast enough for a few hundred short-lived
// allocations a request.
// SAFETY: a WASM instance of an edge function has one thread.
#[global_allocator]
static ALLOCATOR: AssumeSingleThreaded<FreeListAllocator> =
    unsafe { AssumeSingleThreaded::new(FreeListAllocator::new()) };

/// Exports an [`interlock_domain::function::Function`] from a cdylib.
#[macro_export]
macro_rules! export {
    ($function:path) => {
        use wasm_bindgen::prelude::*;

        /// What the shim needs to know once per isolate, or `{error}` if the settings are unusable.
        /// `settings` is `{url, key, timeout}`.
        #[wasm_bindgen]
        pub fn profile(settings: JsValue) -> JsValue {
            $crate::profile(&$function, settings)
        }

        /// Takes a request; returns `{reply}` or `{call}`.
        #[wasm_bindgen]
        pub fn begin(request: JsValue) -> JsValue {
            $crate::exchange::begin(&$function, request)
        }

        /// Takes a call and its outcome; returns `{reply}` or `{call}`.
        #[wasm_bindgen]
        pub fn resume(call: JsValue, outcome: JsValue, host: JsValue) -> JsValue {
            $crate::exchange::resume(&$function, call, outcome, host)
        }

        /// The `{reply}` to a request during which the instance broke down.
        #[wasm_bindgen]
        pub fn crashed(request_id: Option<String>, fresh_id: String) -> JsValue {
            $crate::exchange::crashed(&$function, request_id.as_deref(), &fresh_id)
        }
    };
}
