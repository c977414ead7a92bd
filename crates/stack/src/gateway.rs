//! The platform's front door: routes, checks tokens, and passes bodies on as they come.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use axum::body::Body;
use axum::extract::FromRequestParts as _;
use axum::extract::ws::WebSocketUpgrade;
use axum::response::{IntoResponse as _, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, AUTHORIZATION, CONTENT_LENGTH,
    CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use uuid::Uuid;

use crate::auth::{self, Auth, Call};
use crate::jwt::{self, KeySet, Refused};
use crate::keys;
use crate::proxy_faults::{Fault, Faults};
use crate::realtime::{self, MESSAGE_LIMIT, Realtime, Version};
use crate::storage::{self, Storage};

/// More than any function takes, less than would fill the memory.
const BODY_LIMIT: usize = 10 * 1024 * 1024;
/// The platform's bound for one request.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(150);
/// For a client that opens a connection and says nothing.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
/// What requests under way get when the stack stops.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);
/// For a client that announces a body and does not send it.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// What is read of a body beyond its bound.
const DISCARDED: usize = 16 * 1024 * 1024;

const API_KEY: HeaderName = HeaderName::from_static("apikey");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const FORWARDED: [HeaderName; 4] = [
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-forwarded-for"),
];
/// Headers about one connection; they are not passed on.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A function as the gateway sees it.
#[derive(Debug, Clone)]
pub(crate) struct Upstream {
    /// Where its process listens.
    pub(crate) port: u16,
    /// Whether a token is asked for.
    pub(crate) verify_jwt: bool,
}

/// The development keys in the forms that the gateway compares and hands on.
struct ApiKeys {
    anon: String,
    service_role: String,
}

impl ApiKeys {
    /// The legacy token that a key stands for.
    fn token(&self, key: &str) -> Option<&str> {
        if key == keys::PUBLISHABLE_KEY || key == self.anon {
            Some(&self.anon)
        } else if key == keys::SECRET_KEY || key == self.service_role {
            Some(&self.service_role)
        } else {
            None
        }
    }
}

/// The gateway's knowledge.
pub(crate) struct Gateway {
    keys: KeySet,
    api_keys: ApiKeys,
    own_port: u16,
    api_port: u16,
    functions: BTreeMap<String, Upstream>,
    client: Client<HttpConnector, Limited<Incoming>>,
    /// What hears the database; without it there is no websocket.
    realtime: Option<Arc<Realtime>>,
    /// What signs people in; without it nobody does here.
    auth: Option<Auth>,
    /// What keeps files; without it nothing does here.
    storage: Option<Storage>,
    stopping: watch::Sender<bool>,
    /// Only in tests.
    faults: Option<Faults>,
}

/// Where a request goes.
#[derive(Debug, PartialEq, Eq)]
enum Route<'a> {
    /// To the API, with this path.
    Api(&'a str),
    /// To a function, with this path, which begins with the function's name.
    Function { name: &'a str, path: &'a str },
    /// To Auth, with this path.
    Auth(&'a str),
    /// To Storage, with this path.
    Storage(&'a str),
    /// To the websocket of broadcasts.
    Realtime,
    /// To the list of public keys.
    Jwks,
    /// To nobody: we live.
    Health,
    /// To nobody: what becomes of later requests.
    Faults,
    /// To nobody.
    Unknown,
}

/// An answer of the gateway itself, in the product's error shape.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    hint: &'static str,
    retryable: bool,
}

impl Gateway {
    /// A gateway that listens on `own_port`.
    pub(crate) fn new(
        keys: KeySet,
        own_port: u16,
        api_port: u16,
        functions: BTreeMap<String, Upstream>,
    ) -> Result<Self> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_secs(5)));
        Ok(Self {
            keys,
            api_keys: ApiKeys {
                anon: keys::anon_key()?,
                service_role: keys::service_role_key()?,
            },
            own_port,
            api_port,
            functions,
            client: Client::builder(TokioExecutor::new()).build(connector),
            realtime: None,
            auth: None,
            storage: None,
            stopping: watch::channel(false).0,
            faults: None,
        })
    }

    /// The same, with broadcasts.
    pub(crate) fn with_realtime(self, realtime: Arc<Realtime>) -> Self {
        Self {
            realtime: Some(realtime),
            ..self
        }
    }

    /// The same, with who signs people in.
    pub(crate) fn with_auth(self, auth: Auth) -> Self {
        Self {
            auth: Some(auth),
            ..self
        }
    }

    /// The same, with who keeps files.
    pub(crate) fn with_storage(self, storage: Storage) -> Self {
        Self {
            storage: Some(storage),
            ..self
        }
    }

    /// The same, with the faults that a test asks for.
    pub(crate) fn with_faults(self) -> Self {
        Self {
            faults: Some(Faults::default()),
            ..self
        }
    }

    /// Serves until `stop` turns true, then lets requests under way finish for a moment.
    pub(crate) async fn serve(
        self: Arc<Self>,
        listener: TcpListener,
        mut stop: watch::Receiver<bool>,
    ) {
        let graceful = GracefulShutdown::new();
        let mut server = auto::Builder::new(TokioExecutor::new()).http1_only();
        server
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT);
        loop {
            let accepted = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else {
                // Out of file descriptors, mostly; others will be closed soon.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            // Without it, a small answer could wait for an acknowledgement.
            let _ = stream.set_nodelay(true);
            let gateway = self.clone();
            let service = service_fn(move |request| {
                let gateway = gateway.clone();
                async move { Ok::<_, Infallible>(gateway.answer(request).await) }
            });
            let connection = server.serve_connection_with_upgrades(TokioIo::new(stream), service);
            let connection = graceful.watch(connection.into_owned());
            tokio::spawn(async move {
                // A client that went away is its own business.
                let _ = connection.await;
            });
        }
        drop(listener);
        self.stopping.send_replace(true);
        let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, graceful.shutdown()).await;
    }

    async fn answer(self: &Arc<Self>, request: Request<Incoming>) -> Response {
        let id = request_id(request.headers());
        match self.route_and_forward(request).await {
            Ok(response) => response,
            Err(refusal) => refusal.into_response(&id),
        }
    }

    async fn route_and_forward(
        self: &Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response, Refusal> {
        let path = request.uri().path().to_owned();
        match route(&path) {
            Route::Health => Ok(json_response(StatusCode::OK, &json!({"status": "ok"}))),
            Route::Jwks => Ok(json_response(StatusCode::OK, &self.keys.public_jwks())),
            Route::Faults | Route::Unknown => match (route(&path), &self.faults) {
                (Route::Faults, Some(faults)) => Ok(inject(faults, request).await),
                _ => Err(Refusal::not_found(format!("Nothing is served at {path}."))),
            },
            Route::Realtime => self.open_websocket(request).await,
            Route::Auth(_) | Route::Storage(_) if request.method() == Method::OPTIONS => {
                Ok(preflight())
            }
            Route::Storage(path) => self.ask_storage(request, path).await,
            Route::Auth(path) => self.ask_auth(request, path).await,
            Route::Api(api_path) => {
                let (query, query_key) = take_api_key(request.uri().query());
                let mut request = request;
                let fault = self
                    .faults
                    .as_ref()
                    .and_then(|faults| faults.take(request.method(), &path, request.headers()));
                if request.method() != Method::OPTIONS {
                    let authorization = self.api_authorization(request.headers(), query_key)?;
                    if let Some(value) = authorization {
                        request.headers_mut().insert(AUTHORIZATION, value);
                    }
                }
                let sender = request.headers().get(AUTHORIZATION).cloned();
                if let Some(fault) = fault {
                    if fault.acts() {
                        let response = self
                            .forward(request, self.api_port, api_path, query)
                            .await?;
                        // Its end is the end of the transaction.
                        let _ = response.into_body().collect().await;
                    }
                    return Ok(fault.answer());
                }
                let response = self
                    .forward(request, self.api_port, api_path, query)
                    .await?;
                Ok(forbid(response, sender.as_ref()).await)
            }
            Route::Function { name, path } => {
                let Some(upstream) = self.functions.get(name) else {
                    return Err(Refusal::not_found(format!(
                        "There is no function {name:?}."
                    )));
                };
                if upstream.verify_jwt && request.method() != Method::OPTIONS {
                    self.check_function_call(request.headers())?;
                }
                let query = request.uri().query().map(str::to_owned);
                self.forward(request, upstream.port, path, query).await
            }
        }
    }

    /// Opens the websocket of broadcasts, with the project's key; who the user is is said by each channel's token.
    async fn open_websocket(
        self: &Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response, Refusal> {
        let Some(realtime) = self.realtime.clone() else {
            return Err(Refusal::not_found("There is no Realtime here.".to_owned()));
        };
        let (query, key) = take_api_key(request.uri().query());
        let header_key = request
            .headers()
            .get(API_KEY)
            .and_then(|key| key.to_str().ok());
        let Some(key) = key
            .as_deref()
            .or(header_key)
            .and_then(|key| self.api_keys.token(key))
        else {
            return Err(Refusal::unauthenticated(
                "The request has no API key that is known.",
            ));
        };
        let key = key.to_owned();
        let Some(version) = Version::of(Some(query.as_deref().unwrap_or_default())) else {
            return Err(Refusal::not_found(
                "The protocol is of version 1.0.0 or 2.0.0.".to_owned(),
            ));
        };
        let (mut parts, _) = request.into_parts();
        let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
            Ok(upgrade) => upgrade.max_message_size(MESSAGE_LIMIT),
            Err(refused) => return Ok(refused.into_response()),
        };
        let stop = self.stopping.subscribe();
        let gateway = self.clone();
        Ok(upgrade.on_upgrade(move |socket| {
            let claims = Box::new(move |token: &str| gateway.claims(token));
            realtime::serve(realtime, claims, key, version, socket, stop)
        }))
    }

    /// Signs somebody in, or does what else Auth is for.
    async fn ask_auth(&self, request: Request<Incoming>, path: &str) -> Result<Response, Refusal> {
        let Some(auth) = &self.auth else {
            return Err(Refusal::not_found("There is no Auth here.".to_owned()));
        };
        let (query, query_key) = take_api_key(request.uri().query());
        let (parts, body) = request.into_parts();
        self.check_key(&parts.headers, query_key.as_deref())?;
        let body = read_body(body, auth::BODY_LIMIT).await;
        let body = body.map_err(|unread| match unread {
            Unread::TooLarge => Refusal::too_large(),
            Unread::Incomplete => Refusal {
                status: StatusCode::REQUEST_TIMEOUT,
                code: "BODY_INCOMPLETE",
                message: "The body was announced and did not come.".to_owned(),
                hint: "Nothing was done. Send the request again.",
                retryable: true,
            },
        })?;
        let call = Call {
            method: &parts.method,
            path,
            query: read_query(query.as_deref()),
            headers: &parts.headers,
            body: &body,
            caller: self.caller(&parts.headers),
        };
        Ok(auth.answer(&call).await)
    }

    /// Keeps a file, or does what else Storage is for. An address that is signed needs no key.
    async fn ask_storage(
        &self,
        request: Request<Incoming>,
        path: &str,
    ) -> Result<Response, Refusal> {
        let Some(storage) = &self.storage else {
            return Err(Refusal::not_found("There is no Storage here.".to_owned()));
        };
        let (parts, body) = request.into_parts();
        let call = storage::Call {
            method: &parts.method,
            path,
            query: read_query(parts.uri.query()),
            headers: &parts.headers,
            caller: self.caller(&parts.headers),
        };
        Ok(storage.answer(&call, body).await)
    }

    /// Whether the project's key is there and is one that we know.
    fn check_key(&self, headers: &HeaderMap, query_key: Option<&str>) -> Result<(), Refusal> {
        let header_key = headers.get(API_KEY).and_then(|key| key.to_str().ok());
        match header_key.or(query_key) {
            Some(key) if self.api_keys.token(key).is_some() => Ok(()),
            Some(_) => Err(Refusal::unauthenticated("The API key is not known.")),
            None => Err(Refusal::unauthenticated("The request has no API key.")),
        }
    }

    /// What the bearer token says; a key of the new kind may also stand alone, as on the platform.
    fn caller(&self, headers: &HeaderMap) -> Option<Result<Value, Refused>> {
        let key = headers.get(API_KEY).and_then(|key| key.to_str().ok());
        let key = key.filter(|key| key.starts_with("sb_"));
        let token = bearer(headers).or(key)?;
        Some(self.claims(token))
    }

    /// What a token says; a key stands for its own.
    fn claims(&self, token: &str) -> Result<Value, Refused> {
        self.keys
            .claims(self.api_keys.token(token).unwrap_or(token))
    }

    /// The platform's `verify_jwt`: a valid token, or a bare API key, which is not a user.
    fn check_function_call(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if headers.contains_key(AUTHORIZATION) {
            let Some(token) = bearer(headers) else {
                return Err(Refusal::unauthenticated(
                    "The Authorization header is not a bearer token.",
                ));
            };
            if self.api_keys.token(token).is_some() {
                return Ok(());
            }
            return self.keys.verify(token).map_err(|refused| {
                Refusal::unauthenticated(match refused {
                    Refused::Expired => "The token has expired.",
                    Refused::Invalid => "The token is not valid for this project.",
                })
            });
        }
        match headers.get(API_KEY).and_then(|key| key.to_str().ok()) {
            Some(key) if self.api_keys.token(key).is_some() => Ok(()),
            Some(_) => Err(Refusal::unauthenticated("The API key is not known.")),
            None => Err(Refusal::unauthenticated(
                "The request has no Authorization header.",
            )),
        }
    }

    /// The Authorization header that the API must see, when it differs from the given one.
    fn api_authorization(
        &self,
        headers: &HeaderMap,
        query_key: Option<String>,
    ) -> Result<Option<HeaderValue>, Refusal> {
        // The new keys are no tokens; PostgREST must be given the role they stand for.
        let opaque = bearer(headers).filter(|token| token.starts_with("sb_"));
        let user = headers.contains_key(AUTHORIZATION) && opaque.is_none();
        let header_key = headers.get(API_KEY).and_then(|key| key.to_str().ok());
        let Some(key) = header_key.or(query_key.as_deref()).or(opaque) else {
            return Err(Refusal::unauthenticated("The request has no API key."));
        };
        let Some(token) = self.api_keys.token(opaque.unwrap_or(key)) else {
            return Err(Refusal::unauthenticated("The API key is not known."));
        };
        if self.api_keys.token(key).is_none() {
            return Err(Refusal::unauthenticated("The API key is not known."));
        }
        if user {
            return Ok(None);
        }
        // A token that we minted ourselves is always a good header value.
        Ok(HeaderValue::from_str(&format!("Bearer {token}")).ok())
    }

    async fn forward(
        &self,
        request: Request<Incoming>,
        port: u16,
        path: &str,
        query: Option<String>,
    ) -> Result<Response, Refusal> {
        let (mut parts, body) = request.into_parts();
        if announced_length(&parts.headers).is_some_and(|length| length > BODY_LIMIT as u64) {
            return Err(Refusal::too_large());
        }
        let target = match query {
            Some(query) => format!("http://127.0.0.1:{port}{path}?{query}"),
            None => format!("http://127.0.0.1:{port}{path}"),
        };
        parts.uri = target
            .parse::<Uri>()
            .map_err(|_| Refusal::not_found("The path is not a valid one.".to_owned()))?;
        strip_hop_by_hop(&mut parts.headers);
        let repeatable = is_repeatable(&parts.method, &parts.headers);
        self.add_forwarded(&mut parts.headers);
        let request = Request::from_parts(parts, Limited::new(body, BODY_LIMIT));

        match tokio::time::timeout(ANSWER_TIMEOUT, self.client.request(request)).await {
            Ok(Ok(response)) => {
                let mut response = response.map(Body::new);
                strip_hop_by_hop(response.headers_mut());
                Ok(response)
            }
            Ok(Err(error)) if is_length_limit(&error) => Err(Refusal::too_large()),
            Ok(Err(error)) if error.is_connect() => Err(Refusal {
                status: StatusCode::SERVICE_UNAVAILABLE,
                code: "UPSTREAM_UNAVAILABLE",
                message: "The service behind the gateway does not answer.".to_owned(),
                hint: "Nothing was done. Try again after the time in Retry-After.",
                retryable: true,
            }),
            // The request was on its way: it may have taken effect.
            Ok(Err(_)) => Err(Refusal::outcome_unknown(
                "The service behind the gateway closed the connection before it answered.",
                repeatable,
            )),
            Err(_) => Err(Refusal::outcome_unknown(
                "The service behind the gateway did not answer in time.",
                repeatable,
            )),
        }
    }

    fn add_forwarded(&self, headers: &mut HeaderMap) {
        let [host_name, port_name, proto_name, for_name] = FORWARDED;
        // The client writes the host of the upstream.
        if let Some(host) = headers.remove(HOST) {
            headers.insert(host_name, host);
        }
        headers.insert(port_name, HeaderValue::from(self.own_port));
        headers.insert(proto_name, HeaderValue::from_static("http"));
        headers.insert(for_name, HeaderValue::from_static("127.0.0.1"));
    }
}

