//! What the room does with its inputs: requests of its members, messages of other
//! nodes, and changes of the room.

use std::time::Instant;

use visavis_protocol::ClosedReason;

use super::super::applicant::{Admitted, Applicant, Pass};
use super::super::handle::{Input, Presence, Reply};
use super::super::operation::{Joined, Outcome, Replaced, Request};
use super::super::state::{Effect, Entry, Resumer};
use super::RoomTask;
use crate::cluster::ClusterMessage;
use crate::id::ClientId;
use crate::model::{EndReason, Room};
use crate::refusal::Refusal;
use crate::socket::Outbox;

/// Cluster messages about members that wait while the rows are read.
const MAX_DEFERRED: usize = 256;

impl RoomTask {
    pub(super) fn take(&mut self, input: Input) {
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

    pub(super) fn over(&mut self, room: &Room, reason: EndReason) -> Vec<Effect> {
        let refusal = match room.deleted_at {
            Some(_) => Refusal::room_not_found(),
            None => Refusal::room_ended(),
        };
        tracing::debug!(?reason, "over");
        self.state.end(refusal, closed(reason))
    }

    /// A message of another node. What is about members waits while the rows are read.
    pub(super) fn cluster_message(&mut self, message: ClusterMessage) {
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

    pub(super) fn catch_up(&mut self) {
        self.operations.request_catch_up(Instant::now());
    }

    /// Adds a request for the store; where too many wait, it is refused at once.
    pub(super) fn request(&mut self, request: Request) {
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
        let resumed = (self.state).resume(resumer, |id, stun| services.ice_servers(id, stun, now));
        self.answer(socket, resumed, reply);
    }
}

/// The reason that members are sent when a room ends.
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
