//! `--with redis`: a Redis of this machine behind Upstash's REST protocol, as the functions' admission gate wants it
//! (docs/gate.md). A test has the official client for its judge.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::debian::Server;
use crate::dirs::Dirs;
use crate::part::{Part, Spec};
use crate::ports;

const SERVER: Server = Server {
    part: "redis",
    package: "redis-server",
    folder: "bin",
};

/// What the front asks for.
const TOKEN: &str = "interlock-lock-0123456789";

/// The product that is marked hot unless the project's settings mark others.
const PRODUCT: &str = "9d0d0000-0000-4000-8000-0000000000f1";

/// More than any request has.
const BODY_LIMIT: usize = 1024 * 1024;

/// What the functions and whoever tries it need to know.
pub(crate) fn variables(port: u16) -> [(String, String); 3] {
    [
        ("INTERLOCK_LOCK_URL", format!("http://127.0.0.1:{port}")),
        ("INTERLOCK_LOCK_TOKEN", TOKEN.to_owned()),
        ("INTERLOCK_LOCK_PRODUCTS", PRODUCT.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
}

/// The server as a part that will listen on `port`. It keeps nothing: a lock that is older than a restart is nobody's.
pub(crate) fn spec(root: &Path, dirs: &Dirs, port: u16) -> Result<Spec> {
    Ok(SERVER
        .spec(root, dirs)?
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no"])
        .args(["--dir", &dirs.base.to_string_lossy()]))
}

/// Waits until the server answers.
pub(crate) async fn ready(part: &Part, port: u16) -> Result<()> {
    part.ready(Duration::from_secs(20), async || ports::accepts(port).await)
        .await
        .context("redis-server did not start")
}

/// The REST front.
pub(crate) struct Front {
    port: u16,
}

type Answer = Response<Full<Bytes>>;

impl Front {
    /// In front of the server on that port.
    pub(crate) fn new(port: u16) -> Arc<Self> {
        Arc::new(Self { port })
    }

    /// Serves until it is aborted.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) -> Result<()> {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let front = self.clone();
            let service = service_fn(move |request| front.clone().answer(request));
            let server = hyper::server::conn::http1::Builder::new();
            let connection = server.serve_connection(TokioIo::new(stream), service);
            tokio::spawn(async move {
                // A client that went away is its own business.
                let _ = connection.await;
            });
        }
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Answer> {
        let (parts, body) = request.into_parts();
        let told = |status: StatusCode, body: &Value| {
            Response::builder()
                .status(status)
                .header(CONTENT_TYPE, "application/json")
                .body(Full::from(body.to_string()))
                .context("an answer")
        };
        if !is_authorized(&parts.headers) {
            return told(
                StatusCode::UNAUTHORIZED,
                &json!({ "error": "Unauthorized" }),
            );
        }
        let body = Limited::new(body, BODY_LIMIT).collect().await;
        let body = body.map_or_else(|_| Bytes::new(), |body| body.to_bytes());
        let wanted: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let is_encoded = parts
            .headers
            .get("upstash-encoding")
            .is_some_and(|word| word == "base64");
        let answer = match parts.uri.path() {
            "/" => self
                .run(&[wanted], is_encoded)
                .await
                .map(|mut all| all.remove(0)),
            "/pipeline" => self
                .run(wanted.as_array().map_or(&[], Vec::as_slice), is_encoded)
                .await
                .map(Value::Array),
            _ => {
                return told(
                    StatusCode::NOT_FOUND,
                    &json!({ "error": "ERR no such path" }),
                );
            }
        };
        match answer {
            Ok(answer) if answer.get("error").is_some() => told(StatusCode::BAD_REQUEST, &answer),
            Ok(answer) => told(StatusCode::OK, &answer),
            Err(error) => told(
                StatusCode::BAD_GATEWAY,
                &json!({ "error": format!("ERR {error}") }),
            ),
        }
    }

    /// Runs commands one after the other on a connection of their own.
    async fn run(&self, commands: &[Value], is_encoded: bool) -> Result<Vec<Value>> {
        let mut redis = BufReader::new(TcpStream::connect(("127.0.0.1", self.port)).await?);
        let mut answers = Vec::new();
        for command in commands {
            let words: Option<Vec<String>> = command
                .as_array()
                .filter(|words| !words.is_empty())
                .and_then(|words| words.iter().map(word).collect());
            let Some(words) = words else {
                answers.push(json!({ "error": "ERR a command is a list of texts and numbers" }));
                continue;
            };
            let mut text = format!("*{}\r\n", words.len());
            for word in words {
                text += &format!("${}\r\n{word}\r\n", word.len());
            }
            redis.write_all(text.as_bytes()).await?;
            answers.push(match read(&mut redis, is_encoded).await? {
                Ok(result) => json!({ "result": result }),
                Err(error) => json!({ "error": error }),
            });
        }
        Ok(answers)
    }
}

fn is_authorized(headers: &HeaderMap) -> bool {
    let given = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    given.and_then(|value| value.strip_prefix("Bearer ")) == Some(TOKEN)
}

/// A word of a command.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// Reads one answer of Redis (RESP2), or its error.
async fn read(redis: &mut BufReader<TcpStream>, is_encoded: bool) -> Result<Result<Value, String>> {
    let mut line = String::new();
    redis.read_line(&mut line).await?;
    let line = line.trim_end();
    let (kind, rest) = line.split_at_checked(1).context("Redis has gone away")?;
    let text = |text: &str| match is_encoded && text != "OK" {
        true => json!(STANDARD.encode(text)),
        false => json!(text),
    };
    Ok(Ok(match kind {
        "+" => text(rest),
        "-" => return Ok(Err(rest.to_owned())),
        ":" => json!(rest.parse::<i64>()?),
        "$" if rest == "-1" => Value::Null,
        "$" => {
            let mut bytes = vec![0; rest.parse::<usize>()? + 2];
            redis.read_exact(&mut bytes).await?;
            bytes.truncate(bytes.len() - 2);
            text(&String::from_utf8_lossy(&bytes))
        }
        "*" if rest == "-1" => Value::Null,
        "*" => {
            let mut items = Vec::new();
            for _ in 0..rest.parse::<usize>()? {
                match Box::pin(read(redis, is_encoded)).await? {
                    Ok(item) => items.push(item),
                    Err(error) => return Ok(Err(error)),
                }
            }
            Value::Array(items)
        }
        _ => bail!("Redis answers what nobody knows"),
    }))
}
