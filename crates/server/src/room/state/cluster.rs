//! What other nodes tell of the room.

use uuid::Uuid;
use visavis_protocol::{ChatEntry, CloseCode, RelayKind};

use super::{Effect, RoomState};
use crate::cluster::ClusterMessage;
use crate::id::ClientId;
use crate::model::Participant;
use crate::room::member::{Attachment, Member};
use crate::socket::Frame;

impl RoomState {
    /// Applies a message of another node.
    pub fn apply_cluster_message(&mut self, cluster_message: ClusterMessage) -> Vec<Effect> {
        match cluster_message {
            ClusterMessage::Is { who, reconnecting } => {
                self.apply_remote_member(*who, reconnecting)
            }
            ClusterMessage::Left { client } => match self.find(client) {
                // A place that is kept here may have been replaced on another node.
                Some(index)
                    if !self.members[index].is_local() || self.members[index].is_reconnecting() =>
                {
                    self.remove_from_list(index)
                }
                _ => Vec::new(),
            },
            ClusterMessage::Amend { client, update } => match self.find(client) {
                Some(index) if self.members[index].is_local() => {
                    self.apply_update(client, update).unwrap_or_default()
                }
                _ => Vec::new(),
            },
            ClusterMessage::Chat { entry } => {
                let to = entry.to.as_deref().and_then(|to| Uuid::try_parse(to).ok());
                let from = Uuid::try_parse(&entry.from).ok();
                self.spread_chat(entry, from, to)
            }
            ClusterMessage::Host { from, to } => self.transfer_host(from, to),
            ClusterMessage::Remove { client, reason } => match self.find(client) {
                Some(index) if self.members[index].is_local() => self.evict(index, reason),
                _ => Vec::new(),
            },
            ClusterMessage::Reaction { frame } => self.spread_reaction(&frame.into()),
            ClusterMessage::Relay { to, frame } => self.deliver_local(to, frame.into()),
            ClusterMessage::Approve { client } => {
                self.approve_local(client);
                Vec::new()
            }
            ClusterMessage::Deny { client } => self.deny_local(client),
            // The driver reads the rows, and applies a list with the time.
            ClusterMessage::CatchUp | ClusterMessage::Queue { .. } => Vec::new(),
            ClusterMessage::Relayed { kind, from, to } => {
                self.calls.relayed(kind, from, to);
                let offered = self.find(to).filter(|_| kind == RelayKind::Offer);
                let announced = offered.and_then(|index| self.announce_to(from, index));
                announced.into_iter().collect()
            }
        }
    }

    /// Whether one more would be too many: somebody has left elsewhere, and that
    /// was not heard yet.
    pub fn is_crowded(&self) -> bool {
        let most = self.room.max_participants as usize;
        most > 0 && self.members.len() >= most
    }

    /// The same, where another node tells of one who is not known here.
    pub fn is_crowded_by(&self, cluster_message: &ClusterMessage) -> bool {
        match cluster_message {
            ClusterMessage::Is { who, .. } => self.is_crowded() && self.find(who.client).is_none(),
            _ => false,
        }
    }

    /// Applies the stored rows after cluster messages may have been missed: the
    /// members of other nodes, and the chat. A local member without a row was removed
    /// because other nodes took this node for dead; its client may join again.
    pub fn catch_up(
        &mut self,
        here: &[ClientId],
        elsewhere: Vec<Participant>,
        chat: Vec<ChatEntry>,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        let gone = |member: &Member| {
            let id = member.id();
            let is_here = member.is_local() && here.contains(&id);
            !is_here && !elsewhere.iter().any(|who| who.client == id)
        };
        while let Some(index) = self.members.iter().position(gone) {
            if let Attachment::Here(socket) = self.members[index].attachment {
                effects.push(Effect::Close(socket, CloseCode::GoingAway));
            }
            effects.extend(self.remove_from_list(index));
        }
        for who in elsewhere {
            effects.extend(self.apply_remote_member(who, false));
        }
        for entry in chat {
            if !self.history.has(&entry.id) {
                effects.extend(self.apply_cluster_message(ClusterMessage::Chat { entry }));
            }
        }
        effects
    }

    /// Someone is on another node. One who was here has come back there.
    fn apply_remote_member(&mut self, who: Participant, reconnecting: bool) -> Vec<Effect> {
        let id = who.client;
        let Some(index) = self.find(id) else {
            let place = self.join_order_index(&who);
            self.members
                .insert(place, Member::new(who, Attachment::elsewhere(reconnecting)));
            let host = self.update_host(Some(id));
            let mut effects = self.announce_join(place);
            effects.extend(host);
            return effects;
        };
        let member = &mut self.members[index];
        if member.is_local() && member.who.node == who.node {
            return Vec::new();
        }
        let is_known =
            !member.is_local() && member.who == who && member.is_reconnecting() == reconnecting;
        if is_known {
            return Vec::new();
        }
        let now = Attachment::elsewhere(reconnecting);
        let before = std::mem::replace(&mut member.attachment, now);
        member.who = who;
        let mut effects = Vec::new();
        match before {
            Attachment::Away { kept, .. } | Attachment::Elsewhere { kept, .. } => {
                let on = |frame: Frame| Effect::Publish(relay(id, &frame));
                effects.extend(kept.into_frames().map(on));
            }
            Attachment::Here(socket) => effects.push(Effect::Close(socket, CloseCode::Replaced)),
        }
        let host = self.update_host(Some(id));
        effects.extend(self.show(index));
        effects.extend(host);
        effects
    }

    /// A frame from another node for one who should be here.
    fn deliver_local(&mut self, to: ClientId, frame: Frame) -> Vec<Effect> {
        let mut effects = Vec::new();
        if let Some(index) = self.find(to)
            && self.members[index].is_local()
        {
            self.deliver(index, frame, &mut effects);
        }
        effects
    }

    /// The node that someone is on, where it is another one.
    pub fn node_of(&self, client: ClientId) -> Option<&str> {
        let member = &self.members[self.find(client)?];
        (!member.is_local()).then_some(member.who.node.as_str())
    }

    /// Keeps what the node that someone is on did not take.
    pub fn keep(&mut self, to: ClientId, frame: Frame) {
        if let Some(index) = self.find(to)
            && let Attachment::Elsewhere { kept, .. } = &mut self.members[index].attachment
        {
            kept.push(frame);
        }
    }

    pub(super) fn find(&self, client: ClientId) -> Option<usize> {
        self.members.iter().position(|member| member.id() == client)
    }

    /// Where a newcomer stands in the order of joining, which is the same on
    /// every node.
    pub(super) fn join_order_index(&self, who: &Participant) -> usize {
        let rank = |who: &Participant| (who.hidden, who.joined_at);
        self.members
            .partition_point(|member| (rank(&member.who), &member.who.sid) <= (rank(who), &who.sid))
    }
}

/// A frame on its way to someone's node.
pub(super) fn relay(to: ClientId, frame: &Frame) -> ClusterMessage {
    ClusterMessage::Relay {
        to,
        frame: frame.to_string(),
    }
}
