//! The task of an active room. It waits for one thing at a time and never for the
//! store or the bus: those are polled beside its inbox.

use std::collections::{HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;
use visavis_protocol::{ClosedReason, ErrorCode};

use super::applicant::{Admitted, Applicant, Pass};
use super::handle::{Input, Presence, Reply, RoomHandle};
use super::operation::{
    Joined, Next, Operation, Operations, Outcome, RETRY, Replaced, Request, Write,
};
use super::publisher::{Publisher, Publishing, Undelivered};
use super::services::{RoomServices, StoredRoom};
use super::state::{Effect, Entry, Resumer, RoomState, WasHost};
use crate::cluster::ClusterMessage;
use crate::id::{ClientId, SocketId};
use crate::model::{EndReason, Room};
use crate::refusal::{Refusal, store_failed};
use crate::socket::{Frame, Outbox};

/// Connections to room: the connection waits, and reads nothing meanwhile. A full
/// inbox never holds up the bus of the node (see [`RoomHandle::deliver`]).
const INPUTS: usize = 64;
/// Cluster messages about members that wait while the rows are read.
const MAX_DEFERRED: usize = 256;
/// How long a room may take to store what is left when the server stops.
const LAST_WRITES: Duration = Duration::from_millis(900);

/// What does not change while a room is active.
#[derive(Debug, Clone)]
pub(crate) struct RoomSettings {
    /// The id of this node.
    pub node: String,
    /// How long a broken socket's place is kept.
    pub resume_window: Duration,
    /// The server stops.
    pub cancel: CancellationToken,
}

/// Makes a room's task and the handle to it. A room that was just created is given
/// as `new` and is not read.
pub(crate) fn start(
    services: Arc<dyn RoomServices>,
    settings: RoomSettings,
    room: &Room,
    new: Option<Room>,
) -> (RoomHandle, impl Future<Output = ()> + Send + use<>) {
    let (inputs, inbox) = mpsc::channel(INPUTS);
    let missed = Arc::new(Notify::new());
    let handle = RoomHandle::new(room, inputs, Arc::clone(&missed));
    let span = tracing::info_span!(parent: None, "room", id = room.code);
    let task = run(services, settings, room.uid, new, inbox, missed);
    (handle, task.instrument(span))
}

async fn run(
    services: Arc<dyn RoomServices>,
    settings: RoomSettings,
    uid: Uuid,
    new: Option<Room>,
    inbox: mpsc::Receiver<Box<Input>>,
    missed: Arc<Notify>,
) {
    let stored = match new {
        Some(room) => Some(StoredRoom {
            room,
            present: Vec::new(),
            chat: Vec::new(),
        }),
        None => services.load(uid).await.unwrap_or_else(|error| {
            store_failed(error);
            None
        }),
    };
    if let Some(StoredRoom {
        room,
        mut present,
        chat,
    }) = stored
    {
        // Nobody of this node is inside before the task runs.
        present.retain(|who| who.node != settings.node);
        tracing::debug!("the room is active");
        let task = RoomTask {
            state: RoomState::new(room, chat, present, settings.resume_window),
            services: Arc::clone(&services),
            settings,
            outboxes: HashMap::new(),
            inbox,
            missed,
            sealed: None,
            operations: Operations::default(),
            operation: None,
            publisher: Publisher::default(),
            publishing: None,
            queue: QueueAdmission::default(),
            crowded: Vec::new(),
            deferred: None,
        };
        // Not in the future of a room that is still being read.
        Box::pin(task.run()).await;
    }
    // Late senders get a closed channel and look the room up again.
    services.deactivate(uid);
    tracing::debug!("the room is inactive");
}

struct RoomTask {
    services: Arc<dyn RoomServices>,
    settings: RoomSettings,
    state: RoomState,
    /// The outboxes of local members, of those who wait, and of removed members whose
    /// connection has not ended yet.
    outboxes: HashMap<SocketId, Outbox>,
    inbox: mpsc::Receiver<Box<Input>>,
    /// Cluster messages did not fit into the inbox.
    missed: Arc<Notify>,
    /// The version of the room that its seals are of.
    sealed: Option<i64>,
    operations: Operations,
    operation: Option<Operation>,
    publisher: Publisher,
    publishing: Option<Publishing>,
    queue: QueueAdmission,
    /// Admitted clients that enter when the rows are read.
    crowded: Vec<Joined>,
    /// Membership messages of other nodes that arrived while the rows were read: the
    /// rows may be older or newer than they are. `None`: no read is under way.
    deferred: Option<VecDeque<ClusterMessage>>,
}

/// The admission of those who wait in the queue of a full room.
#[derive(Default)]
struct QueueAdmission {
    /// One is under way.
    running: bool,
    /// The store admitted nobody: it is asked again then.
    retry_at: Option<Instant>,
}

enum Step {
    Take(Box<Input>),
    Stored(Box<Outcome>),
    Published(Option<Undelivered>),
    /// Cluster messages were missed.
    Missed,
    /// A deadline of the state or of the queues has passed.
    Due,
    Stop,
}

impl RoomTask {
    async fn run(mut self) {
        loop {
            self.renew_seals();
            self.start_operations();
            let deadline = self.next_deadline();
            let cancel = self.settings.cancel.clone();
            let step = tokio::select! { biased;
                () = cancel.cancelled() => Step::Stop,
                outcome = poll_slot(&mut self.operation) => Step::Stored(Box::new(outcome)),
                undelivered = poll_slot(&mut self.publishing) => Step::Published(undelivered),
                () = sleep_until(deadline.unwrap_or_else(Instant::now).into()), if deadline.is_some() => Step::Due,
                () = self.missed.notified() => Step::Missed,
                Some(input) = self.inbox.recv() => Step::Take(input),
            };
            if let Step::Stop = step {
                return Box::pin(self.stop()).await;
            }
            self.handle(step);
            if self.is_done() {
                return;
            }
        }
    }

    /// Seals the room again after each change of it.
    fn renew_seals(&mut self) {
        let room = self.state.room();
        if self.sealed.replace(room.version) != Some(room.version) {
            let seals = self.services.seals(room);
            self.state.set_seals(seals);
        }
    }

    /// Whether nobody is here, and everything is stored and published.
    fn is_done(&self) -> bool {
        self.state.is_idle()
            && self.operation.is_none()
            && self.operations.is_empty()
            && self.publishing.is_none()
            && self.publisher.is_empty()
            && self.crowded.is_empty()
            && self.inbox.is_empty()
    }

    fn next_deadline(&self) -> Option<Instant> {
        let deadlines = [
            self.state.next_deadline(),
            self.operations
                .retry_at()
                .filter(|_| self.operation.is_none()),
            self.queue.retry_at,
            self.state.queue_deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    fn handle(&mut self, step: Step) {
        match step {
            Step::Take(input) => self.take(*input),
            Step::Stored(outcome) => self.stored(*outcome),
            Step::Published(undelivered) => {
                if let Some(Undelivered { to, frame }) = undelivered {
                    self.state.keep(to, frame.into());
                }
            }
            Step::Missed => self.catch_up(),
            Step::Due => {
                let now = self.services.now();
                if self.queue.retry_at.is_some_and(|at| at <= now.instant) {
                    self.queue.retry_at = None;
                }
                let effects = self.state.expire(now);
                self.perform(effects);
            }
            Step::Stop => {}
        }
        self.serve_queue();
    }

    /// Starts the next operation and the next publication, where none is under way.
    fn start_operations(&mut self) {
        if self.publishing.is_none() {
            self.publishing = (self.publisher).start_next(&self.services, self.state.uid());
        }
        while self.operation.is_none()
            && let Some(next) = self.operations.next(Instant::now())
        {
            let next = match next {
                Next::Request(request) => match *request {
                    // Those in the queue asked earlier; a kept place is its owner's.
                    Request::Join(applicant, entry, reply, None)
                        if self.state.place_is_claimed() =>
                    {
                        self.joined(Joined {
                            applicant: *applicant,
                            entry,
                            reply,
                            replaced: None,
                            admitted: Err(Refusal::room_full()),
                        });
                        continue;
                    }
                    Request::CatchUp => {
                        self.deferred = Some(VecDeque::new());
                        Next::Request(request)
                    }
                    _ => Next::Request(request),
                },
                write @ Next::Write(_) => write,
            };
            let services = Arc::clone(&self.services);
            self.operation = Some(next.start(services, self.state.uid()));
        }
    }

    /// The server stops: what was said before is still passed on and stored.
    async fn stop(mut self) {
        self.inbox.close();
        self.operations.expedite();
        let finish = async {
            while let Some(input) = self.inbox.recv().await {
                self.take(*input);
            }
            loop {
                self.start_operations();
                if self.operation.is_none() && self.publishing.is_none() {
                    break;
                }
                tokio::select! {
                    outcome = poll_slot(&mut self.operation) => self.stored(outcome),
                    _ = poll_slot(&mut self.publishing) => {}
                }
            }
        };
        let finished = timeout(LAST_WRITES, finish).await;
        if finished.is_err() || !self.operations.is_empty() {
            tracing::warn!("the store did not take everything in time");
        }
    }

    fn take(&mut self, input: Input) {
        let now = self.services.now();
        let effects = match input {
            Input::Join(applicant, entry, outbox, reply) => {
                return self.join(applicant, entry, outbox, reply);
            }
            Input::Enter(admitted, entry, outbox) => {
                self.outboxes.insert(entry.socket, outbox);
                let Admitted { who, room } = *admitted;
                self.state.enter(entry, who, room)
            }
            Input::Resume(resumer, outbox, reply) => {
                return self.resume(resumer, outbox, reply);
            }
            Input::Request(sender, envelope, request) => {
                self.state
                    .handle_request(now, &mut rand::rng(), sender, envelope, request)
            }
            Input::Leave(sender) => {
                self.outboxes.remove(&sender.socket);
                self.state.leave(sender)
            }
            Input::Gone { sender, broken } => {
                self.outboxes.remove(&sender.socket);
                self.state.gone(now, sender, broken)
            }
            Input::InCall(reply) => {
                // The asker may have gone.
                let _ = reply.send(self.state.in_call());
                Vec::new()
            }
            Input::Find(client, reply) => {
                let presence = match self.state.has(client) {
                    true => Presence::Inside,
                    false if self.state.is_waiting(client) => Presence::Waiting,
                    false => Presence::Outside,
                };
                let _ = reply.send(presence);
                Vec::new()
            }
            Input::Remove(client, reply) => {
                let effects = self.state.remove_by_admin(client);
                let _ = reply.send(effects.is_some());
                effects.unwrap_or_default()
            }
            Input::Mute(client, source, reply) => {
                let effects = self.state.mute_by_admin(client, source);
                let _ = reply.send(effects.is_some());
                effects.unwrap_or_default()
            }
            Input::ClusterMessage(message) => return self.cluster_message(message),
            Input::Update(client, update, reply) => {
                let effects = self.state.apply_update(client, update);
                let _ = reply.send(effects.is_some());
                effects.unwrap_or_default()
            }
            Input::ServerChat(payload, to, reply) => {
                let entry = (self.state).server_message(now, &mut rand::rng(), payload, to);
                return self.request(Request::ServerChat(entry, to, reply));
            }
            Input::Changed(room) => self.state.changed(room),
            Input::Over(room, reason) => self.over(&room, reason),
        };
        self.perform(effects);
    }

    fn over(&mut self, room: &Room, reason: EndReason) -> Vec<Effect> {
        let refusal = match room.deleted_at {
            Some(_) => Refusal::room_not_found(),
            None => Refusal::room_ended(),
        };
        tracing::debug!(?reason, "over");
        self.state.end(refusal, closed(reason))
    }

    /// A message of another node. What is about members waits while the rows are read.
    fn cluster_message(&mut self, message: ClusterMessage) {
        if let ClusterMessage::CatchUp = message {
            return self.catch_up();
        }
        if message.is_about_membership()
            && let Some(deferred) = &mut self.deferred
        {
            match deferred.len() < MAX_DEFERRED {
                true => deferred.push_back(message),
                // Once more, when this read is done.
                false => self.catch_up(),
            }
            return;
        }
        if let ClusterMessage::Queue { node, waiting } = message {
            let now = self.services.now();
            let effects = self.state.apply_queue(now.instant, node, waiting);
            return self.perform(effects);
        }
        if self.state.is_crowded_by(&message) {
            // A departure elsewhere was missed. The rows contain this member too.
            return self.catch_up();
        }
        let effects = self.state.apply_cluster_message(message);
        self.perform(effects);
    }

    fn catch_up(&mut self) {
        self.operations.request_catch_up(Instant::now());
    }

    /// Adds a request for the store; where too many wait, it is refused at once.
    fn request(&mut self, request: Request) {
        let Err(refused) = self.operations.push(request) else {
            return;
        };
        let busy = Refusal::server_busy();
        self.stored(match *refused {
            Request::Join(applicant, entry, reply, _) => Outcome::Joined(Box::new(Joined {
                applicant: *applicant,
                entry,
                reply,
                replaced: None,
                admitted: Err(busy),
            })),
            Request::AdmitWaiting(applicant) => {
                Outcome::AdmittedWaiting(applicant.client, Err(busy))
            }
            Request::TakeOver(resumer, reply) => Outcome::TookOver(resumer.entry, reply, Err(busy)),
            Request::Chat(chat) => Outcome::ChatSaved(chat, Err(busy)),
            Request::ServerChat(entry, to, reply) => {
                Outcome::ServerChatSaved(entry, to, reply, Err(busy))
            }
            Request::Command { by, envelope, .. } => Outcome::Commanded(by, envelope, Err(busy)),
            Request::CatchUp => return,
        });
    }

    fn join(
        &mut self,
        mut applicant: Applicant,
        mut entry: Entry,
        outbox: Outbox,
        reply: Reply<()>,
    ) {
        let socket = entry.socket;
        self.outboxes.insert(socket, outbox);
        if let Some(effects) = self.state.rejoin(applicant.client, &mut entry) {
            return self.answer(socket, Ok(((), effects)), reply);
        }
        let replaces = self.state.replaceable(&applicant).map(|(who, was_host)| {
            // It had been admitted to this place.
            applicant.pass = Pass::HostApproval;
            let was_host = was_host.0;
            Box::new(Replaced { who, was_host })
        });
        self.request(Request::Join(Box::new(applicant), entry, reply, replaces));
    }

    /// A client comes back: to this node, or from another one.
    fn resume(&mut self, resumer: Resumer, outbox: Outbox, reply: Reply<ClientId>) {
        let socket = resumer.entry.socket;
        self.outboxes.insert(socket, outbox);
        if self.state.resumes(resumer.proof).is_none() {
            return self.request(Request::TakeOver(resumer, reply));
        }
        let now = self.services.now();
        let services = &self.services;
        let resumed = (self.state).resume(resumer, |id| services.ice_servers(id, now.utc));
        self.answer(socket, resumed, reply);
    }

    /// An operation has ended.
    fn stored(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Written(write, done) => self.written(write, done),
            Outcome::Joined(joined) => self.joined(*joined),
            Outcome::AdmittedWaiting(client, admitted) => self.admitted_waiting(client, admitted),
            Outcome::TookOver(mut entry, reply, taken) => {
                let socket = entry.socket;
                let now = self.services.now();
                let adopted = taken.map(|who| {
                    let id = who.client;
                    entry.ice_servers = self.services.ice_servers(id, now.utc);
                    (id, self.state.adopt(entry, *who))
                });
                self.answer(socket, adopted, reply);
            }
            Outcome::ChatSaved(chat, saved) => {
                // Where the room ended, or its sender left, meanwhile: no echo reaches it.
                let left = !self.state.has(chat.from.id);
                let (socket, envelope) = (chat.from.socket, chat.envelope.clone());
                let stored = saved.is_ok();
                let effects = match saved {
                    Ok(()) => self.state.chat_saved(chat),
                    Err(refusal) => self.state.chat_lost(chat, refusal),
                };
                self.perform(effects);
                if left && stored {
                    let answer = Refusal::not_in_room().answer(envelope);
                    self.send(socket, super::frame(&answer));
                }
            }
            Outcome::ServerChatSaved(entry, to, reply, saved) => {
                let stored = saved.is_ok();
                let _ = reply.send(saved);
                if stored {
                    let effects = self.state.server_message_saved(entry, to);
                    self.perform(effects);
                }
            }
            Outcome::Commanded(by, envelope, done) => {
                if let Err(refusal) = done
                    && let Some(outbox) = self.outboxes.get(&by)
                {
                    outbox.send(super::frame(&refusal.answer(envelope)));
                }
            }
            Outcome::CaughtUp(stored) => self.caught_up(stored),
        }
    }

    fn written(&mut self, write: Write, done: Result<(), crate::store::StoreError>) {
        let Err(error) = done else { return };
        let is_final = !error.is_outage();
        let error = &error as &dyn std::error::Error;
        if is_final {
            tracing::error!(error, "a change cannot be stored");
            return;
        }
        tracing::warn!(error, "a change is not stored yet");
        self.operations.retry(write, Instant::now());
    }

    fn joined(&mut self, joined: Joined) {
        if joined.admitted.is_ok() && self.state.is_crowded() && !self.state.is_over() {
            // A departure elsewhere was missed: the member that left is removed first, so
            // that nobody sees more members than the limit.
            self.crowded.push(joined);
            return self.catch_up();
        }
        self.enter_joined(joined);
    }

    fn enter_joined(&mut self, joined: Joined) {
        let Joined {
            applicant,
            entry,
            reply,
            replaced,
            admitted,
        } = joined;
        let socket = entry.socket;
        if let Some(client) = replaced {
            let effects = self.state.replaced(client);
            self.perform(effects);
        }
        let entered = match admitted {
            // Its end has taken the new participant out again.
            Ok(_) if self.state.is_over() => Err(Refusal::room_ended()),
            Ok(Admitted { who, room }) => Ok(self.state.enter(entry, who, room)),
            Err(refusal) => {
                let now = self.services.now();
                self.state.enqueue(now, applicant, entry, refusal)
            }
        };
        self.answer(socket, entered.map(|effects| ((), effects)), reply);
    }

    fn admitted_waiting(&mut self, client: ClientId, admitted: Result<Box<Admitted>, Refusal>) {
        self.queue.running = false;
        let effects = match admitted {
            // It stopped waiting meanwhile, and its place is free again.
            Ok(admitted) if !self.state.is_waiting(client) => {
                vec![Effect::Left(Box::new(admitted.who), WasHost(false))]
            }
            Ok(admitted) => {
                let Admitted { who, room } = *admitted;
                self.state.enter_from_queue(who, room)
            }
            Err(refusal) => match refusal.code {
                // The store is down, or knows more than is known here yet.
                ErrorCode::ServerBusy
                | ErrorCode::RoomFull
                | ErrorCode::RoomLocked
                | ErrorCode::WaitingRoom => {
                    self.queue.retry_at = Some(Instant::now() + RETRY);
                    return;
                }
                _ => self.state.reject_waiting(client, refusal),
            },
        };
        self.perform(effects);
    }

    /// Admits those who wait, as far as there are places now.
    fn serve_queue(&mut self) {
        if !self.queue.running
            && self.queue.retry_at.is_none()
            && let Some(first) = self.state.next_in_queue()
        {
            self.queue.running = true;
            let first = Box::new(first.clone());
            self.operations.push_first(Request::AdmitWaiting(first));
        }
        // The one that is being admitted leaves the queue, or learns its place then.
        if !self.queue.running {
            let effects = self.state.send_positions();
            self.perform(effects);
        }
        let now = self.services.now();
        self.state.start_intervals(now.instant);
        if let Some(message) = self.state.refresh_queue(now, &self.settings.node) {
            self.publish(message);
        }
    }

    fn caught_up(&mut self, stored: Result<Option<Box<StoredRoom>>, Refusal>) {
        let deferred = self.deferred.take().unwrap_or_default();
        if stored.is_err() {
            self.operations.retry_catch_up(Instant::now());
        }
        if let Ok(Some(stored)) = stored {
            let StoredRoom {
                room,
                present,
                chat,
            } = *stored;
            let mut effects = match &room.closed {
                Some(closing) => self.over(&room, closing.reason),
                None if room.deleted_at.is_some() => self.over(&room, EndReason::Deleted),
                None => self.state.changed(room),
            };
            let (here, elsewhere): (Vec<_>, Vec<_>) =
                (present.into_iter()).partition(|who| who.node == self.settings.node);
            let here: Vec<ClientId> = here.into_iter().map(|who| who.client).collect();
            effects.extend(self.state.catch_up(&here, elsewhere, chat));
            self.perform(effects);
        }
        for message in deferred {
            self.cluster_message(message);
        }
        for joined in std::mem::take(&mut self.crowded) {
            self.enter_joined(joined);
        }
    }

    fn answer<T>(
        &mut self,
        socket: SocketId,
        entered: Result<(T, Vec<Effect>), Refusal>,
        reply: Reply<T>,
    ) {
        let answer = match entered {
            Ok((value, effects)) => {
                self.perform(effects);
                Ok(value)
            }
            Err(refusal) => {
                self.outboxes.remove(&socket);
                Err(refusal)
            }
        };
        // A connection waits for its answer, except when the server stops.
        let _ = reply.send(answer);
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send { to, frame } => self.send(to, frame),
                Effect::Close(socket, code) => {
                    if let Some(outbox) = self.outboxes.remove(&socket) {
                        outbox.close(code);
                    }
                }
                Effect::HostCommand {
                    command,
                    by,
                    envelope,
                } => self.request(Request::Command {
                    command,
                    by,
                    envelope,
                }),
                Effect::Left(who, was_host) => self.operations.push_write(Write::Departure {
                    who,
                    was_host: was_host.0,
                }),
                Effect::Save { before, who } => {
                    self.operations.push_write(Write::Change { before, who });
                }
                Effect::SaveChat(chat) => self.request(Request::Chat(chat)),
                Effect::Publish(message) => self.publish(message),
            }
        }
    }

    /// Publishes to the other nodes. A relayed frame goes to its receiver's node;
    /// where that node does not take it, it is kept until the receiver is back.
    fn publish(&mut self, message: ClusterMessage) {
        if !self.services.is_clustered() {
            return;
        }
        let node = match &message {
            ClusterMessage::Relay { to, .. } => match self.state.node_of(*to) {
                Some(node) => Some(node.to_owned()),
                None => return,
            },
            _ => None,
        };
        self.publisher.push(node, message);
    }

    fn send(&self, to: SocketId, frame: Frame) {
        if let Some(outbox) = self.outboxes.get(&to) {
            outbox.send(frame);
        }
    }
}

/// Polls what is under way, if anything, and empties the slot when it has ended.
async fn poll_slot<T>(slot: &mut Option<Pin<Box<dyn Future<Output = T> + Send>>>) -> T {
    poll_fn(|context| {
        let Some(under_way) = slot else {
            return Poll::Pending;
        };
        let done = under_way.as_mut().poll(context);
        if done.is_ready() {
            *slot = None;
        }
        done
    })
    .await
}

/// The reason that members are told when a room ends.
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
