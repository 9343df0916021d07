//! Waiting: for a host's word, or for a place in a full room.

use visavis_protocol::limits::MAX_WAITING;
use visavis_protocol::{
    Envelope, ErrorCode, Feature, JoinRequest, JoinWaiting, ServerMessage, WaitReason,
};

use super::{Effect, Entry, RoomState, Sender};
use crate::id::ClientId;
#[cfg(test)]
use crate::id::SocketId;
use crate::model::{Participant, Room};
use crate::refusal::Refusal;
use crate::room::applicant::{Applicant, Pass};
use crate::room::message::{Broadcast, frame};

/// One who asked to come in, and has to wait.
pub(super) struct Waiter {
    applicant: Applicant,
    entry: Entry,
    reason: WaitReason,
    /// What it was told last.
    told: Option<(WaitReason, u32)>,
}

impl Waiter {
    fn id(&self) -> ClientId {
        self.applicant.client
    }
}

impl RoomState {
    /// Someone was refused who may wait instead, if it knows how to.
    pub fn enqueue(
        &mut self,
        applicant: Applicant,
        entry: Entry,
        refusal: Refusal,
    ) -> Result<Vec<Effect>, Refusal> {
        let reason = match refusal.code {
            ErrorCode::RoomFull => WaitReason::Full,
            ErrorCode::WaitingRoom => WaitReason::Approval,
            _ => return Err(refusal),
        };
        if !applicant.features.has(Feature::Waiting) {
            return Err(refusal);
        }
        if self.waiting.len() >= MAX_WAITING {
            return Err(Refusal::room_full());
        }
        let mut request = self.request(&applicant);
        self.waiting.push(Waiter {
            applicant,
            entry,
            reason,
            told: None,
        });
        let mut effects = self.send_positions();
        if reason == WaitReason::Approval {
            for index in 0..self.members.len() {
                if self.is_host(index) {
                    effects.extend(self.send_to(index, &mut request));
                }
            }
        }
        Ok(effects)
    }

    /// Whether someone waits to come in.
    pub fn is_waiting(&self, client: ClientId) -> bool {
        self.waiting.iter().any(|waiter| waiter.id() == client)
    }

    /// One who waits has asked once more, and is answered under its new request.
    pub(super) fn repeat_waiting(
        &mut self,
        client: ClientId,
        entry: &mut Entry,
    ) -> Option<Vec<Effect>> {
        let waiter = self.waiting.iter_mut().find(|one| one.id() == client)?;
        waiter.entry.request_id = entry.request_id.take();
        waiter.told = None;
        Some(self.send_positions())
    }

    /// The first in line for whom there may be a place: the store knows.
    pub fn next_in_queue(&self) -> Option<&Applicant> {
        let most = self.room.max_participants;
        let inside = u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        if most > 0 && inside >= most {
            return None;
        }
        let passes = |applicant: &Applicant| {
            !self.room.locked || applicant.pass != Pass::None || applicant.owns(&self.room)
        };
        let mut line = self.waiting.iter();
        line.find(|waiter| waiter.reason == WaitReason::Full && passes(&waiter.applicant))
            .map(|waiter| &waiter.applicant)
    }

    /// The store has let in one who waited.
    pub fn enter_from_queue(&mut self, who: Participant, room: Room) -> Vec<Effect> {
        match self.take_waiter(who.client) {
            Some(waiter) => self.enter(waiter.entry, who, room),
            None => Vec::new(),
        }
    }

    /// One who waited is refused after all.
    pub fn reject_waiting(&mut self, client: ClientId, refusal: Refusal) -> Vec<Effect> {
        match self.take_waiter(client) {
            Some(waiter) => self.refused(waiter, refusal),
            None => Vec::new(),
        }
    }

