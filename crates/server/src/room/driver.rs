//! The task of an active room. It waits for one thing at a time and never for the
//! store or the bus: those are polled beside its inbox.

mod inputs;
mod outcomes;
mod queue;

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

use self::queue::QueueAdmission;
use super::handle::{Input, Reply, RoomHandle};
use super::operation::{Joined, Next, Operation, Operations, Outcome, Request, Write};
use super::publisher::{Publisher, Publishing, Undelivered};
use super::services::{RoomServices, StoredRoom};
use super::state::{Effect, RoomState};
use crate::cluster::ClusterMessage;
use crate::id::SocketId;
use crate::model::Room;
use crate::refusal::{Refusal, store_failed};
use crate::socket::{Frame, Outbox};

/// Connections to room: the connection waits, and reads nothing meanwhile. A full
/// inbox never holds up the bus of the node (see [`RoomHandle::deliver`]).
const INPUTS: usize = 64;
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
                for (client, stun_url) in self.state.due_renewals(now.instant) {
                    let renewed = (self.services).ice_servers(client, stun_url.as_deref(), now);
                    let effects = self.state.renew_ice_servers(client, renewed);
                    self.perform(effects.into_iter().collect());
                }
                for (client, due) in self.state.due_tokens(now.instant) {
                    let renewed = self.services.renew_token(&due, now);
                    let effects = self.state.renew_token(client, renewed);
                    self.perform(effects.into_iter().collect());
                }
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
                Effect::SaveHostChange { from, to } => {
                    self.operations.push_write(Write::HostChange { from, to });
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
