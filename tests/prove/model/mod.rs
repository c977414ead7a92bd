//! What Interlock promises, as a small program: the reference model.
//!
//! A model is a state and one function, [`Model::apply`]: given a call and what its caller saw, it says
//! whether that can be seen in this state, and what the state is afterwards. There are three, which share
//! nothing and are therefore checked apart: a shop (stock, orders, wallets, promo codes, digital codes, tills), a depot
//! (drivers and delivery batches) and a packing table (baskets and boxes).
//!
//! How exact it is:
//!
//! * A **success** has one effect, and its body is compared as a whole: amounts, statuses, times, the
//!   batch's version, which codes were delivered.
//! * A **refusal** must be true: its code and all its details are what the state calls for. Where
//!   several refusals are true at once any of them may be given, because the database looks at one
//!   thing after the other, without a lock; each look must be true at some moment of the call.
//! * A **transient** answer (55P03, 503) means that nothing happened, and is always allowed.
//! * A call whose answer never came is nothing that this model can judge: who has one looks at the
//!   invariants only.
//! * **Time** stands still while calls are under way: a move of the clock is a call of its own. Where
//!   the clock cannot be held every time in a body is allowed (`"*"`).

pub(crate) mod keys;

use serde_json::{Value, json};
use std::fmt::Debug;
use std::hash::Hash;

/// What a caller saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It was done; or it had been done before and this is the stored answer.
    Success { body: Value, replayed: bool },
    /// An error of the catalogue.
    Refused { code: String, details: Value },
    /// "Try again": nothing happened.
    Transient,
}

/// One call, with the moments at which it was made and answered: numbers of one counter, so that of
/// two calls that do not overlap it is known which came first.
#[derive(Clone, Debug)]
pub(crate) struct Event<C> {
    pub(crate) session: usize,
    /// `sql`, `rpc` or `function`.
    pub(crate) via: &'static str,
    pub(crate) call: C,
    pub(crate) seen: Seen,
    pub(crate) called: u64,
    pub(crate) answered: u64,
    /// Whether no other call on the same world overlaps. Then what is promised only to a caller
    /// who is alone (the head of the queue, the oldest hold) must be kept too.
    pub(crate) alone: bool,
}

/// What may follow from a call and what its caller saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Steps<S> {
    /// It cannot be seen in this state; why.
    Impossible(&'static str),
    /// It can, and nothing changes; nor could it be seen at any later moment and change something. (So
    /// what sets a value is a change even where it sets the value that there is.)
    Same,
    /// It can, and one of these is the state from then on.
    To(Vec<S>),
}

/// A specification.
pub(crate) trait Model: Clone + Eq + Hash + Debug {
    /// What can be asked of it.
    type Call: Clone + Debug;

    /// Whether the event can be seen in this state, and what follows.
    fn apply(&self, event: &Event<Self::Call>) -> Steps<Self>;

    /// Whether a refusal with this code leaves something behind.
    fn refusal_is_counted(code: &str) -> bool;

    /// What could be refused in this state, for the report of a failure.
    fn refusals(&self, call: &Self::Call) -> Vec<(&'static str, Value)>;
}

/// Seconds since the model's day began: 2001-01-01, long past, so that no row of anybody else falls due
/// while the clock of the database stands there.
pub(crate) type Moment = i64;

/// The database's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Clock {
    pub(crate) now: Moment,
    /// Whether it is held still. If not, every time in a body is allowed.
    pub(crate) exact: bool,
}

impl Clock {
    /// A moment as the database writes it; `"*"`, which matches every time, if the clock is not held.
    pub(crate) fn time(self, at: Moment) -> Value {
        if !self.exact {
            return json!("*");
        }
        let (day, second) = (at.div_euclid(86_400) + 1, at.rem_euclid(86_400));
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        json!(format!(
            "2001-01-{day:02}T{hour:02}:{minute:02}:{second:02}+00:00"
        ))
    }

    /// The same for what may be empty.
    pub(crate) fn time_or_null(self, at: Option<Moment>) -> Value {
        at.map_or(Value::Null, |at| self.time(at))
    }
}

/// Whether a value is the expected one: `"*"` stands for any text, number or yes and no.
pub(crate) fn matches(expected: &Value, seen: &Value) -> bool {
    match (expected, seen) {
        (Value::String(any), Value::String(_) | Value::Number(_) | Value::Bool(_))
            if any == "*" =>
        {
            true
        }
        (Value::Array(expected), Value::Array(seen)) => {
            expected.len() == seen.len() && expected.iter().zip(seen).all(|(e, s)| matches(e, s))
        }
        (Value::Object(expected), Value::Object(seen)) => {
            expected.len() == seen.len()
                && expected
                    .iter()
                    .all(|(name, e)| seen.get(name).is_some_and(|s| matches(e, s)))
        }
        _ => expected == seen,
    }
}
