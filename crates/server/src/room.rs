//! A living room: a task that owns its state and its members' outboxes.

mod calls;
mod history;
mod member;
mod message;
mod policy;
mod state;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;
use tracing::Instrument;
use uuid::Uuid;
use visavis_protocol::limits::CHAT_HISTORY;
use visavis_protocol::{CloseCode, Envelope};

pub(crate) use message::{Frame, frame};
pub(crate) use state::{Entry, Joiner, Overview, Resumer, Saying, Speaker};

use crate::clock::Now;
use crate::hub::{Hub, store_failed};
use crate::id::{ClientId, RoomKey, SocketId};
use crate::refusal::Refusal;
use crate::store::{RoomRecord, StoreError};
use crate::ws::Outbox;
use state::{Effect, End, RoomState};

/// Connections to room: the connection waits, and reads nothing meanwhile.
const INPUTS: usize = 64;

/// Talks to a room's task.
#[derive(Clone)]
pub(crate) struct RoomHandle(Arc<Address>);

struct Address {
    uid: Uuid,
    code: String,
    inputs: mpsc::Sender<Input>,
    count: Arc<AtomicU32>,
}

/// The room is not alive any more: it was deleted, or sleeps.
#[derive(Debug)]
pub(crate) struct Asleep;

type Reply<T> = oneshot::Sender<Result<T, Refusal>>;

enum Input {
    Join(Box<Joiner>, Outbox, Reply<()>),
    Resume(Resumer, Outbox, Reply<ClientId>),
    Say(Speaker, Envelope, Saying),
    Leave(Speaker),
    Gone { speaker: Speaker, broken: bool },
    Overview(oneshot::Sender<Overview>),
}

impl RoomHandle {
    /// Whether this is the room.
    pub fn is(&self, key: &RoomKey) -> bool {
        match key {
            RoomKey::Uid(uid) => self.0.uid == *uid,
            RoomKey::Code(code) => self.0.code == *code,
        }
    }

    /// How many are inside.
    pub fn count(&self) -> u32 {
        self.0.count.load(Ordering::Relaxed)
    }

    /// Lets someone in.
    pub async fn join(
        &self,
        joiner: Joiner,
        outbox: Outbox,
    ) -> Result<Result<(), Refusal>, Asleep> {
        self.ask(|reply| Input::Join(Box::new(joiner), outbox, reply))
            .await
    }

    /// Lets someone in again; the id that it has.
    pub async fn resume(
        &self,
        resumer: Resumer,
        outbox: Outbox,
    ) -> Result<Result<ClientId, Refusal>, Asleep> {
        self.ask(|reply| Input::Resume(resumer, outbox, reply))
            .await
    }

    /// Passes on what a member says.
    pub async fn say(
        &self,
        speaker: Speaker,
        envelope: Envelope,
        saying: Saying,
    ) -> Result<(), Asleep> {
        self.tell(Input::Say(speaker, envelope, saying)).await
    }

    /// Takes someone out.
    pub async fn leave(&self, speaker: Speaker) -> Result<(), Asleep> {
        self.tell(Input::Leave(speaker)).await
    }

    /// Tells that a socket has ended; `broken` = without a close frame.
    pub async fn gone(&self, speaker: Speaker, broken: bool) -> Result<(), Asleep> {
        self.tell(Input::Gone { speaker, broken }).await
    }

    /// What a lobby is told; `None` where the room has just ended.
    pub async fn overview(&self) -> Option<Overview> {
        self.ask(Input::Overview).await.ok()
    }

    async fn tell(&self, input: Input) -> Result<(), Asleep> {
        self.0.inputs.send(input).await.map_err(|_| Asleep)
    }

    async fn ask<T>(&self, input: impl FnOnce(oneshot::Sender<T>) -> Input) -> Result<T, Asleep> {
        let (reply, answer) = oneshot::channel();
        self.tell(input(reply)).await?;
        answer.await.map_err(|_| Asleep)
    }
}

/// Starts a room's task.
pub(crate) fn spawn(hub: Arc<Hub>, room: &RoomRecord) -> RoomHandle {
    let (inputs, inbox) = mpsc::channel(INPUTS);
    let count = Arc::<AtomicU32>::default();
    let address = Address {
        uid: room.uid,
        code: room.code.clone(),
        inputs,
        count: Arc::clone(&count),
    };
    let span = tracing::info_span!(parent: None, "room", id = room.code);
    let tasks = hub.tasks.clone();
    tasks.spawn(run(hub, room.uid, inbox, count).instrument(span));
    RoomHandle(Arc::new(address))
}

async fn run(hub: Arc<Hub>, uid: Uuid, inbox: mpsc::Receiver<Input>, count: Arc<AtomicU32>) {
    match load(&hub, uid).await {
        Ok(Some(state)) => {
            tracing::info!("the room is awake");
            let task = RoomTask {
                hub,
                state,
                outboxes: HashMap::new(),
                inbox,
                count,
            };
            task.run().await;
        }
        Ok(None) => hub.forget(uid),
        Err(error) => {
            store_failed(error);
            hub.forget(uid);
        }
    }
}

