//! The mesh: the remote participants and the connection with each.

use std::time::Instant;

use serde_json::value::{RawValue, to_raw_value};
use visavis_protocol::{
    ClientMessage, ClientRelay, Description, DescriptionKind, Hello, IceCandidate, Member,
    MemberPatch, PEER_PROTOCOL, PeerMessage, PeerPayload, TrackSource,
};

use super::{CallState, OFFER_RETRY_DELAY};
use crate::event::CallEvent;
use crate::peer::{PeerCommand, PeerEvent, PeerKey};
use crate::state::negotiation::Step;
use crate::state::remote::{OFFER_WAIT, RemoteParticipant};
use crate::state::session::Session;
use crate::state::{Effect, Now};
use crate::view::PeerConnectionState;

impl CallState {
    pub(super) fn remote_mut(&mut self, member: &str) -> Option<&mut RemoteParticipant> {
        self.remotes
            .iter_mut()
            .find(|remote| remote.key.member == member)
    }

    pub(super) fn member_joined(&mut self, now: Now, id: String, member: Option<&Member>) {
        if id == self.local.id || self.session != Session::Joined {
            return;
        }
        // The server announces a viewer before relaying its offer, and again in
        // `members-changed`.
        let is_known = self.remote_mut(&id).is_some();
        self.add_remote(now.instant, &id, now.instant, false);
        if let Some(member) = member {
            self.member_updated(member);
        }
        if is_known {
            return;
        }
        self.emit(CallEvent::MemberJoined { member: id });
    }

    /// Adds a member of the room and creates a connection with it. The side that
    /// joined later offers (`we_offer`); the other side offers after
    /// [`OFFER_WAIT`]. The time to the first frame counts from `since`.
    pub(super) fn add_remote(
        &mut self,
        now: Instant,
        member: &str,
        since: Instant,
        we_offer: bool,
    ) {
        if self.remote_mut(member).is_some() {
            return;
        }
        let key = self.new_key(member);
        let mut remote = RemoteParticipant::new(&self.local.id, key.clone(), since);
        remote.check_at = Some(if we_offer { now } else { now + OFFER_WAIT });
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
        let Some(index) = self
            .remotes
            .iter()
            .position(|remote| remote.key.member == member)
        else {
            return;
        };
        let remote = self.remotes.remove(index);
        self.effects.push(Effect::Close(remote.key));
        self.emit(CallEvent::MemberLeft {
            member: member.to_owned(),
        });
    }

    /// After an outage: offers again to peers whose signalling may have been lost.
    pub(super) fn reopen_negotiations(&mut self, now: Instant) {
        for remote in &mut self.remotes {
            let lost = remote.negotiation.abandon_offer();
            if lost || remote.connection != PeerConnectionState::Connected {
                remote.check_at = Some(now);
            }
        }
    }

    /// Makes the offers that are due: the first one, or one that restarts ICE.
    pub(super) fn check_connections(&mut self, now: Instant) {
        for index in 0..self.remotes.len() {
            let reachable = self.session == Session::Joined || self.remotes[index].channel_open;
            let remote = &mut self.remotes[index];
            if remote.check_at.is_none_or(|at| now < at) {
                continue;
            }
            if !reachable {
                remote.check_at = Some(now + OFFER_RETRY_DELAY);
                continue;
            }
            if remote.connection == PeerConnectionState::Closed {
                self.replace_connection(index, now);
                continue;
            }
            remote.negotiation.abandon_offer();
            let step = remote.negotiation.request_offer(remote.negotiated);
            remote.check_at = None;
            remote.expect_connection(now);
            self.perform(index, step);
        }
    }

    /// Replaces a closed connection by a new one with the same member.
    fn replace_connection(&mut self, index: usize, now: Instant) {
        let member = self.remotes[index].key.member.clone();
        let key = self.new_key(&member);
        let fresh = RemoteParticipant::new(&self.local.id, key.clone(), now);
        let old = std::mem::replace(&mut self.remotes[index], fresh);
        let remote = &mut self.remotes[index];
        remote.name = old.name.clone();
        remote.role = old.role;
        remote.joined_at = old.joined_at;
        remote.first_frame_reported = old.first_frame_reported;
        remote.check_at = Some(now + OFFER_RETRY_DELAY);
        self.effects.push(Effect::Close(old.key));
        self.effects.push(Effect::Spawn {
            key,
            ice_servers: self.ice_servers.clone(),
        });
    }

    fn perform(&mut self, index: usize, step: Step) {
        let key = self.remotes[index].key.clone();
        match step {
            Step::None => {}
            Step::Command(command) => self.effects.push(Effect::Peer(key, command)),
            Step::Send(description) => self.send_description(index, description),
            Step::SendAndCommand(description, command) => {
                self.send_description(index, description);
                self.effects.push(Effect::Peer(key, command));
            }
        }
    }

    fn send_description(&mut self, index: usize, description: Description) {
        let payload = to_raw_value(&description);
        let direct = PeerPayload {
            payload: description,
        };
        match direct.payload.kind {
            DescriptionKind::Offer => {
                self.send_to_remote(
                    index,
                    ClientMessage::Offer,
                    payload,
                    PeerMessage::Offer(direct),
                );
            }
            DescriptionKind::Answer => {
                self.send_to_remote(
                    index,
                    ClientMessage::Answer,
                    payload,
                    PeerMessage::Answer(direct),
                );
            }
        }
    }

