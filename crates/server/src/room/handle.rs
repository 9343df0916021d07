//! Talking to a room's task.

use std::sync::Arc;

use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;
use visavis_protocol::{Envelope, TrackSource};

use super::news::News;
use super::state::{Amendment, Entry, Resumer, Saying, Speaker};
use crate::hub::{Admitted, Applicant};
use crate::id::{ClientId, RoomKey};
use crate::model::{EndReason, Room};
use crate::refusal::Refusal;
use crate::ws::Outbox;

/// Talks to a room's task.
#[derive(Clone)]
pub(crate) struct RoomHandle(Arc<Address>);

struct Address {
    uid: Uuid,
    names: Vec<String>,
    inputs: mpsc::Sender<Box<Input>>,
}

/// The room is not alive any more: it is over, or sleeps.
#[derive(Debug)]
pub(crate) struct Asleep;

/// Where someone is, as a room sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Inside,
    Waiting,
    Outside,
}

/// Where an answer goes; the connection may have gone meanwhile.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Refusal>>;

/// What a room's task is told, and asked.
pub(super) enum Input {
    Join(Applicant, Entry, Outbox, Reply<()>),
    Enter(Box<Admitted>, Entry, Outbox),
    Resume(Resumer, Outbox, Reply<ClientId>),
    Say(Speaker, Envelope, Saying),
    Leave(Speaker),
    Gone { speaker: Speaker, broken: bool },
    InCall(oneshot::Sender<bool>),
    Find(ClientId, oneshot::Sender<Place>),
    Remove(ClientId, oneshot::Sender<bool>),
    Mute(ClientId, TrackSource, oneshot::Sender<bool>),
    News(News),
    CatchUp,
    Amend(ClientId, Amendment, oneshot::Sender<bool>),
    Post(Box<RawValue>, Option<ClientId>, Reply<()>),
    Changed(Room),
    Over(Room, EndReason),
}

impl RoomHandle {
    pub(super) fn new(room: &Room, inputs: mpsc::Sender<Box<Input>>) -> Self {
        Self(Arc::new(Address {
            uid: room.uid,
            names: room.names(),
            inputs,
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

    /// Whether the task has ended; whoever was in the room is out.
    pub fn is_over(&self) -> bool {
        self.0.inputs.is_closed()
    }

    /// Lets someone in, or lets it wait.
    pub async fn join(
        &self,
        applicant: Applicant,
        entry: Entry,
        outbox: Outbox,
    ) -> Result<Result<(), Refusal>, Asleep> {
        self.ask(|reply| Input::Join(applicant, entry, outbox, reply))
            .await
    }

    /// Shows round someone whom the store has let in already.
    pub async fn enter(
        &self,
        admitted: Admitted,
        entry: Entry,
        outbox: Outbox,
    ) -> Result<(), Asleep> {
        let admitted = Box::new(admitted);
        self.tell(Input::Enter(admitted, entry, outbox)).await
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

    /// Whether any two are in a call with each other.
    pub async fn in_call(&self) -> bool {
        self.ask(Input::InCall).await.unwrap_or(false)
    }

    /// Where someone is.
    pub async fn find(&self, client: ClientId) -> Place {
        let found = self.ask(|reply| Input::Find(client, reply)).await;
        found.unwrap_or(Place::Outside)
    }

    /// Puts someone out by an administrator's word; whether it was inside.
    pub async fn remove(&self, client: ClientId) -> bool {
        let removed = self.ask(|reply| Input::Remove(client, reply)).await;
        removed.unwrap_or(false)
    }

    /// Asks someone to mute itself by an administrator's word; whether it is inside.
    pub async fn mute(&self, client: ClientId, source: TrackSource) -> bool {
        let asked = self.ask(|reply| Input::Mute(client, source, reply)).await;
        asked.unwrap_or(false)
    }

    /// Another node tells something, or this one heard of it otherwise.
    pub async fn news(&self, news: News) {
        let _ = self.tell(Input::News(news)).await;
    }

    /// News may have been missed.
    pub async fn catch_up(&self) {
        let _ = self.tell(Input::CatchUp).await;
    }

    /// Changes someone by an administrator's word; whether it is inside.
    pub async fn amend(&self, client: ClientId, amendment: Amendment) -> bool {
        let amended = self.ask(|reply| Input::Amend(client, amendment, reply));
        amended.await.unwrap_or(false)
    }

    /// Says something by an administrator's word, to all or to one.
    pub async fn post(
        &self,
        payload: Box<RawValue>,
        to: Option<ClientId>,
    ) -> Result<Result<(), Refusal>, Asleep> {
        self.ask(|reply| Input::Post(payload, to, reply)).await
    }

    /// The room was changed.
    pub async fn changed(&self, room: Room) {
        // Who wakes it later reads it anew.
        let _ = self.tell(Input::Changed(room)).await;
    }

    /// The room has ended, and nobody is inside any more.
    pub async fn over(&self, room: Room, reason: EndReason) {
        let _ = self.tell(Input::Over(room, reason)).await;
    }

    async fn tell(&self, input: Input) -> Result<(), Asleep> {
        self.0
            .inputs
            .send(Box::new(input))
            .await
            .map_err(|_| Asleep)
    }

    async fn ask<T>(&self, input: impl FnOnce(oneshot::Sender<T>) -> Input) -> Result<T, Asleep> {
        let (reply, answer) = oneshot::channel();
        self.tell(input(reply)).await?;
        answer.await.map_err(|_| Asleep)
    }
}
