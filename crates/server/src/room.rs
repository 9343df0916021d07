//! A living room: a task that owns its state and its members' outboxes.

mod calls;
mod errand;
mod handle;
mod history;
mod member;
mod message;
mod news;
mod policy;
mod recorder;
mod state;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::sleep_until;
use tracing::Instrument;
use uuid::Uuid;
use visavis_protocol::limits::CHAT_HISTORY;
use visavis_protocol::{ClosedReason, ErrorCode};

pub(crate) use handle::{Asleep, Place, RoomHandle};
pub(crate) use message::{Frame, frame, relayed};
pub(crate) use news::News;
pub(crate) use state::{Amendment, Control, Entry, Resumer, Saying, Speaker};

use crate::clock::Now;
use crate::cluster::Post;
use crate::hub::{Admitted, Applicant, Hub, LIVEKIT, store_failed};
use crate::id::{ClientId, RoomKey, SocketId};
use crate::model::{EndReason, Room};
use crate::refusal::Refusal;
use crate::store::{Stay, StoreError};
use crate::ws::Outbox;
use errand::Errands;
use handle::{Input, Reply};
use recorder::{RETRY, Record, Recorder};
use state::{Effect, RoomState};

/// Connections to room: the connection waits, and reads nothing meanwhile.
const INPUTS: usize = 64;

/// Starts a room's task; one that is new need not be read.
pub(crate) fn spawn(hub: Arc<Hub>, room: &Room, new: Option<Room>) -> RoomHandle {
    let (inputs, inbox) = mpsc::channel(INPUTS);
    let span = tracing::info_span!(parent: None, "room", id = room.code);
    let rooms = hub.rooms.clone();
    rooms.spawn(run(hub, room.uid, new, inbox).instrument(span));
    RoomHandle::new(room, inputs)
}

