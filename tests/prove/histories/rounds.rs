//! One round: worlds are opened, sessions work on them, and what they saw is checked.

use super::checker::prepare;
use super::clock::HeldClock;
use super::plan::{self, Allowed};
use super::requests;
use super::session::{Request, Session, Via};
use super::shrink::{named, shrink};
use super::worlds::{World, new_depot, new_shop};
use crate::areas::delivery::model::{self as depot, Depot};
use crate::areas::shop::model::Shop;
use crate::areas::shop::model::calls as shop;
use crate::harness::stack::Stack;
use crate::prove::invariants;
use crate::prove::model::{Clock, Event, Model, Moment, Seen};
use crate::prove::report::Section;
use anyhow::{Result, ensure};
use futures::future::try_join_all;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio_postgres::Client;
use uuid::Uuid;

/// How many sessions there are, and how many of them go through the edge functions and through PostgREST.
const SESSIONS: usize = 16;
const FUNCTION_SESSIONS: usize = 1;
const RPC_SESSIONS: usize = 1;

/// How many calls a session over SQL makes between two moves of the clock: so many, and so many for each
/// shop.
const CALLS: (usize, usize) = (15, 10);
/// How often calls are made and the clock then moved.
const TURNS: usize = 4;

/// How far the clock may move, in seconds: within a hold, past a hold, past a payment window and a key.
const MOVES: [Moment; 5] = [30, 400, 700, 1000, 25 * 3600];

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) operations: u64,
    by_http: u64,
    by_function: u64,
    refusals: u64,
    replays: u64,
    transient: u64,
    rounds: u64,
    worlds: u64,
    lost: u64,
    clock_moves: u64,
    most_overlap: u64,
    calls: BTreeMap<String, u64>,
}

impl Figures {
    /// Tells them in the report.
    pub(crate) fn tell(&self, section: &mut Section) {
        section.count("operations, each fitting an order", self.operations);
        section.count("of them over HTTP", self.by_http);
        section.count("of those through an edge function", self.by_function);
        section.count("refusals, each true when it was given", self.refusals);
        section.count("replays under an idempotency key", self.replays);
        section.count("transient answers (nothing happened)", self.transient);
        section.count(
            "kinds of outcome: a call and its answer",
            self.calls.len() as u64,
        );
        section.count("rounds", self.rounds);
        section.count("worlds (shops and depots) checked", self.worlds);
        section.count("moves of the clock", self.clock_moves);
        section.count(
            "operations under way at once on one world, at most",
            self.most_overlap,
        );
        if self.lost > 0 {
            section.left_out.push(format!(
                "the order of {} worlds in which an answer was lost; their invariants were checked",
                self.lost
            ));
        }
    }

    fn add<C: std::fmt::Debug>(&mut self, event: &Event<C>) {
        self.operations += 1;
        self.by_http += u64::from(event.via != "sql");
        self.by_function += u64::from(event.via == "function");
        match &event.seen {
            Seen::Refused { .. } => self.refusals += 1,
            Seen::Transient => self.transient += 1,
            Seen::Success { replayed, .. } => self.replays += u64::from(*replayed),
        }
        let call = format!("{:?}", event.call);
        let name = call.split([' ', '{']).next().unwrap_or_default();
        let outcome = match &event.seen {
            Seen::Refused { code, .. } => code,
            Seen::Transient => "(transient)",
            Seen::Success { .. } => "OK",
        };
        *self.calls.entry(format!("{name} {outcome}")).or_default() += 1;
    }
}

/// Plays rounds on one stack.
pub(crate) struct Player {
    stack: &'static Stack,
    seed: u64,
    db: Client,
    clock: Option<HeldClock>,
    sessions: Vec<Session>,
    counter: Arc<AtomicU64>,
    pub(crate) figures: Figures,
    pub(crate) left_out: Vec<String>,
}

/// The worlds of one round.
struct Worlds {
    shops: Vec<World<Shop>>,
    depot: World<Depot>,
    allowed: Allowed,
}

impl Player {
    /// Connects, and holds the clock where that is allowed.
    pub(crate) async fn new(stack: &'static Stack, seed: u64) -> Result<Self> {
        let db = stack.connect().await;
        // As the sessions: nobody waits for the disk.
        db.batch_execute("set synchronous_commit = off").await?;
        let mut left_out = Vec::new();
        let as_shipped: bool = db
            .query_one(
                "select claim_lease = interval '15 minutes' and promo_hold = interval '15 minutes'
                   and payment_window = interval '24 hours' and idempotency_key_lifetime = interval '24 hours'
                 from interlock.settings",
                &[],
            )
            .await?
            .get(0);
        ensure!(
            as_shipped,
            "the model knows the settings that Interlock is shipped with; interlock.settings has others"
        );
        let has_jobs: bool = db
            .query_one("select to_regclass('cron.job') is not null", &[])
            .await?
            .get(0);
        let clock = if stack.is_local() && !has_jobs {
            Some(HeldClock::hold(&db).await?)
        } else {
            left_out.push(
                "the ends of leases, holds, payment windows and keys: the clock is moved only on a \
                 database of this machine without pg_cron"
                    .to_owned(),
            );
            None
        };
        let mut sessions = Vec::new();
        for number in 0..SESSIONS {
            let via = match number {
                0..FUNCTION_SESSIONS => Via::Function,
                _ if number < FUNCTION_SESSIONS + RPC_SESSIONS => Via::Rpc,
                _ => Via::Sql,
            };
            sessions.push(Session::new(stack, number, via).await?);
        }
        Ok(Player {
            stack,
            seed,
            db,
            clock,
            sessions,
            counter: Arc::new(AtomicU64::new(1)),
            figures: Figures::default(),
            left_out,
        })
    }

