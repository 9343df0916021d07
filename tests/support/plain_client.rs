//! A scripted client of the plain room protocol. It asks for no extension,
//! answers no offer, and keeps every message that it was sent.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::stream::SplitSink;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::wait::wait_until;

const ANSWER_LIMIT: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Inbox {
    messages: Vec<Value>,
    closed: Option<u16>,
}

/// A connected client. Dropping it breaks its socket.
pub struct PlainClient {
    id: String,
    sink: SplitSink<WebSocketStream<MaybeTlsStream<TcpStream>>, Message>,
    inbox: Arc<Mutex<Inbox>>,
    reader: JoinHandle<()>,
}

impl PlainClient {
    /// Connects and waits for the id that the server gives.
    ///
    /// # Errors
    /// When there is no server, or it does not greet.
    pub async fn connect(url: &str) -> Result<Self> {
        let (sink, mut stream) = connect_async(url).await?.0.split();
        let inbox = Arc::new(Mutex::new(Inbox::default()));
        let filled = Arc::clone(&inbox);
        let reader = tokio::spawn(async move {
            while let Some(Ok(message)) = stream.next().await {
                let mut inbox = filled.lock().unwrap_or_else(PoisonError::into_inner);
                match message {
                    Message::Text(text) => {
                        let message = serde_json::from_str(&text).unwrap_or(Value::Null);
                        inbox.messages.push(message);
                    }
                    Message::Close(frame) => inbox.closed = frame.map(|frame| frame.code.into()),
                    _ => {}
                }
            }
        });
        let mut client = Self {
            id: String::new(),
            sink,
            inbox,
            reader,
        };
        let greeting = client.hears("client-id").await?;
        client.id = text_of(&greeting, "/id")?;
        Ok(client)
    }

    /// The id that the server gave.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Every message so far, oldest first.
    pub fn received(&self) -> Vec<Value> {
        self.inbox().messages.clone()
    }

    /// The code with which the server closed the connection.
    pub fn closed(&self) -> Option<u16> {
        self.inbox().closed
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a message.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn say(&mut self, message: Value) -> Result<()> {
        self.say_raw(Message::text(message.to_string())).await
    }

    /// Sends whatever it is.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn say_raw(&mut self, message: Message) -> Result<()> {
        Ok(self.sink.send(message).await?)
    }

    /// Sends whatever it is, and waits for the error that it brings.
    ///
    /// # Errors
    /// When the connection is gone or no error comes.
    pub async fn is_refused(&mut self, message: Message) -> Result<Value> {
        let before = self.received().len();
        self.say_raw(message).await?;
        self.next_after(before, "error").await
    }

    /// Sends a message, and waits for the next of type `kind`.
    ///
    /// # Errors
    /// When the connection is gone or no such message comes.
    pub async fn ask(&mut self, message: Value, kind: &str) -> Result<Value> {
        let before = self.received().len();
        self.say(message).await?;
        self.next_after(before, kind).await
    }

    /// Waits for a message of type `kind`, also one that came before.
    ///
    /// # Errors
    /// When none comes in time.
    pub async fn hears(&self, kind: &str) -> Result<Value> {
        self.next_after(0, kind).await
    }

    async fn next_after(&self, before: usize, kind: &str) -> Result<Value> {
        let what = format!("the plain client {} is sent {kind}", self.id);
        wait_until(&what, ANSWER_LIMIT, async || {
            let messages = self.received().into_iter().skip(before);
            Ok(messages.into_iter().find(|message| message["type"] == kind))
        })
        .await
    }

    /// Makes a room; gives its id.
    ///
    /// # Errors
    /// When the server does not make it.
    pub async fn create(&mut self, name: &str, max_participants: u32) -> Result<String> {
        let payload = json!({"name": name, "maxParticipants": max_participants});
        let created = self
            .ask(
                json!({"type": "create-room", "payload": payload}),
                "room-created",
            )
            .await?;
        text_of(&created, "/room/id")
    }

    /// Enters a room; gives the ids of those inside.
    ///
    /// # Errors
    /// When the server does not let it in.
    pub async fn join(&mut self, room: &str) -> Result<Vec<String>> {
        let payload = json!({"roomId": room});
        let joined = self
            .ask(
                json!({"type": "join-room", "payload": payload}),
                "room-joined",
            )
            .await?;
        Ok(serde_json::from_value(
            joined["room"]["participants"].clone(),
        )?)
    }

    /// How many are inside a public room; `None` where it is not listed.
    ///
    /// # Errors
    /// When the server does not tell.
    pub async fn participants_in(&mut self, room: &str) -> Result<Option<u64>> {
        let list = self
            .ask(json!({"type": "list-rooms"}), "rooms-list")
            .await?;
        let rooms = list["rooms"].as_array().context("rooms is no list")?;
        let listed = rooms.iter().find(|listed| listed["id"] == room);
        Ok(listed.and_then(|listed| listed["participantCount"].as_u64()))
    }
}

impl Drop for PlainClient {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

fn text_of(message: &Value, pointer: &str) -> Result<String> {
    let text = message.pointer(pointer).and_then(Value::as_str);
    Ok(text
        .with_context(|| format!("{pointer} is missing in {message}"))?
        .to_owned())
}
