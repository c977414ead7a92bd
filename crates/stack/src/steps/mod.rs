//! The race lab step by step: two real sessions of the database, of which each does its next statement when it is told to, and who waits for
//! whom as Postgres says it. As the proof's conductor (tests/prove/interleavings) does it, for a person who looks on.
//!
//! Which of the sessions has stopped, waits or has ended only Postgres says: no passing of time means anything here.

mod ours;
pub(crate) mod places;
mod sql;
mod theirs;

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use interlock_console::reports;
use interlock_console::setup::Scene;
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _};
use tokio::sync::{Mutex, OnceCell};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::postgres;
use places::Place;
use sql::Sql;
use theirs::{Act, Request};

/// As many may be under way; one more ends the one that began first.
const MOST: usize = 8;

/// How soon Postgres is asked again. Only so that the looks leave some of the processor to what they look at.
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// Who has gone away holds no rows for ever.
const PATIENCE: &str =
    "set statement_timeout = '10min'; set idle_in_transaction_session_timeout = '10min'";

/// Against which code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// That of the incident report: up to three statements, each committed by itself, as its requests are.
    Report,
    /// Interlock's: one transaction.
    Interlock,
}

impl Side {
    /// By its name in an address.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "report" => Some(Self::Report),
            "interlock" => Some(Self::Interlock),
            _ => None,
        }
    }
}

/// All that are under way.
pub(crate) struct Steps {
    db_port: u16,
    /// Made once, when somebody asks for them first.
    places: OnceCell<Vec<Place>>,
    plays: Mutex<Vec<Play>>,
}

impl Steps {
    /// Of the database that listens there.
    pub(crate) fn new(db_port: u16) -> Self {
        Self {
            db_port,
            places: OnceCell::new(),
            plays: Mutex::default(),
        }
    }

    /// Begins: rows of its own, and two sessions that have done nothing yet.
    pub(crate) async fn begin(&self, scene: Scene, side: Side) -> Result<Value> {
        let mut plays = self.plays.lock().await;
        if plays.len() >= MOST {
            plays.remove(0).end().await;
        }
        let entries = Scene::ALL.map(|scene| ours::call(scene, &Value::Null, "").0);
        let make = async || places::make(&mut connect(self.db_port).await?, &entries).await;
        let places = self.places.get_or_try_init(make).await?;
        let play = Play::begin(self.db_port, scene, side).await?;
        let told = play.tell(places);
        plays.push(play);
        Ok(told)
    }

    /// Lets a session do its next statement; `None` if there is no such play (any more).
    pub(crate) async fn step(&self, id: Uuid, who: usize) -> Result<Option<Value>> {
        let mut plays = self.plays.lock().await;
        let (Some(play), Some(places)) = (
            plays.iter_mut().find(|play| play.id == id),
            self.places.get(),
        ) else {
            return Ok(None);
        };
        let stepped = play.step(who, places).await;
        let told = play.tell(places);
        if stepped.is_err() {
            plays.retain(|play| play.id != id);
        }
        stepped.map(|()| Some(told))
    }
}

async fn connect(port: u16) -> Result<PgConnection> {
    let options: PgConnectOptions = postgres::url(port).parse()?;
    let mut connection = PgConnection::connect_with(&options).await?;
    sqlx::raw_sql(PATIENCE).execute(&mut connection).await?;
    Ok(connection)
}

/// A statement that was done, or is next.
#[derive(Clone, Debug, Serialize)]
struct Told {
    /// The how-manieth of both sessions it was.
    n: u32,
    #[serde(flatten)]
    place: Place,
    /// What it read or wrote, where that is one value.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

/// How far a session is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// It waits to be told.
    Ready(Next),
    /// It waits for the other session, in what it did last.
    Waits,
    /// It is over: whether it got what it wanted, or why not.
    Over(Result<(), String>),
}

/// What a session does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// A statement of the report's.
    Sent(Act),
    /// Our call.
    Call,
    /// The place at which its call has stopped.
    Place(usize),
    /// The end of its transaction.
    Commit,
}

/// What a call has answered comes with its connection.
type Call = JoinHandle<(PgConnection, sqlx::Result<String>)>;