    /// Lets the clock go on.
    pub(crate) async fn leave(self) -> Result<Figures> {
        if let Some(clock) = self.clock {
            clock.release(&self.db).await?;
        }
        Ok(self.figures)
    }

    /// Plays one round: what did not hold.
    pub(crate) async fn round(&mut self, number: u64) -> Result<Vec<String>> {
        let mut rng = StdRng::seed_from_u64(self.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut now: Moment = 3600;
        if let Some(clock) = &self.clock {
            clock.set(&self.db, now).await?;
        }
        let worlds = Arc::new(self.open(&mut rng, now).await?);
        for turn in 0..TURNS {
            if turn > 0
                && let Some(clock) = &self.clock
            {
                now += MOVES[rng.random_range(0..MOVES.len())];
                clock.set(&self.db, now).await?;
                self.clock_moved(&worlds, now);
            }
            self.turn(&worlds, &mut rng).await?;
        }
        let last = &self.sessions[SESSIONS - 1];
        for shop in &worlds.shops {
            make(last, &self.counter, shop, shop::Call::Look).await?;
        }
        make(last, &self.counter, &worlds.depot, depot::Call::Look).await?;

        self.figures.rounds += 1;
        let mut failures = Vec::new();
        for shop in &worlds.shops {
            failures.extend(self.check(shop, number, failures.is_empty()));
        }
        failures.extend(self.check(&worlds.depot, number, failures.is_empty()));
        failures.extend(self.broken_invariants(&worlds).await?);
        self.close(&worlds).await?;
        Ok(failures)
    }

    async fn open(&mut self, rng: &mut StdRng, now: Moment) -> Result<Worlds> {
        let clock = Clock {
            now,
            exact: self.clock.is_some(),
        };
        // Either one crowded shop, or several in which less happens at once.
        let count = *[1, 1, 3, 5].get(rng.random_range(0..4)).unwrap_or(&1);
        let others: i64 = self
            .db
            .query_one(
                "select count(*) from interlock.batches where status = 'available'",
                &[],
            )
            .await?
            .get(0);
        let mut shops = Vec::new();
        for _ in 0..count {
            shops.push(new_shop(&self.db, rng, clock).await?);
        }
        let depot = new_depot(&self.db, rng, clock).await?;
        let users = shops.iter().flat_map(|shop| &shop.start.terms.buyers);
        let users = users.chain(depot.start.drivers.keys());
        let tokens: BTreeMap<_, _> = users
            .map(|user| (*user, self.stack.user_token(*user)))
            .collect();
        let tokens = Arc::new(tokens);
        for session in &mut self.sessions {
            session.knows(&tokens);
        }
        let allowed = Allowed {
            for_all_shops: count == 1 && clock.exact,
            next_batch: others == 0 && clock.exact,
        };
        Ok(Worlds {
            shops,
            depot,
            allowed,
        })
    }

    /// Every session makes its calls; those over HTTP as many as they can meanwhile.
    async fn turn(&mut self, worlds: &Arc<Worlds>, rng: &mut StdRng) -> Result<()> {
        let busy = Arc::new(AtomicU64::new(0));
        let sql = self
            .sessions
            .iter()
            .filter(|session| session.via == Via::Sql)
            .count();
        busy.store(u64::try_from(sql)?, Ordering::SeqCst);
        let calls = CALLS.0 + CALLS.1 * worlds.shops.len();
        let tasks = self.sessions.drain(..).map(|session| {
            let (worlds, counter) = (Arc::clone(worlds), Arc::clone(&self.counter));
            let (busy, mut rng) = (Arc::clone(&busy), StdRng::seed_from_u64(rng.random()));
            tokio::spawn(async move {
                for made in 0.. {
                    let enough = match session.via {
                        Via::Sql => made >= calls,
                        Via::Rpc | Via::Function => busy.load(Ordering::SeqCst) == 0,
                    };
                    if enough {
                        break;
                    }
                    one_call(&session, &counter, &worlds, &mut rng).await?;
                }
                if session.via == Via::Sql {
                    busy.fetch_sub(1, Ordering::SeqCst);
                }
                Ok::<_, anyhow::Error>(session)
            })
        });
        let sessions = try_join_all(tasks.collect::<Vec<_>>()).await?;
        self.sessions = sessions.into_iter().collect::<Result<_>>()?;
        Ok(())
    }

    fn clock_moved(&mut self, worlds: &Worlds, to: Moment) {
        self.figures.clock_moves += 1;
        for shop in &worlds.shops {
            self.note(shop, shop::Call::ClockMoves { to });
        }
        self.note(&worlds.depot, depot::Call::ClockMoves { to });
    }

    /// An event of nobody's, with nothing else under way.
    fn note<M: Model>(&self, world: &World<M>, call: M::Call) {
        let called = self.counter.fetch_add(1, Ordering::SeqCst);
        let answered = self.counter.fetch_add(1, Ordering::SeqCst);
        world.events.lock().expect("no caller panics").push(Event {
            session: SESSIONS,
            via: "clock",
            call,
            seen: Seen::Success {
                body: serde_json::Value::Null,
                replayed: false,
            },
            called,
            answered,
            alone: true,
        });
    }

    /// Counts the history of a world and, if that is wanted, looks whether it fits an order. One failure
    /// of a round is enough: to make it small takes a while.
    fn check<M: Model>(&mut self, world: &World<M>, round: u64, wanted: bool) -> Option<String> {
        let mut events = std::mem::take(&mut *world.events.lock().expect("no caller panics"));
        let most = prepare(&mut events);
        self.figures.most_overlap = self
            .figures
            .most_overlap
            .max(u64::try_from(most).unwrap_or(0));
        for event in events.iter().filter(|event| event.via != "clock") {
            self.figures.add(event);
        }
        if world.lost.load(Ordering::SeqCst) {
            self.figures.lost += 1;
            return None;
        }
        if !wanted {
            return None;
        }
        self.figures.worlds += 1;
        let shrunk = shrink(&world.start, &events)?;
        let timeline = shrunk.print(&world.names);
        Some(format!(
            "no order explains what was seen (seed {}, round {round}):\n{timeline}",
            self.seed
        ))
    }

    async fn broken_invariants(&self, worlds: &Worlds) -> Result<Vec<String>> {
        let broken = invariants::broken(&self.db, Some(&worlds.ids())).await?;
        let names: BTreeMap<_, _> = worlds
            .shops
            .iter()
            .flat_map(|shop| shop.names.clone())
            .collect();
        Ok(broken.into_iter().map(|rule| named(rule, &names)).collect())
    }

    /// Leaves nothing behind that could fall due in a later round.
    async fn close(&self, worlds: &Worlds) -> Result<()> {
        let ids = worlds.ids();
        self.db
            .execute(
                "update interlock.batches set status = 'cancelled'
                 where id = any ($1) and status in ('available', 'claimed', 'in_progress')",
                &[&ids],
            )
            .await?;
        self.db
            .execute(
                "update interlock.orders set status = 'cancelled'
                 where user_id = any ($1) and status = 'pending_payment'",
                &[&ids],
            )
            .await?;
        self.db
            .execute(
                "select interlock.end_promo_uses(array(
                   select id from interlock.promo_redemptions where promo_id = any ($1) and status = 'held'
                 ), 'held', 'released')",
                &[&ids],
            )
            .await?;
        Ok(())
    }
}

