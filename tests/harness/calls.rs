//! How a call reaches the database: through the function, the RPC, or SQL.

use crate::harness::openapi::assert_documented;
use crate::harness::stack::{Stack, user_claims};
use futures::future::join_all;
use interlock_domain::function::Function;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use tokio::sync::Barrier;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

/// A way to make a call. Adapters assert nothing about outcomes.
#[derive(Clone, Copy, Debug)]
pub enum Adapter {
    /// The edge function over HTTP, as an app calls it.
    Function,
    /// The RPC through PostgREST, as supabase-js's `rpc` calls it.
    Rpc,
    /// SQL on a session with the driver's claims, as PostgREST runs it.
    Sql,
}

/// What came of a call: 200 and the body, or an error of the catalogue.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status, also of a call over SQL.
    pub status: u16,
    /// `OK` or the catalogue's code.
    pub code: String,
    /// The details of an error, or null.
    pub details: Value,
    /// The whole answer; null for an error over SQL.
    pub body: Value,
    /// Whether it said that it is the stored answer to an earlier request. SQL has no headers.
    pub replayed: bool,
    /// Whether it waited too long for a lock, and nothing has happened (SQLSTATE 55P03).
    pub is_passing: bool,
}

impl Answer {
    /// Whether it is not an error.
    pub fn is_success(&self) -> bool {
        self.status == 200
    }
}

/// What is called: the edge function and the RPC behind it.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// The edge function; empty if none stands before the RPC.
    pub function: &'static str,
    /// The function in schema `public`.
    pub rpc: &'static str,
}

impl Operation {
    /// What the registry tells of.
    pub const fn of(function: &Function) -> Self {
        Operation {
            function: function.name,
            rpc: function.rpc,
        }
    }
}

/// A signed-in user ready to call.
pub struct Caller {
    stack: &'static Stack,
    adapter: Adapter,
    /// Who they are.
    pub user: Uuid,
    claims: Value,
    token: String,
    session: Option<Client>,
}

impl Caller {
    /// Prepares everything that is not the call itself.
    pub async fn new(stack: &'static Stack, adapter: Adapter, user: Uuid) -> Self {
        Caller::who_claims(stack, adapter, user, user_claims(user)).await
    }

    /// Somebody who works for the shop: with this role in their token.
    #[cfg(test)]
    pub async fn in_role(stack: &'static Stack, adapter: Adapter, user: Uuid, role: &str) -> Self {
        let mut claims = user_claims(user);
        claims["app_metadata"] = json!({ "role": role });
        Caller::who_claims(stack, adapter, user, claims).await
    }

    async fn who_claims(
        stack: &'static Stack,
        adapter: Adapter,
        user: Uuid,
        claims: Value,
    ) -> Self {
        let session = match adapter {
            Adapter::Sql => Some(stack.connect().await),
            Adapter::Function | Adapter::Rpc => None,
        };
        Caller {
            stack,
            adapter,
            user,
            token: stack.token(&claims),
            claims,
            session,
        }
    }

    /// Calls an operation with the arguments that a client would send, under a key if there is one. What passes (a wait
    /// for locks that was too long, on a busy machine) is sent again, as the functions and the docs do.
    pub async fn invoke(
        &self,
        operation: Operation,
        arguments: Value,
        key: Option<&str>,
    ) -> Answer {
        for _ in 0..20 {
            let answer = self.invoke_once(operation, arguments.clone(), key).await;
            if !answer.is_passing {
                return answer;
            }
        }
        self.invoke_once(operation, arguments, key).await
    }

    async fn invoke_once(
        &self,
        operation: Operation,
        arguments: Value,
        key: Option<&str>,
    ) -> Answer {
        let Value::Object(arguments) = arguments else {
            panic!("arguments are an object")
        };
        match (&self.session, self.adapter) {
            (Some(session), _) => {
                self.invoke_sql(session, operation, rpc_arguments(arguments, key))
                    .await
            }
            (None, Adapter::Function) if !operation.function.is_empty() => {
                let path = format!("/functions/v1/{}", operation.function);
                self.invoke_http(&path, arguments, key).await
            }
            _ => {
                let path = format!("/rest/v1/rpc/{}", operation.rpc);
                self.invoke_http(&path, rpc_arguments(arguments, key), None)
                    .await
            }
        }
    }

