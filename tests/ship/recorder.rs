//! The part of the platform's API that a deployment talks to. It records what it is sent.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Multipart, Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::cli::work_folder;

/// The project that the API knows.
pub(crate) const PROJECT: &str = "abcdefghijklmnopqrst";
/// The token that it accepts. It has the shape of a real one and opens nothing.
pub(crate) const TOKEN: &str = "sbp_0123456789abcdef0123456789abcdef01234567";

/// One function as it was sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Upload {
    /// File contents by the path they were sent under.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// What the CLI says about it.
    pub(crate) metadata: Value,
    /// Bytes of the whole request body.
    pub(crate) size: usize,
}

type Uploads = Arc<Mutex<BTreeMap<String, Upload>>>;

/// A running API.
pub(crate) struct Recorder {
    /// The CLI's profile that leads to it.
    pub(crate) profile: PathBuf,
    uploads: Uploads,
    server: tokio::task::JoinHandle<()>,
}

impl Recorder {
    /// Listens on a free port of loopback.
    pub(crate) async fn start(name: &str) -> Self {
        let uploads = Uploads::default();
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let profile = work_folder("profiles").join(format!("{name}.yaml"));
        let text = format!(
            "name: {name}\napi_url: http://{address}\ndashboard_url: http://{address}\nproject_host: example.invalid\n"
        );
        std::fs::write(&profile, text).expect("the profile can be written");
        let app = Router::new()
            .route(
                "/v1/projects/{project}/functions",
                get(list).put(activate).post(bundle),
            )
            .route("/v1/projects/{project}/functions/deploy", post(upload))
            .route("/v1/projects/{project}/functions/{slug}", delete(remove))
            .fallback(|| async { refusal(StatusCode::NOT_FOUND) })
            .layer(DefaultBodyLimit::max(20_000_000))
            .with_state(uploads.clone());
        let server = tokio::spawn(async move {
            axum::serve(listener, app).await.expect("the API serves");
        });
        Self {
            profile,
            uploads,
            server,
        }
    }

    /// What was sent so far, by function.
    pub(crate) fn uploads(&self) -> BTreeMap<String, Upload> {
        self.uploads.lock().expect("nobody panics with it").clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn answer(status: StatusCode, body: &Value) -> Response {
    let headers = [("content-type", "application/json")];
    (status, headers, body.to_string()).into_response()
}

fn refusal(status: StatusCode) -> Response {
    answer(status, &json!({ "message": status.canonical_reason() }))
}

/// The answer to somebody who may not do that, or who names another project.
fn refused(project: &str, headers: &HeaderMap) -> Option<Response> {
    let expected = format!("Bearer {TOKEN}");
    if headers
        .get("authorization")
        .is_none_or(|sent| sent.as_bytes() != expected.as_bytes())
    {
        return Some(refusal(StatusCode::UNAUTHORIZED));
    }
    (project != PROJECT).then(|| refusal(StatusCode::NOT_FOUND))
}

fn described(slug: &str) -> Value {
    json!({
        "id": slug, "slug": slug, "name": slug, "status": "ACTIVE", "version": 1,
        "created_at": 0, "updated_at": 0, "verify_jwt": true,
    })
}

async fn list(
    State(uploads): State<Uploads>,
    Path(project): Path<String>,
    headers: HeaderMap,
) -> Response {
    if let Some(refused) = refused(&project, &headers) {
        return refused;
    }
    let uploads = uploads.lock().expect("nobody panics with it");
    let all: Vec<Value> = uploads.keys().map(|slug| described(slug)).collect();
    answer(StatusCode::OK, &Value::from(all))
}

async fn activate(Path(project): Path<String>, headers: HeaderMap) -> Response {
    refused(&project, &headers)
        .unwrap_or_else(|| answer(StatusCode::OK, &json!({ "functions": [] })))
}

async fn remove(
    State(uploads): State<Uploads>,
    Path((project, slug)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    if let Some(refused) = refused(&project, &headers) {
        return refused;
    }
    let gone = uploads.lock().expect("nobody panics with it").remove(&slug);
    match gone {
        Some(_) => StatusCode::OK.into_response(),
        None => refusal(StatusCode::NOT_FOUND),
    }
}

/// Sources, which the platform bundles.
async fn upload(
    State(uploads): State<Uploads>,
    Path(project): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    mut parts: Multipart,
) -> Response {
    if let Some(refused) = refused(&project, &headers) {
        return refused;
    }
    let length = headers
        .get("content-length")
        .and_then(|length| length.to_str().ok()?.parse().ok());
    let mut upload = Upload {
        size: length.expect("the CLI announces how much it sends"),
        ..Upload::default()
    };
    while let Some(part) = parts.next_field().await.expect("the parts are well formed") {
        let name = part.name().unwrap_or_default().to_owned();
        let file = part.file_name().map(str::to_owned);
        let bytes = part.bytes().await.expect("the part arrives");
        match (name.as_str(), file) {
            ("file", Some(path)) => {
                let twice = upload.files.insert(path, bytes.to_vec());
                assert!(twice.is_none(), "a file was sent twice");
            }
            ("metadata", _) => {
                upload.metadata = serde_json::from_slice(&bytes).expect("the metadata is JSON");
            }
            (other, _) => panic!("a part of an unknown name: {other}"),
        }
    }
    accept(&uploads, &query, upload)
}

/// A bundle that Docker made.
async fn bundle(
    State(uploads): State<Uploads>,
    Path(project): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(refused) = refused(&project, &headers) {
        return refused;
    }
    let upload = Upload {
        files: BTreeMap::from([("bundle".to_owned(), body.to_vec())]),
        metadata: json!(query),
        size: body.len(),
    };
    accept(&uploads, &query, upload)
}

fn accept(uploads: &Uploads, query: &BTreeMap<String, String>, upload: Upload) -> Response {
    let slug = query
        .get("slug")
        .expect("the CLI names the function")
        .clone();
    let described = described(&slug);
    uploads
        .lock()
        .expect("nobody panics with it")
        .insert(slug, upload);
    answer(StatusCode::CREATED, &described)
}
