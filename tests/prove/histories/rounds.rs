//! One round: worlds are opened, sessions work on them, and what they saw is checked.

use super::clock::HeldClock;
use super::route::{Route, bring_accounts};
use super::session::{Session, Via};
use super::shrink::named;
use super::world::{AnyWorld, Kind};
use crate::areas::AREAS;
use crate::harness::stack::Stack;
use crate::prove::invariants;
use crate::prove::model::{Clock, Event, Moment, Seen};
use crate::prove::report::Section;
use anyhow::{Result, ensure};
use futures::TryFutureExt as _;
use futures::future::{try_join, try_join_all};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
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
/// world but one.
const CALLS: (usize, usize) = (15, 10);
/// How often calls are made and the clock then moved.
const TURNS: usize = 4;

/// How far the clock may move, in seconds: within a hold, past a hold, past the time of a payment by card, past a payment
/// window and a key.
const MOVES: [Moment; 6] = [30, 400, 700, 1000, 2000, 25 * 3600];

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
    pub(super) worlds: u64,
    pub(super) lost: u64,
    clock_moves: u64,
    shop_moves: u64,
    longest_move: u64,
    most_overlap: u64,
    calls: BTreeMap<String, u64>,
}

impl Figures {
    /// Tells them in the report.
    pub(crate) fn tell(&self, section: &mut Section) {
        section.count("operations, each fitting an order", self.operations);
        if self.by_http > 0 {
            section.count("of them over HTTP", self.by_http);
            section.count("of those through an edge function", self.by_function);
        }
        section.count("refusals, each true when it was given", self.refusals);
        section.count("replays under an idempotency key", self.replays);
        section.count("transient answers (nothing happened)", self.transient);
        section.count(
            "kinds of outcome: a call and its answer",
            self.calls.len() as u64,
        );
        section.count("rounds", self.rounds);
        section.count(
            "worlds (shops, depots, packing tables) checked",
            self.worlds,
        );
        section.count("moves of the clock", self.clock_moves);
        if self.shop_moves > 0 {
            section.count("moves of their shop to another database", self.shop_moves);
            section.count("ms that it was refused at most", self.longest_move);
        }
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

    /// How many calls were under way at once on one world.
    pub(super) fn overlap(&mut self, most: usize) {
        self.most_overlap = self.most_overlap.max(u64::try_from(most).unwrap_or(0));
    }

    pub(super) fn add<C: std::fmt::Debug>(&mut self, event: &Event<C>) {
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
    route: Option<Arc<Route>>,
    seed: u64,
    /// One for each place that the shop may be at.
    dbs: Vec<Client>,
    /// One for each, or none if the clock goes on.
    clocks: Vec<HeldClock>,
    sessions: Vec<Session>,
    counter: Arc<AtomicU64>,
    pub(crate) figures: Figures,
    pub(crate) left_out: Vec<String>,
}

/// The worlds of one round.
struct Worlds(Vec<Group>);

/// Those of one kind.
struct Group {
    kind: &'static Kind,
    worlds: Vec<Box<dyn AnyWorld>>,
    /// Whether its calls may reach everything of their kind in the database.
    everything: bool,
}

impl Player {
    /// Connects, and holds the clock where that is allowed.
    pub(crate) async fn new(stack: &'static Stack, seed: u64) -> Result<Self> {
        let db = stack.connect().await;
        settings_are_as_shipped(&db).await?;
        let mut left_out = Vec::new();
        let has_jobs: bool = db
            .query_one("select to_regclass('cron.job') is not null", &[])
            .await?
            .get(0);
        let mut clocks = Vec::new();
        if stack.is_local() && !has_jobs {
            clocks.push(HeldClock::hold(&db).await?);
        } else {
            left_out.push(
                "the ends of leases, holds, payment windows and keys: the clock is moved only on a \
                 database of this machine without pg_cron"
                    .to_owned(),
            );
        }
        let mut sessions = Vec::new();
        for number in 0..SESSIONS {
            let via = match number {
                0..FUNCTION_SESSIONS => Via::Function,
                _ if number < FUNCTION_SESSIONS + RPC_SESSIONS => Via::Rpc,
                _ => Via::Sql,
            };
            sessions.push(Session::new(stack, number, via).await?);
        }
        let player = Self::of(stack, None, seed, vec![db], clocks, sessions).await?;
        Ok(Player { left_out, ..player })
    }

    /// The same in a shop that is moved in each turn, with the clock held at both of its places.
    pub(crate) async fn routed(
        stack: &'static Stack,
        route: Arc<Route>,
        seed: u64,
    ) -> Result<Self> {
        let dbs = vec![route.connect(0).await?, route.connect(1).await?];
        settings_are_as_shipped(&dbs[0]).await?;
        let mut clocks = Vec::new();
        for db in &dbs {
            clocks.push(HeldClock::hold(db).await?);
        }
        let mut sessions = Vec::new();
        for number in 0..SESSIONS {
            sessions.push(Session::routed(stack, &route, number).await?);
        }
        Self::of(stack, Some(route), seed, dbs, clocks, sessions).await
    }

    async fn of(
        stack: &'static Stack,
        route: Option<Arc<Route>>,
        seed: u64,
        dbs: Vec<Client>,
        clocks: Vec<HeldClock>,
        sessions: Vec<Session>,
    ) -> Result<Self> {
        for db in &dbs {
            // As the sessions: nobody waits for the disk.
            db.batch_execute("set synchronous_commit = off").await?;
        }
        Ok(Player {
            stack,
            route,
            seed,
            dbs,
            clocks,
            sessions,
            counter: Arc::new(AtomicU64::new(1)),
            figures: Figures::default(),
            left_out: Vec::new(),
        })
    }

    /// Where the shop is.
    fn place(&self) -> usize {
        let arrivals = self.route.as_ref().map(|route| route.arrivals());
        arrivals.map_or(0, Route::place)
    }

    fn db(&self) -> &Client {
        &self.dbs[self.place()]
    }

    /// Lets the clock go on.
    pub(crate) async fn leave(self) -> Result<Figures> {
        for (clock, db) in self.clocks.into_iter().zip(&self.dbs) {
            clock.release(db).await?;
        }
        Ok(self.figures)
    }

    /// Plays one round: what did not hold.
    pub(crate) async fn round(&mut self, number: u64) -> Result<Vec<String>> {
        let mut rng = StdRng::seed_from_u64(self.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut now: Moment = 3600;
        self.set_clock(now).await?;
        let worlds = Arc::new(self.open(&mut rng, now).await?);
        for turn in 0..TURNS {
            if turn > 0 && !self.clocks.is_empty() {
                now += MOVES[rng.random_range(0..MOVES.len())];
                self.set_clock(now).await?;
                self.clock_moved(&worlds, now);
            }
            self.turn(&worlds, &mut rng).await?;
        }
        let last = &self.sessions[SESSIONS - 1];
        for world in worlds.all() {
            world.look(last, &self.counter).await?;
        }

        self.figures.rounds += 1;
        let mut failures = Vec::new();
        for world in worlds.all() {
            // One failure of a round is enough: to make it small takes a while.
            let timeline = world.judge(&mut self.figures, failures.is_empty());
            failures.extend(timeline.map(|timeline| {
                format!(
                    "no order explains what was seen (seed {}, round {number}):\n{timeline}",
                    self.seed
                )
            }));
        }
        failures.extend(self.broken_invariants(&worlds).await?);
        self.close(&worlds).await?;
        Ok(failures)
    }

    async fn open(&mut self, rng: &mut StdRng, now: Moment) -> Result<Worlds> {
        let clock = Clock {
            now,
            exact: !self.clocks.is_empty(),
        };
        let mut groups = Vec::new();
        for kind in AREAS.iter().filter_map(|area| area.histories) {
            let count = kind.counts[rng.random_range(0..kind.counts.len())];
            let others: bool = self.db().query_one(kind.others, &[]).await?.get(0);
            let mut worlds = Vec::new();
            for _ in 0..count {
                worlds.push((kind.open)(self.db(), rng, clock).await?);
            }
            groups.push(Group {
                kind,
                worlds,
                everything: count == 1 && !others && clock.exact,
            });
        }
        let worlds = Worlds(groups);
        let mut callers = BTreeMap::new();
        for (user, mut claims) in worlds.all().flat_map(|world| world.callers()) {
            if let Some(route) = &self.route {
                route.bind(&mut claims);
            }
            callers.insert(user, (self.stack.token(&claims), claims));
        }
        if self.route.is_some() {
            let (from, to) = (self.db(), &self.dbs[1 - self.place()]);
            bring_accounts(from, to).await?;
        }
        let callers = Arc::new(callers);
        for session in &mut self.sessions {
            session.knows(&callers);
        }
        Ok(worlds)
    }

    /// Every session makes its calls; those over HTTP as many as they can meanwhile. Where the shop is moved, as many as they can until it has
    /// arrived, and then half of them.
    async fn turn(&mut self, worlds: &Arc<Worlds>, rng: &mut StdRng) -> Result<()> {
        let busy = Arc::new(AtomicU64::new(0));
        let sql = self
            .sessions
            .iter()
            .filter(|session| session.via == Via::Sql)
            .count();
        busy.store(u64::try_from(sql)?, Ordering::SeqCst);
        let calls = CALLS.0 + CALLS.1 * (worlds.all().count() - 1);
        let tasks = self.sessions.drain(..).map(|session| {
            let (worlds, counter) = (Arc::clone(worlds), Arc::clone(&self.counter));
            let (busy, mut rng) = (Arc::clone(&busy), StdRng::seed_from_u64(rng.random()));
            let route = self.route.clone();
            let arrivals = route.as_ref().map(|route| route.arrivals());
            let mut left = if route.is_some() { calls / 2 } else { calls };
            tokio::spawn(async move {
                loop {
                    let enough = match session.via {
                        Via::Sql => left == 0,
                        Via::Rpc | Via::Function => busy.load(Ordering::SeqCst) == 0,
                    };
                    if enough {
                        break;
                    }
                    one_call(&session, &counter, &worlds, &mut rng).await?;
                    let has_arrived = route.as_ref().map(|route| route.arrivals()) != arrivals;
                    if has_arrived || route.is_none() {
                        left = left.saturating_sub(1);
                    }
                }
                if session.via == Via::Sql {
                    busy.fetch_sub(1, Ordering::SeqCst);
                }
                Ok::<_, anyhow::Error>(session)
            })
        });
        let worked = try_join_all(tasks.collect::<Vec<_>>());
        let sessions = match &self.route {
            None => worked.await?,
            Some(route) => {
                let (sessions, refused) = try_join(worked.map_err(Into::into), route.go()).await?;
                route.forget().await?;
                self.figures.shop_moves += 1;
                self.figures.longest_move = self.figures.longest_move.max(refused);
                sessions
            }
        };
        self.sessions = sessions.into_iter().collect::<Result<_>>()?;
        Ok(())
    }

    async fn set_clock(&self, to: Moment) -> Result<()> {
        for (clock, db) in self.clocks.iter().zip(&self.dbs) {
            clock.set(db, to).await?;
        }
        Ok(())
    }

    fn clock_moved(&mut self, worlds: &Worlds, to: Moment) {
        self.figures.clock_moves += 1;
        for world in worlds.all() {
            world.clock_moved(&self.counter, to);
        }
    }

    async fn broken_invariants(&self, worlds: &Worlds) -> Result<Vec<String>> {
        let broken = invariants::broken(self.db(), Some(&worlds.ids())).await?;
        let names: BTreeMap<_, _> = worlds
            .all()
            .flat_map(|world| world.names().clone())
            .collect();
        Ok(broken.into_iter().map(|rule| named(rule, &names)).collect())
    }

    /// Leaves nothing behind that could fall due in a later round.
    async fn close(&self, worlds: &Worlds) -> Result<()> {
        let ids = worlds.ids();
        for statement in worlds.0.iter().flat_map(|group| group.kind.close) {
            self.db().execute(*statement, &[&ids]).await?;
        }
        Ok(())
    }
}

impl Worlds {
    fn all(&self) -> impl Iterator<Item = &dyn AnyWorld> {
        let all = self.0.iter().flat_map(|group| &group.worlds);
        all.map(|world| &**world)
    }

    /// The ids of all their rows that have names.
    fn ids(&self) -> Vec<Uuid> {
        self.all()
            .flat_map(|world| world.names().keys())
            .copied()
            .collect()
    }
}

/// The model knows no others.
async fn settings_are_as_shipped(db: &Client) -> Result<()> {
    let as_shipped: bool = db
        .query_one(
            "select claim_lease = interval '15 minutes' and started_lease = interval '4 hours' and pick_lease = interval '30 minutes' and promo_hold = interval '15 minutes'
               and payment_window = interval '24 hours' and confirmation_window = interval '7 days'
               and max_open_orders_per_customer = 5 and max_open_units_per_customer = 100 and review_window = interval '7 days' and idempotency_key_lifetime = interval '24 hours'
               and keep_stock_movements is null and points_authority = 'shop' and tier_basis = 'points'
               and not exists (select from interlock.tiers where earns_percent <> 100 or threshold < 10000)
             from interlock.settings s
             -- Whoever connects here reads all rows, those of other shops, too.
             where coalesce((to_jsonb(s) ->> 'shop_id')::int, 1) = interlock.shop_id()",
            &[],
        )
        .await?
        .get(0);
    ensure!(
        as_shipped,
        "the model knows the settings that Interlock is shipped with; interlock.settings has others"
    );
    Ok(())
}

/// One call on any of the worlds.
async fn one_call(
    session: &Session,
    counter: &AtomicU64,
    worlds: &Worlds,
    rng: &mut StdRng,
) -> Result<()> {
    let group = worlds.0.choose_weighted(rng, |group| group.kind.weight)?;
    let world = &group.worlds[rng.random_range(0..group.worlds.len())];
    world.call(session, counter, rng, group.everything).await
}
