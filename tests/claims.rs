//! How a driver's call reaches the database: through the function, the RPC, or SQL.

use crate::stack::{Stack, user_claims};
use futures::future::join_all;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Barrier;
use tokio_postgres::Client;
use uuid::Uuid;

/// A way to make a call. Adapters assert nothing about outcomes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Adapter {
    /// The edge function over HTTP, as an app calls it.
    Function,
    /// The RPC through PostgREST, as supabase-js's `rpc` calls it.
    Rpc,
    /// SQL on a session with the driver's claims, as PostgREST runs it.
    Sql,
}

/// What came of a call: 200 and the body, or an error of the catalogue.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// `OK` or the catalogue's code.
    pub(crate) code: String,
    pub(crate) details: Value,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        self.status == 200
    }

    /// The id of the batch in a success.
    pub(crate) fn batch_id(&self) -> Option<Uuid> {
        self.body["batch"]["id"]
            .as_str()
            .and_then(|id| id.parse().ok())
    }
}

/// A driver ready to call.
pub(crate) struct Caller {
    stack: &'static Stack,
    adapter: Adapter,
    driver: Uuid,
    token: String,
    session: Option<Client>,
}

impl Caller {
    /// Prepares everything that is not the call itself.
    pub(crate) async fn new(stack: &'static Stack, adapter: Adapter, driver: Uuid) -> Self {
        let session = match adapter {
            Adapter::Sql => Some(stack.connect().await),
            Adapter::Function | Adapter::Rpc => None,
        };
        Caller {
            stack,
            adapter,
            driver,
            token: stack.user_token(driver),
            session,
        }
    }

    /// Claims a batch, or the next one.
    pub(crate) async fn claim(&self, batch: Option<Uuid>) -> Answer {
        self.call(batch, None).await
    }

    /// Any action on a batch.
    pub(crate) async fn call(&self, batch: Option<Uuid>, action: Option<&str>) -> Answer {
        match &self.session {
            Some(session) => self.call_sql(session, batch, action).await,
            None => self.call_http(batch, action).await,
        }
    }

    async fn call_http(&self, batch: Option<Uuid>, action: Option<&str>) -> Answer {
        let (path, prefix) = match self.adapter {
            Adapter::Function => ("/functions/v1/claim-route", ""),
            _ => ("/rest/v1/rpc/claim_route", "p_"),
        };
        let mut body = serde_json::Map::new();
        if let Some(batch) = batch {
            body.insert(format!("{prefix}batch_id"), json!(batch));
        }
        if let Some(action) = action {
            body.insert(format!("{prefix}action"), json!(action));
        }
        let response = self
            .stack
            .http
            .post(format!("{}{path}", self.stack.api_url))
            .header("apikey", &self.stack.anon_key)
            .bearer_auth(&self.token)
            .json(&body)
            .send()
            .await
            .expect("the stack answers");
        let status = response.status().as_u16();
        let body: Value = response.json().await.expect("every answer is JSON");
        // PostgREST: the catalogue's code is the message, the details are JSON text.
        let (code, details) = match (status, self.adapter) {
            (200, _) => ("OK".to_owned(), Value::Null),
            (_, Adapter::Function) => (text(&body["error"]), body["details"].clone()),
            _ => (text(&body["message"]), parse(body["details"].as_str())),
        };
        Answer {
            status,
            code,
            details,
            body,
        }
    }

    async fn call_sql(
        &self,
        session: &Client,
        batch: Option<Uuid>,
        action: Option<&str>,
    ) -> Answer {
        let claims = user_claims(self.driver).to_string();
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
        let result = session
            .query_one(
                "select public.claim_route($1, coalesce($2, 'claim'))",
                &[&batch, &action],
            )
            .await;
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
                    details: parse(error.detail()),
                    body: Value::Null,
                }
            }
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn parse(details: Option<&str>) -> Value {
    details
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or(Value::Null)
}

/// One caller for each driver.
pub(crate) async fn callers(
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

/// Everybody claims at once: nobody calls before all are ready.
pub(crate) async fn claim_together(callers: &[Arc<Caller>], batch: Option<Uuid>) -> Vec<Answer> {
    let calls: Vec<_> = callers
        .iter()
        .map(|caller| (Arc::clone(caller), batch))
        .collect();
    call_together(calls).await
}

/// Each caller claims its own batch, all at once.
pub(crate) async fn call_together(calls: Vec<(Arc<Caller>, Option<Uuid>)>) -> Vec<Answer> {
    let barrier = Arc::new(Barrier::new(calls.len()));
    let tasks = calls.into_iter().map(|(caller, batch)| {
        let barrier = Arc::clone(&barrier);
        tokio::spawn(async move {
            barrier.wait().await;
            caller.claim(batch).await
        })
    });
    join_all(tasks)
        .await
        .into_iter()
        .map(|task| task.expect("a call does not panic"))
        .collect()
}
