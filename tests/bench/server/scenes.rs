//! What the relay cannot be asked: a broadcast that fills, and rooms whose members
//! come and go. Ours alone, with extensions, in a run of its own.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::json;
use tokio::task::spawn_local;
use tokio::time::sleep;

use crate::client::{self, Scratch, Writer};
use crate::pace::at_rate;
use crate::program::Program;
use crate::record::Delays;
use crate::usage;

/// Viewers of the broadcast, and how many of them ask to join a second.
pub const VIEWERS: usize = 1_000;
pub const VIEWERS_PER_SECOND: f64 = 200.0;
/// Rooms under churn, those who stay in each, and what comes each second for so long.
pub const ROOMS: usize = 100;
pub const STAYING: usize = 4;
pub const CHANGES_PER_SECOND: f64 = 400.0;
pub const CHURN: Duration = Duration::from_secs(20);
/// How long the last answers may take.
const LIMIT: Duration = Duration::from_secs(60);
/// After the last join: batches of membership changes go out once a second.
const LAST_BATCH: Duration = Duration::from_secs(3);

pub struct Broadcast {
    /// Payload bytes that all clients received in all.
    pub megabytes: f64,
    pub seconds: f64,
    pub server_cpu_seconds: f64,
    pub joined: Delays,
}

pub struct Churn {
    pub changes: usize,
    pub server_cpu_seconds: f64,
    pub joined: Delays,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(borrow)]
    room: Option<Room<'a>>,
}

#[derive(Deserialize)]
struct Room<'a> {
    id: &'a str,
}

/// One connection and what it learned.
struct Client {
    writer: Rc<Writer>,
    shared: Rc<Shared>,
    inside: Rc<Cell<bool>>,
    asked: Rc<Cell<Option<Instant>>>,
}

/// What all connections of a scene count together.
#[derive(Default)]
struct Shared {
    scratch: Option<Scratch>,
    bytes: Cell<usize>,
    joined: RefCell<Delays>,
    room: RefCell<Option<String>>,
    failed: RefCell<Option<anyhow::Error>>,
}

impl Shared {
    fn new() -> Rc<Self> {
        Rc::new(Self {
            scratch: Some(client::scratch()),
            ..Self::default()
        })
    }

    fn check(&self) -> Result<()> {
        self.failed.take().map_or(Ok(()), Err)
    }

    async fn until(&self, what: &str, is: impl Fn() -> bool) -> Result<()> {
        let deadline = Instant::now() + LIMIT;
        while !is() {
            self.check()?;
            ensure!(Instant::now() < deadline, "{what} did not come");
            sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }
}

impl Client {
    async fn connect(address: SocketAddr, shared: &Rc<Shared>) -> Result<Self> {
        let (mut reader, writer) = client::connect(address).await?;
        let one = Self {
            writer: Rc::new(writer),
            shared: Rc::clone(shared),
            inside: Rc::default(),
            asked: Rc::default(),
        };
        let (writer, shared) = (Rc::clone(&one.writer), Rc::clone(shared));
        let (inside, asked) = (Rc::clone(&one.inside), Rc::clone(&one.asked));
        spawn_local(async move {
            loop {
                let take = |text: &[u8]| receive(&shared, &inside, &asked, text);
                let scratch = shared.scratch.as_ref().context("a buffer");
                let read = match scratch {
                    Ok(scratch) => reader.read(scratch, &writer, take).await,
                    Err(error) => Err(error),
                };
                if let Err(error) = read {
                    shared.failed.replace(Some(error));
                    return;
                }
            }
        });
        Ok(one)
    }

    fn send(&self, message: &serde_json::Value) -> Result<()> {
        self.writer.text(&message.to_string())
    }

    /// Asks to join; the answer is timed.
    fn join(&self, room: &str) -> Result<()> {
        self.asked.set(Some(Instant::now()));
        let payload = json!({"roomId": room, "features": ["members", "chat"]});
        self.send(&json!({"type": "join-room", "payload": payload}))
    }

    fn leave(&self, room: &str) -> Result<()> {
        self.inside.set(false);
        self.send(&json!({"type": "leave-room", "payload": {"roomId": room}}))
    }