    async fn invoke_http(&self, path: &str, body: Map<String, Value>, key: Option<&str>) -> Answer {
        let mut request = self
            .stack
            .http
            .post(format!("{}{path}", self.stack.api_url))
            .header("apikey", &self.stack.anon_key)
            .bearer_auth(&self.token)
            .json(&body);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let response = request.send().await.expect("the stack answers");
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let replayed = headers
            .get("idempotent-replayed")
            .is_some_and(|value| value == "true");
        let body: Value = response.json().await.expect("every answer is JSON");
        if let Some(function) = path.strip_prefix("/functions/v1/") {
            assert_documented(function, status, &headers, &body);
        }
        // PostgREST: the catalogue's code is the message, the details are JSON text.
        let (code, details) = match status {
            200 => ("OK".to_owned(), Value::Null),
            _ if body.get("error").is_some() => (text(&body["error"]), body["details"].clone()),
            _ => (text(&body["message"]), details_of(body["details"].as_str())),
        };
        Answer {
            is_passing: body["code"] == "55P03",
            status,
            code,
            details,
            body,
            replayed,
        }
    }

    async fn invoke_sql(
        &self,
        session: &Client,
        operation: Operation,
        arguments: Map<String, Value>,
    ) -> Answer {
        let claims = self.claims.to_string();
        session
            .batch_execute("begin; set local role authenticated")
            .await
            .expect("a transaction begins");
        session
            .execute(
                "select set_config('request.jwt.claims', $1, true)",
                &[&claims],
            )
            .await
            .expect("claims can be set");
        let arguments: Vec<String> = arguments
            .iter()
            .map(|(name, value)| format!("{name} => {}", literal(value)))
            .collect();
        let call = format!(
            "select public.{}({})::jsonb",
            operation.rpc,
            arguments.join(", ")
        );
        let result = session.query_one(&call, &[]).await;
        let end = if result.is_ok() { "commit" } else { "rollback" };
        session
            .batch_execute(end)
            .await
            .expect("the transaction ends");
        match result {
            Ok(row) => Answer {
                status: 200,
                code: "OK".to_owned(),
                details: Value::Null,
                body: row.get(0),
                replayed: false,
                is_passing: false,
            },
            Err(error) => {
                let error = error.as_db_error().expect("the database answers");
                let status = error
                    .code()
                    .code()
                    .strip_prefix("PT")
                    .and_then(|status| status.parse().ok());
                Answer {
                    status: status.unwrap_or(500),
                    code: error.message().to_owned(),
                    details: details_of(error.detail()),
                    body: Value::Null,
                    replayed: false,
                    is_passing: error.code() == &SqlState::LOCK_NOT_AVAILABLE,
                }
            }
        }
    }
}

/// A client's arguments under the RPC's names.
fn rpc_arguments(arguments: Map<String, Value>, key: Option<&str>) -> Map<String, Value> {
    let key = key.map(|key| ("p_idempotency_key".to_owned(), json!(key)));
    arguments
        .into_iter()
        .map(|(name, value)| (format!("p_{name}"), value))
        .chain(key)
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

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The details of an error as the database raises it, without what it tells a function about the code.
pub fn details_of(detail: Option<&str>) -> Value {
    let mut details = detail
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or(Value::Null);
    if let Value::Object(members) = &mut details {
        members.remove("message");
        members.remove("retryable");
        if members.is_empty() {
            return Value::Null;
        }
    }
    details
}

/// One caller for each driver.
pub async fn callers(
    stack: &'static Stack,
    adapter: Adapter,
    drivers: &[Uuid],
) -> Vec<Arc<Caller>> {
    join_all(
        drivers
            .iter()
            .map(|driver| async move { Arc::new(Caller::new(stack, adapter, *driver).await) }),
    )
    .await
}

/// Makes all calls at once: none begins before all are ready. Answers in the order of the calls.
pub async fn together<F>(calls: impl ExactSizeIterator<Item = F>) -> Vec<Answer>
where
    F: Future<Output = Answer> + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(calls.len()));
    let tasks = calls.map(|call| {
        let barrier = Arc::clone(&barrier);
        tokio::spawn(async move {
            barrier.wait().await;
            call.await
        })
    });
    join_all(tasks)
        .await
        .into_iter()
        .map(|task| task.expect("a call does not panic"))
        .collect()
}
