//! Waiting: for a host's approval, or for a place in a full room.

use std::time::Instant;

use uuid::Uuid;
use visavis_protocol::limits::MAX_WAITING;
use visavis_protocol::{
    Envelope, ErrorCode, Feature, JoinRequest, JoinWaiting, ServerMessage, WaitReason,
};

use super::queue::Waiter;
use super::{Effect, Entry, RoomState, Sender};
use crate::clock::Now;
use crate::cluster::{ClusterMessage, QueuedClient};
use crate::ice::ClientIceServers;
use crate::id::ClientId;
#[cfg(test)]
use crate::id::SocketId;
use crate::model::{Participant, Room};
use crate::refusal::Refusal;
use crate::room::applicant::{Applicant, Pass};
use crate::room::message::{Broadcast, frame};

impl RoomState {
    /// Someone was refused who may wait instead, if it knows how to.
    pub fn enqueue(
        &mut self,
        now: Now,
        applicant: Applicant,
        entry: Entry,
        refusal: Refusal,
    ) -> Result<Vec<Effect>, Refusal> {
        let reason = match refusal.code {
            ErrorCode::RoomFull => WaitReason::Full,
            ErrorCode::WaitingRoom => WaitReason::Approval,
            _ => return Err(refusal),
        };
        let full = || {
            let until = self.next_departure();
            let wait = until.map(|until| until.saturating_duration_since(now.instant));
            Refusal::room_full_until(wait)
        };
        if !applicant.features.has(Feature::Waiting) {
            return Err(match reason {
                WaitReason::Full => full(),
                WaitReason::Approval => refusal,
            });
        }
        if self.queue.len() >= MAX_WAITING {
            return Err(full());
        }
        let request = self.join_request(applicant.client, &applicant.name);
        let since = self.queue.next_rank(now.utc);
        self.queue.local_mut().push(Waiter {
            applicant,
            entry,
            since,
            reason,
            sent: None,
        });
        let mut effects = self.send_positions();
        if reason == WaitReason::Approval {
            effects.extend(self.tell_hosts(request));
        }
        Ok(effects)
    }

    /// To every host who is here.
    fn tell_hosts(&self, mut request: Broadcast) -> Vec<Effect> {
        let hosts = (0..self.members.len()).filter(|index| self.is_host(*index));
        hosts
            .filter_map(|index| self.send_to(index, &mut request))
            .collect()
    }

    /// Whether someone waits to come in.
    pub fn is_waiting(&self, client: ClientId) -> bool {
        self.queue.local().iter().any(|one| one.id() == client)
    }

    /// One who waits has asked once more, and is answered under its new request.
    pub(super) fn repeat_waiting(
        &mut self,
        client: ClientId,
        entry: &mut Entry,
    ) -> Option<Vec<Effect>> {
        let mut waiting = self.queue.local_unpublished();
        let waiter = waiting.find(|one| one.id() == client)?;
        waiter.entry.request_id = entry.request_id.take();
        waiter.sent = None;
        drop(waiting);
        Some(self.send_positions())
    }

    /// The first of this node's queue for whom there may be a place: the store
    /// decides. None while one on another node is before it.
    pub fn next_in_queue(&self) -> Option<&Applicant> {
        if !self.has_place() {
            return None;
        }
        let locked = self.room.locked;
        let first = (self.queue).first_local(|one| self.passes_lock(one), locked)?;
        Some(&first.applicant)
    }

    /// Whether someone on any node asked for a place before a newcomer does.
    pub fn place_is_claimed(&self) -> bool {
        self.has_place()
            && (self.next_in_queue().is_some() || self.queue.waits_elsewhere(self.room.locked))
    }

    fn has_place(&self) -> bool {
        let most = self.room.max_participants;
        let inside = u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        most == 0 || inside < most
    }

    fn passes_lock(&self, applicant: &Applicant) -> bool {
        !self.room.locked || applicant.pass != Pass::None || applicant.owns(&self.room)
    }

    /// When [`RoomState::refresh_queue`] has something to do.
    pub fn queue_deadline(&self) -> Option<Instant> {
        self.queue.next_deadline()
    }

    /// Publishes who waits here, where that changed or is due again, and forgets the
    /// lists of nodes that did not repeat theirs.
    pub fn refresh_queue(&mut self, now: Now, node: &str) -> Option<ClusterMessage> {
        let room = &self.room;
        let owns = |applicant: &Applicant| applicant.owns(room);
        let waiting = self.queue.refresh(now.instant, owns)?;
        Some(ClusterMessage::Queue {
            node: node.to_owned(),
            waiting,
        })
    }

    /// Another node published who waits there: the hosts here are asked for approval.
    pub fn apply_queue(
        &mut self,
        now: Instant,
        node: String,
        waiting: Vec<QueuedClient>,
    ) -> Vec<Effect> {
        let new = self.queue.apply(now, node, waiting);
        let requests = new.iter();
        requests
            .flat_map(|one| self.tell_hosts(self.join_request(one.client, &one.name)))
            .collect()
    }

    /// The store has let in one who waited. It may have waited for longer than the
    /// credentials for TURN servers are valid, so it gets new ones.
    pub fn enter_from_queue(
        &mut self,
        who: Participant,
        room: Room,
        ice_servers: impl FnOnce(ClientId, Option<&str>) -> ClientIceServers,
    ) -> Vec<Effect> {
        let Some(Waiter { mut entry, .. }) = self.take_waiter(who.client) else {
            return Vec::new();
        };
        entry.ice_servers = ice_servers(who.client, entry.stun_url.as_deref());
        self.enter(entry, who, room)
    }

