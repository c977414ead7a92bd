//! A stand-in for Resend, so that mails can be written, sent and looked at without an account: `POST /emails` with its checks,
//! errors and idempotency keys, as documented. Nothing leaves this machine; what would have been sent is shown at `/`. And one for
//! Alpine IQ, and one for any other CRM, which only take what they are told.
//!
//! What a test asks for goes to `/stand-in`: `POST /stand-in/faults` with a [`Fault`], `DELETE /stand-in` to begin anew;
//! `GET /stand-in/mails` and `GET /stand-in/crm` answer what was sent.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

/// Where it listens if nothing else is asked for: the platform's mail port.
pub(crate) const PORT: u16 = 54324;

/// The key of the function, as `RESEND_API_KEY`.
const API_KEY: &str = "re_interlock_stand_in_0123456789";

/// The key of the function, as `ALPINE_IQ_API_KEY`.
const ALPINE_IQ_KEY: &str = "aiq_interlock_stand_in_0123456789";

/// The key of the function, as `CRM_API_KEY`.
const CRM_KEY: &str = "crm_interlock_stand_in_0123456789";

/// What the functions and whoever tries it need to know.
pub(crate) fn variables(port: u16) -> [(String, String); 6] {
    [
        ("ALPINE_IQ_API_URL", format!("http://127.0.0.1:{port}")),
        ("ALPINE_IQ_API_KEY", ALPINE_IQ_KEY.to_owned()),
        ("CRM_API_URL", format!("http://127.0.0.1:{port}/crm")),
        ("CRM_API_KEY", CRM_KEY.to_owned()),
        ("RESEND_API_URL", format!("http://127.0.0.1:{port}")),
        ("RESEND_API_KEY", API_KEY.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
}

/// What was sent, what was answered under which key, and what goes wrong next.
#[derive(Default)]
struct Mails {
    sent: Vec<Mail>,
    keys: HashMap<String, (Value, String)>,
    faults: Vec<Fault>,
    crm: Vec<Value>,
}

struct Mail {
    id: String,
    key: Option<String>,
    body: Value,
}

/// What becomes of some requests.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    /// How many of them.
    times: usize,
    /// The status of the answer.
    status: u16,
    /// The name of the error.
    name: String,
    /// Its `Retry-After`.
    #[serde(default)]
    retry_after: Option<String>,
    /// Whether they take effect.
    #[serde(default)]
    acts: bool,
}

type Shared = Arc<Mutex<Mails>>;

/// Serves until the runtime ends.
pub(crate) async fn serve(listener: TcpListener) -> Result<()> {
    listener.set_nonblocking(true)?;
    let router = Router::new()
        .route("/", get(list))
        .route("/emails", post(send))
        .route("/emails/{id}", get(retrieve))
        .route("/mails/{id}/{form}", get(show))
        .route("/api/v1.1/{call}/{account}", post(take))
        .route("/crm/{*path}", any(take_any))
        .route("/stand-in/mails", get(sent))
        .route("/stand-in/crm", get(told_crm))
        .route("/stand-in/faults", post(fault))
        .route("/stand-in", axum::routing::delete(begin_anew))
        .with_state(Shared::default());
    loop {
        let again = tokio::net::TcpListener::from_std(listener.try_clone()?)?;
        // It ends with the runtime; an error of a connection is its client's.
        if axum::serve(again, router.clone()).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn state(shared: &Shared) -> MutexGuard<'_, Mails> {
    // Nothing is left half done where anything could end early.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An error as Resend tells it.
fn refused(status: u16, name: &str, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = json!({ "statusCode": status.as_u16(), "name": name, "message": message });
    (status, Json(body)).into_response()
}

async fn send(State(shared): State<Shared>, headers: HeaderMap, text: String) -> Response {
    let named = |name| {
        headers
            .get(name)
            .and_then(|value: &header::HeaderValue| value.to_str().ok())
    };
    if let Some(refusal) = refuse_stranger(named("authorization")) {
        return refusal;
    }
    if named("user-agent").is_none_or(str::is_empty) {
        return refused(403, "validation_error", "Request without a User-Agent.");
    }
    let mut mails = state(&shared);
    let fault = mails.faults.iter_mut().find(|fault| fault.times > 0);
    let fault = fault.map(|fault| {
        fault.times -= 1;
        fault.clone()
    });
    let answer = match &fault {
        Some(fault) if !fault.acts => None,
        _ => Some(accept(&mut mails, named("idempotency-key"), &text)),
    };
    match (fault, answer) {
        (None, Some(answer)) => answer,
        (fault, _) => {
            let (status, name, later) = match &fault {
                Some(fault) => (
                    fault.status,
                    fault.name.as_str(),
                    fault.retry_after.as_deref(),
                ),
                None => (500, "internal_server_error", None),
            };
            let mut answer = refused(status, name, "An injected fault.");
            if let Some(Ok(later)) = later.map(header::HeaderValue::from_str) {
                answer.headers_mut().insert(header::RETRY_AFTER, later);
            }
            answer
        }
    }
}

/// What is said to whoever does not know the key.
fn refuse_stranger(authorization: Option<&str>) -> Option<Response> {
    match authorization.and_then(|value| value.strip_prefix("Bearer ")) {
        Some(API_KEY) => None,
        Some(_) => Some(refused(401, "invalid_api_key", "API key is invalid")),
        None => Some(refused(401, "missing_api_key", "Missing API Key")),
    }
}

/// Takes a mail, once for each key.
fn accept(mails: &mut Mails, key: Option<&str>, text: &str) -> Response {
    let Ok(body) = serde_json::from_str::<Value>(text) else {
        return refused(400, "validation_error", "The body is not JSON.");
    };
    if key.is_some_and(|key| key.is_empty() || key.len() > 256) {
        let message = "The idempotency key must be between 1-256 characters.";
        return refused(400, "invalid_idempotency_key", message);
    }
    if let Some((known, id)) = key.and_then(|key| mails.keys.get(key)) {
        if *known == body {
            return Json(json!({ "id": id })).into_response();
        }
        let message = "This idempotency key has been used with a different request payload.";
        return refused(409, "invalid_idempotent_request", message);
    }
    if let Some(message) = problem(&body) {
        return refused(422, "validation_error", &message);
    }
    let id = uuid::Uuid::new_v4().to_string();
    if let Some(key) = key {
        mails
            .keys
            .insert(key.to_owned(), (body.clone(), id.clone()));
    }
    let key = key.map(str::to_owned);
    mails.sent.push(Mail {
        id: id.clone(),
        key,
        body,
    });
    Json(json!({ "id": id })).into_response()
}

/// What is wrong with a mail.
fn problem(body: &Value) -> Option<String> {
    for name in ["from", "to", "subject"] {
        if body
            .get(name)
            .is_none_or(|value| value.is_null() || *value == json!(""))
        {
            return Some(format!("Missing `{name}` field."));
        }
    }
    if body.get("html").is_none() && body.get("text").is_none() {
        return Some("Missing `html` or `text` field.".to_owned());
    }
    let is_address = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        let text = match text.split_once('<') {
            Some((_, rest)) => rest.strip_suffix('>').unwrap_or_default(),
            None => text,
        };
        let mut parts = text.split('@');
        let (local, domain) = (parts.next(), parts.next());
        local.is_some_and(|local| !local.is_empty() && !local.contains(char::is_whitespace))
            && domain.is_some_and(|domain| domain.contains('.'))
            && parts.next().is_none()
    };
    for name in ["from", "to", "cc", "bcc", "reply_to"] {
        let all = match body.get(name) {
            None => continue,
            Some(Value::Array(all)) => all.clone(),
            Some(one) => vec![one.clone()],
        };
        if all.is_empty() || all.len() > 50 || !all.iter().all(is_address) {
            return Some(format!(
                "Invalid `{name}` field. The email address needs to follow the `email@example.com` or `Name <email@example.com>` format."
            ));
        }
    }
    let is_tag = |text: &Value| {
        let text = text.as_str().unwrap_or_default();
        let known = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        !text.is_empty() && text.len() <= 256 && text.chars().all(known)
    };
    let tags = body.get("tags").and_then(Value::as_array);
    let mut tags = tags.into_iter().flatten();
    if tags.any(|tag| !is_tag(&tag["name"]) || !is_tag(&tag["value"])) {
        return Some(
            "Tags should only contain ASCII letters, numbers, underscores, or dashes.".to_owned(),
        );
    }
    None
}

async fn retrieve(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    let authorization = headers.get(header::AUTHORIZATION);
    if let Some(refusal) = refuse_stranger(authorization.and_then(|value| value.to_str().ok())) {
        return refusal;
    }
    let mails = state(&shared);
    match mails.sent.iter().find(|mail| mail.id == id) {
        Some(mail) => Json(told(mail)).into_response(),
        None => refused(404, "not_found", "Email not found"),
    }
}

fn told(mail: &Mail) -> Value {
    let mut told = mail.body.clone();
    told["id"] = mail.id.as_str().into();
    told["object"] = "email".into();
    told["last_event"] = "delivered".into();
    told
}

async fn sent(State(shared): State<Shared>) -> Json<Value> {
    let mails = state(&shared);
    let all = mails.sent.iter().map(|mail| {
        let mut told = told(mail);
        told["idempotency_key"] = mail.key.clone().into();
        told
    });
    Json(Value::Array(all.collect()))
}

/// Takes what Alpine IQ is told.
async fn take(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Path((call, account)): Path<(String, String)>,
    text: String,
) -> Response {
    if headers
        .get("x-apikey")
        .is_none_or(|key| key != ALPINE_IQ_KEY)
    {
        return (StatusCode::UNAUTHORIZED, "Unauthorized").into_response();
    }
    let body = serde_json::from_str::<Value>(&text).ok();
    let known = ["createUpdateSale", "createUpdateMember"].contains(&call.as_str());
    let Some(body) = body.filter(|body| known && body.is_object()) else {
        return (StatusCode::BAD_REQUEST, "Bad Request").into_response();
    };
    let told = json!({ "call": call, "account": account, "body": body });
    state(&shared).crm.push(told);
    Json(json!({ "success": true })).into_response()
}

/// Takes what any other CRM is told.
async fn take_any(
    State(shared): State<Shared>,
    headers: HeaderMap,
    method: Method,
    uri: Uri,
    text: String,
) -> Response {
    let text_of = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let token = text_of("authorization").and_then(|value| value.strip_prefix("Bearer "));
    if token != Some(CRM_KEY) {
        return (StatusCode::UNAUTHORIZED, "Unauthorized").into_response();
    }
    let Ok(body) = serde_json::from_str::<Value>(&text) else {
        return (StatusCode::BAD_REQUEST, "Bad Request").into_response();
    };
    let told = json!({
        "method": method.as_str(),
        "path": uri.path(),
        "key": text_of("idempotency-key"),
        "body": body,
    });
    state(&shared).crm.push(told);
    Json(json!({})).into_response()
}

async fn told_crm(State(shared): State<Shared>) -> Json<Value> {
    Json(Value::Array(state(&shared).crm.clone()))
}

async fn fault(State(shared): State<Shared>, Json(fault): Json<Fault>) -> Json<Value> {
    state(&shared).faults.push(fault);
    Json(json!({}))
}

async fn begin_anew(State(shared): State<Shared>) -> Json<Value> {
    *state(&shared) = Mails::default();
    Json(json!({}))
}

/// All mails, the newest first.
async fn list(State(shared): State<Shared>) -> Html<String> {
    let mails = state(&shared);
    let rows = mails.sent.iter().rev().map(|mail| {
        let text = |name: &str| match &mail.body[name] {
            Value::Array(all) => escape(&all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")),
            value => escape(value.as_str().unwrap_or_default()),
        };
        format!(
            "<li><a href=\"/mails/{id}/html\">{subject}</a> to {to} from {from} · <a href=\"/mails/{id}/text\">text</a></li>",
            id = mail.id,
            subject = text("subject"),
            to = text("to"),
            from = text("from"),
        )
    });
    let rows: String = rows.collect();
    let rows = if rows.is_empty() {
        "<li>None yet.</li>"
    } else {
        &rows
    };
    Html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\"><title>Mails</title>\
         <body style=\"font: 16px/1.6 system-ui, sans-serif; margin: 2rem auto; max-width: 50rem; padding: 0 1rem\">\
         <h1>Mails</h1><p>What would have been sent by Resend.</p><ol reversed>{rows}</ol></body></html>"
    ))
}

/// One mail, as HTML or as text. It runs no script, and loads nothing.
async fn show(State(shared): State<Shared>, Path((id, form)): Path<(String, String)>) -> Response {
    let mails = state(&shared);
    let Some(mail) = mails.sent.iter().find(|mail| mail.id == id) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let kind = match form.as_str() {
        "html" => "text/html; charset=utf-8",
        _ => "text/plain; charset=utf-8",
    };
    let text = mail.body[form.as_str()]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let policy = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:";
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, policy),
    ];
    (headers, text).into_response()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}
