//! How drivers call.

use crate::harness::calls::Operation;
#[cfg(test)]
use crate::harness::calls::{Answer, Caller, together};
#[cfg(test)]
use serde_json::{Map, Value, json};
#[cfg(test)]
use std::sync::Arc;
#[cfg(test)]
use uuid::Uuid;

/// Claims, renews, releases, starts, completes.
pub(crate) const CLAIM_ROUTE: Operation =
    Operation::of(&interlock_domain::delivery::claim_route::CLAIM_ROUTE);

#[cfg(test)]
impl Answer {
    /// The id of the batch in a success.
    pub(crate) fn batch_id(&self) -> Option<Uuid> {
        self.body["batch"]["id"]
            .as_str()
            .and_then(|id| id.parse().ok())
    }
}

#[cfg(test)]
impl Caller {
    /// Claims a batch, or the next one.
    pub(crate) async fn claim(&self, batch: Option<Uuid>) -> Answer {
        self.call(batch, None).await
    }

    /// Any action on a batch.
    pub(crate) async fn call(&self, batch: Option<Uuid>, action: Option<&str>) -> Answer {
        let mut arguments = Map::new();
        arguments.extend(batch.map(|batch| ("batch_id".to_owned(), json!(batch))));
        arguments.extend(action.map(|action| ("action".to_owned(), json!(action))));
        self.invoke(CLAIM_ROUTE, Value::Object(arguments), None)
            .await
    }
}

/// Everybody claims at once: nobody calls before all are ready.
#[cfg(test)]
pub(crate) async fn claim_together(callers: &[Arc<Caller>], batch: Option<Uuid>) -> Vec<Answer> {
    let calls: Vec<_> = callers
        .iter()
        .map(|caller| (Arc::clone(caller), batch))
        .collect();
    call_together(calls).await
}

/// Each caller claims its own batch, all at once.
#[cfg(test)]
pub(crate) async fn call_together(calls: Vec<(Arc<Caller>, Option<Uuid>)>) -> Vec<Answer> {
    together(
        calls
            .into_iter()
            .map(|(caller, batch)| async move { caller.claim(batch).await }),
    )
    .await
}
