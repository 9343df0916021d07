//! A signalling server that knows the plain room protocol and nothing else:
//! no request ids, no features, no resume, no member objects.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

/// Messages waiting for one client; past it they are lost, and the test fails.
const CLIENT_CAPACITY: usize = 1024;

/// The running server. Dropping it ends it and every connection.
pub struct PlainServer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl PlainServer {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(serve(listener));
        Ok(Self { address, task })
    }

    /// Where clients connect: without a path.
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }
}

impl Drop for PlainServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener) {
    let rooms = Arc::new(Mutex::new(Rooms::default()));
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        connections.spawn(converse(socket, Arc::clone(&rooms)));
    }
}

/// One client, from its connection to its end.
async fn converse(socket: TcpStream, rooms: Arc<Mutex<Rooms>>) -> Result<()> {
    let (mut sink, mut stream) = accept_async(socket).await?.split();
    let (outgoing, mut waiting) = mpsc::channel(CLIENT_CAPACITY);
    let locked = || rooms.lock().unwrap_or_else(PoisonError::into_inner);
    let id = locked().connect(outgoing);
    loop {
        tokio::select! {
            Some(message) = waiting.recv() => sink.send(Message::text(message)).await?,
            received = stream.next() => match received {
                Some(Ok(Message::Text(text))) => locked().handle(&id, &text),
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                Some(Ok(_)) => {}
            },
        }
    }
    locked().disconnect(&id);
    Ok(())
}

struct Room {
    id: String,
    name: String,
    limit: u64,
    members: Vec<String>,
}

#[derive(Default)]
struct Rooms {
    count: u32,
    clients: HashMap<String, mpsc::Sender<String>>,
    rooms: Vec<Room>,
}

impl Rooms {
    /// Ids are UUIDs in form, and count up.
    fn fresh_id(&mut self) -> String {
        self.count += 1;
        format!("00000000-0000-4000-8000-{:012x}", self.count)
    }

    fn connect(&mut self, outgoing: mpsc::Sender<String>) -> String {
        let id = self.fresh_id();
        self.clients.insert(id.clone(), outgoing);
        self.send(&id, &json!({"type": "client-id", "id": id}));
        id
    }

    fn disconnect(&mut self, id: &str) {
        self.leave(id);
        self.clients.remove(id);
    }

    fn send(&self, to: &str, message: &Value) {
        if let Some(client) = self.clients.get(to) {
            // A full queue: the test that waits for the message tells.
            let _ = client.try_send(message.to_string());
        }
    }

    fn room_of(&self, id: &str) -> Option<&Room> {
        let inside = |room: &&Room| room.members.iter().any(|member| member == id);
        self.rooms.iter().find(inside)
    }

    fn handle(&mut self, id: &str, text: &str) {
        if let Err(code) = self.answer(id, text) {
            self.send(id, &json!({"type": "error", "code": code, "message": code}));
        }
    }

    fn answer(&mut self, id: &str, text: &str) -> Result<(), &'static str> {
        let message: Value = serde_json::from_str(text).map_err(|_| "bad-message")?;
        let payload = &message["payload"];
        match message["type"].as_str().ok_or("bad-message")? {
            "create-room" => self.create(id, payload),
            "join-room" => self.join(id, payload["roomId"].as_str().ok_or("bad-message")?),
            "leave-room" => {
                self.leave(id);
                Ok(())
            }
            "list-rooms" => {
                let rooms = self.rooms.iter().map(|room| {
                    json!({"id": room.id, "name": room.name, "participantCount": room.members.len()})
                });
                let rooms = rooms.collect::<Vec<_>>();
                self.send(id, &json!({"type": "rooms-list", "rooms": rooms}));
                Ok(())
            }
            kind @ ("offer" | "answer" | "ice-candidate") => {
                let room = self.room_of(id).ok_or("not-in-room")?;
                let to = message["to"].as_str().ok_or("bad-message")?;
                if !room.members.iter().any(|member| member == to) {
                    return Err("member-not-found");
                }
                self.send(to, &json!({"type": kind, "from": id, "payload": payload}));
                Ok(())
            }
            "chat" => {
                let room = self.room_of(id).ok_or("not-in-room")?;
                let chat =
                    json!({"type": "chat", "roomId": room.id, "from": id, "payload": payload});
                for member in &room.members {
                    self.send(member, &chat);
                }
                Ok(())
            }
            _ => Err("unknown-type"),
        }
    }

    fn create(&mut self, id: &str, payload: &Value) -> Result<(), &'static str> {
        if self.room_of(id).is_some() {
            return Err("already-in-room");
        }
        let room = Room {
            id: self.fresh_id(),
            name: payload["name"].as_str().ok_or("bad-message")?.to_owned(),
            limit: payload["maxParticipants"].as_u64().unwrap_or(0),
            members: vec![id.to_owned()],
        };
        let created = json!({"id": room.id, "name": room.name, "createdAt": "2026-01-22T10:30:00Z",
            "host": id, "maxParticipants": room.limit, "participants": room.members});
        self.rooms.push(room);
        self.send(id, &json!({"type": "room-created", "room": created}));
        Ok(())
    }

    fn join(&mut self, id: &str, room: &str) -> Result<(), &'static str> {
        if self.room_of(id).is_some() {
            return Err("already-in-room");
        }
        let at = self.rooms.iter().position(|candidate| candidate.id == room);
        let at = at.ok_or("room-not-found")?;
        let room = &mut self.rooms[at];
        if room.limit != 0 && room.members.len() as u64 >= room.limit {
            return Err("room-full");
        }
        room.members.push(id.to_owned());
        let room = &self.rooms[at];
        let joined = json!({"id": room.id, "participants": room.members});
        self.send(id, &json!({"type": "room-joined", "room": joined}));
        self.tell_others(room, id, "member-joined");
        Ok(())
    }

    fn leave(&mut self, id: &str) {
        let inside = |room: &Room| room.members.iter().any(|member| member == id);
        let Some(at) = self.rooms.iter().position(inside) else {
            return;
        };
        self.rooms[at].members.retain(|member| member != id);
        self.tell_others(&self.rooms[at], id, "member-left");
        self.rooms.retain(|room| !room.members.is_empty());
    }

    fn tell_others(&self, room: &Room, about: &str, kind: &str) {
        let notice = json!({"type": kind, "roomId": room.id, "memberId": about,
            "participants": room.members});
        for member in room.members.iter().filter(|member| *member != about) {
            self.send(member, &notice);
        }
    }
}
