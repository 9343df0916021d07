//! The remote participants: who is in the room, and what each publishes.

use std::time::Instant;

use visavis_protocol::{
    Hello, Member, MemberPatch, PEER_PROTOCOL, PeerMessage, PeerPayload, TrackSource,
};

use super::CallState;
use crate::event::CallEvent;
use crate::peer::{LinkId, PeerCommand};
use crate::state::link::{Link, OFFER_WAIT};
use crate::state::participant::RemoteParticipant;
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
        self.add_remote(now.instant, &id, now.instant, false);
        if let Some(member) = member {
            self.member_updated(member);
        }
        if !is_known {
            self.emit(CallEvent::MemberJoined { member: id });
        }
    }

    /// Adds a member of the room and links to it. The side that joined later offers
    /// (`we_offer`); the other side offers after [`OFFER_WAIT`]. The time to the
    /// first frame counts from `since`.
    pub(super) fn add_remote(
        &mut self,
        now: Instant,
        member: &str,
        since: Instant,
        we_offer: bool,
    ) {
        if self.index_of_member(member).is_some() {
            return;
        }
        let mut remote = RemoteParticipant::new(member, since);
        let link = self.new_link_id();
        let offer_at = if we_offer { now } else { now + OFFER_WAIT };
        remote.link = Some(Link::new(link, &self.local.id, member, offer_at));
        let participant = remote.id.clone();
        self.remotes.push(remote);
        self.spawn(link, participant);
    }

    pub(super) fn member_left(&mut self, member: &str) {
        let Some(index) = self.index_of_member(member) else {
            return;
        };
        let remote = self.remotes.remove(index);
        if let Some(link) = remote.link {
            self.effects.push(Effect::Close(link.id));
        }
        self.emit(CallEvent::MemberLeft { member: remote.id });
    }

    pub(super) fn member_updated(&mut self, member: &Member) {
        if member.id == self.local.id {
            self.local.role = member.role;
            return;
        }
        let Some(index) = self.index_of_member(&member.id) else {
            return;
        };
        let off = self.remotes[index].update(member);
        self.clear_received(index, off);
    }

    /// Introduces the local user and announces all its tracks, since messages sent
    /// before the channel opened were dropped.
    pub(super) fn channel_open(&mut self, index: usize) {
        let Some(link) = &mut self.remotes[index].link else {
            return;
        };
        link.channel_open = true;
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
            PeerMessage::Hello(hello) if remote.name.is_empty() => remote.name = hello.name,
            PeerMessage::Hello(_) => {}
            PeerMessage::UpdateMember(PeerPayload { payload }) => {
                if let Some(tracks) = payload.tracks {
                    let off = remote.announce(tracks);
                    self.clear_received(index, off);
                }
            }
            PeerMessage::Chat(chat) => self.chat_from_peer(now, index, &chat),
            PeerMessage::Offer(PeerPayload { payload })
            | PeerMessage::Answer(PeerPayload { payload }) => {
                self.remote_description(now, index, payload);
            }
            PeerMessage::IceCandidate(PeerPayload { payload }) => {
                self.remote_candidate(index, payload);
            }
            // Part of the peer protocol, but not supported by this client yet.
            PeerMessage::MuteMember(_)
            | PeerMessage::Demand(_)
            | PeerMessage::ClockPing(_)
            | PeerMessage::ClockPong(_)
            | PeerMessage::VerifyCommit(_)
            | PeerMessage::VerifyNonce(_)
            | PeerMessage::VerifyReveal(_)
            | PeerMessage::Identity(_)
            | PeerMessage::Rejoined(_)
            | PeerMessage::Relay(_)
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
