//! Talking to a room's task.

use std::sync::Arc;

use serde_json::value::RawValue;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc, oneshot};
use uuid::Uuid;
use visavis_protocol::{Envelope, TrackSource};

use super::applicant::{Admitted, Applicant};
use super::state::{Entry, MemberRequest, Resumer, Sender};
use crate::cluster::ClusterMessage;
use crate::id::{ClientId, RoomKey};
use crate::model::{EndReason, ParticipantUpdate, Room};
use crate::refusal::Refusal;
use crate::socket::Outbox;

/// Talks to a room's task.
#[derive(Clone)]
pub(crate) struct RoomHandle(Arc<Address>);

struct Address {
    uid: Uuid,
    names: Vec<String>,
    inputs: mpsc::Sender<Box<Input>>,
    /// The inbox was full: the task reads the rows.
    missed: Arc<Notify>,
}

/// The room is not alive any more: it is over, or sleeps.
#[derive(Debug)]
pub(crate) struct RoomInactive;

/// Where someone is, as a room sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    Inside,
    Waiting,
    Outside,
}

/// Where an answer goes; the connection may have gone meanwhile.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Refusal>>;

/// The inputs of a room's task.
pub(super) enum Input {
    Join(Applicant, Entry, Outbox, Reply<()>),
    Enter(Box<Admitted>, Entry, Outbox),
    Resume(Resumer, Outbox, Reply<ClientId>),
    Request(Sender, Envelope, MemberRequest),
    Leave(Sender),
    Gone { sender: Sender, broken: bool },
    InCall(oneshot::Sender<bool>),
    Find(ClientId, oneshot::Sender<Presence>),
    Remove(ClientId, oneshot::Sender<bool>),
    Mute(ClientId, TrackSource, oneshot::Sender<bool>),
    ClusterMessage(ClusterMessage),
    Update(ClientId, ParticipantUpdate, oneshot::Sender<bool>),
    ServerChat(Box<RawValue>, Option<ClientId>, Reply<()>),
    Changed(Room),
    Over(Room, EndReason),
}

impl RoomHandle {
    pub(super) fn new(room: &Room, inputs: mpsc::Sender<Box<Input>>, missed: Arc<Notify>) -> Self {
        Self(Arc::new(Address {
            uid: room.uid,
            names: room.names(),
            inputs,
            missed,
        }))
    }

    pub fn uid(&self) -> Uuid {
        self.0.uid
    }

    /// Whether this is one of the room's names that never change.
    pub fn is_called(&self, name: &str) -> bool {
        let is = |key: RoomKey| match key {
            RoomKey::Uid(uid) => self.0.uid == uid,
            RoomKey::Code(name) | RoomKey::Ro(name) | RoomKey::Name(name) => {
                self.0.names.contains(&name)
            }
            RoomKey::Sid(_) => false,
        };
        RoomKey::readings(name).into_iter().any(is)
    }

    /// Whether the task has ended; the room has no local members then.
    pub fn is_over(&self) -> bool {
        self.0.inputs.is_closed()
    }

    /// Lets someone in, or lets it wait.
    pub async fn join(
        &self,
        applicant: Applicant,
        entry: Entry,
        outbox: Outbox,
    ) -> Result<Result<(), Refusal>, RoomInactive> {
        self.ask(|reply| Input::Join(applicant, entry, outbox, reply))
            .await
    }

    /// Shows round someone whom the store has let in already.
    pub async fn enter(
        &self,
        admitted: Admitted,
        entry: Entry,
        outbox: Outbox,
    ) -> Result<(), RoomInactive> {
        let admitted = Box::new(admitted);
        self.tell(Input::Enter(admitted, entry, outbox)).await
    }

    /// Lets someone in again; the id that it has.
    pub async fn resume(
        &self,
        resumer: Resumer,
        outbox: Outbox,
    ) -> Result<Result<ClientId, Refusal>, RoomInactive> {
        self.ask(|reply| Input::Resume(resumer, outbox, reply))
            .await
    }