impl Refusal {
    fn unauthenticated(message: &str) -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            code: "UNAUTHENTICATED",
            message: message.to_owned(),
            hint: "Sign in and send the access token as \"Authorization: Bearer …\", with the project's key as \"apikey\".",
            retryable: false,
        }
    }

    fn not_found(message: String) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            code: "NOT_FOUND",
            message,
            hint: "Functions are at /functions/v1/NAME, the API is at /rest/v1.",
            retryable: false,
        }
    }

    fn too_large() -> Self {
        Self {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            code: "BODY_TOO_LARGE",
            message: "The body is larger than the gateway passes on.".to_owned(),
            hint: "Send less in one request.",
            retryable: false,
        }
    }

    fn outcome_unknown(message: &str, repeatable: bool) -> Self {
        Self {
            status: StatusCode::GATEWAY_TIMEOUT,
            code: "UPSTREAM_TIMEOUT",
            message: message.to_owned(),
            hint: if repeatable {
                "It is not known whether the request took effect. Repeat it with the same Idempotency-Key."
            } else {
                "It is not known whether the request took effect. Look first, or use an Idempotency-Key."
            },
            retryable: repeatable,
        }
    }

    fn into_response(self, request_id: &str) -> Response {
        let body = json!({
            "error": self.code,
            "code": self.code,
            "message": self.message,
            "details": Value::Null,
            "hint": self.hint,
            "retryable": self.retryable,
            "request_id": request_id,
        });
        let mut response = json_response(self.status, &body);
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(request_id) {
            headers.insert(REQUEST_ID, id);
        }
        if self.retryable {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Takes a fault, or ends all of them and says how many answers were given so.
async fn inject(faults: &Faults, request: Request<Incoming>) -> Response {
    if request.method() == Method::DELETE {
        return json_response(StatusCode::OK, &json!({"given": faults.end()}));
    }
    let body = Limited::new(request.into_body(), BODY_LIMIT);
    let body = body.collect().await.map(|body| body.to_bytes());
    let fault = body.map(|body| serde_json::from_slice::<Fault>(&body));
    match fault {
        Ok(Ok(fault)) => {
            faults.inject(fault);
            json_response(StatusCode::OK, &json!({}))
        }
        _ => json_response(
            StatusCode::BAD_REQUEST,
            &json!({"message": "That is no fault."}),
        ),
    }
}

fn route(path: &str) -> Route<'_> {
    match path {
        "/health" => return Route::Health,
        "/faults" => return Route::Faults,
        "/realtime/v1/websocket" => return Route::Realtime,
        "/auth/v1/.well-known/jwks.json" => return Route::Jwks,
        "/rest/v1" => return Route::Api("/"),
        _ => {}
    }
    if let Some(rest) = path.strip_prefix("/auth/v1")
        && rest.starts_with('/')
    {
        return Route::Auth(rest);
    }
    if let Some(rest) = path.strip_prefix("/storage/v1")
        && rest.starts_with('/')
    {
        return Route::Storage(rest);
    }
    if let Some(rest) = path.strip_prefix("/rest/v1")
        && rest.starts_with('/')
    {
        return Route::Api(rest);
    }
    if let Some(rest) = path.strip_prefix("/functions/v1")
        && let Some(tail) = rest.strip_prefix('/')
    {
        let name = tail.split('/').next().unwrap_or_default();
        if !name.is_empty() {
            // As on the platform, the function sees its own name first.
            return Route::Function { name, path: rest };
        }
    }
    Route::Unknown
}

/// Takes `apikey` out of a query: the platform accepts it there, and to PostgREST it would
/// be a filter.
fn take_api_key(query: Option<&str>) -> (Option<String>, Option<String>) {
    let Some(query) = query else {
        return (None, None);
    };
    let mut key = None;
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| match pair.strip_prefix("apikey=") {
            Some(value) => {
                key = Some(value.to_owned());
                false
            }
            None => true,
        })
        .collect();
    let rest = (!kept.is_empty()).then(|| kept.join("&"));
    (rest, key)
}

