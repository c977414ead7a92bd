//! The stack under test: its URLs and keys, database sessions, tokens, and rows to work on.

use crate::areas::AREAS;
use futures::StreamExt as _;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::sync::OnceLock;
use tokio::sync::{Mutex, MutexGuard};
use tokio_postgres::error::DbError;
use tokio_postgres::{AsyncMessage, Client, NoTls};
use uuid::Uuid;

/// What the environment says about the stack.
pub struct Stack {
    /// The root of the API, without a slash at the end.
    pub api_url: String,
    /// The publishable (anon) key.
    pub anon_key: String,
    /// The key of the service role.
    pub service_role_key: String,
    db_url: String,
    /// What tokens are signed with.
    pub jwt_secret: String,
    /// Keeps its connections.
    pub http: reqwest::Client,
}

impl Stack {
    /// The stack of this run. Without one nothing here can be tested, so that is a failure.
    pub fn get() -> &'static Self {
        static STACK: OnceLock<Stack> = OnceLock::new();
        STACK.get_or_init(Self::from_environment)
    }

    fn from_environment() -> Self {
        let variable = |name: &str| {
            std::env::var(name).unwrap_or_else(|_| {
                panic!(
                    "{name} is not set: run `npm test`, or export `npm run stack -- status -o env`"
                )
            })
        };
        Stack {
            api_url: variable("API_URL"),
            anon_key: variable("ANON_KEY"),
            service_role_key: variable("SERVICE_ROLE_KEY"),
            db_url: variable("DB_URL"),
            jwt_secret: variable("JWT_SECRET"),
            http: http(),
        }
    }

    /// A database session of the owner role.
    pub async fn connect(&self) -> Client {
        let (client, connection) = self
            .database()
            .connect(NoTls)
            .await
            .unwrap_or_else(|error| panic!("cannot connect to DB_URL: {error}"));
        tokio::spawn(connection);
        client
    }

    fn database(&self) -> tokio_postgres::Config {
        let mut config: tokio_postgres::Config = self
            .db_url
            .parse()
            .expect("DB_URL is the URL of a database");
        if let Some(shop) = shop() {
            config.options(format!("-c interlock.shop={shop}"));
        }
        config
    }

    /// The same, with somebody who hears each notice as soon as it is sent.
    pub async fn connect_hearing(&self, hear: impl Fn(DbError) + Send + 'static) -> Client {
        let (client, mut connection) = self
            .database()
            .connect(NoTls)
            .await
            .unwrap_or_else(|error| panic!("cannot connect to DB_URL: {error}"));
        let mut messages =
            futures::stream::poll_fn(move |context| connection.poll_message(context));
        tokio::spawn(async move {
            while let Some(Ok(message)) = messages.next().await {
                if let AsyncMessage::Notice(notice) = message {
                    hear(notice);
                }
            }
        });
        client
    }

    /// Whether the database is on this machine.
    pub fn is_local(&self) -> bool {
        ["@127.0.0.1:", "@localhost:", "@[::1]:"]
            .iter()
            .any(|host| self.db_url.contains(host))
    }

    /// A token with these claims, signed by the stack's secret.
    pub fn token(&self, claims: &Value) -> String {
        sign(claims, &self.jwt_secret)
    }

    /// A signed-in user's access token, good for an hour.
    pub fn user_token(&self, user: Uuid) -> String {
        self.token(&user_claims(user))
    }
}

/// The shop that is tested, where the stack serves many (`npm test -- --shops`).
fn shop() -> Option<String> {
    std::env::var("INTERLOCK_SHOP").ok()
}

fn http() -> reqwest::Client {
    let mut headers = reqwest::header::HeaderMap::new();
    if let Some(shop) = shop() {
        let shop = shop.parse().expect("a shop is an id or a handle");
        headers.insert("x-shop", shop);
    }
    reqwest::Client::builder()
        .default_headers(headers)
        .build()
        .expect("a client of HTTP")
}

/// Signs claims with any secret.
pub fn sign(claims: &Value, secret: &str) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    let mut claims = claims.clone();
    // Whoever has a role has it in the shop that is tested.
    if let Some(shop) = shop()
        && let Some(app) = claims
            .get_mut("app_metadata")
            .and_then(Value::as_object_mut)
        && app.contains_key("role")
    {
        app.insert("shop_id".to_owned(), json!(shop));
    }
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)
        .expect("claims can be signed")
}

/// The claims of a signed-in user.
pub fn user_claims(user: Uuid) -> Value {
    json!({ "sub": user, "role": "authenticated", "aud": "authenticated", "exp": unix_time() + 3600 })
}

/// The claims of a signed-in member of staff.
pub fn staff_claims(user: Uuid) -> Value {
    let mut claims = user_claims(user);
    claims["app_metadata"] = json!({ "role": "staff" });
    claims
}

/// Seconds since 1970.
pub fn unix_time() -> i64 {
    let elapsed = std::time::UNIX_EPOCH
        .elapsed()
        .expect("the clock is past 1970");
    i64::try_from(elapsed.as_secs()).expect("before the year 292277026596")
}

/// One test's hold on the stack. Tests of one database take turns: a batch that one test offers is
/// the next available one of every other.
pub struct Bench {
    /// Where it runs.
    pub stack: &'static Stack,
    /// A session of the owner role.
    pub db: Client,
    _turn: MutexGuard<'static, ()>,
}

impl Bench {
    /// Takes a turn, with nothing of another test in the way.
    pub async fn take() -> Self {
        static TURN: Mutex<()> = Mutex::const_new(());
        let turn = TURN.lock().await;
        let stack = Stack::get();
        let db = stack.connect().await;
        let bench = Bench {
            stack,
            db,
            _turn: turn,
        };
        bench.clear().await;
        bench
    }

    /// Takes the tests' own rows out of the way of what every test may find; on somebody's real project nothing
    /// else is touched.
    pub async fn clear(&self) {
        for clear in AREAS.iter().map(|area| area.before_test) {
            let cleared = self.db.batch_execute(clear).await;
            cleared.expect("the tests' own rows can be put aside");
        }
    }

    /// New signed-in users.
    pub async fn users(&self, count: usize) -> Vec<Uuid> {
        let users: Vec<Uuid> = (0..count).map(|_| Uuid::new_v4()).collect();
        self.db
            .execute(
                "insert into auth.users (id, aud, role, email)
                 select id, 'authenticated', 'authenticated', id || '@test.example'
                 from unnest($1::uuid[]) as id",
                &[&users],
            )
            .await
            .expect("users can be inserted");
        users
    }

    /// Whether any session waits for a lock of another, by Postgres's own account.
    pub async fn somebody_waits(&self) -> bool {
        self.waiting().await > 0
    }

    /// How many sessions do.
    pub async fn waiting(&self) -> i64 {
        self.db
            .query_one(
                "select count(*) from pg_stat_activity
                 where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0",
                &[],
            )
            .await
            .expect("sessions can be listed")
            .get(0)
    }

    /// How many deadlocks Postgres has broken in this database. Each took it a second to notice, so it
    /// is counted by the time that anybody has an answer.
    pub async fn deadlocks(&self) -> i64 {
        self.db
            .query_one(
                "select deadlocks from pg_stat_database where datname = current_database()",
                &[],
            )
            .await
            .expect("statistics can be read")
            .get(0)
    }
}