    /// Passes on what a member says.
    pub async fn request(
        &self,
        sender: Sender,
        envelope: Envelope,
        request: MemberRequest,
    ) -> Result<(), RoomInactive> {
        self.tell(Input::Request(sender, envelope, request)).await
    }

    /// Takes someone out.
    pub async fn leave(&self, sender: Sender) -> Result<(), RoomInactive> {
        self.tell(Input::Leave(sender)).await
    }

    /// Tells that a socket has ended; `broken` = without a close frame.
    pub async fn gone(&self, sender: Sender, broken: bool) -> Result<(), RoomInactive> {
        self.tell(Input::Gone { sender, broken }).await
    }

    /// Whether any two are in a call with each other.
    pub async fn in_call(&self) -> bool {
        self.ask(Input::InCall).await.unwrap_or(false)
    }

    /// Where someone is.
    pub async fn find(&self, client: ClientId) -> Presence {
        let found = self.ask(|reply| Input::Find(client, reply)).await;
        found.unwrap_or(Presence::Outside)
    }

    /// Puts someone out at an administrator's request; whether it was inside.
    pub async fn remove(&self, client: ClientId) -> bool {
        let removed = self.ask(|reply| Input::Remove(client, reply)).await;
        removed.unwrap_or(false)
    }

    /// Asks someone to mute itself at an administrator's request; whether it is inside.
    pub async fn mute(&self, client: ClientId, source: TrackSource) -> bool {
        let asked = self.ask(|reply| Input::Mute(client, source, reply)).await;
        asked.unwrap_or(false)
    }

    /// Passes on a message of another node. It never waits: where the inbox is full,
    /// the room reads the rows instead.
    pub fn deliver(&self, message: ClusterMessage) {
        self.offer(Input::ClusterMessage(message));
    }

    /// The room was changed on another node.
    pub fn deliver_changed(&self, room: Room) {
        self.offer(Input::Changed(room));
    }

    /// The room has ended on another node.
    pub fn deliver_over(&self, room: Room, reason: EndReason) {
        self.offer(Input::Over(room, reason));
    }

    /// Messages of other nodes may have been missed: the room reads the rows.
    pub fn catch_up(&self) {
        self.0.missed.notify_one();
    }

    /// Changes someone at an administrator's request; whether it is inside.
    pub async fn apply_update(&self, client: ClientId, update: ParticipantUpdate) -> bool {
        let amended = self.ask(|reply| Input::Update(client, update, reply));
        amended.await.unwrap_or(false)
    }

    /// Says something at an administrator's request, to all or to one.
    pub async fn server_chat(
        &self,
        payload: Box<RawValue>,
        to: Option<ClientId>,
    ) -> Result<Result<(), Refusal>, RoomInactive> {
        self.ask(|reply| Input::ServerChat(payload, to, reply))
            .await
    }

    /// The room was changed.
    pub async fn changed(&self, room: Room) {
        let _ = self.tell(Input::Changed(room)).await;
    }

    /// The room has ended, and nobody is inside any more.
    pub async fn over(&self, room: Room, reason: EndReason) {
        let _ = self.tell(Input::Over(room, reason)).await;
    }

    fn offer(&self, input: Input) {
        if let Err(TrySendError::Full(_)) = self.0.inputs.try_send(Box::new(input)) {
            self.catch_up();
        }
    }

    async fn tell(&self, input: Input) -> Result<(), RoomInactive> {
        self.0
            .inputs
            .send(Box::new(input))
            .await
            .map_err(|_| RoomInactive)
    }

    async fn ask<T>(
        &self,
        input: impl FnOnce(oneshot::Sender<T>) -> Input,
    ) -> Result<T, RoomInactive> {
        let (reply, answer) = oneshot::channel();
        self.tell(input(reply)).await?;
        answer.await.map_err(|_| RoomInactive)
    }
}
