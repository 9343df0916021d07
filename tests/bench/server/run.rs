//! One run against one server, from its first connection to its idling.

use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde_json::json;
use tokio::time::sleep;

use crate::crowd::{Crowd, ROOM_SIZE};
use crate::program::Program;
use crate::record::Delays;
use crate::usage;

/// What is asked of both servers; either has time left at these rates.
pub const ENTRIES_PER_SECOND: f64 = 2_000.0;
pub const CHATS_PER_SECOND: f64 = 2_000.0;
pub const OFFERS_PER_SECOND: f64 = 2_000.0;
/// How often each client says and offers something.
const MESSAGES_EACH: usize = 2;
/// Idling, and how long a server rests before and after its connections come.
pub const IDLE: Duration = Duration::from_secs(30);
const SETTLE: Duration = Duration::from_secs(3);
/// About what a browser's first offer of sound and picture has.
pub const OFFER_BYTES: usize = 2_500;

/// What one run came to.
pub struct Figures {
    pub connections_per_second: f64,
    pub created: Delays,
    pub joined: Delays,
    pub chat_delivered: Delays,
    pub chat_completed: Delays,
    pub offered: Delays,
    /// Proportional set sizes in MiB: of the server alone, with all clients
    /// connected, and at the end.
    pub alone_mib: f64,
    pub connected_mib: f64,
    pub end_mib: f64,
    pub connecting: Spent,
    pub entering: Spent,
    pub chatting: Spent,
    pub offering: Spent,
    pub idling: Spent,
}

/// What a stretch of a run took.
#[derive(Debug, Clone, Copy)]
pub struct Spent {
    pub seconds: f64,
    /// CPU seconds of the server.
    pub server: f64,
    /// And of this process.
    pub generator: f64,
}

pub async fn run(program: &Program, clients: usize) -> Result<Figures> {
    let pid = program.pid()?;
    let crowd = Crowd::new(program.address, clients);
    let rooms = clients / ROOM_SIZE;
    // Neighbours in time are in different rooms.
    let messages = MESSAGES_EACH * clients;
    let say = |number: usize| number % clients;

    sleep(SETTLE).await;
    let alone_mib = usage::memory_mib(pid)?;
    let connecting = spent(pid, crowd.connect()).await?;
    sleep(SETTLE).await;
    crowd.check()?;
    let connected_mib = usage::memory_mib(pid)?;

    let entries = crowd.at_rate(ENTRIES_PER_SECOND, clients, |client| enter(&crowd, client));
    let entering = spent(pid, entries).await?;
    let chats = crowd.at_rate(CHATS_PER_SECOND, messages, |n| chat(&crowd, say(n)));
    let chatting = spent(pid, chats).await?;
    let (chat_delivered, chat_completed) = crowd.record.borrow_mut().take_deliveries();
    let description = description();
    let offers = crowd.at_rate(OFFERS_PER_SECOND, messages, |n| {
        let from = say(n);
        offer(&crowd, from, (from + rooms) % clients, &description)
    });
    let offering = spent(pid, offers).await?;
    let (offered, _) = crowd.record.borrow_mut().take_deliveries();
    let idling = spent(pid, async {
        sleep(IDLE).await;
        Ok(())
    })
    .await?;
    crowd.check()?;
    let end_mib = usage::memory_mib(pid)?;
    let mut record = crowd.record.borrow_mut();
    Ok(Figures {
        connections_per_second: clients as f64 / connecting.seconds,
        created: std::mem::take(&mut record.created),
        joined: std::mem::take(&mut record.joined),
        chat_delivered,
        chat_completed,
        offered,
        alone_mib,
        connected_mib,
        end_mib,
        connecting,
        entering,
        chatting,
        offering,
        idling,
    })
}

/// The first clients create a room each, the others come into them in turn.
fn enter(crowd: &Rc<Crowd>, client: usize) -> Result<()> {
    let request = {
        let mut record = crowd.record.borrow_mut();
        record.asks(client);
        let rooms = record.clients.len() / ROOM_SIZE;
        if client < rooms {
            let payload = json!({"name": format!("Room {client}"), "maxParticipants": ROOM_SIZE});
            json!({"type": "create-room", "payload": payload})
        } else {
            let room = &record.clients[client % rooms].room;
            json!({"type": "join-room", "payload": {"roomId": room}})
        }
    };
    crowd.send(client, &request.to_string())
}

fn chat(crowd: &Rc<Crowd>, from: usize) -> Result<()> {
    let stamp = crowd.record.borrow_mut().sends(ROOM_SIZE);
    let room = room_of(crowd, from);
    let payload = json!({"stamp": stamp, "text": "See you all at half past ten, then?"});
    let chat = json!({"type": "chat", "roomId": room, "payload": payload});
    crowd.send(from, &chat.to_string())
}

fn offer(crowd: &Rc<Crowd>, from: usize, to: usize, description: &str) -> Result<()> {
    let stamp = crowd.record.borrow_mut().sends(1);
    let room = room_of(crowd, from);
    let to = crowd.record.borrow().clients[to].id.clone();
    let payload = json!({"stamp": stamp, "type": "offer", "sdp": description});
    let offer = json!({"type": "offer", "roomId": room, "to": to, "payload": payload});
    crowd.send(from, &offer.to_string())
}

fn room_of(crowd: &Rc<Crowd>, client: usize) -> Option<String> {
    let record = crowd.record.borrow();
    let rooms = record.clients.len() / ROOM_SIZE;
    record.clients[client % rooms].room.clone()
}

fn description() -> String {
    let mut description = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103\r\nc=IN IP4 0.0.0.0\r\n"
        .to_owned();
    for codec in 96.. {
        if description.len() >= OFFER_BYTES {
            break;
        }
        description += &format!("a=rtpmap:{codec} VP8/90000\r\na=rtcp-fb:{codec} nack pli\r\n");
    }
    description
}

async fn spent(pid: u32, stretch: impl Future<Output = Result<()>>) -> Result<Spent> {
    let own = || {
        getrusage(UsageWho::RUSAGE_SELF)
            .map(|usage| (usage.user_time() + usage.system_time()).num_microseconds() as f64 / 1e6)
    };
    let (server, generator, started) = (usage::cpu_seconds(pid)?, own()?, Instant::now());
    stretch.await?;
    let seconds = started.elapsed().as_secs_f64();
    Ok(Spent {
        seconds,
        server: usage::cpu_seconds(pid)? - server,
        generator: own()? - generator,
    })
}
