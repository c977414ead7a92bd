//! The console where Studio would be: the pages of crates/console as files, where they find the API, and for its lab tokens for the people
//! of a race, and the steps of two sessions.
//!
//! A token is handed to the page that is served here and to nobody else: another site cannot read the answer, and a name that
//! was made to point here is refused. Nor does a session take a step for another site's page.

use std::convert::Infallible;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderName, HeaderValue, ORIGIN};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use interlock_console::setup::Scene;
use serde_json::json;
use uuid::Uuid;

use crate::keys::{self, UserToken};
use crate::people::Account;
use crate::steps::{Side, Steps};

/// Where it listens if nothing else is asked for: Studio's port.
pub(crate) const PORT: u16 = 54323;

/// The schema of the race lab.
pub(crate) const SCHEMA: &str = "race_lab";

/// What is in that schema.
pub(crate) const SQL: &str = include_str!("../platform/race_lab.sql");

/// As many as the page offers.
const MOST_RACERS: usize = 64;

/// Where they are.
const DIST: &str = "crates/console/dist";

/// What is served, and as what.
const FILES: [(&str, &str, &str); 5] = [
    ("/", "index.html", "text/html; charset=utf-8"),
    ("/style.css", "style.css", "text/css; charset=utf-8"),
    ("/start.js", "start.js", "text/javascript; charset=utf-8"),
    (
        "/console.js",
        "console.js",
        "text/javascript; charset=utf-8",
    ),
    ("/console.wasm", "console.wasm", "application/wasm"),
];

/// The server.
pub(crate) struct Console {
    files: PathBuf,
    own_port: u16,
    api_port: u16,
    /// Where the replica's API is, if there is one.
    replica: Option<String>,
    steps: Steps,
}

impl Console {
    /// Whether `cargo xtask build` has made its files.
    pub(crate) fn is_built(root: &Path) -> bool {
        root.join(DIST).join("console.wasm").is_file()
    }

    /// The console of a stack whose gateway and database listen there, and whose replica's API is at that URL.
    pub(crate) fn new(
        root: &Path,
        own_port: u16,
        api_port: u16,
        db_port: u16,
        replica: Option<String>,
    ) -> Self {
        Self {
            files: root.join(DIST),
            own_port,
            api_port,
            replica,
            steps: Steps::new(db_port),
        }
    }

