//! A room, without network, clock or chance: each of them is an argument, and
//! what is to be done comes back as effects.
//!
//! ```text
//! EMPTY ── someone enters ──► ACTIVE ── offer and answer relayed ──► IN_CALL
//!   ▲  └─ timeout ─► deleted    │ ▲                                    │
//!   └────── the last leaves ────┘ └── fewer than two such are left ────┘
//! ```

#![cfg_attr(not(test), deny(clippy::disallowed_methods))]

mod enter;
mod say;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod walk;

use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;
use visavis_protocol::{
    ChatEntry, Feature, MemberLeft, MemberUpdated, RoomState as Occupancy, ServerMessage,
};

pub(crate) use enter::{Entry, Joiner, Resumer};
pub(crate) use say::{ChatMessage, Saying, Speaker};

use super::calls::Calls;
use super::history::History;
use super::member::{Attachment, Backlog, Member};
use super::message::{Frame, Notice};
use super::policy;
use crate::clock::Now;
use crate::id::{ClientId, SocketId};
use crate::store::RoomRecord;

/// What the room's driver is to do.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Send this on that socket.
    Send { to: SocketId, frame: Frame },
    /// Close that socket: its participant is on another.
    Replace(SocketId),
    /// Store who is the host.
    SaveHost(ClientId),
    /// Store a chat message; once stored, [`RoomState::chat_saved`].
    SaveChat(ChatMessage),
}

/// How a room's life ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It was empty for its time, and is to be deleted.
    Deleted,
    /// It is empty and stays; nobody needs to watch it until someone enters.
    Idle,
}

/// What a lobby is told of a room.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Overview {
    pub occupancy: Occupancy,
    pub count: usize,
    /// Of those who gave a name.
    pub names: Vec<String>,
}

pub(crate) struct RoomState {
    room: RoomRecord,
    resume_window: Duration,
    /// In the order of joining.
    members: Vec<Member>,
    host: Option<ClientId>,
    calls: Calls,
    history: History,
    /// Since the last leave.
    empty_since: Option<Instant>,
}

impl RoomState {
    pub fn new(room: RoomRecord, chat: Vec<Arc<ChatEntry>>, resume_window: Duration) -> Self {
        Self {
            host: room.host,
            room,
            resume_window,
            members: Vec::new(),
            calls: Calls::default(),
            history: History::new(chat),
            empty_since: None,
        }
    }

    pub fn uid(&self) -> Uuid {
        self.room.uid
    }

    pub fn count(&self) -> usize {
        self.members.len()
    }

    /// What a lobby is told.
    pub fn overview(&self) -> Overview {
        let names = self.members.iter().map(|member| member.name.clone());
        Overview {
            occupancy: match self.members.len() {
                0 => Occupancy::Empty,
                _ if self.calls.any() => Occupancy::InCall,
                _ => Occupancy::Active,
            },
            count: self.members.len(),
            names: names.filter(|name| !name.is_empty()).collect(),
        }
    }

    /// Someone leaves.
    pub fn leave(&mut self, now: Now, speaker: Speaker) -> Vec<Effect> {
        self.position(speaker)
            .map_or_else(Vec::new, |index| self.remove(now, index))
    }

    /// A socket has ended: `broken` = without a close frame of either side.
    pub fn gone(&mut self, now: Now, speaker: Speaker, broken: bool) -> Vec<Effect> {
        let Some(index) = self.position(speaker) else {
            return Vec::new();
        };
        if !broken || !self.members[index].features.has(Feature::Resume) {
            return self.remove(now, index);
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
                Attachment::Here(_) => None,
                Attachment::Away { until, .. } => Some(until),
            });
        away.chain(self.deletion()).min()
    }

    /// Removes those who did not come back in time.
    pub fn expire(&mut self, now: Now) -> Vec<Effect> {
        let over = |member: &Member| match member.attachment {
            Attachment::Here(_) => false,
            Attachment::Away { until, .. } => until <= now.instant,
        };
        let mut effects = Vec::new();
        while let Some(index) = self.members.iter().position(over) {
            effects.extend(self.remove(now, index));
        }
        effects
    }

    /// Whether the room's life is over.
    pub fn end(&self, now: Now) -> Option<End> {
        self.empty_since?;
        match self.deletion() {
            None => Some(End::Idle),
            Some(at) => (at <= now.instant).then_some(End::Deleted),
        }
    }

    fn deletion(&self) -> Option<Instant> {
        // A time that does not fit the clock is never reached.
        self.empty_since?.checked_add(self.room.empty_timeout?)
    }

    fn position(&self, speaker: Speaker) -> Option<usize> {
        let is = |member: &Member| member.id == speaker.id && member.is_on(speaker.socket);
        self.members.iter().position(is)
    }

    fn remove(&mut self, now: Now, index: usize) -> Vec<Effect> {
        let gone = self.members.remove(index).id;
        self.calls.left(gone);
        let left = MemberLeft {
            room_id: self.room.code.clone(),
            member_id: gone.to_string(),
            participants: self.participants(),
        };
        let message = ServerMessage::MemberLeft(left);
        let mut effects = self.tell(None, Notice::plain(message));
        if self.members.is_empty() {
            self.empty_since = Some(now.instant);
        }
        if let Some(index) = self.settle_host(&mut effects) {
            effects.extend(self.tell_updated(index));
        }
        effects
    }

    /// Finds the host anew; where it is another one than before, who.
    fn settle_host(&mut self, effects: &mut Vec<Effect>) -> Option<usize> {
        let inside: Vec<ClientId> = self.members.iter().map(|member| member.id).collect();
        let host = policy::host(self.host, &inside);
        if host == self.host {
            return None;
        }
        self.host = host;
        effects.extend(host.map(Effect::SaveHost));
        inside.iter().position(|id| Some(*id) == host)
    }

    fn participants(&self) -> Vec<String> {
        let ids = self.members.iter().map(|member| member.id.to_string());
        ids.collect()
    }

    /// Tells those with feature `members` what a member is like now, that
    /// member too: so it learns its tracks' sids.
    fn tell_updated(&self, index: usize) -> Vec<Effect> {
        let member = &self.members[index];
        let updated = MemberUpdated {
            room_id: self.room.code.clone(),
            member_id: member.id.to_string(),
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
                && Some(member.id) != except
                && let Some(frame) = notice.frame_for(member.features)
            {
                effects.push(Effect::Send { to, frame });
            }
        }
        effects
    }
}