struct Session {
    pid: i32,
    /// What it does on the report's side, and on ours.
    request: Request,
    ours: Sql,
    /// The key of its gates.
    gate: i32,
    /// Here while it does nothing.
    connection: Option<PgConnection>,
    call: Option<Call>,
    state: State,
    done: Vec<Told>,
    /// What its call has answered.
    answer: Value,
}

/// Two sessions, and one that holds their gates.
struct Play {
    id: Uuid,
    scene: Scene,
    side: Side,
    control: PgConnection,
    control_pid: i32,
    sessions: [Session; 2],
    made: Value,
    /// How many statements were let go.
    count: u32,
    books: Option<Value>,
}

impl Play {
    async fn begin(port: u16, scene: Scene, side: Side) -> Result<Self> {
        let mut control = connect(port).await?;
        let control_pid = pid(&mut control).await?;
        let id = Uuid::new_v4();
        let people = (0..ours::people(scene)).map(|_| Uuid::new_v4().to_string());
        let people: Vec<String> = people.collect();
        let made = "select race_lab.prepare($1, $2::uuid, $3::text[]::uuid[], 2)::text";
        let made: String = sqlx::query_scalar(made)
            .bind(scene.name())
            .bind(id.to_string())
            .bind(&people)
            .fetch_one(&mut control)
            .await?;
        let made = serde_json::from_str(&made)?;
        let (function, _) = ours::call(scene, &made, "");
        let names: Vec<String> = sqlx::query_scalar(places::ARGUMENTS)
            .bind(function)
            .fetch_one(&mut control)
            .await?;
        let mut sessions = Vec::new();
        for who in 0..2 {
            let mut connection = connect(port).await?;
            let pid = pid(&mut connection).await?;
            let lock = sqlx::query(LOCK).bind(pid).bind(1);
            lock.execute(&mut control).await?;
            let user = &people[who % people.len()];
            let (_, given) = ours::call(scene, &made, user);
            let request = Request {
                report: reports::report(scene),
                race: id.to_string(),
                user: user.clone(),
                seen: Value::Null,
                change: Value::Null,
            };
            sessions.push(Session {
                pid,
                request,
                ours: ours::statement(function, &given, &names),
                gate: pid,
                connection: Some(connection),
                call: None,
                state: State::Ready(match side {
                    Side::Report => Next::Sent(Act::Look),
                    Side::Interlock => Next::Call,
                }),
                done: Vec::new(),
                answer: Value::Null,
            });
        }
        let sessions: Result<[Session; 2], _> = sessions.try_into();
        Ok(Self {
            id,
            scene,
            side,
            control,
            control_pid,
            sessions: sessions.map_err(|_| anyhow::anyhow!("there are two sessions"))?,
            made,
            count: 0,
            books: None,
        })
    }

    /// Ends what is left of it.
    async fn end(mut self) {
        for session in &self.sessions {
            // One that has ended already is no matter.
            let _ = sqlx::query("select pg_terminate_backend($1)")
                .bind(session.pid)
                .execute(&mut self.control)
                .await;
        }
    }

    async fn step(&mut self, who: usize, places: &[Place]) -> Result<()> {
        let State::Ready(next) = self.sessions[who].state else {
            // Its button was pressed twice.
            return Ok(());
        };
        self.count += 1;
        let told = Told {
            n: self.count,
            place: self.place(who, next, places),
            value: None,
        };
        self.sessions[who].done.push(told);
        match next {
            Next::Sent(act) => self.send(who, act).await?,
            Next::Call => self.call(who)?,
            Next::Place(_) => self.open(who).await?,
            Next::Commit => {
                let session = &mut self.sessions[who];
                let connection = session.connection.as_mut().context("it is busy")?;
                sqlx::raw_sql("commit").execute(connection).await?;
                // A webhook that came again is answered so, and has done nothing.
                session.state = State::Over(match session.answer["repeated"] == true {
                    true => Err("repeated".to_owned()),
                    false => Ok(()),
                });
            }
        }
        self.settle().await?;
        let is_over = |session: &Session| matches!(session.state, State::Over(_));
        if self.books.is_none() && self.sessions.iter().all(is_over) {
            let books = "select race_lab.books($1, $2::uuid, $3::jsonb)::text";
            let books: String = sqlx::query_scalar(books)
                .bind(self.scene.name())
                .bind(self.id.to_string())
                .bind(self.made.to_string())
                .fetch_one(&mut self.control)
                .await?;
            let books: Value = serde_json::from_str(&books)?;
            self.books = Some(match self.side {
                Side::Report => books["theirs"].clone(),
                Side::Interlock => books["ours"].clone(),
            });
        }
        Ok(())
    }