    /// Serves for ever.
    pub(crate) async fn serve(self, listener: TcpListener) -> Result<()> {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let console = Arc::new(self);
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let console = console.clone();
            let service = service_fn(move |request| {
                let console = console.clone();
                async move { Ok::<_, Infallible>(console.answer(&request).await) }
            });
            let server = hyper::server::conn::http1::Builder::new();
            let connection = server.serve_connection(TokioIo::new(stream), service);
            tokio::spawn(async move {
                // A client that went away is its own business.
                let _ = connection.await;
            });
        }
    }

    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let mut response = match self.content(request).await {
            Ok((content_type, bytes)) => {
                let mut response = Response::new(Full::new(bytes));
                let content_type = HeaderValue::from_static(content_type);
                response.headers_mut().insert(CONTENT_TYPE, content_type);
                response
            }
            Err(status) => {
                let mut response = Response::new(Full::default());
                *response.status_mut() = status;
                response
            }
        };
        let headers = response.headers_mut();
        // It changes with each build, and holds tokens.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Ok(policy) = HeaderValue::from_str(&self.policy()) {
            headers.insert("content-security-policy", policy);
        }
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            let name = HeaderName::from_static(name);
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }

    async fn content(
        &self,
        request: &Request<Incoming>,
    ) -> Result<(&'static str, Bytes), StatusCode> {
        let host = request.headers().get(HOST).map(HeaderValue::as_bytes);
        if !self.is_own(host.unwrap_or_default()) {
            return Err(StatusCode::MISDIRECTED_REQUEST);
        }
        let path = request.uri().path();
        if let Some(step) = path.strip_prefix("/steps/") {
            return self.step(request, step).await;
        }
        if request.method() != Method::GET {
            return Err(StatusCode::METHOD_NOT_ALLOWED);
        }
        if path == "/config.json" {
            return Ok(("application/json", self.config()));
        }
        if path == "/racers" {
            let racers = self.racers(request.uri().query().unwrap_or_default());
            let racers = racers.ok_or(StatusCode::BAD_REQUEST)?;
            return Ok(("application/json", racers));
        }
        let file = FILES.iter().find(|(at, ..)| *at == path);
        let (_, name, content_type) = file.ok_or(StatusCode::NOT_FOUND)?;
        let bytes = tokio::fs::read(self.files.join(name)).await;
        bytes.map_or(Err(StatusCode::NOT_FOUND), |bytes| {
            Ok((*content_type, bytes.into()))
        })
    }

    /// `POST /steps/SCENE/SIDE` begins, `POST /steps/ID/0` lets the first session do its next statement.
    async fn step(
        &self,
        request: &Request<Incoming>,
        path: &str,
    ) -> Result<(&'static str, Bytes), StatusCode> {
        if request.method() != Method::POST {
            return Err(StatusCode::METHOD_NOT_ALLOWED);
        }
        let origin = request.headers().get(ORIGIN).map(HeaderValue::as_bytes);
        let origin = origin.and_then(|origin| origin.strip_prefix(b"http://"));
        if !origin.is_some_and(|origin| self.is_own(origin)) {
            return Err(StatusCode::FORBIDDEN);
        }
        let (of, which) = path.split_once('/').ok_or(StatusCode::NOT_FOUND)?;
        let told = match Uuid::parse_str(of) {
            Ok(id) => {
                let who = ["0", "1"].iter().position(|number| *number == which);
                self.steps.step(id, who.ok_or(StatusCode::NOT_FOUND)?).await
            }
            Err(_) => {
                let scene = Scene::named(of).ok_or(StatusCode::NOT_FOUND)?;
                let side = Side::named(which).ok_or(StatusCode::NOT_FOUND)?;
                self.steps.begin(scene, side).await.map(Some)
            }
        };
        match told {
            Ok(told) => {
                let told = told.ok_or(StatusCode::GONE)?;
                Ok(("application/json", told.to_string().into()))
            }
            Err(error) => {
                eprintln!("race lab: {error:#}");
                Err(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    fn is_own(&self, host: &[u8]) -> bool {
        let names = ["127.0.0.1", "localhost"];
        names
            .iter()
            .any(|name| host == format!("{name}:{}", self.own_port).as_bytes())
    }

    /// What a page has to know: where the project and its replica are, its public key, and that there is a lab.
    fn config(&self) -> Bytes {
        json!({
            "url": self.api_url(),
            "key": keys::PUBLISHABLE_KEY,
            "replica": self.replica,
            "lab": true,
        })
        .to_string()
        .into()
    }

    fn api_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.api_port)
    }

    /// So many new people, for `count=8&role=packer&location=…`: their tokens, and where the API is. Roles are those of the
    /// floor: nobody here is staff.
    fn racers(&self, query: &str) -> Option<Bytes> {
        let value = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|pair| pair.0 == name).map(|pair| pair.1)
        };
        let count: usize = value("count")?.parse().ok()?;
        if !(1..=MOST_RACERS).contains(&count) {
            return None;
        }
        let role = match value("role") {
            None => None,
            Some(role @ ("packer" | "cashier")) => Some(role),
            Some(_) => return None,
        };
        let location = match value("location") {
            Some(location) => Some(Uuid::parse_str(location).ok()?),
            None => None,
        };
        let mut rights = json!({ "role": role });
        if let Some(location) = location {
            rights["location_ids"] = json!([location]);
        }
        let claims = json!({ "app_metadata": rights }).to_string();
        let api_url = self.api_url();
        let racer = |_| {
            let id = Uuid::new_v4().to_string();
            let token = keys::user_token(&UserToken {
                account: &Account::of(&id).ok()?,
                role: "authenticated",
                expires_in: 3600,
                claims: role.is_some().then_some(claims.as_str()),
                api_url: &api_url,
            });
            Some(json!({ "id": id, "token": token.ok()? }))
        };
        let racers: Option<Vec<_>> = (0..count).map(racer).collect();
        let answer =
            json!({ "api_port": self.api_port, "key": keys::PUBLISHABLE_KEY, "racers": racers? });
        Some(answer.to_string().into())
    }

    /// Nothing but its own files, and the API. A browser opens six connections to one name, so the page calls the API by many.
    fn policy(&self) -> String {
        let api = self.api_port;
        let replica = self.replica.as_deref().unwrap_or_default();
        format!(
            "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; \
             connect-src 'self' http://127.0.0.1:{api} http://*.localhost:{api} {replica}; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'; require-trusted-types-for 'script'"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn racers(query: &str) -> Option<Value> {
        let console = Console::new(Path::new("/repo"), 54323, 54321, 54322, None);
        serde_json::from_slice(&console.racers(query)?).ok()
    }

    #[test]
    fn each_racer_is_somebody_else() {
        let answer = racers("count=3&role=packer").expect("three");
        let racers = answer["racers"].as_array().expect("a list");
        assert_eq!(racers.len(), 3);
        assert_ne!(racers[0]["id"], racers[1]["id"]);
    }

    #[test]
    fn nobody_becomes_staff_and_nobody_gets_more_than_a_race_needs() {
        for refused in [
            "count=2&role=staff",
            "count=0",
            "count=65",
            "",
            "count=2&location=x",
        ] {
            assert_eq!(racers(refused), None, "{refused}");
        }
    }

    #[test]
    fn another_name_for_this_machine_is_refused() {
        let console = Console::new(Path::new("/repo"), 54323, 54321, 54322, None);
        assert!(console.is_own(b"127.0.0.1:54323") && console.is_own(b"localhost:54323"));
        for foreign in ["evil.example:54323", "127.0.0.1", "127.0.0.1:54321", ""] {
            assert!(!console.is_own(foreign.as_bytes()), "{foreign}");
        }
    }
}
