//! The mesh: who is there, and the connection with each.

use std::time::Instant;

use serde_json::value::{RawValue, to_raw_value};
use visavis_protocol::{
    ClientMessage, ClientRelay, Description, DescriptionKind, Hello, IceCandidate, Member,
    MemberPatch, PEER_PROTOCOL, PeerMessage, PeerPayload, TrackSource,
};

use super::{CallState, OFFER_AGAIN};
use crate::event::CallEvent;
use crate::peer::{PeerCommand, PeerEvent, PeerKey};
use crate::state::negotiation::Step;
use crate::state::remote::{OFFER_PATIENCE, Remote};
use crate::state::session::Session;
use crate::state::{Effect, Now};
use crate::view::PeerConnectionState;

impl CallState {
    pub(super) fn remote_mut(&mut self, member: &str) -> Option<&mut Remote> {
        self.remotes
            .iter_mut()
            .find(|remote| remote.key.member == member)
    }

    pub(super) fn member_joined(&mut self, now: Now, id: String, member: Option<&Member>) {
        if id == self.me.id || self.session != Session::Inside {
            return;
        }
        // A viewer that was announced before its offer is announced again in
        // `members-changed`.
        let is_known = self.remote_mut(&id).is_some();
        self.meet(now.instant, &id, now.instant, false);
        if let Some(member) = member {
            self.member_updated(member);
        }
        if is_known {
            return;
        }
        self.emit(CallEvent::MemberJoined { member: id });
    }

    /// Someone is in the room, for us `since` then: a connection is made. The newcomer offers; a
    /// member gives it a moment to, and then offers itself.
    pub(super) fn meet(&mut self, now: Instant, member: &str, since: Instant, we_offer: bool) {
        if self.remote_mut(member).is_some() {
            return;
        }
        let key = self.new_key(member);
        let mut remote = Remote::new(&self.me.id, key.clone(), since);
        remote.check_at = Some(if we_offer { now } else { now + OFFER_PATIENCE });
        self.remotes.push(remote);
        self.effects.push(Effect::Spawn {
            key,
            ice_servers: self.ice_servers.clone(),
        });
    }

    fn new_key(&mut self, member: &str) -> PeerKey {
        self.generations += 1;
        PeerKey {
            member: member.to_owned(),
            generation: self.generations,
        }
    }

    pub(super) fn member_left(&mut self, member: &str) {
        let Some(place) = self
            .remotes
            .iter()
            .position(|remote| remote.key.member == member)
        else {
            return;
        };
        let remote = self.remotes.remove(place);
        self.effects.push(Effect::Close(remote.key));
        self.emit(CallEvent::MemberLeft {
            member: member.to_owned(),
        });
    }

    /// After a time without the server: what may have been lost is said again.
    pub(super) fn reopen_negotiations(&mut self, now: Instant) {
        for remote in &mut self.remotes {
            let lost = remote.negotiation.forget_offer();
            if lost || remote.connection != PeerConnectionState::Connected {
                remote.check_at = Some(now);
            }
        }
    }

    /// Offers where an offer is due: the first, or one that restarts ICE.
    pub(super) fn check_connections(&mut self, now: Instant) {
        for place in 0..self.remotes.len() {
            let reachable = self.session == Session::Inside || self.remotes[place].channel_open;
            let remote = &mut self.remotes[place];
            if remote.check_at.is_none_or(|at| now < at) {
                continue;
            }
            if !reachable {
                remote.check_at = Some(now + OFFER_AGAIN);
                continue;
            }
            if remote.connection == PeerConnectionState::Closed {
                self.replace_connection(place, now);
                continue;
            }
            remote.negotiation.forget_offer();
            let step = remote.negotiation.want_offer(remote.negotiated);
            remote.check_at = None;
            remote.expect_connection(now);
            self.perform(place, step);
        }
    }

    /// A connection that failed within itself is made anew.
    fn replace_connection(&mut self, place: usize, now: Instant) {
        let member = self.remotes[place].key.member.clone();
        let key = self.new_key(&member);
        let fresh = Remote::new(&self.me.id, key.clone(), now);
        let old = std::mem::replace(&mut self.remotes[place], fresh);
        let remote = &mut self.remotes[place];
        remote.name = old.name.clone();
        remote.role = old.role;
        remote.joined_at = old.joined_at;
        remote.first_picture_told = old.first_picture_told;
        remote.check_at = Some(now + OFFER_AGAIN);
        self.effects.push(Effect::Close(old.key));
        self.effects.push(Effect::Spawn {
            key,
            ice_servers: self.ice_servers.clone(),
        });
    }

