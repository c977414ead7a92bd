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
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

pub(crate) use frame::Version;
pub(crate) use socket::{MESSAGE_LIMIT, serve};

/// What the trigger on `realtime.messages` notifies.
const CHANNEL: &str = "realtime_messages";
/// How many messages a slow client may be behind before it is cut off, and reads anew when it is back.
const BEHIND: usize = 1_024;
/// How long it takes to look for the database again.
const PAUSE: Duration = Duration::from_millis(250);

/// What has been committed, in the order of the commits.
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
    /// Listens to the database from now on, until the task is aborted.
    pub(crate) async fn start(url: &str) -> Result<(Arc<Self>, JoinHandle<()>)> {
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(5))
            .connect_lazy(url)?;
        let (news, _) = broadcast::channel(BEHIND);
        let realtime = Arc::new(Self { pool, news });
        let listener = realtime
            .listen()
            .await
            .context("the database's messages cannot be listened to")?;
        let task = tokio::spawn(realtime.clone().pass_on(listener));
        Ok((realtime, task))
    }

    async fn listen(&self) -> sqlx::Result<PgListener> {
        // The platform keeps them for three days, too.
        sqlx::query("delete from realtime.messages where inserted_at < now() - interval '3 days'")
            .execute(&self.pool)
            .await?;
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(listener)
    }

    /// Passes on what is committed. Where the connection is lost, all clients are cut off once it is back.
    async fn pass_on(self: Arc<Self>, mut listener: PgListener) {
        loop {
            // However it ended: what was committed since then is not known.
            let _ = self.pass_on_while_connected(&mut listener).await;
            drop(listener);
            listener = loop {
                tokio::time::sleep(PAUSE).await;
                if let Ok(listener) = self.listen().await {
                    break listener;
                }
            };
            // Nobody listens: there is nobody to be told.
            let _ = self.news.send(News::Missed);
        }
    }

    async fn pass_on_while_connected(&self, listener: &mut PgListener) -> sqlx::Result<()> {
        while let Some(notification) = listener.try_recv().await? {
            let row: Option<(String, String, String)> = sqlx::query_as(
                "select topic, coalesce(event, ''), coalesce(payload, '{}')::text from realtime.messages \
                 where id = $1::uuid and extension = 'broadcast' and private",
            )
            .bind(notification.payload())
            .fetch_optional(&self.pool)
            .await?;
            let Some((topic, event, payload)) = row else {
                continue;
            };
            // Larger ones are not sent by the platform either.
            if payload.len() > MESSAGE_LIMIT {
                continue;
            }
            let message = Message {
                topic,
                event,
                payload: serde_json::from_str(&payload).unwrap_or_default(),
                id: Some(notification.payload().to_owned()),
                sender: None,
            };
            let _ = self.news.send(News::Message(Arc::new(message)));
        }
        Ok(())
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
