//! A peer that is a program of `tests/call/peers`: it speaks SDP and media, and we
//! carry its descriptions and candidates over the plain room protocol.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::plain_client::PlainClient;
use crate::process::Process;

/// How often both sides are read.
const INTERVAL: Duration = Duration::from_millis(20);
const START_LIMIT: Duration = Duration::from_secs(60);
const COMMANDS_CAPACITY: usize = 16;

/// The messages that are carried in both directions.
const CARRIED: [&str; 3] = ["offer", "answer", "ice-candidate"];

#[derive(Default)]
struct Said {
    figures: Value,
    errors: Vec<String>,
    failed: Option<String>,
}

/// A running peer in a room. Dropping it ends it.
pub struct Agent {
    id: String,
    room: String,
    commands: mpsc::Sender<Value>,
    said: Arc<Mutex<Said>>,
    pump: JoinHandle<()>,
}

impl Agent {
    /// Starts a peer in a new room: it answers the one who joins.
    ///
    /// # Errors
    /// When it cannot be started or the server refuses.
    pub async fn create(name: &str, server: &str, program: &mut Command) -> Result<Self> {
        let process = Self::ready(name, program).await?;
        let mut client = PlainClient::connect(server).await?;
        let room = client.create(name, 0).await?;
        Ok(Self::run(process, client, room, None))
    }

    /// Starts a peer in a room with one other: it offers.
    ///
    /// # Errors
    /// When it cannot be started or the server refuses.
    pub async fn join(name: &str, server: &str, room: &str, program: &mut Command) -> Result<Self> {
        let process = Self::ready(name, program).await?;
        let mut client = PlainClient::connect(server).await?;
        let inside = client.join(room).await?;
        let other = inside.into_iter().find(|id| id != client.id());
        let other = other.context("nobody is in the room")?;
        Ok(Self::run(process, client, room.to_owned(), Some(other)))
    }

    /// Starts the program and waits until it reads: a newcomer that does not offer at
    /// once is offered to.
    async fn ready(name: &str, program: &mut Command) -> Result<Process> {
        let mut process = Process::start_reading(name, program)?;
        let is_figures = |line: &str| line.starts_with(r#"{"figures""#).then_some(());
        process
            .wait_for_line("its figures", START_LIMIT, is_figures)
            .await?;
        Ok(process)
    }

    fn run(process: Process, client: PlainClient, room: String, other: Option<String>) -> Self {
        let (commands, commands_in) = mpsc::channel(COMMANDS_CAPACITY);
        let said = Arc::new(Mutex::new(Said::default()));
        let mut pump = Pump {
            client,
            process,
            room: room.clone(),
            other,
            commands: commands_in,
            said: Arc::clone(&said),
            heard: 0,
            read: 0,
        };
        Self {
            id: pump.client.id().to_owned(),
            room,
            commands,
            said: Arc::clone(&said),
            pump: tokio::spawn(async move {
                if let Err(error) = pump.run().await {
                    lock(&said).failed = Some(format!("{error:#}"));
                }
            }),
        }
    }

    /// Its client id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The room's id.
    pub fn room(&self) -> &str {
        &self.room
    }

    /// Gives it a command, as `agent.py` reads them.
    ///
    /// # Errors
    /// When it has ended.
    pub async fn obeys(&self, command: Value) -> Result<()> {
        let sent = self.commands.send(command).await;
        sent.context("the peer has ended")
    }

    /// Its newest figures; null before the first.
    ///
    /// # Errors
    /// When it reported an error, or has ended.
    pub fn figures(&self) -> Result<Value> {
        let said = lock(&self.said);
        if let Some(error) = said.errors.first().or(said.failed.as_ref()) {
            bail!("the peer: {error}");
        }
        Ok(said.figures.clone())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

fn lock(said: &Mutex<Said>) -> MutexGuard<'_, Said> {
    said.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Pump {
    client: PlainClient,
    process: Process,
    room: String,
    /// The other one in the room, once it is known.
    other: Option<String>,
    commands: mpsc::Receiver<Value>,
    said: Arc<Mutex<Said>>,
    /// Messages and lines that were read.
    heard: usize,
    read: usize,
}

impl Pump {
    async fn run(&mut self) -> Result<()> {
        if self.other.is_some() {
            self.tell(&json!({"do": "offer"})).await?;
        }
        loop {
            for message in self.client.received().split_off(self.heard) {
                self.heard += 1;
                self.hear(&message).await?;
            }
            for line in self.process.stdout().split_off(self.read) {
                self.read += 1;
                self.obey(&line).await?;
            }
            while let Ok(command) = self.commands.try_recv() {
                self.tell(&command).await?;
            }
            sleep(INTERVAL).await;
        }
    }

    async fn tell(&mut self, line: &Value) -> Result<()> {
        self.process.write_line(&line.to_string()).await
    }

    async fn hear(&mut self, message: &Value) -> Result<()> {
        let kind = message["type"].as_str().unwrap_or_default();
        if !CARRIED.contains(&kind) {
            return Ok(());
        }
        self.other = message["from"].as_str().map(str::to_owned);
        self.tell(&json!({"do": kind, "payload": message["payload"]}))
            .await
    }

    async fn obey(&mut self, line: &str) -> Result<()> {
        let Ok(line) = serde_json::from_str::<Value>(line) else {
            // Its libraries may write to the same output.
            return Ok(());
        };
        if let Some(kind) = line["say"].as_str() {
            let message = json!({"type": kind, "roomId": self.room, "to": self.other,
                "payload": line["payload"]});
            self.client.say(message).await?;
        }
        let mut said = lock(&self.said);
        if let Some(error) = line["error"].as_str() {
            said.errors.push(error.to_owned());
        }
        if !line["figures"].is_null() {
            said.figures = line["figures"].clone();
        }
        Ok(())
    }
}
