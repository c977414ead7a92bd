//! Closed-loop load: so many sessions, each of which makes its next call when it has the answer to the
//! last one. All of them run in one task, so that the load costs as little of the machine as it can.

use crate::server::Database;
use anyhow::{Context as _, Result, ensure};
use futures::future::{join_all, try_join_all};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

/// How long a commit takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Commit {
    /// As this machine's disk has it.
    Fast,
    /// Two milliseconds longer, as on a disk in a network. Commits of the same moment share them.
    Slow,
}

impl Commit {
    /// Both.
    pub(crate) const ALL: [Commit; 2] = [Commit::Fast, Commit::Slow];

    /// As scenarios call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Commit::Fast => "fast commit",
            Commit::Slow => "2 ms commit",
        }
    }

    fn settings(self) -> &'static str {
        match self {
            Commit::Fast => "",
            Commit::Slow => "set commit_delay = 2000; set commit_siblings = 0;",
        }
    }
}

/// A session of one signed-in user, as the API has it during a call.
pub(crate) struct Session {
    client: Client,
    /// The process that serves it.
    process: i32,
    /// Which one of the sessions this is.
    pub(crate) number: usize,
    /// How many calls of the present sample it has begun.
    pub(crate) calls: Cell<u64>,
    random: RefCell<StdRng>,
    statements: RefCell<HashMap<&'static str, Statement>>,
}

impl Session {
    /// Opens a session for each user, with those claims.
    pub(crate) async fn open(
        database: &Database,
        users: &[Uuid],
        commit: Commit,
        claims: fn(Uuid) -> Value,
    ) -> Result<Vec<Self>> {
        let open = users.iter().enumerate().map(|(number, user)| async move {
            let client = database.connect().await?;
            client.batch_execute(commit.settings()).await?;
            let claims = claims(*user).to_string();
            client
                .execute(
                    "select set_config('request.jwt.claims', $1, false)",
                    &[&claims],
                )
                .await?;
            let process = client
                .query_one("select pg_backend_pid()", &[])
                .await?
                .get(0);
            client.batch_execute("set role authenticated").await?;
            Ok(Session {
                client,
                process,
                number,
                calls: Cell::new(0),
                random: RefCell::new(StdRng::seed_from_u64(number as u64)),
                statements: RefCell::default(),
            })
        });
        try_join_all(open).await
    }

    /// What its process has been busy for so far. The kernel counts it, to the nanosecond.
    fn busy(&self) -> Result<Duration> {
        let path = format!("/proc/{}/schedstat", self.process);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("{path}: the database has to run on this Linux machine"))?;
        let nanoseconds = text.split(' ').next().context("schedstat is empty")?;
        Ok(Duration::from_nanos(nanoseconds.parse()?))
    }

    /// How far the server has written its log, in bytes.
    async fn log_position(&self) -> Result<i64> {
        let query = "select (pg_current_wal_insert_lsn() - '0/0')::bigint";
        Ok(self.client.query_one(query, &[]).await?.try_get(0)?)
    }

    /// What rows its next call writes, and which of their columns it fills. Nothing of it stays.
    pub(crate) async fn written(&self, call: &Call) -> Result<Vec<String>> {
        let steps = call(self).context("the session has no call left")?;
        self.client.batch_execute("begin").await?;
        self.perform(&steps).await?;
        self.client.batch_execute("reset role").await?;
        let rows = self
            .client
            .query("select bench_peers.written()", &[])
            .await?;
        self.client.batch_execute("rollback").await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// A number below `bound`.
    pub(crate) fn random(&self, bound: u64) -> u64 {
        self.random.borrow_mut().random_range(0..bound)
    }

    /// The statement, prepared once.
    async fn prepared(&self, sql: &'static str) -> Result<Statement, tokio_postgres::Error> {
        let known = self.statements.borrow().get(sql).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.borrow_mut().insert(sql, statement.clone());
        Ok(statement)
    }

    async fn perform(&self, steps: &[Step]) -> Result<(), tokio_postgres::Error> {
        let mut answer: Option<String> = None;
        for step in steps {
            let arguments: Vec<&(dyn ToSql + Sync)> = step
                .arguments
                .iter()
                .map(|argument| match argument {
                    Argument::Value(value) => &**value,
                    Argument::Answer => &answer as &(dyn ToSql + Sync),
                })
                .collect();
            let statement = self.prepared(step.sql).await?;
            let row = self.client.query_one(&statement, &arguments).await?;
            if answer.is_none() {
                answer = row.try_get(0)?;
            }
        }
        Ok(())
    }
}

