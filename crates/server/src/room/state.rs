//! A room, without network, clock or chance: each of them is an argument, and
//! what is to be done comes back as effects.
//!
//! ```text
//! EMPTY ── someone enters ──► ACTIVE ── offer and answer relayed ──► IN_CALL
//!   ▲                           │ ▲                                    │
//!   └────── the last leaves ────┘ └── fewer than two such are left ────┘
//! ```

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

mod cluster;
#[cfg(test)]
mod cluster_tests;
mod control;
mod enter;
#[cfg(test)]
mod hidden_tests;
mod ice;
#[cfg(test)]
mod ice_tests;
mod membership;
#[cfg(test)]
mod membership_tests;
mod queue;
#[cfg(test)]
mod queue_tests;
#[cfg(test)]
mod random_walk;
#[cfg(test)]
mod reply_tests;
mod report;
mod requests;
#[cfg(test)]
mod tests;
mod token;
#[cfg(test)]
mod token_tests;
mod update;
mod waiting;
#[cfg(test)]
mod waiting_tests;

use std::time::{Duration, Instant};

use uuid::Uuid;
use visavis_protocol::{
    ChatEntry, CloseCode, ClosedReason, Envelope, Feature, MemberUpdated, Role, RoomClosed,
    ServerMessage,
};

pub(crate) use control::Control;
pub(crate) use enter::{Entry, Resumer};
pub(crate) use requests::{ChatMessage, MemberRequest, Sender};

use super::calls::Calls;
use super::history::History;
use super::member::{Attachment, Backlog, Member};
use super::message::Broadcast;
use super::policy;
use crate::access::seal::Seals;
use crate::clock::Now;
use crate::cluster::ClusterMessage;
use crate::id::{ClientId, SocketId};
use crate::model::{Participant, Room};
use crate::refusal::Refusal;
use crate::socket::Frame;
use membership::Membership;
use queue::Queue;

/// What the room's driver is to do.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Send this on that socket.
    Send { to: SocketId, frame: Frame },
    /// Close that socket.
    Close(SocketId, CloseCode),
    /// Do what a host wants done to the stored room; where that fails, tell it.
    HostCommand {
        command: HostCommand,
        by: SocketId,
        envelope: Envelope,
    },
    /// Store that someone has left.
    Left(Box<Participant>, WasHost),
    /// Store what someone is now, and was before.
    Save {
        before: Box<Participant>,
        who: Box<Participant>,
    },
    /// Store the roles of both participants of a host change; once stored, publish
    /// the change to the other nodes.
    SaveHostChange { from: ClientId, to: ClientId },
    /// Store a chat message; once stored, [`RoomState::chat_saved`].
    SaveChat(ChatMessage),
    /// Tell the other nodes that have people here.
    Publish(ClusterMessage),
}

/// What a host wants done to the stored room, which then tells this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostCommand {
    /// Lock it, or unlock it.
    Lock(bool),
    /// End it.
    End,
}

/// Whether one who left was the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WasHost(pub bool);

pub(crate) struct RoomState {
    room: Room,
    resume_window: Duration,
    /// In the order of joining, hidden ones after all others: so the place of a
    /// visible member is its place in the lists that members get.
    members: Vec<Member>,
    /// What members keep to restore the room after a restart of the server.
    seals: Option<Seals>,
    membership: Membership,
    queue: Queue,
    host: Option<ClientId>,
    calls: Calls,
    history: History,
    /// The room is over, and `room-closed` was sent to every member.
    over: bool,
}

impl RoomState {
    /// A room as it is stored, with those whom other nodes have inside.
    pub fn new(
        room: Room,
        chat: Vec<ChatEntry>,
        present: Vec<Participant>,
        resume_window: Duration,
    ) -> Self {
        let elsewhere = |who| Member::new(who, Attachment::elsewhere(false));
        let mut members: Vec<Member> = present.into_iter().map(elsewhere).collect();
        members.sort_by_key(|member| member.who.hidden);
        let mut state = Self {
            room,
            resume_window,
            members,
            seals: None,
            membership: Membership::default(),
            queue: Queue::default(),
            host: None,
            calls: Calls::default(),
            history: History::new(chat),
            over: false,
        };
        state.update_host(None);
        state
    }

