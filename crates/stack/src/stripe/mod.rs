//! A stand-in for Stripe, so that payments by card can be tried and tested without an account: the documented API of
//! PaymentIntents and refunds with its errors, keys and idempotency, and signed events to a webhook. It is no kinder than
//! Stripe, and faults can be injected: it is slow, deaf, and its events come late, twice and in another order. A test has the official
//! client for its judge.
//!
//! What a test asks for goes to `/stand-in`: see [`Stripe::control`].

mod events;
mod form;
mod payments;

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};

use events::{Endpoint, Event};
use form::Form;
use payments::{ApiError, Key, Payments, fresh, invalid};

/// Where it listens if nothing else is asked for: stripe-mock's port.
pub(crate) const PORT: u16 = 12111;

/// The key of the function, as `STRIPE_SECRET_KEY`.
const SECRET_KEY: &str = "sk_test_interlock_stand_in_0123456789";
/// The key of the page.
const PUBLISHABLE_KEY: &str = "pk_test_interlock_stand_in_0123456789";
/// What events are signed with.
const WEBHOOK_SECRET: &str = "whsec_interlock_stand_in_0123456789";

/// What a shop needs that takes cards. A project without one has nothing to seed.
pub(crate) const SEED: &str = "
do $$
begin
  if to_regprocedure('public.set_payment_secret(text, text)') is null then
    return;
  end if;
  if not exists (
    select from interlock.payment_secrets s where s.secret = 'whsec_interlock_stand_in_0123456789'
  ) then
    perform public.set_payment_secret('stripe', 'whsec_interlock_stand_in_0123456789');
  end if;
  update interlock.settings
  set payment_methods = payment_methods || '{card}'
  where not 'card' = any (payment_methods);
end
$$;
";

/// What the functions and whoever tries it need to know.
pub(crate) fn variables(port: u16) -> [(String, String); 4] {
    [
        ("STRIPE_API_URL", format!("http://127.0.0.1:{port}")),
        ("STRIPE_SECRET_KEY", SECRET_KEY.to_owned()),
        ("STRIPE_PUBLISHABLE_KEY", PUBLISHABLE_KEY.to_owned()),
        ("STRIPE_WEBHOOK_SECRET", WEBHOOK_SECRET.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
}

/// More than any request has.
const BODY_LIMIT: usize = 1024 * 1024;

/// The stand-in.
pub(crate) struct Stripe {
    endpoint: Endpoint,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Who is told of events, if not the shop.
    endpoint: Option<Endpoint>,
    payments: Payments,
    /// What was answered under an idempotency key.
    keys: HashMap<String, Kept>,
    /// What becomes of later requests.
    faults: Vec<Fault>,
    /// Whether events wait until they are asked for.
    holds: bool,
    held: Vec<Event>,
}

struct Kept {
    /// What the key was first used for.
    request: String,
    /// None while that is under way.
    answer: Option<(u16, Value)>,
}

/// What becomes of some requests.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    /// How many of them.
    times: usize,
    /// Their method.
    method: String,
    /// What their path begins with.
    path: String,
    /// How long it takes until anything is done; whoever gives up in the meantime changes nothing.
    #[serde(default)]
    delay_ms: u64,
    /// Whether they take effect.
    acts: bool,
    /// The status of the answer, in place of the true one.
    #[serde(default)]
    status: Option<u16>,
    /// Its `Retry-After`.
    #[serde(default)]
    retry_after: Option<String>,
    /// Whether that answer is kept under the request's idempotency key, as a failure of Stripe's own is.
    #[serde(default)]
    keeps: bool,
    /// Whether the connection is closed in place of an answer.
    #[serde(default)]
    hangs_up: bool,
}

/// How held events are sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sending {
    /// The last one first.
    #[serde(default)]
    reversed: bool,
    /// How often each of them.
    times: usize,
}

/// The head of a request.
struct Head {
    method: String,
    path: String,
    query: String,
    headers: HeaderMap,
}

impl Head {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Nobody gets an answer.
#[derive(Debug)]
struct HungUp;

impl std::fmt::Display for HungUp {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the stand-in has hung up")
    }
}

impl std::error::Error for HungUp {}

type Answer = Response<Full<Bytes>>;

impl Stripe {
    /// A stand-in that tells of everything at that URL.
    pub(crate) fn new(webhook_url: String) -> Arc<Self> {
        Arc::new(Self {
            endpoint: Endpoint::new(webhook_url, WEBHOOK_SECRET.to_owned()),
            state: Mutex::default(),
        })
    }