    fn send_candidate(&mut self, index: usize, candidate: IceCandidate) {
        let payload = to_raw_value(&candidate);
        let direct = PeerMessage::IceCandidate(PeerPayload { payload: candidate });
        self.send_to_remote(index, ClientMessage::IceCandidate, payload, direct);
    }

    /// Sends signalling to a remote participant: through the server while joined,
    /// else over the data channel.
    fn send_to_remote(
        &mut self,
        index: usize,
        relay: fn(ClientRelay) -> ClientMessage,
        payload: serde_json::Result<Box<RawValue>>,
        direct: PeerMessage,
    ) {
        let remote = &self.remotes[index];
        if self.session == Session::Joined {
            let room_id = self.room.as_ref().map(|room| room.id.clone());
            let to = remote.key.member.clone();
            // Serialising strings and numbers does not fail.
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
            Err(_) => tracing::debug!("a malformed description is ignored"),
        }
    }

    pub(super) fn relayed_candidate(&mut self, from: &str, payload: &RawValue) {
        match serde_json::from_str::<IceCandidate>(payload.get()) {
            Ok(candidate) => self.remote_candidate(from, candidate),
            Err(_) => tracing::debug!("a malformed candidate is ignored"),
        }
    }

    fn remote_description(&mut self, now: Now, from: &str, description: Description) {
        let Some(index) = self
            .remotes
            .iter()
            .position(|remote| remote.key.member == from)
        else {
            return;
        };
        let remote = &mut self.remotes[index];
        let step = match description.kind {
            DescriptionKind::Offer => remote.negotiation.remote_offer(description.sdp),
            DescriptionKind::Answer => remote.negotiation.remote_answer(description.sdp),
        };
        if matches!(step, Step::Command(_)) {
            remote.expect_connection(now.instant);
        }
        self.perform(index, step);
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
        let Some(index) = self.remotes.iter().position(|remote| remote.key == *key) else {
            return;
        };
        let remote = &mut self.remotes[index];
        match event {
            PeerEvent::LocalDescription(description) => {
                remote.negotiated |= description.kind == DescriptionKind::Answer;
                let step = remote.negotiation.local_description(description);
                self.perform(index, step);
            }
            PeerEvent::LocalCandidate(candidate) => self.send_candidate(index, candidate),
            PeerEvent::AnswerAccepted => {
                remote.negotiated = true;
                let step = remote.negotiation.answer_accepted();
                self.perform(index, step);
            }
            PeerEvent::NegotiationFailed { reason } => {
                tracing::warn!(reason, "negotiation failed");
                if remote.negotiation.failed() {
                    remote.check_at = Some(now.instant + OFFER_RETRY_DELAY);
                }
            }
            PeerEvent::Connection(state) => self.connection_changed(now, index, state),
            PeerEvent::ChannelOpen => self.channel_open(index),
            PeerEvent::Message(message) => self.peer_message(now, &key.member, *message),
        }
    }

    fn connection_changed(&mut self, now: Now, index: usize, state: PeerConnectionState) {
        let remote = &mut self.remotes[index];
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

    /// Introduces the local user and announces all its tracks, since messages sent
    /// before the channel opened were dropped.
    fn channel_open(&mut self, index: usize) {
        self.remotes[index].channel_open = true;
        let hello = Hello {
            version: PEER_PROTOCOL,
            name: self.display_name.clone(),
        };
        let patch = MemberPatch {
            tracks: Some(self.my_tracks()),
            ..MemberPatch::default()
        };
        let key = &self.remotes[index].key;
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
                // The server is authoritative for names; a plain server has none.
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
                self.clear_muted(from, &muted);
            }
            PeerMessage::Chat(chat) => self.chat_from_peer(now, from, &chat),
            PeerMessage::Offer(PeerPayload { payload })
            | PeerMessage::Answer(PeerPayload { payload }) => {
                self.remote_description(now, from, payload);
            }
            PeerMessage::IceCandidate(PeerPayload { payload }) => {
                self.remote_candidate(from, payload)
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

    /// Clears the receivers of tracks that were muted.
    pub(super) fn clear_muted(&mut self, member: &str, muted: &[TrackSource]) {
        let Some(remote) = self.remote_mut(member) else {
            return;
        };
        let key = remote.key.clone();
        for source in muted {
            let video = *source == TrackSource::Camera;
            self.effects.push(Effect::ClearReceived {
                key: key.clone(),
                video,
            });
        }
    }

    pub(super) fn frame_availability(&mut self, now: Now, key: &PeerKey, available: bool) {
        let Some(remote) = self.remotes.iter_mut().find(|remote| remote.key == *key) else {
            return;
        };
        remote.has_frame = available;
        if available && !remote.first_frame_reported {
            remote.first_frame_reported = true;
            let ms = now.instant.duration_since(remote.joined_at).as_millis() as u64;
            self.emit(CallEvent::FirstFrame {
                member: key.member.clone(),
                ms,
            });
        }
    }
}
