//! Scripted clients without sockets, for the fuzzer and for tests that replay its
//! findings.
//!
//! A script line is a client's digit and an action: `+` connects, `.` closes, `!`
//! breaks the socket, anything else is a message. `@room` stands for the room
//! created last, `@token` for the last resume token, `@0` to `@3` for the client ids.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::Value;
use tokio::io::{AsyncReadExt, DuplexStream, duplex};
use tokio::task::unconstrained;
use tokio_util::sync::CancellationToken;
use visavis_protocol::ServerMessage;

use crate::access::proxy::Origin;
use crate::cluster::BusListener;
use crate::config::{Limits, ServerConfig};
use crate::rooms::RoomService;
use crate::signalling::{Caller, Session};
use crate::socket::{Queue, outbox};
use crate::store::{Database, Store};

const CLIENTS: usize = 4;
/// Large enough that no send ever blocks.
const SOCKET_BYTES: usize = 64 * 1024 * 1024;
/// Longer scripts are cut.
const MAX_LINES: usize = 64;

/// The room service for scripts: empty rooms end at once.
pub(crate) async fn stage() -> Arc<RoomService> {
    let config = ServerConfig {
        empty_timeout: Duration::ZERO,
        direct: true,
        limits: Limits {
            resume_window: Duration::from_millis(20),
            ..Limits::default()
        },
        ..ServerConfig::default()
    };
    let store = Store::open(&Database::Memory).await;
    let store = store.expect("a database in memory opens");
    let service = RoomService::start(config, store).await;
    service.expect("an empty database is read")
}

/// Plays a script to its end.
///
/// # Panics
/// When the server sends something that is not a server message.
pub(crate) async fn play(service: &Arc<RoomService>, script: &str) {
    let mut cast = Cast::new(service);
    for line in script.lines().take(MAX_LINES) {
        cast.follow(line).await;
    }
    for player in cast.players.into_iter().flatten() {
        player.session.end(false).await;
    }
    settle(service).await;
}

struct Cast {
    service: Arc<RoomService>,
    players: [Option<Player>; CLIENTS],
    ids: [String; CLIENTS],
    room: String,
    token: String,
}

struct Player {
    session: Session,
    queue: Queue,
    /// The client's end of the socket.
    socket: DuplexStream,
}

impl Cast {
    fn new(service: &Arc<RoomService>) -> Self {
        Self {
            service: Arc::clone(service),
            players: [const { None }; CLIENTS],
            ids: Default::default(),
            room: String::new(),
            token: String::new(),
        }
    }

    async fn follow(&mut self, line: &str) {
        let mut letters = line.chars();
        let Some(index) = letters.next().and_then(|digit| digit.to_digit(10)) else {
            return;
        };
        let index = index as usize % CLIENTS;
        let action = letters.as_str().trim();
        match action {
            "+" => self.connect(index).await,
            "." | "!" => self.end(index, action == "!").await,
            message => {
                let message = self.substitute(message);
                if self.players[index].is_none() {
                    self.connect(index).await;
                }
                if let Some(player) = &mut self.players[index] {
                    player.session.handle_text(&message).await;
                }
            }
        }
        settle(&self.service).await;
        self.listen().await;
    }

    async fn connect(&mut self, index: usize) {
        self.end(index, true).await;
        let caller = Caller {
            origin: Origin {
                address: Ipv4Addr::LOCALHOST.into(),
                trusted: false,
                loopback: true,
                local: true,
                operator: true,
                foreign: false,
            },
            bearer: None,
            user: None,
            stun_url: None,
            creations: None,
            hung_up: CancellationToken::new(),
        };
        let (socket, sink) = duplex(SOCKET_BYTES);
        let (outbox, queue) = outbox(Box::new(sink));
        let id = self.service.next_socket();
        let session = Session::begin(Arc::clone(&self.service), caller, id, outbox);
        self.players[index] = Some(Player {
            session,
            queue,
            socket,
        });
    }

    async fn end(&mut self, index: usize, broken: bool) {
        if let Some(player) = self.players[index].take() {
            player.session.end(broken).await;
        }
    }

    /// Replaces the placeholders.
    fn substitute(&self, message: &str) -> String {
        let mut message = message.replace("@room", &self.room);
        message = message.replace("@token", &self.token);
        for (index, id) in self.ids.iter().enumerate() {
            message = message.replace(&format!("@{index}"), id);
        }
        message
    }

