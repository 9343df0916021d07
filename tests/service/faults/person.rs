//! One who uses rooms: comes in, talks, offers, leaves, comes back. What it is
//! told goes into the tally, and what it must not be told too.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::tally::{Fate, MOST_INSIDE, Tally};

/// Whoever gets no answer for so long is left hanging.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
/// Between two things that one does.
const PAUSE: Duration = Duration::from_millis(250);
/// What one does between coming and leaving for good.
const DEEDS: u32 = 40;
/// Whoever was cut off tries to come back for so long.
const RESUME_LIMIT: Duration = Duration::from_secs(28);

/// What became of a request.
enum Answer {
    Done(Value),
    Refused(String),
    /// The connection has ended.
    Cut,
}

pub struct Person {
    number: usize,
    tally: Arc<Tally>,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    id: String,
    requests: u64,
    /// The room's code, the token to come back with, and the others inside.
    inside: Option<(String, String)>,
    others: Vec<String>,
}

/// Uses rooms until the load ends.
pub async fn live(number: usize, tally: Arc<Tally>) -> Result<()> {
    let mut visit = number;
    while tally.goes_on() {
        let Ok(url) = tally.node_for(visit) else {
            bail!("no node is left");
        };
        visit += 1;
        let Ok(mut person) = Person::connect(number, &url, Arc::clone(&tally)).await else {
            tally.count("connection refused");
            sleep(PAUSE).await;
            continue;
        };
        if person.visit().await?.is_none() {
            person.come_back(number).await?;
        }
        // With a close frame: it has left.
        let _ = person.socket.close(None).await;
    }
    Ok(())
}

impl Person {
    async fn connect(number: usize, url: &str, tally: Arc<Tally>) -> Result<Self> {
        let socket = connect_async(url).await?.0;
        let mut person = Self {
            number,
            tally,
            socket,
            id: String::new(),
            requests: 0,
            inside: None,
            others: Vec::new(),
        };
        let until = Instant::now() + ANSWER_LIMIT;
        let greeting = person.next(until).await.context("a greeting")?;
        person.id = text(&greeting, "/id");
        Ok(person)
    }

    /// `None`: it was cut off.
    async fn visit(&mut self) -> Result<Option<()>> {
        for deed in 0..DEEDS {
            if !self.tally.goes_on() {
                break;
            }
            let answered = match (&self.inside, deed % 10) {
                (None, _) => self.join().await?,
                (Some(_), 9) => self.leave().await,
                (Some(_), 3 | 6) => self.offer().await?,
                (Some(_), _) => self.chat().await?,
            };
            if answered.is_none() || self.listen(PAUSE).await.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(()))
    }

    async fn join(&mut self) -> Result<Option<()>> {
        let room = self.tally.stage(self.number);
        let payload = json!({"roomId": room, "features": ["members", "resume", "chat"]});
        let join = json!({"type": "join-room", "payload": payload});
        Ok(match self.ask(join, "join").await? {
            Answer::Done(joined) => {
                self.tally.joined(&self.id, &room);
                self.enter(room, &joined);
                Some(())
            }
            Answer::Refused(code) => {
                let gone = self.tally.fate(&room) != Fate::Kept;
                if !(matches!(&*code, "room-full" | "server-busy")
                    || gone && matches!(&*code, "room-not-found" | "room-ended"))
                {
                    self.tally.wrong(format!("a join of {room}: {code}"));
                }
                Some(())
            }
            Answer::Cut => None,
        })
    }

    fn enter(&mut self, room: String, joined: &Value) {
        let inside = joined.pointer("/room/participants");
        let inside = inside.and_then(Value::as_array).into_iter().flatten();
        let ids = inside.filter_map(Value::as_str).map(str::to_owned);
        self.others = ids.filter(|id| *id != self.id).collect();
        self.inside = Some((room, text(joined, "/resumeToken")));
    }

    async fn leave(&mut self) -> Option<()> {
        let (room, _) = self.inside.take()?;
        self.tally.count("left");
        self.say(json!({"type": "leave-room", "payload": {"roomId": room}}))
            .await
    }

    async fn chat(&mut self) -> Result<Option<()>> {
        let room = self.inside.clone().context("inside")?.0;
        let id = format!("{}-{}", self.id, self.requests);
        let chat = json!({"type": "chat", "id": id, "payload": {"text": id}});
        Ok(match self.ask(chat, "chat").await? {
            Answer::Done(echo) => {
                self.tally.chatted(&room, &text(&echo, "/id"));
                Some(())
            }
            Answer::Refused(code) => {
                self.is_out(&room, &code);
                Some(())
            }
            Answer::Cut => None,
        })
    }

