//! A room, without network, clock or chance: each of them is an argument, and
//! what is to be done comes back as effects.
//!
//! ```text
//! EMPTY ── someone enters ──► ACTIVE ── offer and answer relayed ──► IN_CALL
//!   ▲                           │ ▲                                    │
//!   └────── the last leaves ────┘ └── fewer than two such are left ────┘
//! ```

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

mod enter;
mod hear;
mod say;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod walk;

use std::time::{Duration, Instant};

use uuid::Uuid;
use visavis_protocol::{
    ChatEntry, CloseCode, Envelope, Feature, MemberLeft, MemberUpdated, Role, ServerMessage,
};

pub(crate) use enter::{Entry, Resumer};
pub(crate) use say::{ChatMessage, Saying, Speaker};

use super::calls::Calls;
use super::history::History;
use super::member::{Attachment, Backlog, Member};
use super::message::{Frame, Notice, frame};
use super::news::News;
use super::policy;
use crate::clock::Now;
use crate::id::{ClientId, SocketId};
use crate::model::{Participant, Room};
use crate::refusal::Refusal;

/// What the room's driver is to do.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Send this on that socket.
    Send { to: SocketId, frame: Frame },
    /// Close that socket.
    Close(SocketId, CloseCode),
    /// Store that someone has left.
    Left(Box<Participant>, WasHost),
    /// Store what someone is now, and was before.
    Save {
        before: Box<Participant>,
        who: Box<Participant>,
    },
    /// Store a chat message; once stored, [`RoomState::chat_saved`].
    SaveChat(ChatMessage),
    /// Tell the other nodes that have people here.
    Publish(News),
}

/// Whether one who left was the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WasHost(pub bool);