    fn perform(&mut self, place: usize, step: Step) {
        let key = self.remotes[place].key.clone();
        match step {
            Step::Rest => {}
            Step::Command(command) => self.effects.push(Effect::Peer(key, command)),
            Step::Tell(description) => self.tell_description(place, description),
            Step::TellAndCommand(description, command) => {
                self.tell_description(place, description);
                self.effects.push(Effect::Peer(key, command));
            }
        }
    }

    fn tell_description(&mut self, place: usize, description: Description) {
        let payload = to_raw_value(&description);
        let direct = PeerPayload {
            payload: description,
        };
        match direct.payload.kind {
            DescriptionKind::Offer => {
                self.tell(
                    place,
                    ClientMessage::Offer,
                    payload,
                    PeerMessage::Offer(direct),
                );
            }
            DescriptionKind::Answer => {
                self.tell(
                    place,
                    ClientMessage::Answer,
                    payload,
                    PeerMessage::Answer(direct),
                );
            }
        }
    }

    fn tell_candidate(&mut self, place: usize, candidate: IceCandidate) {
        let payload = to_raw_value(&candidate);
        let direct = PeerMessage::IceCandidate(PeerPayload { payload: candidate });
        self.tell(place, ClientMessage::IceCandidate, payload, direct);
    }

    /// Through the server where it is there, else over the data channel.
    fn tell(
        &mut self,
        place: usize,
        relay: fn(ClientRelay) -> ClientMessage,
        payload: serde_json::Result<Box<RawValue>>,
        direct: PeerMessage,
    ) {
        let remote = &self.remotes[place];
        if self.session == Session::Inside {
            let room_id = self.room.as_ref().map(|room| room.id.clone());
            let to = remote.key.member.clone();
            // Only strings and numbers: there is always a JSON text of it.
            if let Ok(payload) = payload {
                let message = relay(ClientRelay {
                    room_id,
                    to,
                    payload,
                });
                self.effects.push(Effect::Send(message));
            }
        } else if remote.channel_open {
            let command = PeerCommand::Send(Box::new(direct));
            self.effects.push(Effect::Peer(remote.key.clone(), command));
        }
    }

    pub(super) fn relayed_description(&mut self, now: Now, from: &str, payload: &RawValue) {
        match serde_json::from_str::<Description>(payload.get()) {
            Ok(description) => self.remote_description(now, from, description),
            Err(_) => tracing::debug!("a peer sent a description that is none"),
        }
    }

    pub(super) fn relayed_candidate(&mut self, from: &str, payload: &RawValue) {
        match serde_json::from_str::<IceCandidate>(payload.get()) {
            Ok(candidate) => self.remote_candidate(from, candidate),
            Err(_) => tracing::debug!("a peer sent a candidate that is none"),
        }
    }

    fn remote_description(&mut self, now: Now, from: &str, description: Description) {
        let Some(place) = self
            .remotes
            .iter()
            .position(|remote| remote.key.member == from)
        else {
            return;
        };
        let remote = &mut self.remotes[place];
        let step = match description.kind {
            DescriptionKind::Offer => remote.negotiation.remote_offer(description.sdp),
            DescriptionKind::Answer => remote.negotiation.remote_answer(description.sdp),
        };
        if matches!(step, Step::Command(_)) {
            remote.expect_connection(now.instant);
        }
        self.perform(place, step);
    }

    fn remote_candidate(&mut self, from: &str, candidate: IceCandidate) {
        let Some(remote) = self.remote_mut(from) else {
            return;
        };
        let key = remote.key.clone();
        self.effects
            .push(Effect::Peer(key, PeerCommand::AddCandidate(candidate)));
    }

