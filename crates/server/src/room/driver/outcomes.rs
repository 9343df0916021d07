//! Applies the outcomes of store operations to the room.

use std::time::Instant;

use super::super::applicant::Admitted;
use super::super::frame;
use super::super::operation::{Joined, Outcome, Write};
use super::super::services::StoredRoom;
use super::RoomTask;
use crate::cluster::ClusterMessage;
use crate::model::EndReason;
use crate::refusal::Refusal;

impl RoomTask {
    /// An operation has ended.
    pub(super) fn stored(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Written(write, done) => self.written(write, done),
            Outcome::Joined(joined) => self.joined(*joined),
            Outcome::AdmittedWaiting(client, admitted) => self.admitted_waiting(client, admitted),
            Outcome::TookOver(mut entry, reply, taken) => {
                let socket = entry.socket;
                let now = self.services.now();
                let adopted = taken.map(|who| {
                    let id = who.client;
                    let stun = entry.stun_url.as_deref();
                    entry.ice_servers = self.services.ice_servers(id, stun, now);
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
                    self.send(socket, frame(&answer));
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
                    outbox.send(frame(&refusal.answer(envelope)));
                }
            }
            Outcome::CaughtUp(stored) => self.caught_up(stored),
        }
    }

    fn written(&mut self, write: Write, done: Result<(), crate::store::StoreError>) {
        let Err(error) = done else {
            return self.announce_host_change(&write);
        };
        let is_final = !error.is_outage();
        let error = &error as &dyn std::error::Error;
        if is_final {
            tracing::error!(error, "a change cannot be stored");
            return self.announce_host_change(&write);
        }
        tracing::warn!(error, "a change is not stored yet");
        self.operations.retry(write, Instant::now());
    }

    /// Other nodes learn of a host change when it is stored. The next host change comes
    /// from one of them, so the rows have both in order; a node that misses the message
    /// finds the change in the rows.
    fn announce_host_change(&mut self, write: &Write) {
        if let Write::HostChange { from, to } = *write {
            self.publish(ClusterMessage::Host { from, to });
        }
    }

    pub(super) fn joined(&mut self, joined: Joined) {
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

    fn caught_up(&mut self, stored: Result<Option<Box<StoredRoom>>, Refusal>) {
        let deferred = self.deferred.take().unwrap_or_default();
        if stored.is_err() {
            self.operations.retry_catch_up(Instant::now());
        }
        if let Ok(Some(stored)) = stored {
            let StoredRoom {
                room,
                mut present,
                chat,
            } = *stored;
            self.operations.apply_pending_roles(&mut present);
            let mut effects = match &room.closed {
                Some(closing) => self.over(&room, closing.reason),
                None if room.deleted_at.is_some() => self.over(&room, EndReason::Deleted),
                None => self.state.changed(room),
            };
            let (here, elsewhere): (Vec<_>, Vec<_>) =
                (present.into_iter()).partition(|who| who.node == self.settings.node);
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
}
