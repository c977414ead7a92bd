//! The race lab step by step: two real sessions of the database, of which each does its next statement when it is told to, and who waits for
//! whom as Postgres says it. As the proof's conductor (tests/prove/interleavings) does it, for a person who looks on.
//!
//! Which of the sessions has stopped, waits or has ended only Postgres says: no passing of time means anything here.

pub(crate) mod places;

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, Row as _};
use tokio::sync::{Mutex, OnceCell};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::postgres;
use places::Place;

/// As many may be under way; one more ends the one that began first.
const MOST: usize = 8;

/// How soon Postgres is asked again. Only so that the looks leave some of the processor to what they look at.
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// Who has gone away holds no rows for ever.
const PATIENCE: &str =
    "set statement_timeout = '10min'; set idle_in_transaction_session_timeout = '10min'";

/// The scene whose rows are made; its name in `race_lab.prepare`.
const SCENE: &str = "stock";

/// Against which code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// That of the incident report: three statements, each committed by itself, as three requests are.
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
    pub(crate) async fn begin(&self, side: Side) -> Result<Value> {
        let mut plays = self.plays.lock().await;
        if plays.len() >= MOST {
            plays.remove(0).end().await;
        }
        let make = async || places::make(&mut connect(self.db_port).await?).await;
        let places = self.places.get_or_try_init(make).await?;
        let play = Play::begin(self.db_port, side).await?;
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
    /// What it read or wrote, where that is one number.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<i64>,
}

/// How far a session is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// It waits to be told: before this place of the function, or before a statement of its own of that number.
    Ready(Next),
    /// It waits for the other session, in what it did last.
    Waits,
    /// It is over: whether it got the unit, or why not.
    Over(Result<(), String>),
}

/// What a session does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// The statement of that number which is sent to it.
    Sent(usize),
    /// The place at which its call has stopped.
    Place(usize),
    /// The end of its transaction.
    Commit,
}

type Call = JoinHandle<(PgConnection, sqlx::Result<()>)>;

struct Session {
    pid: i32,
    user: Uuid,
    /// The key of its gates.
    gate: i32,
    /// Here while it does nothing.
    connection: Option<PgConnection>,
    call: Option<Call>,
    state: State,
    done: Vec<Told>,
    /// What it has read.
    read: i64,
}