/// An argument of a statement.
pub(crate) enum Argument {
    Value(Box<dyn ToSql + Sync>),
    /// The text that the first statement of the call has answered.
    Answer,
}

impl Argument {
    /// A value that is known before the call.
    pub(crate) fn value(value: impl ToSql + Sync + 'static) -> Self {
        Argument::Value(Box::new(value))
    }
}

/// A statement that answers one text.
pub(crate) struct Step {
    pub(crate) sql: &'static str,
    pub(crate) arguments: Vec<Argument>,
}

/// The statements of a session's next call, in order, each a transaction of its own; none when it has
/// nothing left to do.
pub(crate) type Call = Box<dyn Fn(&Session) -> Option<Vec<Step>>>;

/// What came of a sample.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// Calls that did what they were asked to, with what follows them.
    pub(crate) done: u64,
    /// Refusals of the shop, such as nothing left.
    pub(crate) refused: u64,
    /// Calls that the client has to make again: a lock that was not to be had, a deadlock.
    pub(crate) transient: u64,
    /// The last refusal.
    refusal: String,
    elapsed: Duration,
    /// What the processes of its sessions were busy for.
    busy: Duration,
    /// What the server wrote to its log meanwhile, in bytes.
    logged: i64,
    /// Of each call that was done, in milliseconds.
    milliseconds: Vec<f64>,
}

impl Load {
    /// Calls done in a second.
    pub(crate) fn per_second(&self) -> f64 {
        self.done as f64 / self.elapsed.as_secs_f64()
    }

    /// What a call that was done cost the processors, in microseconds.
    pub(crate) fn busy_us(&self) -> f64 {
        self.busy.as_secs_f64() * 1e6 / self.done as f64
    }

    /// What a call that was done wrote to the server's log (WAL), in bytes.
    pub(crate) fn logged_bytes(&self) -> f64 {
        self.logged as f64 / self.done as f64
    }

    /// Median time of a call that was done.
    pub(crate) fn median_ms(&self) -> f64 {
        crate::stats::median(&self.milliseconds)
    }
}

/// Lets every session call until the time is over or one has nothing left to do.
pub(crate) async fn run(sessions: &[Session], call: &Call, seconds: f64) -> Result<Load> {
    for session in sessions {
        session.calls.set(0);
    }
    let over = Cell::new(false);
    let first = sessions.first().context("somebody has to call")?;
    let log_before = first.log_position().await?;
    let busy_before = busy(sessions)?;
    let start = Instant::now();
    let end = start + Duration::from_secs_f64(seconds);
    let loops = sessions.iter().map(|session| async {
        let mut load = Load::default();
        while !over.get() && Instant::now() < end {
            let Some(steps) = call(session) else {
                over.set(true);
                break;
            };
            session.calls.set(session.calls.get() + 1);
            load.count(session, &steps).await?;
        }
        anyhow::Ok(load)
    });
    let mut total = Load::default();
    for load in join_all(loops).await {
        let load = load?;
        total.done += load.done;
        total.refused += load.refused;
        total.transient += load.transient;
        total.refusal = load.refusal;
        total.milliseconds.extend(load.milliseconds);
    }
    ensure!(
        total.done > 0 || total.refused == 0,
        "nothing was measured: every call was refused, the last with {}",
        total.refusal
    );
    total.elapsed = start.elapsed();
    total.busy = busy(sessions)?.saturating_sub(busy_before);
    total.logged = first.log_position().await? - log_before;
    Ok(total)
}

fn busy(sessions: &[Session]) -> Result<Duration> {
    sessions.iter().map(Session::busy).sum()
}

impl Load {
    async fn count(&mut self, session: &Session, steps: &[Step]) -> Result<()> {
        let start = Instant::now();
        match session.perform(steps).await {
            Ok(()) => {
                self.done += 1;
                self.milliseconds
                    .push(start.elapsed().as_secs_f64() * 1000.0);
            }
            Err(error) => match error.code().map(SqlState::code) {
                Some(code) if code.starts_with("PT4") => {
                    self.refused += 1;
                    self.refusal = error
                        .as_db_error()
                        .map_or_else(String::new, |error| error.message().to_owned());
                }
                Some("55P03" | "40P01" | "40001") => self.transient += 1,
                _ => return Err(error.into()),
            },
        }
        Ok(())
    }
}
