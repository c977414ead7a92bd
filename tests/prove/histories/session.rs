//! How a session makes a call, and what it saw.
//!
//! Over SQL a call is one message and one transaction, as PostgREST would run it: role, claims, call,
//! and what it wants in the headers of the answer.

use super::route::Route;
use crate::harness::calls::details_of;
use crate::harness::stack::{Stack, user_claims};
use crate::prove::model::Seen;
use crate::prove::own_stack::connect;
use anyhow::{Result, bail};
use reqwest::RequestBuilder;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_postgres::{Client, SimpleQueryMessage};
use uuid::Uuid;

/// How a session reaches the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    Sql,
    Rpc,
    Function,
}

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Nobody that is known.
    Anyone,
    User(Uuid),
    Shop,
}

/// A call, as it is sent.
pub(crate) enum Request {
    /// A function of schema `public`, through the edge function where there is one.
    Call {
        function: Option<&'static str>,
        rpc: &'static str,
        /// The signed-in user; the shop with its service role if there is none.
        caller: Option<Uuid>,
        /// Under the names that a client uses.
        arguments: Value,
        key: Option<String>,
        /// Whether it returns rows, and not one value.
        rows: bool,
    },
    /// The shop's own SQL: one statement that gives one JSON value.
    Own(String),
    /// Rows, as PostgREST shows them.
    Read {
        reader: Reader,
        /// Behind `/rest/v1/`; a GET if there is no body.
        path: String,
        body: Option<Value>,
        /// An entry of the answer out of a row.
        entry: fn(&Value) -> Option<(String, Value)>,
        /// The same in SQL, as one JSON value.
        sql: String,
    },
}

/// One of the sessions.
pub(crate) struct Session {
    pub(crate) number: usize,
    pub(crate) via: Via,
    stack: &'static Stack,
    /// One for each place that its shop may be at.
    dbs: Vec<Client>,
    route: Option<Arc<Route>>,
    callers: Arc<Callers>,
}

/// The token of each user, and what it says.
type Callers = BTreeMap<Uuid, (String, Value)>;

impl Session {
    /// Connects. What is checked here is who sees what when, not what survives a crash, so nobody waits
    /// for the disk.
    pub(crate) async fn new(stack: &'static Stack, number: usize, via: Via) -> Result<Self> {
        Self::of(stack, vec![stack.connect().await], None, number, via).await
    }

    /// The same over SQL, in a shop that is moved.
    pub(crate) async fn routed(
        stack: &'static Stack,
        route: &Arc<Route>,
        number: usize,
    ) -> Result<Self> {
        let [first, second] = &route.urls;
        let dbs = vec![connect(first).await?, connect(second).await?];
        Self::of(stack, dbs, Some(Arc::clone(route)), number, Via::Sql).await
    }

    async fn of(
        stack: &'static Stack,
        dbs: Vec<Client>,
        route: Option<Arc<Route>>,
        number: usize,
        via: Via,
    ) -> Result<Self> {
        for db in &dbs {
            db.batch_execute("set synchronous_commit = off").await?;
        }
        Ok(Session {
            number,
            via,
            stack,
            dbs,
            route,
            callers: Arc::default(),
        })
    }

    /// Everybody it will call for.
    pub(crate) fn knows(&mut self, callers: &Arc<Callers>) {
        self.callers = Arc::clone(callers);
    }