    /// Creates a room and waits for its id.
    async fn create(&self, payload: serde_json::Value) -> Result<String> {
        self.shared.room.replace(None);
        self.send(&json!({"type": "create-room", "payload": payload}))?;
        let created = || self.shared.room.borrow().is_some();
        self.shared.until("a room", created).await?;
        self.shared.room.take().context("a room")
    }
}

fn receive(
    shared: &Shared,
    inside: &Cell<bool>,
    asked: &Cell<Option<Instant>>,
    text: &[u8],
) -> Result<()> {
    shared.bytes.set(shared.bytes.get() + text.len());
    let message: Message = serde_json::from_slice(text)?;
    match message.kind {
        "room-joined" => {
            inside.set(true);
            let since = asked.take().context("an answer to nothing")?;
            let milliseconds = since.elapsed().as_secs_f64() * 1_000.0;
            shared.joined.borrow_mut().push(milliseconds);
        }
        "room-created" => {
            inside.set(true);
            let room = message.room.map(|room| room.id.to_owned());
            shared.room.replace(room);
        }
        "error" => bail!("refused: {}", String::from_utf8_lossy(text)),
        _ => {}
    }
    Ok(())
}

/// Viewers come into one broadcast; every one stays connected.
pub async fn broadcast(program: &Program) -> Result<Broadcast> {
    let (pid, shared) = (program.pid()?, Shared::new());
    let host = Client::connect(program.address, &shared).await?;
    let payload = json!({"name": "Broadcast", "kind": "broadcast", "maxParticipants": 0,
        "features": ["members", "chat"]});
    let room = host.create(payload).await?;
    let mut viewers = Vec::with_capacity(VIEWERS);
    for _ in 0..VIEWERS {
        viewers.push(Client::connect(program.address, &shared).await?);
    }
    shared.bytes.set(0);
    let (cpu, started) = (usage::cpu_seconds(pid)?, Instant::now());
    let join = |number: usize| viewers[number].join(&room);
    at_rate(VIEWERS_PER_SECOND, VIEWERS, || shared.check(), join).await?;
    let all = || viewers.iter().all(|viewer| viewer.inside.get());
    shared.until("every viewer inside", all).await?;
    let seconds = started.elapsed().as_secs_f64();
    sleep(LAST_BATCH).await;
    shared.check()?;
    Ok(Broadcast {
        megabytes: shared.bytes.get() as f64 / 1e6,
        seconds,
        server_cpu_seconds: usage::cpu_seconds(pid)? - cpu,
        joined: shared.joined.take(),
    })
}

/// In each room some stay, and one after the other comes and goes.
pub async fn churn(program: &Program) -> Result<Churn> {
    let (pid, shared) = (program.pid()?, Shared::new());
    let mut rooms = Vec::with_capacity(ROOMS);
    let mut staying = Vec::with_capacity(ROOMS * STAYING);
    let mut moving = Vec::with_capacity(ROOMS);
    for number in 0..ROOMS {
        let host = Client::connect(program.address, &shared).await?;
        let payload = json!({"name": format!("Room {number}"), "features": ["members", "chat"]});
        let room = host.create(payload).await?;
        staying.push(host);
        for _ in 1..STAYING {
            let member = Client::connect(program.address, &shared).await?;
            member.join(&room)?;
            staying.push(member);
        }
        rooms.push(room);
        moving.push(Client::connect(program.address, &shared).await?);
    }
    let all = || staying.iter().all(|member| member.inside.get());
    shared.until("every member inside", all).await?;
    shared.joined.take();
    let cpu = usage::cpu_seconds(pid)?;
    let changes = (CHANGES_PER_SECOND * CHURN.as_secs_f64()) as usize;
    let change = |number: usize| {
        let place = number % ROOMS;
        let (client, room) = (&moving[place], &rooms[place]);
        match client.inside.get() {
            true => client.leave(room),
            // Its answer is still to come: the server is behind.
            false if client.asked.get().is_some() => Ok(()),
            false => client.join(room),
        }
    };
    at_rate(CHANGES_PER_SECOND, changes, || shared.check(), change).await?;
    let answered = || moving.iter().all(|client| client.asked.get().is_none());
    shared.until("every answer", answered).await?;
    Ok(Churn {
        changes,
        server_cpu_seconds: usage::cpu_seconds(pid)? - cpu,
        joined: shared.joined.take(),
    })
}
