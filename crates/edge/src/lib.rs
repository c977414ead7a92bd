//! The WASM boundary of every edge function: an export converts, calls the domain, converts.
//!
//! Where a request passes, nothing is converted that need not be: see [`exchange`].
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

pub use js_sys::JsString;
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
        use interlock_domain::exchange::Call;
        use interlock_domain::http::{Host, Request};
        use wasm_bindgen::prelude::*;
        use $crate::JsString;

        /// What the shim needs to know once per isolate, or an error if the settings are unusable, as
        /// `{profile, error, answerHeaders}`.
        #[wasm_bindgen]
        pub fn profile(
            url: Option<String>,
            key: Option<String>,
            timeout: Option<String>,
        ) -> JsValue {
            let (url, key, timeout) = (url.as_deref(), key.as_deref(), timeout.as_deref());
            $crate::profile(&$function, url, key, timeout)
        }

        /// Takes a request; returns a step.
        #[wasm_bindgen]
        #[expect(clippy::too_many_arguments, reason = "an object would cost more")]
        pub fn begin(
            method: String,
            authorization: Option<String>,
            content_type: Option<String>,
            idempotency_key: Option<String>,
            body: Option<JsString>,
            body_fault: Option<String>,
            request_id: Option<String>,
            id: String,
            timeout: f64,
            now: f64,
        ) -> JsValue {
            let request = Request {
                method,
                authorization,
                content_type,
                request_id,
                idempotency_key,
                body,
                body_fault: $crate::exchange::body_fault(body_fault.as_deref()),
                host: Host {
                    now,
                    random: 0.0,
                    id,
                    timeout,
                },
            };
            $crate::exchange::begin(&$function, request)
        }

        /// Takes the outcome of a call, after the call itself; returns a step.
        #[wasm_bindgen]
        #[expect(clippy::too_many_arguments, reason = "an object would cost more")]
        pub fn resume(
            body: JsString,
            repeats: u32,
            repeatable: bool,
            count: u32,
            outcome: String,
            status: u16,
            answer: Option<JsString>,
            replayed: bool,
            request_id: Option<String>,
            id: String,
            timeout: f64,
            started: f64,
            now: f64,
            random: f64,
        ) -> JsValue {
            let call = Call {
                body,
                delay: 0.0,
                timeout: 0.0,
                request_id: request_id.unwrap_or_default(),
                started,
                repeats,
                repeatable,
                count,
            };
            let outcome = $crate::exchange::outcome(&outcome, status, answer, replayed);
            let host = Host {
                now,
                random,
                id,
                timeout,
            };
            $crate::exchange::resume(&$function, call, outcome, &host)
        }

        /// The reply to a request during which the instance broke down, as a step.
        #[wasm_bindgen]
        pub fn crashed(request_id: Option<String>, id: String) -> JsValue {
            $crate::exchange::crashed(&$function, request_id.as_deref(), &id)
        }
    };
}