    /// Makes a call: how it went out, and what was seen; nothing if the answer never came.
    pub(crate) async fn send(&self, request: Request) -> Result<(&'static str, Option<Seen>)> {
        match request {
            Request::Own(statement) => {
                let statement = match self.route.as_deref() {
                    // What the shop does itself is let in as requests are. This gives no row.
                    Some(Route { shop, .. }) => {
                        format!(
                            "do $$ begin perform interlock.find_shop('{shop}'); end $$; {statement}"
                        )
                    }
                    None => statement,
                };
                Ok(("sql", Some(self.sql(&statement).await?)))
            }
            Request::Read {
                reader,
                path,
                body,
                entry,
                sql,
            } => match self.via {
                Via::Sql => {
                    let statement = format!("{} {sql}", self.becomes(reader));
                    Ok(("sql", Some(self.sql(&statement).await?)))
                }
                _ => Ok(("rpc", self.read(reader, &path, body, entry).await?)),
            },
            Request::Call {
                function,
                rpc,
                caller,
                arguments,
                key,
                rows,
            } => {
                let Value::Object(arguments) = arguments else {
                    bail!("arguments are an object");
                };
                match (self.via, function) {
                    (Via::Sql, _) => {
                        let statement = self.as_caller(caller, rpc, &named(arguments, key), rows);
                        Ok(("sql", Some(self.sql(&statement).await?)))
                    }
                    (Via::Function, Some(function)) => {
                        let path = format!("/functions/v1/{function}");
                        let body = Value::Object(arguments);
                        Ok(("function", self.http(&path, caller, &body, key).await?))
                    }
                    _ => {
                        let path = format!("/rest/v1/rpc/{rpc}");
                        let body = Value::Object(named(arguments, key));
                        Ok(("rpc", self.http(&path, caller, &body, None).await?))
                    }
                }
            }
        }
    }

    async fn sql(&self, statement: &str) -> Result<Seen> {
        let Some(route) = &self.route else {
            return self.sql_at(&self.dbs[0], statement).await;
        };
        let arrivals = route.arrivals();
        let db = &self.dbs[Route::place(arrivals)];
        match self.sql_at(db, statement).await? {
            Seen::Refused { code, .. } if code == "SHOP_MOVING" => {
                route.arrives(arrivals).await?;
                Ok(Seen::Transient)
            }
            seen => Ok(seen),
        }
    }

    async fn sql_at(&self, db: &Client, statement: &str) -> Result<Seen> {
        let messages = match db.simple_query(statement).await {
            Ok(messages) => messages,
            Err(error) => {
                let Some(error) = error.as_db_error() else {
                    bail!("the database does not answer: {error}");
                };
                let state = error.code().code();
                // The text of a constraint's refusal names ids and numbers.
                if let ("23514", Some(constraint)) = (state, error.constraint()) {
                    return Ok(refused("", constraint, Value::Null));
                }
                return Ok(refused(state, error.message(), details_of(error.detail())));
            }
        };
        let mut rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let (first, answer, headers) = (rows.next(), rows.next(), rows.next());
        let body = answer
            .or(first)
            .and_then(|row| row.get(0))
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or(Value::Null);
        let header = |column| headers.and_then(|row| row.get(column)).unwrap_or_default();
        // An unknown promo code is answered with a status, not raised.
        if !header(1).is_empty() {
            return Ok(refused(
                "",
                body["message"].as_str().unwrap_or_default(),
                details_of(body["details"].as_str()),
            ));
        }
        let replayed = header(0).contains("Idempotent-Replayed");
        Ok(Seen::Success { body, replayed })
    }

    async fn http(
        &self,
        path: &str,
        caller: Option<Uuid>,
        body: &Value,
        key: Option<String>,
    ) -> Result<Option<Seen>> {
        let reader = caller.map_or(Reader::Shop, Reader::User);
        let mut request = self.post(path, reader, body);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let Ok(response) = request.send().await else {
            return Ok(None);
        };
        let status = response.status().as_u16();
        let replayed = response.headers().contains_key("idempotent-replayed");
        let Ok(body) = response.json::<Value>().await else {
            return Ok(None);
        };
        if status == 200 {
            return Ok(Some(Seen::Success { body, replayed }));
        }
        let text = |field: &str| body[field].as_str().unwrap_or_default();
        Ok(match text("error") {
            "UPSTREAM_TIMEOUT" => None,
            "UPSTREAM_UNAVAILABLE" => Some(Seen::Transient),
            // PostgREST: the catalogue's code is the message, the details are JSON text.
            "" => Some(refused(
                text("code"),
                text("message"),
                details_of(body["details"].as_str()),
            )),
            code => Some(refused("", code, body["details"].clone())),
        })
    }

    fn post(&self, path: &str, caller: Reader, body: &Value) -> RequestBuilder {
        let url = format!("{}{path}", self.stack.api_url);
        self.signed(self.stack.http.post(url), caller).json(body)
    }

