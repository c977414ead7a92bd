//! The PostgREST API: a real `postgrest` from PATH, or the crate `postrust-server` in a
//! process of its own (the hidden subcommand `api`).

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use axum::extract::Request;
use axum::http::Uri;
use axum::middleware::map_request;
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use postrust_server::lenient_uri::LenientListener;
use tracing_subscriber::EnvFilter;

use crate::dirs::Dirs;
use crate::part::{Part, Spec};
use crate::postgres;
use crate::project::Project;

/// How many connections the API has: enough to let requests really race in the database.
pub(crate) const POOL: u16 = 32;

/// The database as the API sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Database {
    /// Where it listens.
    pub(crate) port: u16,
    /// How many connections may be open.
    pub(crate) pool: u16,
    /// Whether a pooler in transaction mode stands before it: each transaction may then have another session.
    pub(crate) is_pooled: bool,
}

/// The API as a part, which exposes one more schema than the project does if there is a local one; the text says which program
/// it is.
pub(crate) fn spec(
    project: &Project,
    dirs: &Dirs,
    jwt_secret: String,
    database: Database,
    port: u16,
    local_schema: Option<&str>,
) -> Result<(Spec, &'static str)> {
    let (spec, what) = match real_postgrest() {
        Some(path) => (Spec::new("api", path, dirs), "PostgREST"),
        None => {
            let me = std::env::current_exe().context("cannot find this program's own file")?;
            (Spec::new("api", me, dirs).args(["api"]), "postrust")
        }
    };
    let url = postgres::api_url(database.port);
    let schemas = project.schemas.iter().map(String::as_str);
    let schemas: Vec<&str> = schemas.chain(local_schema).collect();
    let spec = spec
        .env("DATABASE_URL", url.clone())
        .env("PGRST_DB_URI", url)
        .env("PGRST_DB_SCHEMAS", schemas.join(","))
        .env(
            "PGRST_DB_EXTRA_SEARCH_PATH",
            project.extra_search_path.join(","),
        )
        .env("PGRST_DB_MAX_ROWS", project.max_rows.to_string())
        .env("PGRST_DB_ANON_ROLE", "anon")
        // Who listens has a session of their own, and who prepares comes back to theirs.
        .env(
            "PGRST_DB_CHANNEL_ENABLED",
            (!database.is_pooled).to_string(),
        )
        .env(
            "PGRST_DB_PREPARED_STATEMENTS",
            (!database.is_pooled).to_string(),
        )
        .env("PGRST_DB_POOL", database.pool.to_string())
        // Behind a pooler the queue is longer than the pool.
        .env(
            "PGRST_DB_POOL_TIMEOUT",
            if database.is_pooled { "30" } else { "10" },
        )
        .env("PGRST_JWT_SECRET", jwt_secret)
        .env("PGRST_SERVER_HOST", "127.0.0.1")
        .env("PGRST_SERVER_PORT", port.to_string())
        .env("PGRST_LOG_LEVEL", "warn")
        // Serves /rpc at the root and answers in PostgREST's words.
        .env("PGRST_COMPAT_MODE", "true");
    Ok((spec, what))
}

/// Waits until the API has read the schema.
pub(crate) async fn ready(part: &Part, port: u16) -> Result<()> {
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let uri: hyper::Uri = format!("http://127.0.0.1:{port}/").parse()?;
    part.ready(Duration::from_secs(30), async || {
        // PostgREST listens first and answers 503 until it knows the schema.
        matches!(client.get(uri.clone()).await, Ok(answer) if !answer.status().is_server_error())
    })
    .await
}

/// The subcommand `api`: serves until it is stopped. Settings are PostgREST's variables.
pub(crate) async fn serve() -> Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(
            "postrust=warn,postrust_server=warn,postrust_core=warn",
        ))
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let config = postrust_core::AppConfig::try_from_env()?;
    let address = (config.server_host.clone(), config.server_port);
    let app = postrust_server::build(config, postrust_server::Host::SERVER).await?;
    let router = app.router.layer(map_request(async |mut request: Request| {
        if let Some(uri) = unquoted(request.uri()) {
            *request.uri_mut() = uri;
        }
        request
    }));
    let listener = tokio::net::TcpListener::bind(address).await?;
    axum::serve(LenientListener(listener), router).await?;
    Ok(())
}

/// The same with the names in `columns` as they are: supabase-js, which sends them with several rows at once, quotes them as PostgREST
/// allows, and postrust looks for names that have quotes. `None` where there are none.
fn unquoted(uri: &Uri) -> Option<Uri> {
    let query = uri.query()?;
    let is_quoted = |pair: &&str| pair.starts_with("columns=") && pair.contains("%22");
    query.split('&').find(is_quoted)?;
    let pairs = query.split('&').map(|pair| match is_quoted(&pair) {
        true => pair.replace("%22", ""),
        false => pair.to_owned(),
    });
    let query = pairs.collect::<Vec<_>>().join("&");
    format!("{}?{query}", uri.path()).parse().ok()
}

fn real_postgrest() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join("postgrest"))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_columns_lose_their_quotes_and_nothing_else_does() {
        let of = |uri: &str| {
            let uri = unquoted(&uri.parse().expect("a URI"));
            uri.map(|uri| uri.to_string())
        };
        assert_eq!(
            of("/products?columns=%22name%22%2C%22price%22&select=%22id%22").as_deref(),
            Some("/products?columns=name%2Cprice&select=%22id%22")
        );
        assert_eq!(of("/products?columns=name&name=eq.%22a%22"), None);
        assert_eq!(of("/products"), None);
    }
}