async fn run(hub: Arc<Hub>, uid: Uuid, new: Option<Room>, inbox: mpsc::Receiver<Box<Input>>) {
    let window = hub.config.limits.resume_window;
    let state = match new {
        Some(room) => Ok(Some(RoomState::new(room, Vec::new(), Vec::new(), window))),
        // Not in the future of a room that has been read.
        None => Box::pin(load(&hub, uid, window)).await,
    };
    match state {
        Ok(Some(state)) => {
            tracing::debug!("the room is awake");
            let task = RoomTask {
                hub,
                state,
                outboxes: HashMap::new(),
                inbox,
                recorder: Recorder::default(),
                errands: Errands::default(),
                line_stalled: false,
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

/// Reads the room anew: it may have changed since it was found.
async fn load(hub: &Hub, uid: Uuid, window: Duration) -> Result<Option<RoomState>, StoreError> {
    let Some(room) = hub.store.find_room(&RoomKey::Uid(uid)).await? else {
        return Ok(None);
    };
    let chat = hub.store.recent_chat(uid, CHAT_HISTORY).await?;
    let mut present = hub.store.participants(uid, Stay::Present).await?;
    // Of this node nobody is inside before the task is, and whom a LiveKit server
    // has inside no message of ours reaches.
    present.retain(|who| who.node != hub.node && who.node != LIVEKIT);
    Ok(Some(RoomState::new(room, chat, present, window)))
}

struct RoomTask {
    hub: Arc<Hub>,
    state: RoomState,
    /// Of the members who are here, of those who wait, and of those who were put
    /// out and have said nothing of leaving.
    outboxes: HashMap<SocketId, Outbox>,
    inbox: mpsc::Receiver<Box<Input>>,
    recorder: Recorder,
    errands: Errands,
    /// The store let nobody in from the line: it is asked again after a while.
    line_stalled: bool,
}

/// What a room's task does next.
enum Step {
    /// Those who did not come back in time are out.
    Expire,
    /// The store is tried again.
    Retry,
    Take(Box<Input>),
}

impl RoomTask {
    async fn run(mut self) {
        let cancel = self.hub.cancel.clone();
        loop {
            let deadline = self.state.next_deadline();
            let retry = self.line_stalled || !self.recorder.is_done();
            let step = tokio::select! { biased;
                () = cancel.cancelled() => return Box::pin(self.end()).await,
                () = sleep_until(deadline.unwrap_or_else(Instant::now).into()), if deadline.is_some() => Step::Expire,
                () = tokio::time::sleep(RETRY), if retry => Step::Retry,
                Some(input) = self.inbox.recv() => Step::Take(input),
            };
            // Not in the future of a room where nothing happens.
            Box::pin(self.go(step)).await;
            if self.state.is_idle() && self.recorder.is_done() && self.inbox.is_empty() {
                break;
            }
        }
        // Whoever still knocks finds the inbox closed, and looks for the room anew.
        self.hub.forget(self.state.uid());
        tracing::debug!("the room sleeps");
    }

    async fn go(&mut self, step: Step) {
        match step {
            Step::Expire => {
                let effects = self.state.expire(self.hub.clock.read());
                self.perform(effects).await;
            }
            Step::Retry => {
                self.recorder.work(&self.hub).await;
                self.line_stalled = false;
            }
            Step::Take(input) => self.take(*input).await,
        }
        self.serve_line().await;
    }

    /// The server stops: what was said before is still passed on.
    async fn end(mut self) {
        self.inbox.close();
        while let Some(input) = self.inbox.recv().await {
            self.take(*input).await;
        }
    }

    async fn take(&mut self, input: Input) {
        let now = self.hub.clock.read();
        let effects = match input {
            Input::Join(applicant, entry, outbox, reply) => {
                return self.join(applicant, entry, outbox, reply).await;
            }
            Input::Enter(admitted, entry, outbox) => {
                self.outboxes.insert(entry.socket, outbox);
                let Admitted { who, room } = *admitted;
                self.state.enter(entry, who, room)
            }
            Input::Resume(resumer, outbox, reply) => {
                let socket = resumer.entry.socket;
                self.outboxes.insert(socket, outbox);
                let resumed = self.resume(resumer, now).await;
                return self.admit(socket, resumed, reply).await;
            }
            Input::Say(speaker, envelope, saying) => {
                self.state
                    .say(now, &mut rand::rng(), speaker, envelope, saying)
            }
            Input::Leave(speaker) => {
                self.outboxes.remove(&speaker.socket);
                self.state.leave(speaker)
            }
            Input::Gone { speaker, broken } => {
                self.outboxes.remove(&speaker.socket);
                self.state.gone(now, speaker, broken)
            }
            Input::InCall(reply) => {
                // Who asked may have gone.
                let _ = reply.send(self.state.in_call());
                Vec::new()
            }
            Input::Find(client, reply) => {
                let place = match self.state.has(client) {
                    true => Place::Inside,
                    false if self.state.awaits(client) => Place::Waiting,
                    false => Place::Outside,
                };
                let _ = reply.send(place);
                Vec::new()
            }
            Input::Remove(client, reply) => {
                let effects = self.state.remove_by_word(client);
                let _ = reply.send(effects.is_some());
                effects.unwrap_or_default()
            }
            Input::Mute(client, source, reply) => {
                let effects = self.state.mute_by_word(client, source);
                let _ = reply.send(effects.is_some());
                effects.unwrap_or_default()
            }
            Input::News(news) => {
                let mut effects = Vec::new();
                if self.state.is_crowded_by(&news) {
                    effects = self.catch_up().await;
                }
                effects.extend(self.state.hear(news));
                effects
            }
            Input::CatchUp => self.catch_up().await,
            Input::Amend(client, amendment, reply) => {
                let effects = self.state.amend(client, amendment);
                let _ = reply.send(effects.is_some());
                effects.unwrap_or_default()
            }
            Input::Post(payload, to, reply) => {
                let entry = self.state.notice(now, &mut rand::rng(), payload, to);
                let saved = self.hub.store.append_chat(self.state.uid(), &entry).await;
                let saved = saved.map_err(store_failed);
                let stored = saved.is_ok();
                let _ = reply.send(saved);
                match stored {
                    true => self.state.noticed(entry, to),
                    false => Vec::new(),
                }
            }
            Input::Changed(room) => self.state.changed(room),
            Input::Over(room, reason) => {
                let refusal = match room.deleted_at {
                    Some(_) => Refusal::room_not_found(),
                    None => Refusal::room_ended(),
                };
                tracing::debug!(?reason, "over");
                self.state.end(refusal, closed(reason))
            }
        };
        self.perform(effects).await;
    }

    /// Someone comes back: to this node, or from another one.
    async fn resume(
        &mut self,
        resumer: Resumer,
        now: Now,
    ) -> Result<(ClientId, Vec<Effect>), Refusal> {
        let ice = |id| self.hub.ice.for_client(id, now.utc);
        if self.state.resumes(resumer.proof).is_some() {
            return self.state.resume(resumer, ice);
        }
        let Resumer { mut entry, proof } = resumer;
        let uid = self.state.uid();
        let who = self.hub.take_over(uid, proof, entry.secret).await?;
        let id = who.client;
        entry.ice_servers = self.hub.ice.for_client(id, now.utc);
        Ok((id, self.state.adopt(entry, who)))
    }

    /// Reads who is inside, and what was said on other nodes.
    async fn catch_up(&mut self) -> Vec<Effect> {
        let uid = self.state.uid();
        let read = async {
            let mut present = self.hub.store.participants(uid, Stay::Present).await?;
            present.retain(|who| who.node != LIVEKIT);
            let chat = self.hub.store.recent_chat(uid, CHAT_HISTORY).await?;
            Ok((present, chat))
        };
        match read.await {
            Ok((present, chat)) => {
                let (here, elsewhere): (Vec<_>, Vec<_>) =
                    (present.into_iter()).partition(|who| who.node == self.hub.node);
                let here: Vec<ClientId> = here.into_iter().map(|who| who.client).collect();
                self.state.catch_up(&here, elsewhere, chat)
            }
            Err(error) => {
                store_failed(error);
                Vec::new()
            }
        }
    }

    async fn join(
        &mut self,
        applicant: Applicant,
        mut entry: Entry,
        outbox: Outbox,
        reply: Reply<()>,
    ) {
        let socket = entry.socket;
        self.outboxes.insert(socket, outbox);
        if let Some(effects) = self.state.rejoin(applicant.client, &mut entry) {
            return self.admit(socket, Ok(((), effects)), reply).await;
        }
        // Whoever has left must have left in the store too, and who came before
        // goes before.
        self.recorder.work(&self.hub).await;
        self.serve_line().await;
        let admitted = match self.state.next_in_line() {
            Some(_) => Err(Refusal::room_full()),
            None => self.hub.admit(self.state.uid(), applicant.clone()).await,
        };
        let entered = match admitted {
            Ok(Admitted { who, room }) => {
                self.make_room().await;
                Ok(self.state.enter(entry, who, room))
            }
            Err(refusal) => self.state.wait(applicant, entry, refusal),
        };
        let entered = entered.map(|effects| ((), effects));
        self.admit(socket, entered, reply).await;
    }

    /// The rows had a place that is not known to be free here: whoever had it is
    /// taken out before the next one is shown among the others.
    async fn make_room(&mut self) {
        if self.state.is_crowded() {
            let effects = self.catch_up().await;
            self.perform(effects).await;
        }
    }

    /// Lets in those who waited, as far as there are places now.
    async fn serve_line(&mut self) {
        while !self.line_stalled
            && let Some(first) = self.state.next_in_line().cloned()
        {
            let client = first.client;
            let admitted = self.hub.admit(self.state.uid(), first).await;
            let effects = match admitted {
                Ok(Admitted { who, room }) => self.state.let_in(who, room),
                Err(refusal) => match refusal.code {
                    // The store is down, or knows more than is known here yet.
                    ErrorCode::ServerBusy
                    | ErrorCode::RoomFull
                    | ErrorCode::RoomLocked
                    | ErrorCode::WaitingRoom => {
                        self.line_stalled = true;
                        break;
                    }
                    _ => self.state.turn_away(client, refusal),
                },
            };
            self.perform(effects).await;
        }
        let effects = self.state.tell_positions();
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
        let mut effects = VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Send { to, frame } => self.send(to, frame),
                Effect::Close(socket, code) => {
                    if let Some(outbox) = self.outboxes.remove(&socket) {
                        outbox.close(code);
                    }
                }
                Effect::Order {
                    order,
                    by,
                    envelope,
                } => {
                    let outbox = self.outboxes.get(&by).cloned();
                    let hub = Arc::clone(&self.hub);
                    self.errands
                        .run(hub, self.state.uid(), order, outbox, envelope);
                }
                Effect::Left(who, was_host) => {
                    self.record(Record::Left {
                        who,
                        was_host: was_host.0,
                    })
                    .await;
                }
                Effect::Save { before, who } => {
                    self.record(Record::Changed { before, who }).await;
                }
                Effect::SaveChat(chat) => {
                    let saved = self.hub.store.append_chat(self.state.uid(), &chat.entry);
                    let told = match saved.await {
                        Ok(()) => self.state.chat_saved(chat),
                        Err(error) => {
                            store_failed(error);
                            self.state.chat_lost(chat)
                        }
                    };
                    for effect in told.into_iter().rev() {
                        effects.push_front(effect);
                    }
                }
                Effect::Publish(news) => self.publish(news).await,
            }
        }
    }

    /// Tells the other nodes. What is for one person goes to that one's node;
    /// if there is none to hear it, it waits until the person is back.
    async fn publish(&mut self, news: News) {
        let Some(cluster) = &self.hub.cluster else {
            return;
        };
        let uid = self.state.uid();
        let News::Relay { to, frame } = &news else {
            return cluster.tell_room(uid, Post::News { news }).await;
        };
        let (to, frame) = (*to, frame.clone());
        let Some(node) = self.state.node_of(to) else {
            return;
        };
        if !cluster.tell_node(node, uid, news).await {
            self.state.keep(to, frame.into());
        }
    }

    async fn record(&mut self, record: Record) {
        self.recorder.add(record);
        self.recorder.work(&self.hub).await;
    }

    fn send(&self, to: SocketId, frame: Frame) {
        if let Some(outbox) = self.outboxes.get(&to) {
            outbox.send(frame);
        }
    }
}

/// Why a room is over, as those inside are told.
fn closed(reason: EndReason) -> ClosedReason {
    match reason {
        EndReason::Time => ClosedReason::TimeOver,
        EndReason::Ended => ClosedReason::EndedByHost,
        EndReason::HostLeft => ClosedReason::HostLeft,
        EndReason::Idle => ClosedReason::Idle,
        EndReason::Closed | EndReason::Empty => ClosedReason::Closed,
        EndReason::Deleted => ClosedReason::Deleted,
    }
}