impl Worlds {
    /// Products, users, batches and promo codes.
    fn ids(&self) -> Vec<Uuid> {
        let shops = self.shops.iter().flat_map(|shop| shop.names.keys());
        shops.chain(self.depot.names.keys()).copied().collect()
    }
}

/// One call on any of the worlds.
async fn one_call(
    session: &Session,
    counter: &AtomicU64,
    worlds: &Worlds,
    rng: &mut StdRng,
) -> Result<()> {
    if rng.random_ratio(3, 4) {
        let shop = &worlds.shops[rng.random_range(0..worlds.shops.len())];
        let call = plan::in_shop(rng, shop, worlds.allowed);
        make(session, counter, shop, call).await
    } else {
        let call = plan::in_depot(rng, &worlds.depot, worlds.allowed);
        make(session, counter, &worlds.depot, call).await
    }
}

/// A world that calls can be sent to.
trait Sends: Model {
    fn request(&self, call: &Self::Call) -> Request;
    /// What a caller learns from an answer.
    fn learns(_world: &World<Self>, _call: &Self::Call, _body: &serde_json::Value) {}
}

impl Sends for Shop {
    fn request(&self, call: &shop::Call) -> Request {
        requests::of_shop(call, self)
    }

    fn learns(world: &World<Self>, call: &shop::Call, body: &serde_json::Value) {
        if let shop::Call::Checkout { buyer, .. } = call
            && let Some(id) = body["order"]["id"].as_str().and_then(|id| id.parse().ok())
        {
            let mut known = world.known.lock().expect("no caller panics");
            known.orders.push((id, *buyer));
        }
    }
}

impl Sends for Depot {
    fn request(&self, call: &depot::Call) -> Request {
        requests::of_depot(call, self)
    }
}

/// Makes a call and writes down what was seen.
async fn make<M: Sends>(
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
