//! Worlds: rows of their own with their state in a model, on which sessions work.
//!
//! A world shares nothing with another one, so each is checked on its own.

use super::checker::prepare;
use super::rounds::Figures;
use super::session::{Request, Session};
use super::shrink::shrink;
use crate::harness::stack::user_claims;
use crate::prove::model::{Clock, Event, Model, Moment, Seen};
use anyhow::Result;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio_postgres::Client;
use uuid::Uuid;

/// A kind of world, as an area has it.
pub(crate) struct Kind {
    /// How many of all calls go to worlds of this kind, beside those of the other kinds.
    pub(crate) weight: u32,
    /// How many there are in a round: one of these numbers.
    pub(crate) counts: &'static [usize],
    /// Whether the database has rows of others that calls would find which reach everything.
    pub(crate) others: &'static str,
    /// Makes one.
    pub(crate) open: for<'a> fn(&'a Client, &'a mut StdRng, Clock) -> Opened<'a>,
    /// Leaves nothing behind of these ids that could fall due in a later round.
    pub(crate) close: &'static [&'static str],
}

type Opened<'a> = BoxFuture<'a, Result<Box<dyn AnyWorld>>>;

/// A model that rounds can play.
pub(crate) trait Played: Model<Call: Send + Sync> + Send + Sync + 'static {
    /// What callers choose from, beside the state at the start.
    type Known: Send;

    /// The next call. One that reaches every world in the database only if `everything` is this one.
    fn choose(rng: &mut StdRng, world: &World<Self>, everything: bool) -> Self::Call;
    /// The call as it is sent.
    fn request(&self, call: &Self::Call) -> Request;
    /// What a caller learns from an answer.
    fn learns(world: &World<Self>, call: &Self::Call, body: &Value);
    /// A look at all the books.
    fn look() -> Self::Call;
    /// Nobody's call: the clock has moved.
    fn clock_moves(to: Moment) -> Self::Call;
    /// Everybody who may call.
    fn users(&self) -> Vec<Uuid>;
    /// What the token of one of them says.
    fn claims(user: Uuid) -> Value {
        user_claims(user)
    }
}

/// A world, and what has happened in it.
pub(crate) struct World<M: Played> {
    pub(crate) start: M,
    /// What the callers know of it and choose from.
    pub(crate) known: Mutex<M::Known>,
    events: Mutex<Vec<Event<M::Call>>>,
    /// Whether an answer was lost, so that nobody knows what has happened.
    lost: AtomicBool,
    names: BTreeMap<Uuid, String>,
}

impl<M: Played> World<M> {
    /// One in which nothing has happened.
    pub(crate) fn new(start: M, names: BTreeMap<Uuid, String>, known: M::Known) -> Self {
        World {
            start,
            known: Mutex::new(known),
            events: Mutex::default(),
            lost: AtomicBool::new(false),
            names,
        }
    }
}

/// A world of any kind.
pub(crate) trait AnyWorld: Send + Sync {
    /// The names of its rows.
    fn names(&self) -> &BTreeMap<Uuid, String>;
    /// Everybody who may call, and what their tokens say.
    fn callers(&self) -> Vec<(Uuid, Value)>;
    /// Makes a call of somebody's choice.
    fn call<'a>(
        &'a self,
        session: &'a Session,
        counter: &'a AtomicU64,
        rng: &'a mut StdRng,
        everything: bool,
    ) -> BoxFuture<'a, Result<()>>;
    /// Looks at all the books.
    fn look<'a>(
        &'a self,
        session: &'a Session,
        counter: &'a AtomicU64,
    ) -> BoxFuture<'a, Result<()>>;
    /// Notes that the clock has moved, with nothing else under way.
    fn clock_moved(&self, counter: &AtomicU64, to: Moment);
    /// Counts its history and, if that is wanted, looks whether it fits an order: the timeline, if not.
    fn judge(&self, figures: &mut Figures, wanted: bool) -> Option<String>;
}