/// Reads the room anew: since it was found, a task before this one may have
/// deleted it.
async fn load(hub: &Hub, uid: Uuid) -> Result<Option<RoomState>, StoreError> {
    let Some(room) = hub.store.find_room(&RoomKey::Uid(uid)).await? else {
        return Ok(None);
    };
    let chat = hub.store.recent_chat(uid, CHAT_HISTORY).await?;
    let window = hub.config.limits.resume_window;
    Ok(Some(RoomState::new(room, chat, window)))
}

struct RoomTask {
    hub: Arc<Hub>,
    state: RoomState,
    /// Of the members who are here.
    outboxes: HashMap<SocketId, Outbox>,
    inbox: mpsc::Receiver<Input>,
    /// The state's count, for the list of rooms.
    count: Arc<AtomicU32>,
}

impl RoomTask {
    async fn run(mut self) {
        let cancel = self.hub.cancel.clone();
        loop {
            let deadline = self.state.next_deadline();
            tokio::select! { biased;
                () = cancel.cancelled() => return,
                () = sleep_until(deadline.unwrap_or_else(std::time::Instant::now).into()), if deadline.is_some() => {
                    let effects = self.state.expire(Now::read());
                    self.perform(effects).await;
                }
                Some(input) = self.inbox.recv() => self.take(input).await,
            }
            if let Some(end) = self.state.end(Now::read()) {
                return self.end(end).await;
            }
        }
    }

    async fn take(&mut self, input: Input) {
        let now = Now::read();
        let effects = match input {
            Input::Join(joiner, outbox, reply) => {
                let socket = joiner.entry.socket;
                self.outboxes.insert(socket, outbox);
                let joined = self.state.join(now, *joiner);
                let joined = joined.map(|effects| ((), effects));
                return self.admit(socket, joined, reply).await;
            }
            Input::Resume(resumer, outbox, reply) => {
                let socket = resumer.entry.socket;
                self.outboxes.insert(socket, outbox);
                let ice = |id| self.hub.ice.for_client(id, now.utc);
                let resumed = self.state.resume(resumer, ice);
                return self.admit(socket, resumed, reply).await;
            }
            Input::Say(speaker, envelope, saying) => {
                self.state
                    .say(now, &mut rand::rng(), speaker, envelope, saying)
            }
            Input::Leave(speaker) => {
                self.outboxes.remove(&speaker.socket);
                self.state.leave(now, speaker)
            }
            Input::Gone { speaker, broken } => {
                self.outboxes.remove(&speaker.socket);
                self.state.gone(now, speaker, broken)
            }
            Input::Overview(reply) => {
                // Who asked may have gone.
                let _ = reply.send(self.state.overview());
                Vec::new()
            }
        };
        self.perform(effects).await;
    }

    async fn admit<T>(
        &mut self,
        socket: SocketId,
        entered: Result<(T, Vec<Effect>), Refusal>,
        reply: Reply<T>,
    ) {
        let answer = match entered {
            Ok((value, effects)) => {
                self.perform(effects).await;
                Ok(value)
            }
            Err(refusal) => {
                self.outboxes.remove(&socket);
                Err(refusal)
            }
        };
        // A connection waits for its answer; only at the server's end it does not.
        let _ = reply.send(answer);
    }

    async fn perform(&mut self, effects: Vec<Effect>) {
        // First, so that who is told of a change finds it in the list too.
        let count = u32::try_from(self.state.count()).unwrap_or(u32::MAX);
        self.count.store(count, Ordering::Relaxed);
        for effect in effects {
            match effect {
                Effect::Send { to, frame } => self.send(to, frame),
                Effect::Replace(socket) => {
                    if let Some(outbox) = self.outboxes.remove(&socket) {
                        outbox.close(CloseCode::Replaced);
                    }
                }
                Effect::SaveHost(host) => {
                    if let Err(error) = self.hub.store.set_host(self.state.uid(), host).await {
                        store_failed(error);
                    }
                }
                Effect::SaveChat(chat) => {
                    let entry = Arc::clone(&chat.entry);
                    let saved = self.hub.store.append_chat(self.state.uid(), entry).await;
                    let effects = match saved {
                        Ok(()) => self.state.chat_saved(chat),
                        Err(error) => {
                            store_failed(error);
                            self.state.chat_lost(chat)
                        }
                    };
                    for effect in effects {
                        if let Effect::Send { to, frame } = effect {
                            self.send(to, frame);
                        }
                    }
                }
            }
        }
    }

    fn send(&self, to: SocketId, frame: Frame) {
        if let Some(outbox) = self.outboxes.get(&to) {
            outbox.send(frame);
        }
    }

    /// Whoever still knocks finds the inbox closed, and looks for the room anew.
    async fn end(self, end: End) {
        let uid = self.state.uid();
        if end == End::Deleted
            && let Err(error) = self.hub.store.delete_room(uid).await
        {
            store_failed(error);
        }
        self.hub.forget(uid);
        tracing::info!(?end, "the room is over");
    }
}
