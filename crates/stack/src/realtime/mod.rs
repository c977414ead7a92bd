//! Realtime's broadcast: what `realtime.send` writes reaches who has joined its private topic, over the websocket that
//! supabase-js opens. The database says who may join: it is asked with the user's own claims.
//!
//! Presence, changes of tables and public topics are not here: who asks for them is refused.

mod frame;
mod socket;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

pub(crate) use frame::Version;
pub(crate) use socket::{MESSAGE_LIMIT, serve};

/// How many messages a slow client may be behind before it is cut off, and reads anew when it is back.
const BEHIND: usize = 1_024;
/// How often it is asked what has been committed, while somebody listens.
const TURN: Duration = Duration::from_millis(20);
/// And else, or while the database is not there.
const PAUSE: Duration = Duration::from_millis(250);
/// What has been committed since it was asked last, by topic, event, payload and id, in the order of writing.
const TAKE: &str = "with taken as (delete from realtime.unsent returning position, id) \
    select m.topic, coalesce(m.event, ''), coalesce(m.payload, '{}')::text, m.id::text \
    from taken join realtime.messages m using (id) order by taken.position";

/// What has been committed.
pub(crate) struct Realtime {
    pool: PgPool,
    news: broadcast::Sender<News>,
}

/// What all connections are told.
#[derive(Clone, Debug)]
enum News {
    Message(Arc<Message>),
    /// Messages may have been missed: clients must come again, and read what there is.
    Missed,
}

/// A message for a topic.
#[derive(Debug)]
struct Message {
    topic: String,
    event: String,
    payload: Value,
    /// Of its row; what a client sends has none.
    id: Option<String>,
    /// The connection that has sent it.
    sender: Option<u64>,
}

/// What the database says of a user and a topic.
#[derive(Debug, PartialEq, Eq)]
enum Right {
    Granted,
    Denied,
    /// It was not reached.
    Unknown,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
enum Wish {
    Read,
    Write,
}

impl Realtime {
    /// Passes on what is committed from now on, until the task is aborted.
    pub(crate) async fn start(url: &str) -> Result<(Arc<Self>, JoinHandle<()>)> {
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(5))
            .connect_lazy(url)?;
        // The platform keeps them for three days, too.
        sqlx::raw_sql(
            "delete from realtime.messages where inserted_at < now() - interval '3 days'; delete from realtime.unsent",
        )
        .execute(&pool)
        .await
        .context("the database's messages cannot be read")?;
        let (news, _) = broadcast::channel(BEHIND);
        let realtime = Arc::new(Self { pool, news });
        let task = tokio::spawn(realtime.clone().pass_on());
        Ok((realtime, task))
    }

    async fn pass_on(self: Arc<Self>) {
        let mut missed = false;
        loop {
            match self.take().await {
                Ok(messages) => {
                    if missed {
                        let _ = self.news.send(News::Missed);
                        missed = false;
                    }
                    for message in messages {
                        // Nobody listens: there is nobody to be told.
                        let _ = self.news.send(News::Message(Arc::new(message)));
                    }
                    let heard = self.news.receiver_count() > 0;
                    tokio::time::sleep(if heard { TURN } else { PAUSE }).await;
                }
                // Whether they were taken is not known.
                Err(_) => {
                    missed = true;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// What has been committed since it was taken last.
    async fn take(&self) -> sqlx::Result<Vec<Message>> {
        let rows: Vec<(String, String, String, String)> =
            sqlx::query_as(TAKE).fetch_all(&self.pool).await?;
        Ok(rows
            .into_iter()
            // Larger ones are not sent by the platform either.
            .filter(|(_, _, payload, _)| payload.len() <= MESSAGE_LIMIT)
            .map(|(topic, event, payload, id)| Message {
                topic,
                event,
                payload: serde_json::from_str(&payload).unwrap_or_default(),
                id: Some(id),
                sender: None,
            })
            .collect())
    }

    /// Whether the policies on `realtime.messages` let the user read, or write, a broadcast under this topic.
    async fn right(&self, topic: &str, claims: &Value, wish: Wish) -> Right {
        match self.ask(topic, claims, wish).await {
            Ok(true) => Right::Granted,
            // A policy that fails lets nobody pass.
            Ok(false) | Err(sqlx::Error::Database(_)) => Right::Denied,
            Err(_) => Right::Unknown,
        }
    }

    /// As the platform does it: with a message that is rolled back.
    async fn ask(&self, topic: &str, claims: &Value, wish: Wish) -> sqlx::Result<bool> {
        const INSERT: &str = "insert into realtime.messages (topic, extension, private) values ($1, 'broadcast', true)";
        let text = |name: &str| claims[name].as_str().unwrap_or_default().to_owned();
        let mut transaction = self.pool.begin().await?;
        let id: Option<String> = match wish {
            Wish::Read => sqlx::query_scalar(
                "insert into realtime.messages (topic, extension, private) values ($1, 'broadcast', true) returning id::text",
            )
            .bind(topic)
            .fetch_optional(&mut *transaction)
            .await?,
            Wish::Write => None,
        };
        // Only a role that the API may take.
        let known: bool = sqlx::query_scalar(
            "select coalesce(pg_has_role('authenticator', to_regrole(quote_ident($1)), 'member'), false)",
        )
        .bind(text("role"))
        .fetch_one(&mut *transaction)
        .await?;
        if !known {
            return Ok(false);
        }
        sqlx::query(
            "select set_config('statement_timeout', '5s', true), set_config('role', $1, true), \
             set_config('realtime.topic', $2, true), set_config('request.jwt.claims', $3, true), \
             set_config('request.jwt.claim.sub', $4, true), set_config('request.jwt.claim.role', $1, true)",
        )
        .bind(text("role"))
        .bind(topic)
        .bind(claims.to_string())
        .bind(text("sub"))
        .execute(&mut *transaction)
        .await?;
        let granted = match wish {
            Wish::Read => sqlx::query_scalar::<_, bool>(
                "select true from realtime.messages where id = $1::uuid",
            )
            .bind(id)
            .fetch_optional(&mut *transaction)
            .await?
            .is_some(),
            Wish::Write => {
                sqlx::query(INSERT)
                    .bind(topic)
                    .execute(&mut *transaction)
                    .await?;
                true
            }
        };
        transaction.rollback().await?;
        Ok(granted)
    }

    /// Tells the others what a client has sent.
    fn tell(&self, message: Message) {
        let _ = self.news.send(News::Message(Arc::new(message)));
    }
}

impl Message {
    /// As a client gets it.
    fn body(&self) -> Value {
        let mut body = json!({"event": self.event, "payload": self.payload, "type": "broadcast"});
        if let Some(id) = &self.id {
            body["meta"] = json!({"id": id});
        }
        body
    }
}
