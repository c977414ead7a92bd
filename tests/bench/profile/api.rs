//! A session that does what the API does for each call: a transaction of its own, the caller's role and claims, the function, what it says
//! of the answer's headers, the commit.

use super::notice::Notice;
use crate::server::Database;
use anyhow::Result;
use interlock_tests::harness::stack::user_claims;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_postgres::error::DbError;
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

const ARGUMENTS: &str = r#""p_cart_items" => $1::jsonb, "p_idempotency_key" => $2::text)"#;
const ANSWER: &str =
    "select current_setting('response.headers', true), current_setting('response.status', true)";

/// What makes the server count and tell. Planning is counted as well as running; what is told is told without times, for those are measured
/// apart. No commit waits for the disk: that would say more of the disk.
const COUNT: &str = "set track_functions = 'all';
    set compute_query_id = on;
    set pg_stat_statements.track = 'all';
    set pg_stat_statements.track_planning = on;
    set synchronous_commit = off";
const TELL: &str = "load 'auto_explain';
    set auto_explain.log_nested_statements = on;
    set auto_explain.log_verbose = on;
    set auto_explain.log_format = 'json';
    set auto_explain.log_level = 'notice'";

/// The session, and the function that it calls.
pub(super) struct Api {
    client: Client,
    statements: [Statement; 3],
    settings: Vec<String>,
    heard: Arc<Mutex<Vec<(String, String)>>>,
}

impl Api {
    /// For a signed-in user who calls this function.
    pub(super) async fn open(database: &Database, user: Uuid, function: &str) -> Result<Self> {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hear = {
            let heard = Arc::clone(&heard);
            move |notice: DbError| {
                let told = (
                    notice.message().to_owned(),
                    notice.where_().unwrap_or_default().to_owned(),
                );
                heard
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(told);
            }
        };
        let client = database.connect_hearing(hear).await?;
        client.batch_execute(COUNT).await?;
        let settings = settings(user);
        let statements = [
            client.prepare(&set_config(settings.len() / 2)).await?,
            client
                .prepare(&format!("{}{ARGUMENTS}", call(function)))
                .await?,
            client.prepare(ANSWER).await?,
        ];
        Ok(Api {
            client,
            statements,
            settings,
            heard,
        })
    }

    /// A call with a cart and a key.
    pub(super) async fn checkout(&self, cart: &Value) -> Result<()> {
        let [set_config, call, answer] = &self.statements;
        let key = Uuid::new_v4().to_string();
        let settings: Vec<_> = self.settings.iter().map(|text| text as _).collect();
        self.client.batch_execute("begin").await?;
        self.client.query(set_config, &settings).await?;
        self.client.query(call, &[cart, &key]).await?;
        self.client.query(answer, &[]).await?;
        Ok(self.client.batch_execute("commit").await?)
    }

    /// What was told of since.
    pub(super) fn told(&self) -> Result<Vec<Notice>> {
        let heard = std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner));
        heard
            .iter()
            .filter_map(|(message, context)| Notice::parse(message, context).transpose())
            .collect()
    }

    /// Has each statement told of from here on, or no longer.
    pub(super) async fn tell(&self, tells: bool) -> Result<()> {
        let least = if tells { 0 } else { -1 };
        let set = format!("{TELL}; set auto_explain.log_min_duration = {least}");
        Ok(self.client.batch_execute(&set).await?)
    }

    /// Makes what was counted here visible to others.
    pub(super) async fn flush(&self) -> Result<()> {
        self.client
            .batch_execute("select pg_stat_force_next_flush()")
            .await?;
        Ok(())
    }
}

/// How the statement begins that sets who calls.
pub(super) const SET_CONFIG: &str = "select set_config(";

/// How the statement begins that calls a function.
pub(super) fn call(function: &str) -> String {
    format!("select * from {function}(")
}

fn set_config(settings: usize) -> String {
    let calls: Vec<String> = (1..=settings)
        .map(|setting| format!("${}, ${}, true)", setting * 2 - 1, setting * 2))
        .collect();
    format!("{SET_CONFIG}{}", calls.join(", set_config("))
}

/// Names and values, as the stack's API sends them for a request of our function.
fn settings(user: Uuid) -> Vec<String> {
    let claims = user_claims(user);
    let headers = json!({
        "content-length": "144",
        "apikey": "sb_publishable_ACJWlzQHlZjBrEguHvfOxg_3BJgxAaH",
        "accept": "application/json",
        "content-type": "application/json",
        "interlock-request-id": Uuid::new_v4(),
        "authorization": format!("Bearer {}", "x".repeat(300)),
        "accept-language": "*",
        "user-agent": "Deno/2.9.6",
        "accept-encoding": "gzip,br",
        "x-forwarded-host": "127.0.0.1:54321",
        "x-forwarded-port": "54321",
        "x-forwarded-proto": "http",
        "x-forwarded-for": "127.0.0.1",
        "host": "127.0.0.1:3000",
    });
    let mut settings = vec![
        (
            "search_path",
            r#""public", "public", "extensions""#.to_owned(),
        ),
        ("role", "authenticated".to_owned()),
        ("request.method", "POST".to_owned()),
        ("request.path", "/rpc/checkout".to_owned()),
        ("request.headers", headers.to_string()),
        ("request.cookies", "{}".to_owned()),
        ("request.trace_id", Uuid::new_v4().simple().to_string()),
        ("request.jwt.claims", claims.to_string()),
    ];
    for (name, claim) in [
        ("request.jwt.claims.sub", "sub"),
        ("request.jwt.claims.exp", "exp"),
        ("request.jwt.claims.aud", "aud"),
        ("request.jwt.claims.role", "role"),
    ] {
        let claim = &claims[claim];
        let text = claim
            .as_str()
            .map_or_else(|| claim.to_string(), str::to_owned);
        settings.push((name, text));
    }
    settings
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect()
}
