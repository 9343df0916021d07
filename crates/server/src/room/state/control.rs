//! What hosts do, and administrators from outside.

use visavis_protocol::{
    Envelope, ErrorCode, Feature, MemberRemoved, MuteSource, RemovedReason, Role, RoomUpdated,
    ServerMessage, ServerMute, TrackSource, UpdatedRoom,
};

use super::{Effect, HostCommand, RoomState, Sender};
use crate::cluster::ClusterMessage;
use crate::id::ClientId;
use crate::model::Room;
use crate::refusal::Refusal;
use crate::room::member::Attachment;
use crate::room::message::{Broadcast, frame};

/// What a host asks for.
#[derive(Debug)]
pub(crate) enum Control {
    /// A member is to mute itself.
    Mute { to: String, source: TrackSource },
    /// A member is to go.
    Remove { to: String },
    /// Nobody new may come in, or everybody may again.
    Lock(bool),
    /// A member is to be host instead.
    Transfer { to: String },
    /// The room is to be over.
    End,
    /// One who waits may come in.
    Admit { to: String },
    /// One who waits may not.
    Deny { to: String },
}

impl RoomState {
    /// Applies a host's command; another member's is refused.
    pub(super) fn control(
        &mut self,
        sender: Sender,
        index: usize,
        envelope: &Envelope,
        control: Control,
    ) -> Result<Vec<Effect>, Refusal> {
        if !self.is_host(index) {
            let why = "only a host may do this";
            return Err(Refusal::new(ErrorCode::Forbidden, why));
        }
        let command = |command| Effect::HostCommand {
            command,
            by: sender.socket,
            envelope: envelope.clone(),
        };
        match control {
            Control::Mute { to, source } => {
                let to = self.addressee(&to)?;
                Ok(self.mute(to, Some(sender.id), source))
            }
            Control::Remove { to } => {
                let to = self.addressee(&to)?;
                Ok(self.evict(to, RemovedReason::RemovedByHost))
            }
            Control::Transfer { to } => {
                let to = self.members[self.addressee(&to)?].id();
                let from = sender.id;
                let mut effects = self.transfer_host(from, to);
                if from != to {
                    effects.push(Effect::SaveHostChange { from, to });
                }
                Ok(effects)
            }
            Control::Lock(locked) => Ok(vec![command(HostCommand::Lock(locked))]),
            Control::End => Ok(vec![command(HostCommand::End)]),
            Control::Admit { to } => self.approve(&to),
            Control::Deny { to } => self.deny(&to),
        }
    }

    /// Removes a member at an administrator's request; `None`: it is not in the room.
    pub fn remove_by_admin(&mut self, client: ClientId) -> Option<Vec<Effect>> {
        let index = self.find(client)?;
        Some(self.evict(index, RemovedReason::RemovedByAdministrator))
    }

    /// Asks a member to mute itself at an administrator's request.
    pub fn mute_by_admin(&mut self, client: ClientId, source: TrackSource) -> Option<Vec<Effect>> {
        let index = self.find(client)?;
        Some(self.mute(index, None, source))
    }

    fn mute(&mut self, to: usize, from: Option<ClientId>, source: TrackSource) -> Vec<Effect> {
        let down = ServerMute {
            room_id: self.room.code.clone(),
            from: from.map(|from| from.to_string()),
            payload: MuteSource { source },
        };
        let mut effects = Vec::new();
        if self.members[to].features().has(Feature::Controls) {
            let frame = frame(&ServerMessage::MuteMember(down));
            self.deliver(to, frame, &mut effects);
        }
        effects
    }

    /// Puts someone out: on the node that it is on.
    pub(super) fn evict(&mut self, index: usize, reason: RemovedReason) -> Vec<Effect> {
        let member = &self.members[index];
        let (client, features) = (member.id(), member.features());
        let to = match member.attachment {
            Attachment::Elsewhere { .. } => {
                return vec![Effect::Publish(ClusterMessage::Remove { client, reason })];
            }
            Attachment::Away { .. } => None,
            Attachment::Here(to) => Some(to),
        };
        let mut effects = self.remove(index);
        if let Some(to) = to {
            let room_id = self.room.code.clone();
            let removed = MemberRemoved {
                room_id: room_id.clone(),
                member_id: client.to_string(),
                reason,
            };
            let envelope = Envelope {
                room_id: Some(room_id),
                ..Envelope::default()
            };
            let error = Refusal::new(ErrorCode::NotInRoom, "you were put out of the room");
            let mut notice = Broadcast::extended(
                Feature::Controls,
                ServerMessage::MemberRemoved(removed),
                error.answer(envelope),
            );
            let frame = notice.frame_for(features);
            effects.extend(frame.map(|frame| Effect::Send { to, frame }));
        }
        effects
    }

    /// One host makes another in its place, who may speak from now on. The node of
    /// `from` stores both roles.
    pub(super) fn transfer_host(&mut self, from: ClientId, to: ClientId) -> Vec<Effect> {
        let mut effects = Vec::new();
        if from == to || self.find(to).is_none() {
            return effects;
        }
        self.set_role(from, Role::Participant);
        self.set_role(to, Role::Host);
        // `from` may have left before this message arrived, and another stands in.
        let host = self.host.and_then(|host| self.find(host));
        if host.is_none_or(|host| self.members[host].who.role != Role::Host) {
            effects.extend(self.make_host(Some(to), None));
            return effects;
        }
        effects.extend(self.show_roles([from, to]));
        effects
    }

    /// Announces members whose role changed; a host gets the pending join requests.
    pub(super) fn show_roles(&mut self, ids: impl IntoIterator<Item = ClientId>) -> Vec<Effect> {
        let mut effects = Vec::new();
        for id in ids {
            let Some(index) = self.find(id) else {
                continue;
            };
            effects.extend(self.show(index));
            if self.is_host(index) {
                effects.extend(self.send_pending_joins(index));
            }
        }
        effects
    }

    fn set_role(&mut self, client: ClientId, role: Role) {
        if let Some(index) = self.find(client) {
            self.members[index].who.set_role(role);
        }
    }

    /// The room is another one now: those inside learn what they can see of it.
    pub fn changed(&mut self, room: Room) -> Vec<Effect> {
        if room.version < self.room.version {
            return Vec::new();
        }
        let before = self.look();
        self.room = room;
        if !self.room.waiting_room {
            self.waive_approval();
        }
        match self.look() == before {
            true => Vec::new(),
            false => self.tell(None, self.updated()),
        }
    }

    /// What the room is now, for those who asked for `controls`.
    pub(super) fn updated(&self) -> Broadcast {
        let updated = RoomUpdated {
            room_id: self.room.code.clone(),
            room: self.look(),
        };
        Broadcast::extension(Feature::Controls, ServerMessage::RoomUpdated(updated))
    }

    fn look(&self) -> UpdatedRoom {
        let room = &self.room;
        UpdatedRoom {
            id: room.code.clone(),
            name: room.name.clone(),
            kind: Some(room.kind),
            host: self.host.map(|host| host.to_string()),
            max_participants: room.max_participants,
            locked: room.locked,
            waiting_room: room.waiting_room,
            needs_passcode: room.passcode.is_some(),
            closes_at: room.closes_at.map(crate::clock::Timestamp::rfc3339),
            ..UpdatedRoom::default()
        }
    }
}