/// The pairs of a query, decoded; of a name that stands twice, the last one.
fn read_query(query: Option<&str>) -> BTreeMap<String, String> {
    query
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name, true), decode(value, true)))
        .collect()
}

/// What stands behind the percent signs; in a query, a plus is a blank.
pub(crate) fn decode(text: &str, plus_is_blank: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = match (first, tail) {
            (b'%', [high, low, ..]) => std::str::from_utf8(&[*high, *low])
                .ok()
                .and_then(|code| u8::from_str_radix(code, 16).ok()),
            _ => None,
        };
        match (first, code) {
            (_, Some(code)) => {
                bytes.push(code);
                rest = &tail[2..];
                continue;
            }
            (b'+', None) if plus_is_blank => bytes.push(b' '),
            (other, None) => bytes.push(*other),
        }
        rest = tail;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Why a body was not read as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    TooLarge,
    Incomplete,
}

/// A body as a whole, if it is not larger than that. A larger one is read too, within bounds: whoever is answered while they still
/// send may see a broken connection instead of the answer.
pub(crate) async fn read_body<B>(mut body: B, limit: usize) -> Result<Vec<u8>, Unread>
where
    B: hyper::body::Body + Unpin,
{
    use hyper::body::Buf as _;
    let whole = async {
        let (mut read, mut kept) = (0_usize, Vec::new());
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Unread::Incomplete)?;
            let Ok(mut data) = frame.into_data() else {
                continue;
            };
            read += data.remaining();
            if read > limit.saturating_add(DISCARDED) {
                break;
            }
            if read <= limit {
                kept.resize(read, 0);
                let at = read - data.remaining();
                data.copy_to_slice(&mut kept[at..]);
            } else {
                kept = Vec::new();
            }
        }
        match read > limit {
            true => Err(Unread::TooLarge),
            false => Ok(kept),
        }
    };
    tokio::time::timeout(BODY_TIMEOUT, whole)
        .await
        .unwrap_or(Err(Unread::Incomplete))
}

