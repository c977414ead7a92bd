//! Drives two sessions through one schedule.
//!
//! A third session, the control, holds the lock of the breakpoint at which a session is to stop. Each
//! moment a session is one of: not begun, stopped (it waits for the control), waiting (for the other
//! session), answered, done. Which of them, only Postgres says: no passing of time means anything here.

use super::plan::{ANSWERED, Fault, Plan, Point, Victim, Who};
use crate::harness::stack::Stack;
use anyhow::{Context as _, Result, bail, ensure};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::{Client, Error, SimpleQueryMessage, Statement};

/// The class of the advisory locks of the first session; the others follow.
const FIRST_CLASS: i32 = 0x1c_0000;

/// How soon Postgres is asked again whether a session has come to a breakpoint or waits.
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// What came of a call.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// What it answered, or null.
    Success(serde_json::Value),
    /// SQLSTATE, message, detail.
    Refusal(String, String, String),
    /// It was killed, rolled back, or did not take part: it must not have happened.
    None,
}

/// What a schedule has shown.
#[derive(Debug)]
pub(super) struct Played {
    /// What A and B were answered.
    pub(super) answers: [Answer; 2],
    /// The steps, by name and in order.
    pub(super) trace: String,
    /// Where the turn could have been taken away, after the last time it was.
    pub(super) points: Vec<Point>,
    /// How often a session had to wait for the other.
    pub(super) waits: u64,
    /// When the turn came back to the one that lost it last, the other one was waiting.
    pub(super) other_waited: bool,
    /// The fault has happened.
    pub(super) faulted: bool,
}

/// What to call, by A and by B.
pub(super) struct Calls {
    /// Statements that begin a transaction and make the call; the last row is the answer.
    pub(super) sql: [String; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Fresh,
    Stopped,
    Waiting,
    Answered,
    Done,
}

type Messages = Result<Vec<SimpleQueryMessage>, Error>;

struct Session {
    client: Arc<Client>,
    pid: i32,
    class: i32,
    places: Arc<Mutex<Vec<String>>>,
    state: State,
    /// How many breakpoints it has come to.
    step: i32,
    /// The breakpoint at which it is to stop.
    stop: Option<i32>,
    call: Option<JoinHandle<Messages>>,
    answer: Answer,
}

/// Two sessions and their control.
pub(super) struct Conductor {
    stack: &'static Stack,
    /// For fixtures and looks, too.
    pub(super) control: Client,
    pid: i32,
    look: Statement,
    /// Some call is over.
    call_over: Arc<Notify>,
    sessions: [Session; 2],
}

impl Conductor {
    /// Opens the sessions of a worker.
    pub(super) async fn new(stack: &'static Stack, worker: i32, stepwise: bool) -> Result<Self> {
        let control = stack.connect().await;
        control.batch_execute(QUIET).await?;
        let class = FIRST_CLASS + 2 * worker;
        let mut look =
            "select pg_blocking_pids($1), pg_blocking_pids($2), 0::bigint, 0::bigint".to_owned();
        if stepwise {
            for class in [class, class + 1] {
                control
                    .batch_execute(&format!(
                        "create sequence if not exists prove.steps_{class} minvalue 0"
                    ))
                    .await?;
            }
            look = format!(
                "select pg_blocking_pids($1), pg_blocking_pids($2), a.last_value, b.last_value
                 from prove.steps_{class} a, prove.steps_{} b",
                class + 1
            );
        }
        let look = control.prepare(&look).await?;
        Ok(Conductor {
            stack,
            pid: backend(&control).await?,
            control,
            look,
            call_over: Arc::new(Notify::new()),
            sessions: [
                Session::open(stack, class).await?,
                Session::open(stack, class + 1).await?,
            ],
        })
    }

    /// What has to precede the rows of a schedule in one round trip.
    pub(super) fn reset(&self, stepwise: bool) -> String {
        let mut sql = "select pg_advisory_unlock_all();".to_owned();
        if stepwise {
            for session in &self.sessions {
                sql.push_str(&format!(
                    "select setval('prove.steps_{}', 0);",
                    session.class
                ));
            }
        }
        sql
    }

