//! One connection of supabase-js, with the channels that it has joined.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::ws::{CloseFrame, Message as Sent, WebSocket, close_code};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;

use super::frame::{Frame, Version};
use super::{Message, News, Realtime, Right, Wish};
use crate::jwt::Refused;

/// The platform's bound for a message, on its smallest plan.
pub(crate) const MESSAGE_LIMIT: usize = 256 * 1024;
/// The platform's bound for the channels of a connection.
const CHANNELS: usize = 100;
/// Who has sent nothing for so long, not even a heartbeat, is gone.
const SILENCE: Duration = Duration::from_secs(60);
/// For a client that reads nothing.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// Reads a token.
pub(crate) type Claims = Box<dyn Fn(&str) -> Result<Value, Refused> + Send + Sync>;

struct Connection {
    id: u64,
    realtime: Arc<Realtime>,
    claims: Claims,
    /// The token of the key with which it came, for who is not signed in.
    key: String,
    version: Version,
    socket: WebSocket,
    /// By their topics, as the client calls them.
    channels: BTreeMap<String, Channel>,
}

struct Channel {
    join_ref: Option<String>,
    /// The topic as the database calls it.
    topic: String,
    claims: Value,
    ends: u64,
    /// Whether it hears what it has sent itself.
    hears_itself: bool,
    /// Whether what it sends is acknowledged.
    acknowledged: bool,
    /// Whether it may send; asked when it does.
    writes: Option<bool>,
}

/// The connection is over.
struct Over;