/// What a browser asks before it calls Auth or Storage.
fn preflight() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (
            ACCESS_CONTROL_ALLOW_METHODS,
            "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
        ),
        (
            ACCESS_CONTROL_ALLOW_HEADERS,
            "apikey, authorization, cache-control, content-type, range, x-client-info, x-metadata, x-region, \
             x-shop, x-supabase-api-version, x-upsert, traceparent, tracestate, baggage",
        ),
        (ACCESS_CONTROL_MAX_AGE, "3600"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    token_of(headers.get(AUTHORIZATION)?)
}

fn token_of(authorization: &HeaderValue) -> Option<&str> {
    let (scheme, token) = authorization.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// PostgREST answers a missing right (42501) with 403 to a role that somebody signed in for, and with 401 to
/// anybody else; `postrust` says 401 to all.
async fn forbid(response: Response, sender: Option<&HeaderValue>) -> Response {
    if response.status() != StatusCode::UNAUTHORIZED {
        return response;
    }
    let role = sender.and_then(token_of).and_then(jwt::role);
    if role.is_none_or(|role| role == "anon") {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let body = match axum::body::to_bytes(body, BODY_LIMIT).await {
        Ok(body) => body,
        Err(_) => return Response::from_parts(parts, Body::empty()),
    };
    let error: Value = serde_json::from_slice(&body).unwrap_or_default();
    if error["code"] == "42501" {
        parts.status = StatusCode::FORBIDDEN;
        parts.headers.remove(WWW_AUTHENTICATE);
    }
    Response::from_parts(parts, Body::from(body))
}

/// Whether a second request cannot act a second time, as far as its head can tell.
fn is_repeatable(method: &Method, headers: &HeaderMap) -> bool {
    method.is_safe() || headers.contains_key("idempotency-key")
}

fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(hyper::header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

/// The client's own id if it is fit to be repeated, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    headers
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .filter(|id| !id.is_empty() && id.len() <= 128)
        .map_or_else(|| Uuid::new_v4().to_string(), str::to_owned)
}

fn is_length_limit(error: &hyper_util::client::legacy::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// JSON that a page of any origin may read.
pub(crate) fn json_response(status: StatusCode, body: &Value) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("x-supabase-api-version, x-sb-error-code, x-total-count, link"),
    );
    response
}

#[cfg(test)]
#[path = "gateway_tests.rs"]
mod tests;
