//! Fault injection: answers that the platform's own proxies give when something behind them fails. What becomes of the
//! bytes on a connection is no business of a gateway: tests/prove/faults/proxy.rs does that.
//!
//! On a stack that was started with `--inject-faults`, a test may `POST /faults` what becomes of the next requests to the
//! API, and `DELETE /faults` ends that and tells how many answers were given so.

use std::sync::{Mutex, MutexGuard};

use axum::body::Body;
use axum::response::Response;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::{Method, StatusCode};
use serde::Deserialize;

/// What Envoy says when its upstream ended after it got the request.
const TEXT: &str = "upstream connect error or disconnect/reset before headers. reset reason: connection termination";

/// What becomes of some requests to the API.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    /// How many of them.
    times: usize,
    /// What their path begins with.
    path: String,
    /// Whose they are: the header, or everybody's.
    authorization: Option<String>,
    /// The status of the answer.
    status: u16,
    /// Its `Retry-After`.
    retry_after: Option<String>,
    /// Whether they take effect all the same.
    acts: bool,
}

impl Fault {
    /// Whether a request takes effect before it is answered so.
    pub(crate) fn acts(&self) -> bool {
        self.acts
    }

    /// The answer.
    pub(crate) fn answer(&self) -> Response {
        let mut response = Response::new(Body::from(TEXT));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        if let Some(Ok(value)) = self.retry_after.as_deref().map(HeaderValue::from_str) {
            headers.insert(RETRY_AFTER, value);
        }
        response
    }

    fn fits(&self, path: &str, headers: &HeaderMap) -> bool {
        let sender = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        let is_theirs = |whose: &String| sender == Some(whose.as_bytes());
        path.starts_with(&self.path) && self.authorization.as_ref().is_none_or(is_theirs)
    }
}

/// The faults that are to come.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    coming: Vec<Fault>,
    given: usize,
}

impl Faults {
    /// Takes one more.
    pub(crate) fn inject(&self, fault: Fault) {
        self.state().coming.push(fault);
    }

    /// The fault that this request meets, if any.
    pub(crate) fn take(&self, method: &Method, path: &str, headers: &HeaderMap) -> Option<Fault> {
        let mut state = self.state();
        let fits = |fault: &Fault| fault.times > 0 && fault.fits(path, headers);
        let fault = state.coming.iter_mut().find(|fault| fits(fault));
        // A preflight is no request yet.
        let fault = fault.filter(|_| *method != Method::OPTIONS)?;
        fault.times -= 1;
        let fault = fault.clone();
        state.given += 1;
        Some(fault)
    }

    /// Ends everything; how many answers were given.
    pub(crate) fn end(&self) -> usize {
        std::mem::take(&mut *self.state()).given
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A list of faults is whole at any moment.
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