/// Two sessions, and one that holds their gates.
struct Play {
    id: Uuid,
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
    async fn begin(port: u16, side: Side) -> Result<Self> {
        let mut control = connect(port).await?;
        let control_pid = pid(&mut control).await?;
        let id = Uuid::new_v4();
        let users = [Uuid::new_v4(), Uuid::new_v4()];
        let made = "select race_lab.prepare($1, $2::uuid, array[$3::uuid, $4::uuid], 2)::text";
        let made: String = sqlx::query_scalar(made)
            .bind(SCENE)
            .bind(id.to_string())
            .bind(users[0].to_string())
            .bind(users[1].to_string())
            .fetch_one(&mut control)
            .await?;
        let mut sessions = Vec::new();
        for user in users {
            let mut connection = connect(port).await?;
            let pid = pid(&mut connection).await?;
            let lock = sqlx::query(LOCK).bind(pid).bind(1);
            lock.execute(&mut control).await?;
            sessions.push(Session {
                pid,
                user,
                gate: pid,
                connection: Some(connection),
                call: None,
                state: State::Ready(Next::Sent(0)),
                done: Vec::new(),
                read: 0,
            });
        }
        let sessions: Result<[Session; 2], _> = sessions.try_into();
        Ok(Self {
            id,
            side,
            control,
            control_pid,
            sessions: sessions.map_err(|_| anyhow::anyhow!("there are two sessions"))?,
            made: serde_json::from_str(&made)?,
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
            place: self.place(next, places),
            value: None,
        };
        self.sessions[who].done.push(told);
        match (self.side, next) {
            (Side::Report, Next::Sent(number)) => self.send(who, number).await?,
            (Side::Interlock, Next::Sent(_)) => self.call(who)?,
            (_, Next::Place(_)) => self.open(who).await?,
            (_, Next::Commit) => {
                let session = &mut self.sessions[who];
                let connection = session.connection.as_mut().context("it is busy")?;
                sqlx::raw_sql("commit").execute(connection).await?;
                session.state = State::Over(Ok(()));
            }
        }
        self.settle().await?;
        let is_over = |session: &Session| matches!(session.state, State::Over(_));
        if self.books.is_none() && self.sessions.iter().all(is_over) {
            let books = "select race_lab.books($1, $2::uuid, $3::jsonb)::text";
            let books: String = sqlx::query_scalar(books)
                .bind(SCENE)
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
    async fn send(&mut self, who: usize, number: usize) -> Result<()> {
        let (id, session) = (self.id.to_string(), &mut self.sessions[who]);
        let connection = session.connection.as_mut().context("it is busy")?;
        let statement = sqlx::query(REPORT[number]).bind(id);
        let mut value = None;
        session.state = match number {
            0 => {
                let row = statement.fetch_one(connection).await?;
                session.read = i64::from(row.try_get::<i32, _>(0)?);
                value = Some(session.read);
                match session.read {
                    none if none < 1 => State::Over(Err("INSUFFICIENT_INVENTORY".to_owned())),
                    _ => State::Ready(Next::Sent(1)),
                }
            }
            1 => {
                let left = session.read - 1;
                value = Some(left);
                let statement = statement.bind(i32::try_from(left)?);
                statement.execute(connection).await?;
                State::Ready(Next::Sent(2))
            }
            _ => {
                let statement = statement.bind(session.user.to_string());
                statement.execute(connection).await?;
                State::Over(Ok(()))
            }
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
        let claims = json!({ "sub": session.user, "role": "authenticated" }).to_string();
        let gate = session.gate.to_string();
        let cart = json!([{ "product_id": self.made["product_id"], "quantity": 1 }]);
        session.call = Some(tokio::spawn(async move {
            let call = async {
                sqlx::raw_sql("begin").execute(&mut connection).await?;
                let settings = "select set_config('request.jwt.claims', $1, true), set_config('race_lab.gate', $2, true)";
                let settings = sqlx::query(settings).bind(claims).bind(gate);
                settings.execute(&mut connection).await?;
                let call = sqlx::query(CALL).bind(cart.to_string());
                call.execute(&mut connection).await?;
                Ok(())
            };
            let outcome = call.await;
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
            Ok(()) => State::Ready(Next::Commit),
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
            let name: String = row.try_get(0)?;
            seen.place = name.strip_prefix("race lab ").and_then(|n| n.parse().ok());
            seen.gate = row.try_get(1)?;
            seen.blockers = row.try_get(2)?;
        }
        Ok(seen)
    }

    fn place(&self, next: Next, places: &[Place]) -> Place {
        let own = |sql: &str| Place {
            function: String::new(),
            sql: sql.to_owned(),
        };
        match (self.side, next) {
            (Side::Report, Next::Sent(number)) => own(&REPORT[number].replace("::uuid", "")),
            (Side::Interlock, Next::Sent(_)) => own(BEGIN),
            (_, Next::Place(number)) => places[number].clone(),
            (_, Next::Commit) => own("commit;"),
        }
    }

    /// What a page shows of it.
    fn tell(&self, places: &[Place]) -> Value {
        let sessions = self.sessions.iter().map(|session| {
            let (state, next, answer) = match &session.state {
                State::Ready(next) => ("ready", Some(*next), Value::Null),
                State::Waits => ("waits", None, Value::Null),
                State::Over(Ok(())) => ("sold", None, Value::Null),
                State::Over(Err(code)) => ("refused", None, json!(code)),
            };
            let next = next.map(|next| self.place(next, places));
            json!({ "state": state, "next": next, "done": session.done, "answer": answer })
        });
        json!({
            "id": self.id,
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

const LOOK: &str = "
select a.application_name, (
    select l.objid::int
    from pg_locks l
    where l.pid = a.pid and l.locktype = 'advisory' and not l.granted and l.classid::bigint = $2
    limit 1
  ), pg_blocking_pids(a.pid)
from pg_stat_activity a
where a.pid = $1";

/// Report 004's code, as PostgREST makes it of the report's calls.
const REPORT: [&str; 3] = [
    "select available_quantity from race_lab.products where id = $1::uuid;",
    "update race_lab.products set available_quantity = $2 where id = $1::uuid;",
    "insert into race_lab.orders (product_id, user_id) values ($1::uuid, $2::uuid);",
];

/// What our first step is called.
const BEGIN: &str = "begin; select checkout('[{\"product_id\": …, \"quantity\": 1}]');";

/// What it is.
const CALL: &str = "select race_lab_steps.checkout(
  $1::jsonb, null, null, 'cash_on_delivery', null, null, null, null, null, null, null, null, null
)";

async fn pid(connection: &mut PgConnection) -> Result<i32> {
    let pid = sqlx::query_scalar("select pg_backend_pid()");
    Ok(pid.fetch_one(connection).await?)
}