    /// One who waited is refused after all.
    pub fn reject_waiting(&mut self, client: ClientId, refusal: Refusal) -> Vec<Effect> {
        match self.take_waiter(client) {
            Some(waiter) => self.refused(waiter, refusal),
            None => Vec::new(),
        }
    }

    /// Sends each waiting client its position in the queue, where it has changed.
    pub fn send_positions(&mut self) -> Vec<Effect> {
        let positions: Vec<u32> = (self.queue.local().iter())
            .map(|waiter| self.queue.ahead(waiter).saturating_add(1))
            .collect();
        let room_id = &self.room.code;
        let mut effects = Vec::new();
        for (waiter, position) in self.queue.local_unpublished().zip(positions) {
            let now = (waiter.reason, position);
            if waiter.sent == Some(now) {
                continue;
            }
            let first = waiter.sent.replace(now).is_none();
            let request_id = waiter.entry.request_id.clone().filter(|_| first);
            effects.push(Effect::Send {
                to: waiter.entry.socket,
                frame: frame(&ServerMessage::JoinWaiting(JoinWaiting {
                    request_id,
                    room_id: room_id.clone(),
                    position,
                    reason: waiter.reason,
                })),
            });
        }
        effects
    }

    /// A host approves one who waits, on any node.
    pub(super) fn approve(&mut self, to: &str) -> Result<Vec<Effect>, Refusal> {
        let client = self.pending_join(to)?;
        if self.queue.node_of(client).is_some() {
            return Ok(vec![Effect::Publish(ClusterMessage::Approve { client })]);
        }
        self.approve_local(client);
        Ok(Vec::new())
    }

    pub(super) fn approve_local(&mut self, client: ClientId) {
        let mut waiting = self.queue.local_mut().iter_mut();
        if let Some(waiter) = waiting.find(|one| one.id() == client) {
            waiter.applicant.pass = Pass::HostApproval;
            waiter.reason = WaitReason::Full;
        }
    }

    /// A host denies one who waits, on any node.
    pub(super) fn deny(&mut self, to: &str) -> Result<Vec<Effect>, Refusal> {
        let client = self.pending_join(to)?;
        if self.queue.node_of(client).is_some() {
            return Ok(vec![Effect::Publish(ClusterMessage::Deny { client })]);
        }
        Ok(self.deny_local(client))
    }

    pub(super) fn deny_local(&mut self, client: ClientId) -> Vec<Effect> {
        let denied = Refusal::new(ErrorCode::Denied, "the host denied the request to join");
        match self.take_waiter(client) {
            Some(waiter) => self.refused(waiter, denied),
            None => Vec::new(),
        }
    }

    /// Nobody needs a host's approval any more.
    pub(super) fn waive_approval(&mut self) {
        if !self.queue.local().is_empty() {
            for waiter in self.queue.local_mut() {
                waiter.reason = WaitReason::Full;
            }
        }
    }

    /// The room is over.
    pub(super) fn reject_all_waiting(&mut self) -> Vec<Effect> {
        let waiting = std::mem::take(self.queue.local_mut());
        let waiting = waiting.into_iter();
        waiting
            .flat_map(|waiter| self.refused(waiter, Refusal::room_ended()))
            .collect()
    }

    /// One who waits leaves, or its socket has ended.
    pub(super) fn remove_waiting(&mut self, sender: Sender) {
        let is = |one: &Waiter| one.id() == sender.id && one.entry.socket == sender.socket;
        if self.queue.local().iter().any(is) {
            self.queue.local_mut().retain(|one| !is(one));
        }
    }

    /// Tells a host of those who wait for approval, on all nodes.
    pub(super) fn send_pending_joins(&self, index: usize) -> Vec<Effect> {
        let pending = |reason| reason == WaitReason::Approval;
        let local = self.queue.local().iter();
        let local = local.filter(|one| pending(one.reason));
        let local = local.map(|one| (one.id(), one.applicant.name.as_str()));
        let remote = self.queue.remote().filter(|one| pending(one.reason));
        let remote = remote.map(|one| (one.client, one.name.as_str()));
        local
            .chain(remote)
            .filter_map(|(client, name)| self.send_to(index, &mut self.join_request(client, name)))
            .collect()
    }

    /// Who waits where, and what for.
    #[cfg(test)]
    pub(super) fn waiting_sockets(&self) -> impl Iterator<Item = (SocketId, WaitReason)> {
        let waiting = self.queue.local().iter();
        waiting.map(|waiter| (waiter.entry.socket, waiter.reason))
    }

    fn join_request(&self, client: ClientId, name: &str) -> Broadcast {
        let request = JoinRequest {
            room_id: self.room.code.clone(),
            member_id: client.to_string(),
            name: name.to_owned(),
        };
        Broadcast::extension(Feature::Waiting, ServerMessage::JoinRequest(request))
    }

    /// One who waits for approval, on any node.
    fn pending_join(&self, id: &str) -> Result<ClientId, Refusal> {
        let id = Uuid::try_parse(id).map_err(|_| Refusal::member_not_found())?;
        let local = self.queue.local().iter();
        let mut local = local.map(|one| (one.id(), one.reason));
        let remote = self.queue.remote().map(|one| (one.client, one.reason));
        let is = |(client, reason): (ClientId, WaitReason)| {
            client == id && reason == WaitReason::Approval
        };
        let found = local.any(is) || remote.into_iter().any(is);
        found.then_some(id).ok_or_else(Refusal::member_not_found)
    }

    fn take_waiter(&mut self, client: ClientId) -> Option<Waiter> {
        let mut waiting = self.queue.local().iter();
        let index = waiting.position(|one| one.id() == client)?;
        Some(self.queue.local_mut().remove(index))
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