    /// Reads what every client was sent, and ends those that the server closed.
    async fn listen(&mut self) {
        for index in 0..CLIENTS {
            let Some(player) = &mut self.players[index] else {
                continue;
            };
            let mut received = Vec::new();
            let read = unconstrained(async {
                // Messages that the coop budget left queued.
                let _ = player.queue.flush().await;
                while let Ok(1..) = player.socket.read_buf(&mut received).await {}
            });
            let _ = read.now_or_never();
            let closed = player.queue.closed().now_or_never().is_some();
            let mut rest = &received[..];
            while let Some((text, after)) = text(rest) {
                self.take(index, text);
                rest = after;
            }
            if closed {
                self.end(index, false).await;
            }
        }
    }

    fn take(&mut self, index: usize, frame: &str) {
        let message = ServerMessage::parse(frame).expect("the server sends server messages");
        let fields: Value = serde_json::from_str(frame).expect("a message is JSON");
        match message {
            ServerMessage::ClientId(welcome) => self.ids[index] = welcome.id,
            ServerMessage::RoomCreated(created) => self.room = created.room.id,
            _ => {}
        }
        if let Some(token) = fields["resumeToken"].as_str() {
            token.clone_into(&mut self.token);
        }
    }
}

/// Splits the first message off the received bytes.
fn text(received: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = match received.get(1)? {
        126 => {
            let (length, rest) = received[2..].split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        127 => {
            let (length, rest) = received[2..].split_first_chunk()?;
            (u64::from_be_bytes(*length) as usize, rest)
        }
        length => (usize::from(*length), &received[2..]),
    };
    let (text, rest) = rest.split_at(length);
    Some((str::from_utf8(text).expect("a message is text"), rest))
}

/// Waits until every room has handled its commands.
async fn settle(service: &RoomService) {
    for uid in service.active_rooms() {
        if let Some(room) = service.active_room(uid) {
            room.in_call().await;
        }
    }
}

/// Entry point of the fuzzer: runs a script, on a new room service every 500 scripts.
///
/// # Panics
/// When no runtime starts.
pub fn fuzz(script: &[u8]) {
    use std::sync::{Mutex, PoisonError};
    use tokio::runtime::{Builder, Runtime};

    const PLAYS: u32 = 500;
    static STAGE: Mutex<Option<(Runtime, Arc<RoomService>, u32)>> = Mutex::new(None);
    let Ok(script) = str::from_utf8(script) else {
        return;
    };
    let mut stage = STAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let (runtime, service, played) = stage.get_or_insert_with(|| {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime starts");
        let service = runtime.block_on(self::stage());
        (runtime, service, 0)
    });
    runtime.block_on(play(service, script));
    *played += 1;
    if *played == PLAYS {
        service.cancel.cancel();
        *stage = None;
    }
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::fs;
    use std::panic;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn the_fuzz_corpus_is_replayed_without_a_panic() {
        static PANICKED: AtomicBool = AtomicBool::new(false);
        // A panic ends only its task; the hook records those of this thread.
        let (this, default_hook) = (thread::current().id(), panic::take_hook());
        panic::set_hook(Box::new(move |info| {
            if thread::current().id() == this {
                PANICKED.store(true, Ordering::Relaxed);
            }
            default_hook(info);
        }));
        let sources = env::var("CARGO_MANIFEST_DIR").unwrap();
        let corpus = format!("{sources}/../../tests/fuzz/corpus/clients");
        let service = stage().await;
        let mut played = 0;
        for script in fs::read_dir(corpus).unwrap() {
            let script = script.unwrap().path();
            play(&service, &fs::read_to_string(&script).unwrap()).await;
            assert!(!PANICKED.load(Ordering::Relaxed), "{}", script.display());
            played += 1;
        }
        assert!(played > 0);
    }

    #[tokio::test]
    async fn messages_during_a_shutdown_are_answered_with_server_busy() {
        let service = stage().await;
        let mut cast = Cast::new(&service);
        let create = r#"0{"type":"create-room","payload":{"name":"Late"}}"#;
        cast.follow(create).await;
        service.cancel.cancel();
        service.room_tasks.close();
        service.room_tasks.wait().await;
        let player = cast.players[0].as_mut().unwrap();
        let leave = format!(
            r#"{{"type":"leave-room","payload":{{"roomId":"{}"}}}}"#,
            cast.room
        );
        for late in [r#"{"type":"chat","payload":{"text":"?"}}"#, &leave] {
            player.session.handle_text(late).await;
            let mut answer = Vec::with_capacity(1_024);
            player.socket.read_buf(&mut answer).await.unwrap();
            let answer = text(&answer).unwrap().0;
            assert!(answer.contains(r#""server-busy""#), "{answer}");
        }
    }
}