    pub fn uid(&self) -> Uuid {
        self.room.uid
    }

    /// Whether any two are in a call with each other.
    pub fn in_call(&self) -> bool {
        self.calls.any()
    }

    /// Whether someone is in.
    pub fn has(&self, client: ClientId) -> bool {
        self.find(client).is_some()
    }

    /// The room as it is stored.
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// New seals, of the room as it is now.
    pub fn set_seals(&mut self, seals: Option<Seals>) {
        self.seals = seals;
    }

    /// Whether the room has ended.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Nobody is here: nobody needs to watch the room until someone enters.
    pub fn is_idle(&self) -> bool {
        let anyone = !self.queue.local().is_empty() || self.members.iter().any(Member::is_local);
        self.over || !anyone
    }

    /// Someone leaves.
    pub fn leave(&mut self, sender: Sender) -> Vec<Effect> {
        self.remove_waiting(sender);
        self.position(sender)
            .map_or_else(Vec::new, |index| self.remove(index))
    }

    /// A socket has ended: `broken` = without a close frame of either side.
    pub fn gone(&mut self, now: Now, sender: Sender, broken: bool) -> Vec<Effect> {
        let Some(index) = self.position(sender) else {
            self.remove_waiting(sender);
            return Vec::new();
        };
        if !broken || !self.members[index].features().has(Feature::Resume) {
            return self.remove(index);
        }
        self.members[index].attachment = Attachment::Away {
            until: now.instant + self.resume_window,
            kept: Backlog::default(),
        };
        self.publish_member(index)
    }

    /// When [`RoomState::expire`] has something to do, or a member gets new ICE servers
    /// ([`RoomState::due_renewals`]) or a new token ([`RoomState::due_tokens`]).
    pub fn next_deadline(&self) -> Option<Instant> {
        let away = self.next_departure().into_iter();
        away.chain(self.membership.next_deadline())
            .chain(self.next_renewal())
            .chain(self.next_token_renewal())
            .min()
    }

    /// When the first resume window of a broken socket is over.
    fn next_departure(&self) -> Option<Instant> {
        let until = |member: &Member| match member.attachment {
            Attachment::Away { until, .. } => Some(until),
            Attachment::Here(_) | Attachment::Elsewhere { .. } => None,
        };
        self.members.iter().filter_map(until).min()
    }

    /// Removes members whose resume window is over, and sends the membership changes that
    /// are due.
    pub fn expire(&mut self, now: Now) -> Vec<Effect> {
        let over = |member: &Member| match member.attachment {
            Attachment::Away { until, .. } => until <= now.instant,
            Attachment::Here(_) | Attachment::Elsewhere { .. } => false,
        };
        let mut effects = Vec::new();
        while let Some(index) = self.members.iter().position(over) {
            effects.extend(self.remove(index));
        }
        effects.extend(self.flush_due(now.instant));
        effects
    }

    /// The room is over: every member is removed and receives `room-closed`.
    pub fn end(&mut self, refusal: Refusal, reason: ClosedReason) -> Vec<Effect> {
        self.over = true;
        let envelope = Envelope {
            room_id: Some(self.room.code.clone()),
            ..Envelope::default()
        };
        let closed = RoomClosed {
            room_id: self.room.code.clone(),
            reason,
        };
        let notice = Broadcast::extended(
            Feature::Controls,
            ServerMessage::RoomClosed(closed),
            refusal.answer(envelope),
        );
        let mut effects = self.tell(None, notice);
        self.members.clear();
        self.membership = Membership::default();
        effects.extend(self.reject_all_waiting());
        effects
    }

    fn position(&self, sender: Sender) -> Option<usize> {
        let is = |member: &Member| member.id() == sender.id && member.is_on(sender.socket);
        self.members.iter().position(is)
    }

    /// Takes out one of this node's own.
    fn remove(&mut self, index: usize) -> Vec<Effect> {
        let who = Box::new(self.members[index].who.clone());
        let was_host = WasHost(self.host == Some(who.client));
        let client = who.client;
        let mut effects = vec![Effect::Left(who, was_host)];
        effects.extend(self.remove_from_list(index));
        effects.push(Effect::Publish(ClusterMessage::Left { client }));
        effects
    }

