//! Unkindness on request: answers that the platform's own proxies give when something behind them fails.
//!
//! On a stack that was started with `--unkind`, a test may `POST /unkind` what becomes of the next requests to the
//! API, and `DELETE /unkind` ends that and tells how many answers were given so.

use std::sync::{Mutex, MutexGuard};

use axum::body::Body;
use axum::response::Response;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::{Method, StatusCode};
use serde::Deserialize;

/// What Envoy says when its upstream ended after it got the request.
const TEXT: &str = "upstream connect error or disconnect/reset before headers. reset reason: connection termination";

/// What becomes of some requests.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
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

impl Order {
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

/// What was ordered and is not done yet.
#[derive(Debug, Default)]
pub(crate) struct Unkind(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    orders: Vec<Order>,
    given: usize,
}

impl Unkind {
    /// Takes an order.
    pub(crate) fn order(&self, order: Order) {
        self.state().orders.push(order);
    }

    /// What becomes of this request, if anything was ordered for it.
    pub(crate) fn take(&self, method: &Method, path: &str, headers: &HeaderMap) -> Option<Order> {
        let mut state = self.state();
        let fits = |order: &Order| order.times > 0 && order.fits(path, headers);
        let order = state.orders.iter_mut().find(|order| fits(order));
        // A preflight is no request yet.
        let order = order.filter(|_| *method != Method::OPTIONS)?;
        order.times -= 1;
        let order = order.clone();
        state.given += 1;
        Some(order)
    }

    /// Ends everything; how many answers were given.
    pub(crate) fn end(&self) -> usize {
        std::mem::take(&mut *self.state()).given
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A list of orders is whole at any moment.
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