    /// Has another relayed to, who may have left meanwhile.
    async fn offer(&mut self) -> Result<Option<()>> {
        let (room, other) = match (&self.inside, self.others.first()) {
            (Some((room, _)), Some(other)) => (room.clone(), other.clone()),
            _ => return Ok(Some(())),
        };
        let payload = json!({"type": "offer", "sdp": "v=0", "by": self.id});
        self.tally.count("offers");
        let said = json!({"type": "offer", "roomId": room, "to": other, "payload": payload});
        Ok(self.say(said).await)
    }

    /// Some refusals say that one is not inside any more: only where the room is over.
    fn is_out(&mut self, room: &str, code: &str) {
        match code {
            "not-in-room" | "room-not-found" | "room-ended" => {
                self.inside = None;
                if self.tally.fate(room) == Fate::Kept {
                    self.tally.wrong(format!("{} is out of {room}", self.id));
                }
            }
            "server-busy" | "internal" => {}
            _ => self.tally.wrong(format!("a chat in {room}: {code}")),
        }
    }

    /// Whoever was cut off inside comes back, on whatever node is left.
    async fn come_back(&mut self, number: usize) -> Result<()> {
        let Some((room, token)) = self.inside.take() else {
            return Ok(());
        };
        let until = Instant::now() + RESUME_LIMIT;
        let mut attempt = number;
        while Instant::now() < until {
            let url = self.tally.node_for(attempt)?;
            attempt += 1;
            let Ok(mut again) = Self::connect(number, &url, Arc::clone(&self.tally)).await else {
                sleep(PAUSE).await;
                continue;
            };
            let resume = json!({"type": "resume", "payload": {"resumeToken": token}});
            match again.ask(resume, "resume").await? {
                Answer::Done(resumed) => {
                    again.id.clone_from(&self.id);
                    again.requests += self.requests;
                    self.tally.count("resumed");
                    again.enter(room, &resumed);
                    *self = again;
                    // It is a place to be in: one is heard there.
                    self.chat().await?;
                    return Ok(());
                }
                Answer::Refused(code) if code == "server-busy" => sleep(PAUSE).await,
                Answer::Refused(code) => {
                    if self.tally.fate(&room) == Fate::Kept {
                        self.tally.wrong(format!("no way back to {room}: {code}"));
                    }
                    return Ok(());
                }
                Answer::Cut => {}
            }
        }
        self.tally.wrong(format!("no way back to {room} in time"));
        Ok(())
    }

    /// Asks, and waits for the answer: it always comes, or the connection ends.
    async fn ask(&mut self, mut message: Value, what: &'static str) -> Result<Answer> {
        self.requests += 1;
        let request = self.requests;
        message["requestId"] = json!(request);
        let chat = message["id"].clone();
        let asked = Instant::now();
        if self.say(message).await.is_none() {
            return Ok(Answer::Cut);
        }
        loop {
            let Some(heard) = self.next(asked + ANSWER_LIMIT).await else {
                if asked.elapsed() >= ANSWER_LIMIT {
                    self.tally.wrong(format!("no answer to a {what}"));
                }
                return Ok(Answer::Cut);
            };
            let echo = heard["type"] == "chat" && heard["id"] == chat && !chat.is_null();
            if heard["requestId"] != json!(request) && !echo {
                continue;
            }
            self.tally.answered(what, asked.elapsed());
            if heard["type"] != "error" {
                self.tally.count(what);
                return Ok(Answer::Done(heard));
            }
            let code = text(&heard, "/code");
            self.tally.refused(what, &code);
            return Ok(Answer::Refused(code));
        }
    }

    /// Hears what comes for a while.
    async fn listen(&mut self, time: Duration) -> Option<()> {
        let until = Instant::now() + time;
        loop {
            let heard = self.next(until).await;
            if Instant::now() >= until {
                return Some(());
            }
            let heard = heard?;
            if heard["type"] == "offer" {
                self.tally.count("offers heard");
            }
        }
    }

    async fn say(&mut self, message: Value) -> Option<()> {
        let text = Message::text(message.to_string());
        self.socket.send(text).await.ok()
    }

    /// The next message; `None` at the connection's end, or past the time.
    async fn next(&mut self, until: Instant) -> Option<Value> {
        loop {
            let message = timeout_at(until, self.socket.next()).await.ok()??.ok()?;
            let text = match message {
                Message::Text(text) => text,
                Message::Close(_) => return None,
                _ => continue,
            };
            let heard: Value = serde_json::from_str(&text).unwrap_or_default();
            let inside = heard["participants"].as_array();
            let inside = inside.or_else(|| heard["room"]["participants"].as_array());
            if inside.is_some_and(|inside| inside.len() > MOST_INSIDE) {
                let kind = &heard["type"];
                self.tally
                    .wrong(format!("too many inside: {kind} {inside:?}"));
            }
            return Some(heard);
        }
    }
}

fn text(message: &Value, pointer: &str) -> String {
    let text = message.pointer(pointer).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}