    /// One of the report's statements, which has no transaction but its own.
    async fn send(&mut self, who: usize, act: Act) -> Result<()> {
        let session = &mut self.sessions[who];
        let connection = session.connection.as_mut().context("it is busy")?;
        let request = &mut session.request;
        let sql = request.statement(act).run;
        let (next, value) = match act {
            Act::Look => {
                let rows =
                    format!("select coalesce(jsonb_agg(to_jsonb(r)), '[]')::text from ({sql}) r");
                let rows = sqlx::query_scalar::<_, String>(AssertSqlSafe(rows));
                let rows: Value = serde_json::from_str(&rows.fetch_one(connection).await?)?;
                let value = request.watched(&rows);
                (request.see(&rows).map(Some), value)
            }
            Act::Write | Act::Record => {
                sqlx::raw_sql(AssertSqlSafe(sql))
                    .execute(connection)
                    .await?;
                match act {
                    Act::Write => (Ok(request.after_write()), request.watched(&request.change)),
                    _ => (Ok(None), None),
                }
            }
        };
        session.state = match next {
            Ok(Some(act)) => State::Ready(Next::Sent(act)),
            Ok(None) => State::Over(Ok(())),
            Err(code) => State::Over(Err(code)),
        };
        if let Some(told) = session.done.last_mut() {
            told.value = value;
        }
        Ok(())
    }

    /// Our call, as far as its first pause.
    fn call(&mut self, who: usize) -> Result<()> {
        let session = &mut self.sessions[who];
        let mut connection = session.connection.take().context("it is busy")?;
        let Request { race, user, .. } = &session.request;
        let claims = ours::claims(self.scene, race, user).to_string();
        let gate = session.gate.to_string();
        let call = session.ours.run.clone();
        session.call = Some(tokio::spawn(async move {
            let outcome = async {
                sqlx::raw_sql("begin").execute(&mut connection).await?;
                let settings = "select set_config('request.jwt.claims', $1, true), set_config('race_lab.gate', $2, true)";
                let settings = sqlx::query(settings).bind(claims).bind(gate);
                settings.execute(&mut connection).await?;
                let call = sqlx::query_scalar(AssertSqlSafe(call));
                call.fetch_one(&mut connection).await
            };
            let outcome = outcome.await;
            (connection, outcome)
        }));
        Ok(())
    }