    /// Serves until the runtime ends.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) -> Result<()> {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let stripe = self.clone();
            let service = service_fn(move |request| stripe.clone().answer(request));
            let server = hyper::server::conn::http1::Builder::new();
            let connection = server.serve_connection(TokioIo::new(stream), service);
            tokio::spawn(async move {
                // A client that went away is its own business.
                let _ = connection.await;
            });
        }
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Answer, HungUp> {
        let (parts, body) = request.into_parts();
        let head = Head {
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
        };
        let body = Limited::new(body, BODY_LIMIT).collect().await;
        let body = body.map_or_else(|_| Bytes::new(), |body| body.to_bytes());
        let body = String::from_utf8_lossy(&body).into_owned();
        // It goes on when its client is gone: a request that was sent has its effect.
        let answer = tokio::spawn(async move {
            if head.path.starts_with("/stand-in") {
                return Ok(self.control(&head, &body).await);
            }
            self.do_or_not(&head, &body).await
        });
        answer.await.unwrap_or(Err(HungUp))
    }

    /// Does what the request asks for, unless it meets a fault.
    async fn do_or_not(&self, head: &Head, body: &str) -> Result<Answer, HungUp> {
        let Some(fault) = self.fault_of(head) else {
            return Ok(self.api(head, body));
        };
        tokio::time::sleep(Duration::from_millis(fault.delay_ms)).await;
        let done = fault.acts.then(|| self.api(head, body));
        if fault.hangs_up {
            return Err(HungUp);
        }
        if let (true, Some(key)) = (fault.keeps, head.header("idempotency-key")) {
            let status = fault.status.unwrap_or(500);
            let error = ApiError::new(status, "api_error", None, "An injected fault.").error;
            let kept = Kept {
                request: request_of(head, body),
                answer: Some((status, json!({ "error": error }))),
            };
            self.state().keys.insert(key.to_owned(), kept);
        }
        let mut answer = match (fault.status, done) {
            (None, Some(answer)) => answer,
            (status, _) => {
                let status = status.unwrap_or(500);
                let kind = match status {
                    429 => "rate_limit_error",
                    402 => "card_error",
                    400..=499 => "invalid_request_error",
                    _ => "api_error",
                };
                refused(ApiError::new(status, kind, None, "An injected fault."))
            }
        };
        if let Some(Ok(value)) = fault.retry_after.as_deref().map(HeaderValue::from_str) {
            answer.headers_mut().insert(RETRY_AFTER, value);
        }
        Ok(answer)
    }

    /// The API itself: who asks, under which key, and then what.
    fn api(&self, head: &Head, body: &str) -> Answer {
        match self.try_api(head, body) {
            Ok((status, value, replayed)) => {
                let mut answer = json_answer(status, &value);
                if replayed {
                    let replayed = HeaderValue::from_static("true");
                    answer.headers_mut().insert("idempotent-replayed", replayed);
                }
                answer
            }
            Err(error) => refused(error),
        }
    }

    fn try_api(&self, head: &Head, body: &str) -> Result<(u16, Value, bool), ApiError> {
        let key = key_of(head)?;
        let text = if head.method == "GET" {
            &head.query
        } else {
            body
        };
        let form = Form::read(text)
            .ok_or_else(|| invalid(None, "The body is not application/x-www-form-urlencoded."))?;
        let idempotency_key = head
            .header("idempotency-key")
            .filter(|_| head.method == "POST");
        if idempotency_key.is_some_and(|key| key.is_empty() || key.len() > 255) {
            return Err(invalid(None, "An idempotency key has 1 to 255 characters."));
        }
        let request = request_of(head, body);
        let mut state = self.state();
        if let Some(key) = idempotency_key {
            match state.keys.get(key) {
                Some(Kept { answer: None, .. }) => {
                    let message =
                        "There is currently another in-progress request using this Idempotent Key.";
                    let code = Some("idempotency_key_in_use");
                    return Err(ApiError::new(409, "idempotency_error", code, message));
                }
                Some(kept) if kept.request != request => {
                    let message = format!(
                        "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '{key}' if you meant to execute a different request."
                    );
                    return Err(ApiError::new(400, "idempotency_error", None, &message));
                }
                Some(Kept {
                    answer: Some((status, answer)),
                    ..
                }) => return Ok((*status, answer.clone(), true)),
                None => {}
            }
        }
        let done = state
            .payments
            .act(key, &head.method, &head.path, &form, unix_time());
        let (status, value) = match done {
            Ok(value) => (200, value),
            // Refused before anything was begun: nothing is kept.
            Err(error) if error.status != 402 => return Err(error),
            Err(error) => (402, json!({ "error": error.error })),
        };
        if let Some(key) = idempotency_key {
            let answer = Some((status, value.clone()));
            state.keys.insert(key.to_owned(), Kept { request, answer });
        }
        self.tell(&mut state, idempotency_key);
        Ok((status, value, false))
    }

    /// Sends what has happened, or holds it.
    fn tell(&self, state: &mut State, idempotency_key: Option<&str>) {
        for happening in state.payments.happenings() {
            let event = Event::of(happening, idempotency_key);
            if state.holds {
                state.held.push(event);
            } else {
                let endpoint = state.endpoint.as_ref().unwrap_or(&self.endpoint).clone();
                tokio::spawn(async move { endpoint.deliver(event).await });
            }
        }
    }

    /// What tests ask for:
    ///
    /// - `POST /stand-in/faults` with a [`Fault`];
    /// - `POST /stand-in/keys` with the name of an idempotency key that somebody else is using from now on;
    /// - `POST /stand-in/endpoint` with the URL that events go to;
    /// - `POST /stand-in/hold`: events wait; `POST /stand-in/send` with a [`Sending`]: those that wait are sent one after
    ///   the other, and told with the answers;
    /// - `POST /stand-in/settle/ID/succeeded` (or `failed`): a payment that is being decided comes to its end;
    /// - `DELETE /stand-in`: all of that is over.
    async fn control(&self, head: &Head, body: &str) -> Answer {
        let parts: Vec<&str> = head.path.split('/').skip(2).collect();
        match (head.method.as_str(), &parts[..]) {
            ("POST", ["faults"]) => match serde_json::from_str(body) {
                Ok(fault) => self.state().faults.push(fault),
                Err(error) => return refused(invalid(None, &error.to_string())),
            },
            ("POST", ["keys"]) => {
                let kept = Kept {
                    request: String::new(),
                    answer: None,
                };
                self.state().keys.insert(body.to_owned(), kept);
            }
            ("POST", ["endpoint"]) => {
                let endpoint = Endpoint::new(body.to_owned(), WEBHOOK_SECRET.to_owned());
                self.state().endpoint = Some(endpoint);
            }
            ("POST", ["hold"]) => self.state().holds = true,
            ("POST", ["send"]) => {
                return match serde_json::from_str(body) {
                    Ok(sending) => self.send(&sending).await,
                    Err(error) => refused(invalid(None, &error.to_string())),
                };
            }
            ("POST", ["settle", id, end]) => {
                let mut state = self.state();
                let settled = state.payments.settle(id, *end == "succeeded");
                self.tell(&mut state, None);
                if let Err(error) = settled {
                    return refused(error);
                }
            }
            ("DELETE", []) => {
                let mut state = self.state();
                state.faults.clear();
                state.held.clear();
                state.holds = false;
                state.endpoint = None;
                state.keys.retain(|_, kept| kept.answer.is_some());
            }
            _ => return refused(invalid(None, "That is not for the stand-in.")),
        }
        json_answer(200, &json!({}))
    }

    async fn send(&self, sending: &Sending) -> Answer {
        let (mut events, endpoint) = {
            let mut state = self.state();
            let endpoint = state.endpoint.as_ref().unwrap_or(&self.endpoint).clone();
            (std::mem::take(&mut state.held), endpoint)
        };
        if sending.reversed {
            events.reverse();
        }
        let mut sent = Vec::new();
        for event in &events {
            for _ in 0..sending.times {
                sent.push(events::told(event, endpoint.send(event).await));
            }
        }
        json_answer(200, &json!({ "sent": sent }))
    }

    fn fault_of(&self, head: &Head) -> Option<Fault> {
        let mut state = self.state();
        let fault = state.faults.iter_mut().find(|fault| {
            fault.times > 0 && fault.method == head.method && head.path.starts_with(&fault.path)
        })?;
        fault.times -= 1;
        Some(fault.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing is left half done where anything could end early.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What has to be the same under the same idempotency key.
fn request_of(head: &Head, body: &str) -> String {
    format!("{} {}\n{body}", head.method, head.path)
}

/// Who asks.
fn key_of(head: &Head) -> Result<Key, ApiError> {
    let unauthorized = |message: &str| ApiError::new(401, "invalid_request_error", None, message);
    let authorization = head.headers.get(AUTHORIZATION);
    let key = authorization
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    match key {
        Some(SECRET_KEY) => Ok(Key::Secret),
        Some(PUBLISHABLE_KEY) => Ok(Key::Publishable),
        Some(_) => Err(unauthorized("Invalid API Key provided: sk_test_****")),
        None => Err(unauthorized(
            "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
        )),
    }
}

fn refused(error: ApiError) -> Answer {
    json_answer(error.status, &json!({ "error": error.error }))
}

fn json_answer(status: u16, value: &Value) -> Answer {
    let mut answer = Response::new(Full::from(format!("{value:#}\n")));
    *answer.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(id) = HeaderValue::from_str(&fresh("req")) {
        headers.insert("request-id", id);
    }
    answer
}

/// Seconds since 1970.
fn unix_time() -> i64 {
    let elapsed = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}
