//! The remote participants: who is in the room, and what each publishes.

use std::time::Instant;

use visavis_protocol::{
    Hello, Member, MemberPatch, PEER_PROTOCOL, PeerMessage, PeerPayload, TrackSource,
};

use super::CallState;
use crate::event::CallEvent;
use crate::peer::{LinkId, PeerCommand};
use crate::state::link::{Link, OFFER_WAIT};
use crate::state::participant::{RemoteParticipant, bounded_name, may_publish_any};
use crate::state::session::Session;
use crate::state::{Effect, Now};

impl CallState {
    pub(super) fn index_of(&self, link: LinkId) -> Option<usize> {
        let has_link =
            |remote: &RemoteParticipant| remote.link.as_ref().is_some_and(|known| known.id == link);
        self.remotes.iter().position(has_link)
    }

    pub(super) fn index_of_member(&self, member: &str) -> Option<usize> {
        self.remotes.iter().position(|one| one.member == member)
    }

    pub(super) fn member_joined(&mut self, now: Now, id: String, member: Option<&Member>) {
        if id == self.local.id || self.session != Session::Joined {
            return;
        }
        // The server announces a viewer before relaying its offer, and again in
        // `members-changed`.
        let is_known = self.index_of_member(&id).is_some();
        self.add_remote(now.instant, &id, member, now.instant, false);
        if !is_known {
            self.emit(CallEvent::MemberJoined { member: id });
        }
    }

    /// Adds a member of the room, and links to it unless neither may publish. The
    /// side that joined later offers (`we_offer`); the other side offers after
    /// [`OFFER_WAIT`]. The time to the first frame counts from `since`.
    pub(super) fn add_remote(
        &mut self,
        now: Instant,
        id: &str,
        member: Option<&Member>,
        since: Instant,
        we_offer: bool,
    ) {
        let index = match self.index_of_member(id) {
            Some(index) => index,
            None => {
                self.remotes.push(RemoteParticipant::new(id, since));
                self.remotes.len() - 1
            }
        };
        self.remotes[index].listed = true;
        if let Some(member) = member {
            let off = self.remotes[index].update(member);
            self.clear_received(index, off);
        }
        let offer_at = if we_offer { now } else { now + OFFER_WAIT };
        self.grants_changed(index, offer_at);
        self.rebind_claimed();
    }

    /// Closes the link to a participant when neither side may publish, or makes the
    /// one that is missing, on which our first offer is due at `offer_at`. Tells the
    /// link what each side may publish.
    pub(super) fn grants_changed(&mut self, index: usize, offer_at: Instant) {
        let remote = &mut self.remotes[index];
        let wanted = may_publish_any(&self.local.grants) || may_publish_any(&remote.grants);
        if !wanted {
            remote.link_closed();
            if let Some(link) = remote.link.take() {
                self.effects.push(Effect::Close(link.id));
            }
            return;
        }
        if remote.link.is_none() {
            let id = self.new_link_id();
            let remote = &mut self.remotes[index];
            remote.link = Some(Link::new(id, &self.local.id, &remote.member, offer_at));
            let participant = remote.id.clone();
            self.spawn(id, participant);
        }
        self.send_grants(index);
    }

    /// Tells the link to a participant what each side may publish, when that
    /// changed. A new link allows everything.
    pub(super) fn send_grants(&mut self, index: usize) {
        let remote = &mut self.remotes[index];
        let Some(link) = &mut remote.link else {
            return;
        };
        let grants = (self.local.published(), remote.grants.clone());
        if link.grants == grants {
            return;
        }
        link.grants.clone_from(&grants);
        let (local, remote) = grants;
        let command = PeerCommand::SetGrants { local, remote };
        self.effects.push(Effect::Peer(link.id, command));
    }

    /// The server says that a member left. One whose own connection to the server
    /// was broken did not leave the call: it stays while its link is connected, and
    /// may come back under a new client id.
    pub(super) fn member_left(&mut self, member: &str) {
        let Some(index) = self.index_of_member(member) else {
            return;
        };
        let remote = &mut self.remotes[index];
        if remote.reconnecting && remote.is_connected() {
            remote.listed = false;
            self.rebind_claimed();
        } else {
            self.remove(index);
        }
    }

    pub(super) fn remove(&mut self, index: usize) {
        let remote = self.remotes.remove(index);
        if let Some(link) = remote.link {
            self.effects.push(Effect::Close(link.id));
        }
        self.emit(CallEvent::MemberLeft { member: remote.id });
    }

    /// After an outage: the members that the server lists stay, and of the others
    /// those whose link is connected. They may not have rejoined yet.
    pub(super) fn keep_listed(&mut self, inside: &[String]) {
        for index in (0..self.remotes.len()).rev() {
            let remote = &mut self.remotes[index];
            remote.listed = inside.contains(&remote.member);
            if !remote.listed && !remote.is_connected() {
                self.remove(index);
            }
        }
    }

    /// A peer rejoined the room under a new client id.
    fn rejoined(&mut self, index: usize, id: String) {
        if id.is_empty() || id == self.local.id || id == self.remotes[index].member {
            return;
        }
        self.remotes[index].claim = Some(id);
        self.rebind_claimed();
    }

