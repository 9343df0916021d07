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

    /// Applies the stored rows after cluster messages may have been missed: the members
    /// of other nodes, everyone's role, and the chat. A local member without a row was
    /// removed because other nodes took this node for dead; its client may join again.
    ///
    /// The host is determined once, when the list is complete: a member that only the
    /// rows show may have joined before everyone whom this node knew.
    pub fn catch_up(
        &mut self,
        here: &[Participant],
        elsewhere: Vec<Participant>,
        chat: Vec<ChatEntry>,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        let gone = |member: &Member| {
            let is = |who: &Participant| who.client == member.id();
            let is_here = member.is_local() && here.iter().any(is);
            // A member of another node that left and joined again gets a new sid.
            let is_same = |who: &Participant| member.is_local() || who.sid == member.who.sid;
            !is_here && !elsewhere.iter().any(|who| is(who) && is_same(who))
        };
        let mut stays = self.host;
        while let Some(index) = self.members.iter().position(gone) {
            stays = stays.filter(|host| *host != self.members[index].id());
            if let Attachment::Here(socket) = self.members[index].attachment {
                effects.push(Effect::Close(socket, CloseCode::GoingAway));
            }
            effects.extend(self.delist(index));
        }
        let changed = self.apply_stored_roles(here.iter().chain(&elsewhere));
        for who in elsewhere {
            effects.extend(self.place_remote_member(who, false, |_| Vec::new()));
        }
        effects.extend(self.announce_roles(stays, changed));
        for entry in chat {
            if !self.history.has(&entry.id) {
                effects.extend(self.apply_cluster_message(ClusterMessage::Chat { entry }));
            }
        }
        effects
    }

    /// Gives known members their stored roles and grants; returns those that changed.
    fn apply_stored_roles<'a>(
        &mut self,
        stored: impl Iterator<Item = &'a Participant>,
    ) -> Vec<ClientId> {
        let mut changed = Vec::new();
        for stored in stored {
            let Some(index) = self.find(stored.client) else {
                continue;
            };
            let who = &mut self.members[index].who;
            if !who.has_role_of(stored) {
                who.copy_role(stored);
                changed.push(stored.client);
            }
        }
        changed
    }

    /// Determines the host again, and announces it and the members whose role changed.
    /// A host that left meanwhile does not stay host when it has joined again.
    fn announce_roles(&mut self, stays: Option<ClientId>, changed: Vec<ClientId>) -> Vec<Effect> {
        let before = self.host;
        let mut effects = self.make_host(self.host_after(stays), None);
        let shown = [before, self.host].map(|id| id.filter(|_| before != self.host));
        let not_shown = changed.into_iter().filter(|id| !shown.contains(&Some(*id)));
        effects.extend(self.show_roles(not_shown));
        effects
    }

    /// Someone is on another node. One who was here has come back there.
    fn apply_remote_member(&mut self, who: Participant, reconnecting: bool) -> Vec<Effect> {
        let id = who.client;
        self.place_remote_member(who, reconnecting, |state| state.update_host(Some(id)))
    }

    /// The same; `update_host` runs before others see the member.
    fn place_remote_member(
        &mut self,
        who: Participant,
        reconnecting: bool,
        update_host: impl FnOnce(&mut Self) -> Vec<Effect>,
    ) -> Vec<Effect> {
        let id = who.client;
        let Some(index) = self.find(id) else {
            let place = self.join_order_index(&who);
            self.members
                .insert(place, Member::new(who, Attachment::elsewhere(reconnecting)));
            let host = update_host(self);
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
        let host = update_host(self);
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