/// Serves a connection until it ends or `stop` turns true.
pub(crate) async fn serve(
    realtime: Arc<Realtime>,
    claims: Claims,
    key: String,
    version: Version,
    socket: WebSocket,
    mut stop: watch::Receiver<bool>,
) {
    // Before the first channel is joined, so that none of its messages is missed.
    let news = realtime.news.subscribe();
    let mut connection = Connection {
        id: CONNECTIONS.fetch_add(1, Ordering::Relaxed),
        realtime,
        claims,
        key,
        version,
        socket,
        channels: BTreeMap::new(),
    };
    tokio::select! {
        _ = connection.run(news) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    connection.close().await;
}

impl Connection {
    async fn run(&mut self, mut news: broadcast::Receiver<News>) -> Result<(), Over> {
        let mut heard = Instant::now();
        loop {
            let end = self.channels.values().map(|channel| channel.ends).min();
            let left = end.map(|end| Duration::from_secs(end.saturating_sub(now())));
            tokio::select! {
                sent = self.socket.recv() => {
                    let Some(Ok(sent)) = sent else {
                        return Err(Over);
                    };
                    heard = Instant::now();
                    self.take(sent).await?;
                }
                told = news.recv() => match told {
                    Ok(News::Message(message)) => self.pass_on(&message).await?,
                    Ok(News::Missed) | Err(RecvError::Lagged(_) | RecvError::Closed) => return Err(Over),
                },
                () = tokio::time::sleep(left.unwrap_or(SILENCE)), if left.is_some() => self.end_channels().await?,
                () = tokio::time::sleep_until(heard + SILENCE) => return Err(Over),
            }
        }
    }

    async fn take(&mut self, sent: Sent) -> Result<(), Over> {
        let frame = match &sent {
            Sent::Text(text) => self.version.read(text),
            Sent::Binary(bytes) => self.version.read_binary(bytes),
            Sent::Ping(_) | Sent::Pong(_) => return Ok(()),
            Sent::Close(_) => return Err(Over),
        };
        let frame = frame.ok_or(Over)?;
        match (frame.topic.as_str(), frame.event.as_str()) {
            ("phoenix", "heartbeat") => self.send(&frame.reply("ok", json!({}))).await,
            (_, "phx_join") => self.join(&frame).await,
            (topic, _) if !self.channels.contains_key(topic) => {
                self.send(&frame.refuse("unmatched topic")).await
            }
            (_, "phx_leave") => {
                self.send(&frame.reply("ok", json!({}))).await?;
                self.end_channel(&frame.topic).await
            }
            (_, "access_token") => self.renew(&frame).await,
            (_, "broadcast") => self.broadcast(&frame).await,
            (_, event) => {
                let reason = format!("the local stack has broadcasts only, and knows no {event:?}");
                self.send(&frame.refuse(&reason)).await
            }
        }
    }

    async fn join(&mut self, frame: &Frame) -> Result<(), Over> {
        self.end_channel(&frame.topic).await?;
        match self.open(frame).await {
            Ok(channel) => {
                let topic = channel.topic.clone();
                self.channels.insert(frame.topic.clone(), channel);
                self.send(&frame.reply("ok", json!({"postgres_changes": []})))
                    .await?;
                if frame.payload["config"]["broadcast"]["replication_ready"] == true {
                    let message = "Replication connection established";
                    self.send_system(frame, "ok", message, &topic).await?;
                }
                Ok(())
            }
            Err(reason) => self.send(&frame.refuse(&reason)).await,
        }
    }

    /// The channel that is asked for, or why there is none.
    async fn open(&mut self, frame: &Frame) -> Result<Channel, String> {
        let config = &frame.payload["config"];
        let topic = frame.topic.strip_prefix("realtime:");
        let topic = topic.ok_or("unmatched topic")?;
        if topic.is_empty() {
            return Err("TopicNameRequired: You must provide a topic name".to_owned());
        }
        if self.channels.len() >= CHANNELS {
            return Err("ChannelRateLimitReached: Too many channels".to_owned());
        }
        let (claims, ends) = self.read_token(frame.payload["access_token"].as_str())?;
        if config["private"] != true {
            return Err("PrivateOnly: This project only allows private channels".to_owned());
        }
        let changes = config["postgres_changes"].as_array();
        if changes.is_some_and(|changes| !changes.is_empty()) {
            return Err(
                "UnableToSubscribeToPostgresChanges: the local stack has broadcasts only"
                    .to_owned(),
            );
        }
        self.may_read(topic, &claims).await?;
        Ok(Channel {
            join_ref: frame.join_ref.clone().or_else(|| frame.reference.clone()),
            topic: topic.to_owned(),
            claims,
            ends,
            hears_itself: config["broadcast"]["self"] == true,
            acknowledged: config["broadcast"]["ack"] == true,
            writes: None,
        })
    }

    fn read_token(&self, token: Option<&str>) -> Result<(Value, u64), String> {
        let claims =
            (self.claims)(token.unwrap_or(&self.key)).map_err(|refused| match refused {
                Refused::Expired => "InvalidJWTToken: Token has expired".to_owned(),
                Refused::Invalid => {
                    "MalformedJWT: The token provided is not a valid JWT".to_owned()
                }
            })?;
        match (claims["exp"].as_u64(), claims["role"].is_string()) {
            (Some(ends), true) => Ok((claims, ends)),
            _ => Err("InvalidJWTToken: Fields `role` and `exp` are required in JWT".to_owned()),
        }
    }

    async fn may_read(&mut self, topic: &str, claims: &Value) -> Result<(), String> {
        match self.realtime.right(topic, claims, Wish::Read).await {
            Right::Granted => Ok(()),
            Right::Denied => Err(format!(
                "Unauthorized: You do not have permissions to read from this Channel topic: {topic}"
            )),
            Right::Unknown => Err(
                "UnableToConnectToProject: Realtime was unable to connect to the project database"
                    .to_owned(),
            ),
        }
    }

    /// Another token for a channel, which may be one of somebody who may not hear it.
    async fn renew(&mut self, frame: &Frame) -> Result<(), Over> {
        let Some(token) = frame.payload["access_token"].as_str() else {
            return Ok(());
        };
        let Some(channel) = self.channels.get(&frame.topic) else {
            return Ok(());
        };
        let topic = channel.topic.clone();
        let renewed = match self.read_token(Some(token)) {
            Ok((claims, ends)) => match self.may_read(&topic, &claims).await {
                Ok(()) => Ok((claims, ends)),
                Err(reason) => Err(reason),
            },
            Err(reason) => Err(reason),
        };
        match renewed {
            Ok((claims, ends)) => {
                if let Some(channel) = self.channels.get_mut(&frame.topic) {
                    channel.writes = None;
                    (channel.claims, channel.ends) = (claims, ends);
                }
                Ok(())
            }
            Err(reason) => self.shut_out(&frame.topic, &reason).await,
        }
    }

    /// What a client sends to the others on its topic, if a policy lets it.
    async fn broadcast(&mut self, frame: &Frame) -> Result<(), Over> {
        let Some(channel) = self.channels.get_mut(&frame.topic) else {
            return Ok(());
        };
        let writes = match channel.writes {
            Some(writes) => writes,
            None => {
                let right = self
                    .realtime
                    .right(&channel.topic, &channel.claims, Wish::Write);
                *channel.writes.insert(right.await == Right::Granted)
            }
        };
        if writes {
            self.realtime.tell(Message {
                topic: channel.topic.clone(),
                event: frame.payload["event"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
                payload: frame.payload["payload"].clone(),
                id: None,
                sender: (!channel.hears_itself).then_some(self.id),
            });
        }
        let acknowledged = channel.acknowledged;
        // The platform is silent, too, about what is not sent.
        if writes && acknowledged {
            return self.send(&frame.reply("ok", json!({}))).await;
        }
        Ok(())
    }

    async fn pass_on(&mut self, message: &Message) -> Result<(), Over> {
        if message.sender == Some(self.id) {
            return Ok(());
        }
        let topic = format!("realtime:{}", message.topic);
        if !self.channels.contains_key(&topic) {
            return Ok(());
        }
        self.send(&Frame {
            join_ref: None,
            reference: None,
            topic,
            event: "broadcast".to_owned(),
            payload: message.body(),
        })
        .await
    }

    /// Ends the channels whose token is over.
    async fn end_channels(&mut self) -> Result<(), Over> {
        let now = now();
        let over: Vec<String> = self
            .channels
            .iter()
            .filter(|(_, channel)| channel.ends <= now)
            .map(|(topic, _)| topic.clone())
            .collect();
        for topic in over {
            self.shut_out(&topic, "Token has expired").await?;
        }
        Ok(())
    }

    /// Ends a channel and says why.
    async fn shut_out(&mut self, topic: &str, reason: &str) -> Result<(), Over> {
        if let Some(channel) = self.channels.get(topic) {
            let name = channel.topic.clone();
            let frame = Frame {
                join_ref: channel.join_ref.clone(),
                reference: None,
                topic: topic.to_owned(),
                event: String::new(),
                payload: Value::Null,
            };
            self.send_system(&frame, "error", reason, &name).await?;
        }
        self.end_channel(topic).await
    }

    async fn end_channel(&mut self, topic: &str) -> Result<(), Over> {
        let Some(channel) = self.channels.remove(topic) else {
            return Ok(());
        };
        self.send(&Frame {
            join_ref: channel.join_ref.clone(),
            reference: channel.join_ref,
            topic: topic.to_owned(),
            event: "phx_close".to_owned(),
            payload: json!({}),
        })
        .await
    }

    async fn send_system(
        &mut self,
        about: &Frame,
        status: &str,
        message: &str,
        channel: &str,
    ) -> Result<(), Over> {
        self.send(&Frame {
            join_ref: about.join_ref.clone(),
            reference: None,
            topic: about.topic.clone(),
            event: "system".to_owned(),
            payload: json!({"extension": "system", "status": status, "message": message, "channel": channel}),
        })
        .await
    }

    async fn send(&mut self, frame: &Frame) -> Result<(), Over> {
        let text = self.version.write(frame);
        let sent = tokio::time::timeout(SEND_TIMEOUT, self.socket.send(Sent::Text(text.into())));
        match sent.await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Over),
        }
    }

    async fn close(mut self) {
        let farewell = CloseFrame {
            code: close_code::RESTART,
            reason: "".into(),
        };
        // Who is gone is gone.
        let closing = self.socket.send(Sent::Close(Some(farewell)));
        let _ = tokio::time::timeout(Duration::from_secs(1), closing).await;
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs())
}