    /// Tells those who wait where they stand, if that is news to them.
    pub fn send_positions(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        let (mut full, mut approval) = (0, 0);
        for waiter in &mut self.waiting {
            let position = match waiter.reason {
                WaitReason::Full => &mut full,
                WaitReason::Approval => &mut approval,
            };
            *position += 1;
            let cluster_message = (waiter.reason, *position);
            if waiter.told == Some(cluster_message) {
                continue;
            }
            let first = waiter.told.replace(cluster_message).is_none();
            let request_id = waiter.entry.request_id.clone().filter(|_| first);
            effects.push(Effect::Send {
                to: waiter.entry.socket,
                frame: frame(&ServerMessage::JoinWaiting(JoinWaiting {
                    request_id,
                    room_id: self.room.code.clone(),
                    position: cluster_message.1,
                    reason: waiter.reason,
                })),
            });
        }
        effects
    }

    /// A host lets someone in.
    pub(super) fn admit(&mut self, to: &str) -> Result<Vec<Effect>, Refusal> {
        let index = self.pending_join(to)?;
        let waiter = &mut self.waiting[index];
        waiter.applicant.pass = Pass::Word;
        waiter.reason = WaitReason::Full;
        Ok(Vec::new())
    }

    /// A host sends someone away.
    pub(super) fn deny(&mut self, to: &str) -> Result<Vec<Effect>, Refusal> {
        let index = self.pending_join(to)?;
        let waiter = self.waiting.remove(index);
        let refusal = Refusal::new(ErrorCode::Denied, "the host did not let you in");
        Ok(self.refused(waiter, refusal))
    }

    /// Nobody needs a host's word any more.
    pub(super) fn waive_approval(&mut self) {
        for waiter in &mut self.waiting {
            waiter.reason = WaitReason::Full;
        }
    }

    /// The room is over.
    pub(super) fn reject_all_waiting(&mut self) -> Vec<Effect> {
        let waiting = std::mem::take(&mut self.waiting);
        let waiting = waiting.into_iter();
        waiting
            .flat_map(|waiter| self.refused(waiter, Refusal::room_ended()))
            .collect()
    }

    /// One who waits wants no more, or its socket has ended.
    pub(super) fn remove_waiting(&mut self, sender: Sender) {
        self.waiting
            .retain(|waiter| waiter.id() != sender.id || waiter.entry.socket != sender.socket);
    }

    /// Tells a host of those who wait for its word.
    pub(super) fn send_pending_joins(&self, index: usize) -> Vec<Effect> {
        let pending_joins = self
            .waiting
            .iter()
            .filter(|waiter| waiter.reason == WaitReason::Approval);
        pending_joins
            .flat_map(|waiter| self.send_to(index, &mut self.request(&waiter.applicant)))
            .collect()
    }

    /// Who waits where, and what for.
    #[cfg(test)]
    pub(super) fn waiting_sockets(&self) -> impl Iterator<Item = (SocketId, WaitReason)> {
        let waiting = self.waiting.iter();
        waiting.map(|waiter| (waiter.entry.socket, waiter.reason))
    }

    fn request(&self, applicant: &Applicant) -> Broadcast {
        let request = JoinRequest {
            room_id: self.room.code.clone(),
            member_id: applicant.client.to_string(),
            name: applicant.name.clone(),
        };
        Broadcast::extension(Feature::Waiting, ServerMessage::JoinRequest(request))
    }

    /// One who waits for a host's word.
    fn pending_join(&self, id: &str) -> Result<usize, Refusal> {
        let is = |waiter: &Waiter| {
            waiter.reason == WaitReason::Approval && waiter.id().to_string() == id.to_lowercase()
        };
        let found = self.waiting.iter().position(is);
        found.ok_or_else(Refusal::member_not_found)
    }

    fn take_waiter(&mut self, client: ClientId) -> Option<Waiter> {
        let index = self.waiting.iter().position(|one| one.id() == client)?;
        Some(self.waiting.remove(index))
    }

    fn refused(&self, waiter: Waiter, refusal: Refusal) -> Vec<Effect> {
        let envelope = Envelope {
            room_id: Some(self.room.code.clone()),
            request_id: waiter.entry.request_id,
            to: None,
        };
        let to = waiter.entry.socket;
        let frame = frame(&refusal.answer(envelope));
        vec![Effect::Send { to, frame }]
    }
}