    /// Plays a schedule on rows that are ready.
    pub(super) async fn play(&mut self, calls: &Calls, plan: &Plan) -> Result<Played> {
        for session in &mut self.sessions {
            session.prepare().await?;
        }
        let names = [Who::A, Who::B].map(|who| Arc::clone(&self.of(who).places));
        let mut play = Play::new(plan);
        for who in Who::BOTH {
            if plan.alone.is_some_and(|only| only != Some(who)) {
                self.of_mut(who).state = State::Done;
            }
        }
        loop {
            let turn = play.turn;
            let other = turn.other();
            match self.of(turn).state {
                State::Done if self.of(other).state == State::Done => break,
                State::Done | State::Waiting => {
                    play.turn = other;
                    ensure!(
                        self.of(other).state != State::Waiting,
                        "both wait, and Postgres does not say for whom"
                    );
                    continue;
                }
                State::Fresh | State::Stopped | State::Answered => {}
            }
            if play.comes_back() {
                play.other_waited = self.of(other).state == State::Waiting;
                if let Some((victim, fault)) = play.fault.take() {
                    let victim = match victim {
                        Victim::Preempted => turn,
                        Victim::Waiting => other,
                    };
                    if victim == turn || play.other_waited {
                        self.strike(victim, fault, &mut play).await?;
                        continue;
                    }
                }
            }
            let stop = play.next_stop();
            if self.of(turn).state == State::Answered {
                if stop == Some(ANSWERED) {
                    play.lose_turn();
                } else {
                    play.note(&format!("{turn}.commit"));
                    let ended = self.of(turn).client.batch_execute("commit").await;
                    ended.context("a commit failed")?;
                    self.of_mut(turn).state = State::Done;
                    self.settle(&mut play).await?;
                }
                continue;
            }
            if self.of(turn).state == State::Stopped && stop == Some(self.of(turn).step) {
                play.lose_turn();
                continue;
            }
            let from = self.of(turn).step;
            let can_switch = matches!(
                self.of(other).state,
                State::Fresh | State::Stopped | State::Answered
            );
            self.go(
                turn,
                stop.filter(|step| *step != ANSWERED),
                &calls.sql[turn.index()],
            )
            .await?;
            self.settle(&mut play).await?;
            let now = self.of(turn);
            if now.state == State::Stopped && stop == Some(now.step) {
                play.lose_turn();
            } else if can_switch && play.all_taken() {
                let to = now.step;
                play.points
                    .extend((from + 1..=to).map(|step| Point { who: turn, step }));
                if now.state == State::Answered {
                    play.points.push(Point {
                        who: turn,
                        step: ANSWERED,
                    });
                }
            }
        }
        Ok(Played {
            answers: [Who::A, Who::B].map(|who| self.of(who).answer.clone()),
            trace: play.render(&names),
            points: play.points,
            waits: play.waits,
            other_waited: play.other_waited,
            faulted: plan.fault.is_some() && play.fault.is_none() && play.struck,
        })
    }

    fn of(&self, who: Who) -> &Session {
        &self.sessions[who.index()]
    }

    fn of_mut(&mut self, who: Who) -> &mut Session {
        &mut self.sessions[who.index()]
    }

    /// Lets a session go on to a breakpoint, or to the end of its call.
    async fn go(&mut self, who: Who, stop: Option<i32>, sql: &str) -> Result<()> {
        let session = &mut self.sessions[who.index()];
        let mut change = String::new();
        if stop != session.stop {
            for (verb, step) in [("lock", stop), ("unlock", session.stop)] {
                if let Some(step) = step {
                    let class = session.class;
                    change.push_str(&format!("select pg_advisory_{verb}({class}, {step});"));
                }
            }
            session.stop = stop;
        }
        if !change.is_empty() {
            self.control.batch_execute(&change).await?;
        }
        if session.state == State::Fresh {
            let (client, sql) = (Arc::clone(&session.client), sql.to_owned());
            let over = Arc::clone(&self.call_over);
            session.call = Some(tokio::spawn(async move {
                let answer = client.simple_query(&sql).await;
                over.notify_one();
                answer
            }));
        }
        Ok(())
    }