    fn signed(&self, request: RequestBuilder, caller: Reader) -> RequestBuilder {
        let (api_key, token) = match caller {
            Reader::Anyone => (&self.stack.anon_key, None),
            Reader::User(user) => {
                let known = self.callers.get(&user);
                (&self.stack.anon_key, known.map(|(token, _)| token))
            }
            Reader::Shop => (&self.stack.service_role_key, None),
        };
        request
            .header("apikey", api_key)
            .bearer_auth(token.unwrap_or(api_key))
    }

    async fn read(
        &self,
        reader: Reader,
        path: &str,
        body: Option<Value>,
        entry: fn(&Value) -> Option<(String, Value)>,
    ) -> Result<Option<Seen>> {
        let path = format!("/rest/v1/{path}");
        let request = match &body {
            Some(body) => self.post(&path, reader, body),
            None => {
                let url = format!("{}{path}", self.stack.api_url);
                self.signed(self.stack.http.get(url), reader)
            }
        };
        let Ok(response) = request.send().await else {
            return Ok(None);
        };
        let Ok(rows) = response.error_for_status()?.json::<Vec<Value>>().await else {
            return Ok(None);
        };
        Ok(Some(Seen::Success {
            body: Value::Object(rows.iter().filter_map(entry).collect()),
            replayed: false,
        }))
    }

    /// Makes the transaction that of a caller.
    fn becomes(&self, caller: Reader) -> String {
        let (role, claims) = match caller {
            Reader::Anyone => ("anon", json!({ "role": "anon" })),
            Reader::User(user) => {
                let known = self.callers.get(&user);
                let claims = known.map_or_else(|| user_claims(user), |(_, claims)| claims.clone());
                ("authenticated", claims)
            }
            Reader::Shop => ("service_role", json!({ "role": "service_role" })),
        };
        let shop = self.route.as_ref().map_or_else(String::new, |route| {
            let shop = route.shop;
            format!(r#", set_config('request.headers', '{{"x-shop": "{shop}"}}', true)"#)
        });
        format!(
            "select set_config('role', '{role}', true), set_config('request.jwt.claims', '{claims}', true){shop};"
        )
    }

    fn as_caller(
        &self,
        caller: Option<Uuid>,
        rpc: &str,
        arguments: &Map<String, Value>,
        rows: bool,
    ) -> String {
        let caller = self.becomes(caller.map_or(Reader::Shop, Reader::User));
        let arguments: Vec<String> = arguments
            .iter()
            .map(|(name, value)| format!("{name} => {}", literal(value)))
            .collect();
        let call = format!("public.{rpc}({})", arguments.join(", "));
        let call = if rows {
            format!("select coalesce(json_agg(c), '[]')::text from {call} as c")
        } else {
            format!("select {call}::text")
        };
        format!(
            "{caller}
             {call};
             select current_setting('response.headers', true), current_setting('response.status', true)"
        )
    }
}

/// An error: the SQLSTATE that says "try again" means that nothing happened. A deadlock may not be.
fn refused(state: &str, message: &str, details: Value) -> Seen {
    match state {
        "55P03" => Seen::Transient,
        _ if state.starts_with("PT") || state.is_empty() => Seen::Refused {
            code: message.to_owned(),
            details,
        },
        _ => Seen::Refused {
            code: format!("{state}: {message}"),
            details,
        },
    }
}

/// The client's names as the database has them.
fn named(arguments: Map<String, Value>, key: Option<String>) -> Map<String, Value> {
    arguments
        .into_iter()
        .map(|(name, value)| (format!("p_{name}"), value))
        .chain(key.map(|key| ("p_idempotency_key".to_owned(), json!(key))))
        .collect()
}

/// A JSON value as an SQL literal.
fn literal(value: &Value) -> String {
    let quote = |text: &str| format!("'{}'", text.replace('\'', "''"));
    match value {
        Value::Null => "null".to_owned(),
        Value::String(text) => quote(text),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(_) | Value::Object(_) => format!("{}::jsonb", quote(&value.to_string())),
    }
}