    /// Lets a session pass the gate at which it stands, and no other.
    async fn open(&mut self, who: usize) -> Result<()> {
        self.gate(LOCK, who, 2).await?;
        self.gate(UNLOCK, who, 1).await?;
        while self.look().await?[who].gate != Some(2) {
            ensure!(
                self.sessions[who]
                    .call
                    .as_ref()
                    .is_some_and(|call| !call.is_finished()),
                "it has ended at a gate"
            );
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        self.gate(LOCK, who, 1).await?;
        self.gate(UNLOCK, who, 2).await
    }

    async fn gate(&mut self, sql: &'static str, who: usize, gate: i32) -> Result<()> {
        let call = sqlx::query(sql).bind(self.sessions[who].gate).bind(gate);
        call.execute(&mut self.control).await?;
        Ok(())
    }

    /// Asks Postgres until each session has stopped, waits for the other, or has finished its call.
    async fn settle(&mut self) -> Result<()> {
        loop {
            for who in 0..2 {
                self.finish(who).await?;
            }
            let seen = self.look().await?;
            let pids = [self.sessions[0].pid, self.sessions[1].pid];
            let mut is_running = false;
            for who in 0..2 {
                let session = &mut self.sessions[who];
                if session.call.is_none() {
                    continue;
                }
                let Seen {
                    place,
                    gate,
                    blockers,
                } = &seen[who];
                if *gate == Some(1) && blockers.contains(&self.control_pid) {
                    let place = place.context("it has stopped, and nobody knows where")?;
                    session.state = State::Ready(Next::Place(place));
                } else if blockers.contains(&pids[1 - who]) {
                    session.state = State::Waits;
                } else {
                    is_running = true;
                }
            }
            if !is_running {
                return Ok(());
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Takes the outcome of a call that is over.
    async fn finish(&mut self, who: usize) -> Result<()> {
        let session = &mut self.sessions[who];
        if !session.call.as_ref().is_some_and(JoinHandle::is_finished) {
            return Ok(());
        }
        let call = session.call.take().context("it was there just now")?;
        let (mut connection, outcome) = call.await?;
        session.state = match outcome {
            Ok(answer) => {
                session.answer = serde_json::from_str(&answer)?;
                State::Ready(Next::Commit)
            }
            Err(sqlx::Error::Database(refusal)) => {
                sqlx::raw_sql("rollback").execute(&mut connection).await?;
                let code = refusal.code().unwrap_or_default();
                ensure!(code.starts_with("PT"), "{refusal}");
                State::Over(Err(refusal.message().to_owned()))
            }
            Err(error) => bail!("a session broke off: {error}"),
        };
        session.connection = Some(connection);
        Ok(())
    }

    /// Where both sessions are.
    async fn look(&mut self) -> Result<[Seen; 2]> {
        let mut seen = [Seen::default(), Seen::default()];
        for (session, seen) in self.sessions.iter().zip(&mut seen) {
            let row = sqlx::query(LOOK)
                .bind(session.pid)
                .bind(i64::from(session.gate))
                .fetch_optional(&mut self.control)
                .await?
                .context("a session has gone")?;
            seen.gate = row.try_get(0)?;
            seen.blockers = row.try_get(1)?;
            // Asked afterwards: whoever is seen at its gate has said before where that is.
            let name: String = sqlx::query_scalar(NAME)
                .bind(session.pid)
                .fetch_one(&mut self.control)
                .await?;
            seen.place = name.strip_prefix("race lab ").and_then(|n| n.parse().ok());
        }
        Ok(seen)
    }

    fn place(&self, who: usize, next: Next, places: &[Place]) -> Place {
        let sql = match next {
            Next::Place(number) => return places[number].clone(),
            Next::Sent(act) => self.sessions[who].request.statement(act).shown + ";",
            Next::Call => self.sessions[who].ours.shown.clone(),
            Next::Commit => "commit;".to_owned(),
        };
        Place {
            function: String::new(),
            sql,
        }
    }

    /// What a page shows of it.
    fn tell(&self, places: &[Place]) -> Value {
        let sessions = self.sessions.iter().enumerate().map(|(who, session)| {
            let (state, next, answer) = match &session.state {
                State::Ready(next) => ("ready", Some(*next), Value::Null),
                State::Waits => ("waits", None, Value::Null),
                State::Over(Ok(())) => ("yes", None, Value::Null),
                State::Over(Err(code)) => ("refused", None, json!(code)),
            };
            let next = next.map(|next| self.place(who, next, places));
            json!({ "state": state, "next": next, "done": session.done, "answer": answer })
        });
        json!({
            "id": self.id,
            "scene": self.scene.name(),
            "sessions": sessions.collect::<Vec<_>>(),
            "books": self.books,
        })
    }
}

/// What a look sees of a session.
#[derive(Debug, Default)]
struct Seen {
    /// The place it has come to last.
    place: Option<usize>,
    /// The gate of its own that it waits at.
    gate: Option<i32>,
    /// Who holds what it waits for.
    blockers: Vec<i32>,
}

const LOCK: &str = "select pg_advisory_lock($1, $2)";
const UNLOCK: &str = "select pg_advisory_unlock($1, $2)";

const NAME: &str = "select application_name from pg_stat_activity where pid = $1";

const LOOK: &str = "
select (
    select l.objid::int
    from pg_locks l
    where l.pid = a.pid and l.locktype = 'advisory' and not l.granted and l.classid::bigint = $2
    limit 1
  ), pg_blocking_pids(a.pid)
from pg_stat_activity a
where a.pid = $1";

async fn pid(connection: &mut PgConnection) -> Result<i32> {
    let pid = sqlx::query_scalar("select pg_backend_pid()");
    Ok(pid.fetch_one(connection).await?)
}