pub(crate) struct RoomState {
    room: Room,
    resume_window: Duration,
    /// In the order of joining.
    members: Vec<Member>,
    host: Option<ClientId>,
    calls: Calls,
    history: History,
    /// The room is over, and everyone was told.
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
        let elsewhere = |who| Member {
            who,
            attachment: Attachment::Elsewhere {
                reconnecting: false,
            },
        };
        let mut state = Self {
            room,
            resume_window,
            members: present.into_iter().map(elsewhere).collect(),
            host: None,
            calls: Calls::default(),
            history: History::new(chat),
            over: false,
        };
        state.settle_host();
        state
    }

    pub fn uid(&self) -> Uuid {
        self.room.uid
    }

    /// Whether any two are in a call with each other.
    pub fn in_call(&self) -> bool {
        self.calls.any()
    }

    /// Nobody is here: nobody needs to watch the room until someone enters.
    pub fn is_idle(&self) -> bool {
        self.over || !self.members.iter().any(Member::is_local)
    }

    /// Someone leaves.
    pub fn leave(&mut self, speaker: Speaker) -> Vec<Effect> {
        self.position(speaker)
            .map_or_else(Vec::new, |index| self.remove(index))
    }

    /// A socket has ended: `broken` = without a close frame of either side.
    pub fn gone(&mut self, now: Now, speaker: Speaker, broken: bool) -> Vec<Effect> {
        let Some(index) = self.position(speaker) else {
            return Vec::new();
        };
        if !broken || !self.members[index].features().has(Feature::Resume) {
            return self.remove(index);
        }
        self.members[index].attachment = Attachment::Away {
            until: now.instant + self.resume_window,
            kept: Backlog::default(),
        };
        self.tell_updated(index)
    }

    /// When [`RoomState::expire`] has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        let away = self
            .members
            .iter()
            .filter_map(|member| match member.attachment {
                Attachment::Away { until, .. } => Some(until),
                Attachment::Here(_) | Attachment::Elsewhere { .. } => None,
            });
        away.min()
    }

    /// Removes those who did not come back in time.
    pub fn expire(&mut self, now: Now) -> Vec<Effect> {
        let over = |member: &Member| match member.attachment {
            Attachment::Away { until, .. } => until <= now.instant,
            Attachment::Here(_) | Attachment::Elsewhere { .. } => false,
        };
        let mut effects = Vec::new();
        while let Some(index) = self.members.iter().position(over) {
            effects.extend(self.remove(index));
        }
        effects
    }

    /// The room is another one now.
    pub fn changed(&mut self, room: Room) -> Vec<Effect> {
        if room.version < self.room.version {
            return Vec::new();
        }
        self.room = room;
        Vec::new()
    }

    /// The room is over: everyone has left it, and is told.
    pub fn end(&mut self, refusal: Refusal) -> Vec<Effect> {
        self.over = true;
        let envelope = Envelope {
            room_id: Some(self.room.code.clone()),
            ..Envelope::default()
        };
        let error = frame(&refusal.answer(envelope));
        let mut effects = Vec::new();
        for member in std::mem::take(&mut self.members) {
            if let Attachment::Here(to) = member.attachment {
                let frame = error.clone();
                effects.push(Effect::Send { to, frame });
            }
        }
        effects
    }

    fn position(&self, speaker: Speaker) -> Option<usize> {
        let is = |member: &Member| member.id() == speaker.id && member.is_on(speaker.socket);
        self.members.iter().position(is)
    }

    /// Takes out one of this node's own.
    fn remove(&mut self, index: usize) -> Vec<Effect> {
        let who = Box::new(self.members[index].who.clone());
        let was_host = WasHost(self.host == Some(who.client));
        let client = who.client;
        let mut effects = vec![Effect::Left(who, was_host)];
        effects.extend(self.take_out(index));
        effects.push(Effect::Publish(News::Left { client }));
        effects
    }

    /// Takes someone out of the list, and tells those who are here.
    fn take_out(&mut self, index: usize) -> Vec<Effect> {
        let gone = self.members.remove(index).id();
        self.calls.left(gone);
        let left = MemberLeft {
            room_id: self.room.code.clone(),
            member_id: gone.to_string(),
            participants: self.participants(),
        };
        let message = ServerMessage::MemberLeft(left);
        let mut effects = self.tell(None, Notice::plain(message));
        if let Some(index) = self.settle_host() {
            effects.extend(self.show(index));
        }
        effects
    }

    /// Finds the host anew; where it is another one than before, who.
    fn settle_host(&mut self) -> Option<usize> {
        let inside = self
            .members
            .iter()
            .map(|member| (member.id(), member.who.role));
        let inside: Vec<(ClientId, Role)> = inside.collect();
        let host = policy::host(self.host, &inside, self.room.on_host_leave);
        if host == self.host {
            return None;
        }
        self.host = host;
        inside.iter().position(|(id, _)| Some(*id) == host)
    }

    fn participants(&self) -> Vec<String> {
        let ids = self.members.iter().map(|member| member.id().to_string());
        ids.collect()
    }

    /// Tells what one of this node's own is like now, on every node.
    fn tell_updated(&self, index: usize) -> Vec<Effect> {
        let mut effects = self.show(index);
        effects.push(Effect::Publish(self.news_of(index)));
        effects
    }

    fn news_of(&self, index: usize) -> News {
        let member = &self.members[index];
        News::Is {
            who: Box::new(member.who.clone()),
            reconnecting: member.is_reconnecting(),
        }
    }

    /// Tells those with feature `members` who are here what a member is like
    /// now, that member too: so it learns its tracks' sids.
    fn show(&self, index: usize) -> Vec<Effect> {
        let member = &self.members[index];
        let updated = MemberUpdated {
            room_id: self.room.code.clone(),
            member_id: member.id().to_string(),
            member: member.wire(self.host),
        };
        let message = ServerMessage::MemberUpdated(updated);
        self.tell(None, Notice::extension(Feature::Members, message))
    }

    /// To every member who is here, but one. Who is away learns of it from the
    /// snapshot at its return.
    fn tell(&self, except: Option<ClientId>, mut notice: Notice) -> Vec<Effect> {
        let mut effects = Vec::new();
        for member in &self.members {
            if let Attachment::Here(to) = member.attachment
                && Some(member.id()) != except
                && let Some(frame) = notice.frame_for(member.features())
            {
                effects.push(Effect::Send { to, frame });
            }
        }
        effects
    }
}