    /// Asks Postgres until each session has stopped, waits for the other, or has finished its call.
    async fn settle(&mut self, play: &mut Play<'_>) -> Result<()> {
        loop {
            for who in Who::BOTH {
                self.finish_call(who, play).await?;
            }
            if self.sessions.iter().all(|session| session.call.is_none()) {
                return Ok(());
            }
            // Only so that the looks leave some of the processor to what they look at.
            let over = timeout(BETWEEN_LOOKS, self.call_over.notified()).await;
            if over.is_ok() {
                continue;
            }
            let pids = [self.sessions[0].pid, self.sessions[1].pid];
            let row = self
                .control
                .query_one(&self.look, &[&pids[0], &pids[1]])
                .await?;
            let mut running = false;
            for who in Who::BOTH {
                let blockers: Vec<i32> = row.get(who.index());
                let step: i64 = row.get(2 + who.index());
                let by_control = blockers.contains(&self.pid);
                let by_other = blockers.contains(&pids[who.other().index()]);
                let session = self.of_mut(who);
                if session.call.is_none() {
                    continue;
                }
                session.step = i32::try_from(step)?;
                if by_control {
                    session.state = State::Stopped;
                    play.tell(who, session.step - 1);
                } else if by_other {
                    play.tell(who, session.step);
                    if session.state != State::Waiting {
                        session.state = State::Waiting;
                        play.waits += 1;
                        play.note(&format!("(waits for {})", who.other()));
                    }
                } else {
                    running = true;
                }
            }
            // If both wait for each other, Postgres ends that within a second.
            let deadlock = self
                .sessions
                .iter()
                .all(|session| session.state == State::Waiting);
            if !running && !deadlock {
                return Ok(());
            }
        }
    }

    /// Takes the answer of a call that is over. After an error the transaction is, too.
    async fn finish_call(&mut self, who: Who, play: &mut Play<'_>) -> Result<()> {
        let session = self.of_mut(who);
        if !session.call.as_ref().is_some_and(JoinHandle::is_finished) {
            return Ok(());
        }
        let call = session.call.take().expect("it was there just now");
        match call.await.context("a call panicked")? {
            Ok(messages) => {
                session.answer = Answer::Success(last_value(&messages));
                session.state = State::Answered;
                session.step = session.steps_told();
                play.tell(who, session.step);
            }
            Err(error) => {
                let Some(refused) = error.as_db_error().filter(|_| !error.is_closed()) else {
                    bail!("a session broke off: {error}");
                };
                session.answer = Answer::Refusal(
                    refused.code().code().to_owned(),
                    refused.message().to_owned(),
                    refused.detail().unwrap_or_default().to_owned(),
                );
                session.state = State::Done;
                session.step = session.steps_told();
                play.tell(who, session.step);
                // Messages of the database itself are long and name ids.
                let state = refused.code().code();
                let name = if state.starts_with("PT") {
                    refused.message()
                } else {
                    state
                };
                play.note(&format!("{who}({name})"));
                session.client.batch_execute("rollback").await?;
            }
        }
        Ok(())
    }

    /// Kills a session or rolls it back, wherever it is.
    async fn strike(&mut self, who: Who, fault: Fault, play: &mut Play<'_>) -> Result<()> {
        let pid = self.of(who).pid;
        let call = self.of_mut(who).call.take();
        match fault {
            Fault::Kill => {
                play.note(&format!("{who}.killed"));
                self.control
                    .query_one("select pg_terminate_backend($1)", &[&pid])
                    .await?;
                // The backend goes when its transaction has.
                while self
                    .control
                    .query_one(
                        "select exists (select from pg_stat_activity where pid = $1)",
                        &[&pid],
                    )
                    .await?
                    .get(0)
                {
                    tokio::task::yield_now().await;
                }
                let class = self.of(who).class;
                *self.of_mut(who) = Session::open(self.stack, class).await?;
            }
            Fault::Rollback => {
                play.note(&format!("{who}.rollback"));
                if call.is_some() {
                    self.control
                        .query_one("select pg_cancel_backend($1)", &[&pid])
                        .await?;
                }
                // Comes after the end of the call, because the session does one thing after the other.
                self.of(who).client.batch_execute("rollback").await?;
            }
        }
        if let Some(call) = call {
            let _ = call.await;
        }
        let session = self.of_mut(who);
        session.state = State::Done;
        session.answer = Answer::None;
        play.struck = true;
        self.settle(play).await
    }
}

/// A commit of the tests need not reach the disk, and a notice of the stack's own is not ours.
const QUIET: &str = "set synchronous_commit = off";

async fn backend(client: &Client) -> Result<i32> {
    Ok(client
        .query_one("select pg_backend_pid()", &[])
        .await?
        .get(0))
}

impl Session {
    async fn open(stack: &'static Stack, class: i32) -> Result<Self> {
        let places = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&places);
        let client = stack
            .connect_hearing(move |notice| {
                heard
                    .lock()
                    .expect("nobody panics with the names")
                    .push(notice.message().to_owned());
            })
            .await;
        client
            .batch_execute(&format!("{QUIET}; set prove.session = '{class}'"))
            .await?;
        Ok(Session {
            pid: backend(&client).await?,
            client: Arc::new(client),
            class,
            places,
            state: State::Fresh,
            step: 0,
            stop: None,
            call: None,
            answer: Answer::None,
        })
    }