    /// Takes someone out of the list, and tells those who are here.
    fn remove_from_list(&mut self, index: usize) -> Vec<Effect> {
        let mut effects = self.delist(index);
        effects.extend(self.update_host(None));
        effects
    }

    /// Takes someone out of the list without determining the host again.
    fn delist(&mut self, index: usize) -> Vec<Effect> {
        self.calls.left(self.members[index].id());
        self.announce_departure(index)
    }

    /// Determines the host again and announces a change. The newcomer learns it from
    /// its `room-joined`.
    fn update_host(&mut self, newcomer: Option<ClientId>) -> Vec<Effect> {
        let host = self.host_after(self.host);
        self.make_host(host, newcomer)
    }

    /// The host among the present members, where `before` was host until now.
    fn host_after(&self, before: Option<ClientId>) -> Option<ClientId> {
        let inside = self.visible().map(|member| (member.id(), member.who.role));
        let inside: Vec<(ClientId, Role)> = inside.collect();
        policy::host(before, &inside, self.room.on_host_leave)
    }

    fn make_host(&mut self, host: Option<ClientId>, newcomer: Option<ClientId>) -> Vec<Effect> {
        let before = std::mem::replace(&mut self.host, host);
        let mut effects = Vec::new();
        if before == host {
            return effects;
        }
        let announced = |id: &ClientId| Some(*id) != newcomer;
        for id in [before, host].into_iter().flatten().filter(announced) {
            let Some(index) = self.find(id) else {
                continue;
            };
            effects.extend(self.show(index));
            if Some(id) == host {
                effects.extend(self.send_pending_joins(index));
            }
        }
        effects.extend(self.tell(newcomer, self.updated()));
        effects
    }

    /// Whether this one runs the room: the host, or another by right.
    fn is_host(&self, index: usize) -> bool {
        let who = &self.members[index].who;
        who.role == Role::Host || self.host == Some(who.client)
    }

    fn participants(&self) -> Vec<String> {
        self.visible()
            .map(|member| member.id().to_string())
            .collect()
    }

    /// The members that others are told of: those before the hidden ones.
    fn visible(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().take_while(|member| !member.who.hidden)
    }

    /// Tells what one of this node's own is like now, on every node.
    fn publish_member(&mut self, index: usize) -> Vec<Effect> {
        let mut effects = self.show(index);
        effects.push(Effect::Publish(self.member_message(index)));
        effects
    }

    fn member_message(&self, index: usize) -> ClusterMessage {
        let member = &self.members[index];
        ClusterMessage::Is {
            who: Box::new(member.who.clone()),
            reconnecting: member.is_reconnecting(),
        }
    }

    /// Tells those with feature `members` who are here what a member is like
    /// now, that member too: so it learns its tracks' sids.
    fn show(&mut self, index: usize) -> Vec<Effect> {
        let pending = self.update_pending(index);
        let member = &self.members[index];
        let updated = MemberUpdated {
            room_id: self.room.code.clone(),
            member_id: member.id().to_string(),
            member: member.wire(self.host),
        };
        let message = ServerMessage::MemberUpdated(updated);
        let mut notice = Broadcast::extension(Feature::Members, message);
        if member.who.hidden {
            return self.send_to(index, &mut notice).into_iter().collect();
        }
        match pending {
            None => self.tell(None, notice),
            Some(mut effects) => {
                effects.extend(self.send_to(index, &mut notice));
                effects
            }
        }
    }

    /// To one member, if it is here.
    fn send_to(&self, index: usize, notice: &mut Broadcast) -> Option<Effect> {
        let member = &self.members[index];
        let Attachment::Here(to) = member.attachment else {
            return None;
        };
        let frame = notice.frame_for(member.features())?;
        Some(Effect::Send { to, frame })
    }

    /// To every member who is here, but one. Who is away learns of it from the
    /// snapshot at its return.
    fn tell(&self, except: Option<ClientId>, mut notice: Broadcast) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (index, member) in self.members.iter().enumerate() {
            if Some(member.id()) != except {
                effects.extend(self.send_to(index, &mut notice));
            }
        }
        effects
    }
}