    /// Gives the links to their participants' new client ids: where the server lists
    /// the new id and not the old one, and one link alone claims it. Of two
    /// links that claim one id neither gets it.
    fn rebind_claimed(&mut self) {
        let claims: Vec<_> = self
            .remotes
            .iter()
            .filter_map(|one| one.claim.clone())
            .collect();
        for id in &claims {
            let is_single = claims.iter().filter(|other| *other == id).count() == 1;
            let claimant = self
                .remotes
                .iter()
                .position(|one| one.claim.as_ref() == Some(id));
            let (Some(from), Some(to)) = (claimant, self.index_of_member(id)) else {
                continue;
            };
            let takes_over = self.remotes[to].listed
                && !self.remotes[to].is_connected()
                && !self.remotes[from].listed;
            if is_single && takes_over && from != to {
                self.rebind(from, to);
            }
        }
    }

    /// Merges the entry of a new client id into the participant who has it.
    fn rebind(&mut self, from: usize, to: usize) {
        let entry = self.remotes.remove(to);
        if let Some(link) = entry.link {
            self.effects.push(Effect::Close(link.id));
        }
        let index = if to < from { from - 1 } else { from };
        let remote = &mut self.remotes[index];
        remote.member = entry.member;
        remote.claim = None;
        remote.listed = true;
        remote.reconnecting = entry.reconnecting;
        remote.name = entry.name;
        remote.role = entry.role;
        remote.grants = entry.grants;
        self.send_grants(index);
        tracing::info!("a participant rejoined under a new client id; its link stays");
    }

    pub(super) fn member_updated(&mut self, now: Now, member: &Member) {
        if member.id == self.local.id {
            return self.local_updated(now.instant, member);
        }
        if self.index_of_member(&member.id).is_some() {
            // Who gains the right to publish offers; the others wait for it.
            self.add_remote(now.instant, &member.id, Some(member), now.instant, false);
        }
    }

    /// Introduces the local user and announces all its tracks, since messages sent
    /// before the channel opened were dropped.
    pub(super) fn channel_open(&mut self, index: usize) {
        let Some(link) = &mut self.remotes[index].link else {
            return;
        };
        link.channel_open = true;
        link.video.channel_open();
        let hello = Hello {
            version: PEER_PROTOCOL,
            name: self.local.name.clone(),
        };
        let patch = MemberPatch {
            tracks: Some(self.local.tracks()),
            ..MemberPatch::default()
        };
        for message in [
            PeerMessage::Hello(hello),
            PeerMessage::UpdateMember(PeerPayload { payload: patch }),
        ] {
            let command = PeerCommand::Send(Box::new(message));
            self.effects.push(Effect::Peer(link.id, command));
        }
    }

    pub(super) fn peer_message(&mut self, now: Now, index: usize, message: PeerMessage) {
        let remote = &mut self.remotes[index];
        match message {
            // The server is authoritative for names; a plain server has none.
            PeerMessage::Hello(hello) if remote.name.is_empty() => {
                remote.name = bounded_name(&hello.name);
            }
            PeerMessage::Hello(_) => {}
            PeerMessage::UpdateMember(PeerPayload { payload }) => {
                if let Some(tracks) = payload.tracks {
                    let off = remote.announce(tracks);
                    self.clear_received(index, off);
                }
            }
            PeerMessage::Rejoined(rejoined) => self.rejoined(index, rejoined.id),
            PeerMessage::Relay(relay) => self.relayed_by_peer(now, index, relay),
            // Without the server, the last host that it named is obeyed.
            PeerMessage::MuteMember(PeerPayload { payload }) => {
                let member = remote.member.clone();
                if self.session != Session::Joined && self.host.as_ref() == Some(&member) {
                    self.muted_by(Some(&member), payload.source);
                }
            }
            PeerMessage::Chat(chat) => self.chat_from_peer(now, index, &chat),
            PeerMessage::Offer(PeerPayload { payload })
            | PeerMessage::Answer(PeerPayload { payload }) => {
                self.remote_description(now, index, payload, true);
            }
            PeerMessage::IceCandidate(PeerPayload { payload }) => {
                self.remote_candidate(index, payload);
            }
            PeerMessage::Demand(PeerPayload { payload }) => {
                self.demanded_by(index, payload.tracks);
            }
            PeerMessage::Suspended(PeerPayload { payload }) => {
                let off = remote.suspend(payload.tracks);
                self.clear_received(index, off);
            }
            // The connection answers these itself.
            PeerMessage::ClockPing(_) | PeerMessage::ClockPong(_) => {}
            // Part of the peer protocol, but not supported by this client yet.
            PeerMessage::VerifyCommit(_)
            | PeerMessage::VerifyNonce(_)
            | PeerMessage::VerifyReveal(_)
            | PeerMessage::Identity(_)
            | PeerMessage::Caption(_) => {}
        }
    }

    /// Clears the receivers of tracks that send nothing any more.
    fn clear_received(&mut self, index: usize, off: Vec<TrackSource>) {
        if let Some(link) = &self.remotes[index].link {
            let link = link.id;
            let clear = |source| Effect::ClearReceived { link, source };
            self.effects.extend(off.into_iter().map(clear));
        }
    }

    pub(super) fn frame_availability(
        &mut self,
        now: Now,
        link: LinkId,
        source: TrackSource,
        available: bool,
    ) {
        let Some(index) = self.index_of(link) else {
            return;
        };
        let remote = &mut self.remotes[index];
        remote.set_picture(source, available);
        if available && !remote.first_frame_reported {
            remote.first_frame_reported = true;
            let ms = now.instant.duration_since(remote.joined_at).as_millis() as u64;
            let member = remote.id.clone();
            self.emit(CallEvent::FirstFrame { member, ms });
        }
    }
}