    async fn prepare(&mut self) -> Result<()> {
        ensure!(
            self.call.is_none(),
            "a call is left from the schedule before"
        );
        self.places
            .lock()
            .expect("nobody panics with the names")
            .clear();
        self.state = State::Fresh;
        self.step = 0;
        self.stop = None;
        self.answer = Answer::None;
        Ok(())
    }

    /// How many breakpoints it has told of; complete once its call is over.
    fn steps_told(&self) -> i32 {
        let places = self.places.lock().expect("nobody panics with the names");
        i32::try_from(places.len()).unwrap_or(i32::MAX - 1)
    }
}

/// The first column of the last row as JSON; null if there is none.
fn last_value(messages: &[SimpleQueryMessage]) -> serde_json::Value {
    let row = messages.iter().rev().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let text = row.and_then(|row| row.get(0)).unwrap_or("null");
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

/// Where a schedule stands.
struct Play<'a> {
    plan: &'a Plan,
    turn: Who,
    /// How often the turn was taken away.
    taken: usize,
    fault: Option<(Victim, Fault)>,
    struck: bool,
    trace: Vec<Told>,
    /// The step that is told next, of A and B.
    untold: [i32; 2],
    points: Vec<Point>,
    waits: u64,
    other_waited: bool,
}

/// What a trace is made of.
enum Told {
    /// What a session did after this breakpoint; 0 is what it did before the first.
    Step(Who, i32),
    Note(String),
}

impl<'a> Play<'a> {
    fn new(plan: &'a Plan) -> Self {
        Play {
            plan,
            turn: plan.first,
            taken: 0,
            fault: plan.fault,
            struck: false,
            trace: Vec::new(),
            untold: [0, 0],
            points: Vec::new(),
            waits: 0,
            other_waited: false,
        }
    }

    fn note(&mut self, text: &str) {
        self.trace.push(Told::Note(text.to_owned()));
    }

    /// Tells what a session has done since it was last told of.
    fn tell(&mut self, who: Who, until: i32) {
        let untold = &mut self.untold[who.index()];
        self.trace
            .extend((*untold..=until).map(|step| Told::Step(who, step)));
        *untold = (*untold).max(until + 1);
    }

    /// The trace with the names of the breakpoints, which have all come when the calls are over.
    fn render(&self, names: &[Arc<Mutex<Vec<String>>>; 2]) -> String {
        let told = self.trace.iter().map(|told| match told {
            Told::Note(text) => text.clone(),
            Told::Step(who, 0) => format!("{who}.begin"),
            Told::Step(who, step) => {
                let names = names[who.index()]
                    .lock()
                    .expect("nobody panics with the names");
                let name = usize::try_from(step - 1).ok().and_then(|at| names.get(at));
                let name = name.map_or_else(|| step.to_string(), |name| name.replace(' ', "_"));
                format!("{who}.{name}")
            }
        });
        told.collect::<Vec<_>>().join(" ")
    }

    fn all_taken(&self) -> bool {
        self.taken == self.plan.preemptions.len()
    }

    /// Whether this is the session that lost the turn last, and nothing else is planned.
    fn comes_back(&self) -> bool {
        self.all_taken()
            && self
                .plan
                .preemptions
                .last()
                .is_some_and(|point| point.who == self.turn)
    }

    /// The step at which whoever has the turn loses it.
    fn next_stop(&self) -> Option<i32> {
        let next = self.plan.preemptions.get(self.taken)?;
        (next.who == self.turn).then_some(next.step)
    }

    fn lose_turn(&mut self) {
        self.taken += 1;
        self.turn = self.turn.other();
    }
}