    pub(super) fn peer(&mut self, now: Now, key: &PeerKey, event: PeerEvent) {
        let Some(place) = self.remotes.iter().position(|remote| remote.key == *key) else {
            return;
        };
        let remote = &mut self.remotes[place];
        match event {
            PeerEvent::LocalDescription(description) => {
                remote.negotiated |= description.kind == DescriptionKind::Answer;
                let step = remote.negotiation.local_description(description);
                self.perform(place, step);
            }
            PeerEvent::LocalCandidate(candidate) => self.tell_candidate(place, candidate),
            PeerEvent::AnswerAccepted => {
                remote.negotiated = true;
                let step = remote.negotiation.answer_accepted();
                self.perform(place, step);
            }
            PeerEvent::NegotiationFailed { reason } => {
                tracing::warn!(reason, "a negotiation failed");
                if remote.negotiation.failed() {
                    remote.check_at = Some(now.instant + OFFER_AGAIN);
                }
            }
            PeerEvent::Connection(state) => self.connection_changed(now, place, state),
            PeerEvent::ChannelOpen => self.channel_open(place),
            PeerEvent::Message(message) => self.peer_message(now, &key.member, *message),
        }
    }

    fn connection_changed(&mut self, now: Now, place: usize, state: PeerConnectionState) {
        let remote = &mut self.remotes[place];
        if remote.connection == state {
            return;
        }
        remote.connection_changed(state, now.instant);
        remote.channel_open &= !matches!(
            state,
            PeerConnectionState::Failed | PeerConnectionState::Closed
        );
        let member = remote.key.member.clone();
        self.emit(CallEvent::Peer { member, state });
    }

    /// Who we are and what we send: the whole state, since what was said while
    /// the channel was not open is lost.
    fn channel_open(&mut self, place: usize) {
        self.remotes[place].channel_open = true;
        let hello = Hello {
            version: PEER_PROTOCOL,
            name: self.display_name.clone(),
        };
        let patch = MemberPatch {
            tracks: Some(self.my_tracks()),
            ..MemberPatch::default()
        };
        let key = &self.remotes[place].key;
        for message in [
            PeerMessage::Hello(hello),
            PeerMessage::UpdateMember(PeerPayload { payload: patch }),
        ] {
            self.effects.push(Effect::Peer(
                key.clone(),
                PeerCommand::Send(Box::new(message)),
            ));
        }
    }

    fn peer_message(&mut self, now: Now, from: &str, message: PeerMessage) {
        match message {
            PeerMessage::Hello(hello) => {
                let Some(remote) = self.remote_mut(from) else {
                    return;
                };
                // The server's word on a name goes first; a plain server has none.
                if remote.name.is_empty() {
                    remote.name = hello.name;
                }
            }
            PeerMessage::UpdateMember(PeerPayload { payload }) => {
                let Some(remote) = self.remote_mut(from) else {
                    return;
                };
                let muted = payload
                    .tracks
                    .map(|tracks| remote.announce(tracks))
                    .unwrap_or_default();
                self.forget(from, &muted);
            }
            PeerMessage::Chat(chat) => self.chat_from_peer(now, from, &chat),
            PeerMessage::Offer(PeerPayload { payload })
            | PeerMessage::Answer(PeerPayload { payload }) => {
                self.remote_description(now, from, payload);
            }
            PeerMessage::IceCandidate(PeerPayload { payload }) => {
                self.remote_candidate(from, payload)
            }
            // Agreed between peers, and not served by this client yet.
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

    /// Tracks that were muted: nothing of them is shown or concealed any more.
    pub(super) fn forget(&mut self, member: &str, muted: &[TrackSource]) {
        let Some(remote) = self.remote_mut(member) else {
            return;
        };
        let key = remote.key.clone();
        for source in muted {
            let pictures = *source == TrackSource::Camera;
            self.effects.push(Effect::Forget {
                key: key.clone(),
                pictures,
            });
        }
    }

    pub(super) fn picture(&mut self, now: Now, key: &PeerKey, shown: bool) {
        let Some(remote) = self.remotes.iter_mut().find(|remote| remote.key == *key) else {
            return;
        };
        remote.has_picture = shown;
        if shown && !remote.first_picture_told {
            remote.first_picture_told = true;
            let ms = now.instant.duration_since(remote.joined_at).as_millis() as u64;
            self.emit(CallEvent::FirstFrame {
                member: key.member.clone(),
                ms,
            });
        }
    }
}