impl<M: Played> AnyWorld for World<M> {
    fn names(&self) -> &BTreeMap<Uuid, String> {
        &self.names
    }

    fn callers(&self) -> Vec<(Uuid, Value)> {
        let users = self.start.users().into_iter();
        users.map(|user| (user, M::claims(user))).collect()
    }

    fn call<'a>(
        &'a self,
        session: &'a Session,
        counter: &'a AtomicU64,
        rng: &'a mut StdRng,
        everything: bool,
    ) -> BoxFuture<'a, Result<()>> {
        let call = M::choose(rng, self, everything);
        make(session, counter, self, call).boxed()
    }

    fn look<'a>(
        &'a self,
        session: &'a Session,
        counter: &'a AtomicU64,
    ) -> BoxFuture<'a, Result<()>> {
        make(session, counter, self, M::look()).boxed()
    }

    fn clock_moved(&self, counter: &AtomicU64, to: Moment) {
        let called = counter.fetch_add(1, Ordering::SeqCst);
        let answered = counter.fetch_add(1, Ordering::SeqCst);
        self.events.lock().expect("no caller panics").push(Event {
            session: usize::MAX,
            via: "clock",
            call: M::clock_moves(to),
            seen: Seen::Success {
                body: Value::Null,
                replayed: false,
            },
            called,
            answered,
            alone: true,
        });
    }

    fn judge(&self, figures: &mut Figures, wanted: bool) -> Option<String> {
        let mut events = std::mem::take(&mut *self.events.lock().expect("no caller panics"));
        let most = prepare(&mut events);
        figures.overlap(most);
        for event in events.iter().filter(|event| event.via != "clock") {
            figures.add(event);
        }
        if self.lost.load(Ordering::SeqCst) {
            figures.lost += 1;
            return None;
        }
        if !wanted {
            return None;
        }
        figures.worlds += 1;
        Some(shrink(&self.start, &events)?.print(&self.names))
    }
}

/// Makes a call and writes down what was seen.
async fn make<M: Played>(
    session: &Session,
    counter: &AtomicU64,
    world: &World<M>,
    call: M::Call,
) -> Result<()> {
    let request = world.start.request(&call);
    let called = counter.fetch_add(1, Ordering::SeqCst);
    let (via, seen) = session.send(request).await?;
    let answered = counter.fetch_add(1, Ordering::SeqCst);
    let Some(seen) = seen else {
        world.lost.store(true, Ordering::SeqCst);
        return Ok(());
    };
    if let Seen::Success { body, .. } = &seen {
        M::learns(world, &call, body);
    }
    world.events.lock().expect("no caller panics").push(Event {
        session: session.number,
        via,
        call,
        seen,
        called,
        answered,
        alone: false,
    });
    Ok(())
}

/// New signed-in users.
pub(crate) async fn new_users(db: &Client, users: &[Uuid]) -> Result<()> {
    let users = users.to_vec();
    db.execute(
        "insert into auth.users (id, aud, role, email)
         select id, 'authenticated', 'authenticated', id || '@test.example' from unnest($1::uuid[]) as id",
        &[&users],
    )
    .await?;
    Ok(())
}

/// Any of them.
pub(crate) fn pick<T: Copy>(rng: &mut StdRng, from: &[T]) -> T {
    *from.choose(rng).expect("there is something to choose from")
}

/// Without what is null: a client leaves it out.
pub(crate) fn present(arguments: Value) -> Value {
    match arguments {
        Value::Object(fields) => {
            let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(fields.collect::<Map<_, _>>())
        }
        other => other,
    }
}

/// An SQL array.
pub(crate) fn array<'a>(ids: impl Iterator<Item = &'a Uuid>) -> String {
    let ids: Vec<String> = ids.map(|id| format!("'{id}'")).collect();
    format!("array[{}]::uuid[]", ids.join(", "))
}
