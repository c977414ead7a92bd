//! Idempotency keys: a request that is sent again under its key is answered, not done again.

use super::{Moment, Seen, matches};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use uuid::Uuid;

/// How long a key lives, in seconds.
pub(crate) const LIFETIME: Moment = 24 * 3600;

/// How long a reference of the shop's own code lives.
pub(crate) const REFERENCE_LIFETIME: Moment = 365 * 24 * 3600;

/// Who uses which key for what: the same text under another operation is another key.
pub(crate) type Key = (Uuid, &'static str, String);

/// The keys that were used, with their answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Keys(Arc<BTreeMap<Key, Stored>>);

/// A request that was done, and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stored {
    request: String,
    answer: Arc<Value>,
    until: Moment,
}

impl Hash for Stored {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (&self.request, self.until).hash(hasher);
    }
}

/// What a key says about a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing: the call is to be done.
    New,
    /// It was done before, and this was seen as it must be.
    Repeated,
    /// It cannot be seen; why.
    Impossible(&'static str),
}

impl Keys {
    /// What the key says, if the call has one.
    pub(crate) fn judge(
        &self,
        key: Option<&Key>,
        request: &str,
        seen: &Seen,
        now: Moment,
    ) -> Verdict {
        let stored = key
            .and_then(|key| self.0.get(key))
            .filter(|stored| stored.until > now);
        match (stored, seen) {
            (_, Seen::Transient) => Verdict::Repeated,
            (None, Seen::Success { replayed: true, .. }) => {
                Verdict::Impossible("a replay of what was never done")
            }
            (None, _) => Verdict::New,
            (Some(stored), Seen::Success { body, replayed }) if stored.request == request => {
                if !replayed {
                    Verdict::Impossible("done a second time under the same key")
                } else if matches(&stored.answer, body) {
                    Verdict::Repeated
                } else {
                    Verdict::Impossible("the replay is not the stored answer")
                }
            }
            (Some(stored), Seen::Refused { code, details }) if stored.request != request => {
                let operation = key.map_or("", |key| key.1);
                if code == "IDEMPOTENCY_KEY_REUSED" && *details == json!({ "operation": operation })
                {
                    Verdict::Repeated
                } else {
                    Verdict::Impossible("the key belongs to another request")
                }
            }
            (Some(_), _) => Verdict::Impossible("the key has an answer, and this is not it"),
        }
    }

    /// Remembers an answer.
    pub(crate) fn store(
        &mut self,
        key: Option<Key>,
        request: String,
        answer: &Value,
        until: Moment,
    ) {
        if let Some(key) = key {
            let answer = Arc::new(answer.clone());
            Arc::make_mut(&mut self.0).insert(
                key,
                Stored {
                    request,
                    answer,
                    until,
                },
            );
        }
    }
}
