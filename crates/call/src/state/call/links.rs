//! The mesh: negotiating and repairing the link to each participant.

use std::time::Instant;

use serde_json::value::{RawValue, to_raw_value};
use visavis_protocol::{
    ClientMessage, ClientRelay, Description, DescriptionKind, IceCandidate, IceServer, PeerMessage,
    PeerPayload,
};

use super::CallState;
use crate::event::CallEvent;
use crate::peer::{LinkId, PeerCommand, PeerEvent};
use crate::state::link::Repair;
use crate::state::negotiation::Step;
use crate::state::participant::{DEFAULT_VOLUME, MAX_VOLUME};
use crate::state::route::{Route, Ways};
use crate::state::session::Session;
use crate::state::{Effect, Now};
use crate::view::PeerConnectionState;

impl CallState {
    pub(super) fn new_link_id(&mut self) -> LinkId {
        self.links += 1;
        LinkId(self.links)
    }

    pub(super) fn spawn(&mut self, link: LinkId, participant: String) {
        let mut remotes = self.remotes.iter();
        let remote = remotes.find(|remote| remote.id == participant);
        let volume = remote.map_or(DEFAULT_VOLUME, |remote| remote.volume);
        self.effects.push(Effect::Spawn {
            link,
            participant,
            ice_servers: self.ice_servers.clone(),
            volume,
        });
    }

    /// Sets the volume of a participant's sound, on its link and on those that follow.
    pub(super) fn set_volume(&mut self, participant: &str, percent: u8) {
        let mut remotes = self.remotes.iter_mut();
        let Some(remote) = remotes.find(|remote| remote.id == participant) else {
            return;
        };
        remote.volume = percent.min(MAX_VOLUME);
        if let Some(link) = &remote.link {
            self.effects.push(Effect::SetVolume {
                link: link.id,
                volume: remote.volume,
            });
        }
    }

    /// Uses these ICE servers of the server for new links, and for the next ICE restart of
    /// those that there are: their credentials may expire before.
    pub(super) fn use_ice_servers(&mut self, ice_servers: Vec<IceServer>) {
        if self.ice_servers == ice_servers {
            return;
        }
        for link in self.remotes.iter().filter_map(|one| one.link.as_ref()) {
            self.effects.push(Effect::SetIceServers {
                link: link.id,
                ice_servers: ice_servers.clone(),
            });
        }
        self.ice_servers = ice_servers;
    }

    /// After an outage: offers again to peers whose signalling may have been lost.
    pub(super) fn reopen_negotiations(&mut self, now: Instant) {
        let links = self.remotes.iter_mut().filter_map(|one| one.link.as_mut());
        for link in links {
            let lost = link.negotiation.abandon_offer();
            if lost || !link.is_connected() || link.next_deadline().is_some() {
                link.check_now(now);
            }
        }
    }

    /// The addresses of this machine changed, or it woke from sleep. Unless an
    /// address was only added, the sockets in use may be dead: the connection to the
    /// server is opened again and ICE is restarted on every link.
    pub(super) fn network_changed(&mut self, now: Now, broken: bool) {
        tracing::info!(broken, "the network of this machine changed");
        if broken && self.session == Session::Joined {
            self.signalling_closed(now);
        }
        self.session.retry_now(now.instant);
        let links = self.remotes.iter_mut().filter_map(|one| one.link.as_mut());
        for link in links {
            if broken {
                link.network_broke(now.instant);
            } else {
                link.address_added(now.instant);
            }
        }
    }

    /// Makes the repairs that are due, a first offer included.
    pub(super) fn repair_links(&mut self, now: Instant) {
        for index in 0..self.remotes.len() {
            let route = self.route(now, index);
            let Some(link) = &mut self.remotes[index].link else {
                continue;
            };
            match link.due(now, route) {
                None => {}
                Some(Repair::Offer { ice_restart }) => {
                    let step = link.negotiation.request_offer(ice_restart);
                    self.perform(now, index, step);
                }
                Some(Repair::AcceptOffer) => {
                    let step = link.negotiation.accept_ignored_offer();
                    self.perform(now, index, step);
                }
                Some(Repair::Replace) => self.replace_link(index, now),
            }
        }
    }

    /// Replaces the link to a participant, and offers on the new one.
    fn replace_link(&mut self, index: usize, now: Instant) {
        let id = self.new_link_id();
        let remote = &mut self.remotes[index];
        let Some(old) = remote.link.take() else {
            return;
        };
        let mut fresh = old.successor(id, now);
        // A new connection always makes an offer first.
        let step = match fresh.due(now, Some(Route::Server)) {
            Some(Repair::Offer { .. }) => fresh.negotiation.request_offer(false),
            _ => Step::None,
        };
        remote.link = Some(fresh);
        remote.link_closed();
        self.quality.replaced(old.id, id);
        let participant = remote.id.clone();
        self.effects.push(Effect::Close(old.id));
        self.spawn(id, participant);
        self.send_grants(index);
        self.perform(now, index, step);
    }

    fn perform(&mut self, now: Instant, index: usize, step: Step) {
        let Some(link) = self.remotes[index].link.as_ref().map(|link| link.id) else {
            return;
        };
        match step {
            Step::None => {}
            Step::Command(command) => self.effects.push(Effect::Peer(link, command)),
            Step::Send(description) => self.send_description(now, index, description),
            Step::SendAndCommand(description, command) => {
                self.send_description(now, index, description);
                self.effects.push(Effect::Peer(link, command));
            }
        }
    }

    fn send_description(&mut self, now: Instant, index: usize, description: Description) {
        let payload = to_raw_value(&description);
        let direct = PeerPayload {
            payload: description,
        };
        match direct.payload.kind {
            DescriptionKind::Offer => {
                let direct = PeerMessage::Offer(direct);
                self.send_signalling(now, index, ClientMessage::Offer, payload, direct);
            }
            DescriptionKind::Answer => {
                let direct = PeerMessage::Answer(direct);
                self.send_signalling(now, index, ClientMessage::Answer, payload, direct);
            }
        }
    }

    fn send_candidate(&mut self, now: Instant, index: usize, candidate: IceCandidate) {
        let payload = to_raw_value(&candidate);
        let direct = PeerMessage::IceCandidate(PeerPayload { payload: candidate });
        self.send_signalling(now, index, ClientMessage::IceCandidate, payload, direct);
    }

    /// The way on which signalling reaches a participant now.
    fn route(&self, now: Instant, index: usize) -> Option<Route> {
        let remote = &self.remotes[index];
        let link = remote.link.as_ref()?;
        let joined = self.session == Session::Joined && remote.listed;
        let route = Route::choose(Ways {
            server: joined && !remote.reconnecting,
            channel: link.is_connected() && link.channel_works(now),
            common_peer: self.common_peer(index),
        });
        // The server keeps messages for a member that is reconnecting. A channel whose
        // link is not connected may still deliver.
        route
            .or(joined.then_some(Route::Server))
            .or(link.channel_works(now).then_some(Route::Channel))
    }

    fn send_signalling(
        &mut self,
        now: Instant,
        index: usize,
        relay: fn(ClientRelay) -> ClientMessage,
        payload: serde_json::Result<Box<RawValue>>,
        direct: PeerMessage,
    ) {
        let remote = &self.remotes[index];
        let (Some(route), Some(link)) = (self.route(now, index), &remote.link) else {
            return;
        };
        match route {
            Route::Server => {
                let room_id = self.room.as_ref().map(|room| room.id.clone());
                let to = remote.member.clone();
                // Serialising strings and numbers does not fail.
                if let Ok(payload) = payload {
                    let message = relay(ClientRelay {
                        room_id,
                        to,
                        payload,
                    });
                    self.effects.push(Effect::Send(message));
                }
            }
            Route::Channel => {
                let command = PeerCommand::Send(Box::new(direct));
                self.effects.push(Effect::Peer(link.id, command));
            }
            Route::Relay(via) => {
                let to = remote.member.clone();
                self.send_through(via, to, &direct);
            }
        }
    }

    pub(super) fn relayed_description(&mut self, now: Now, from: &str, payload: &RawValue) {
        let Some(index) = self.index_of_member(from) else {
            return;
        };
        match serde_json::from_str::<Description>(payload.get()) {
            Ok(description) => self.remote_description(now, index, description, true),
            Err(_) => tracing::debug!("a malformed description is ignored"),
        }
    }

    pub(super) fn relayed_candidate(&mut self, from: &str, payload: &RawValue) {
        let Some(index) = self.index_of_member(from) else {
            return;
        };
        match serde_json::from_str::<IceCandidate>(payload.get()) {
            Ok(candidate) => self.remote_candidate(index, candidate),
            Err(_) => tracing::debug!("a malformed candidate is ignored"),
        }
    }

    pub(super) fn remote_description(
        &mut self,
        now: Now,
        index: usize,
        description: Description,
        may_replace: bool,
    ) {
        let Some(link) = &mut self.remotes[index].link else {
            return;
        };
        let is_offer = description.kind == DescriptionKind::Offer;
        let step = match description.kind {
            DescriptionKind::Offer => link.negotiation.remote_offer(description, may_replace),
            DescriptionKind::Answer => link.negotiation.remote_answer(description),
        };
        if matches!(step, Step::Command(_)) {
            link.expect_connection(now.instant);
        } else if is_offer && link.negotiation.has_ignored_offer() {
            link.offer_ignored(now.instant);
        }
        self.perform(now.instant, index, step);
    }

    pub(super) fn remote_candidate(&mut self, index: usize, candidate: IceCandidate) {
        if let Some(link) = &self.remotes[index].link {
            let command = PeerCommand::AddCandidate(candidate);
            self.effects.push(Effect::Peer(link.id, command));
        }
    }

    pub(super) fn peer(&mut self, now: Now, link: LinkId, event: PeerEvent) {
        let Some(index) = self.index_of(link) else {
            return;
        };
        let remote = &mut self.remotes[index];
        let Some(link) = &mut remote.link else {
            return;
        };
        match event {
            PeerEvent::LocalDescription(description) => {
                if description.kind == DescriptionKind::Answer {
                    link.negotiated();
                }
                let step = link.negotiation.local_description(description);
                self.perform(now.instant, index, step);
            }
            PeerEvent::LocalCandidate(candidate) => {
                self.send_candidate(now.instant, index, candidate)
            }
            PeerEvent::AnswerAccepted => {
                link.negotiated();
                let step = link.negotiation.answer_accepted();
                self.perform(now.instant, index, step);
            }
            PeerEvent::NegotiationFailed { reason } => {
                tracing::warn!(reason, "negotiation failed");
                let step = link.negotiation_failed(now.instant);
                let member = remote.id.clone();
                self.emit(CallEvent::NegotiationFailed { member, reason });
                self.perform(now.instant, index, step);
            }
            PeerEvent::NegotiationNeeded => {
                let step = link.negotiation.request_offer(false);
                self.perform(now.instant, index, step);
            }
            PeerEvent::NoCommonCodec(sources) => remote.set_unsupported(sources),
            PeerEvent::Connection(state) => self.connection_changed(now, index, state),
            PeerEvent::ChannelOpen => self.channel_open(index),
            PeerEvent::ChannelStalled(is_stalled) => {
                link.channel_stalled(is_stalled, now.instant);
            }
            PeerEvent::Message(message) => self.peer_message(now, index, *message),
            PeerEvent::Bandwidth(estimate) => {
                self.video.set(now.instant, link.id, &estimate);
            }
            // The task keeps the receiver.
            PeerEvent::ReceiverAdded(..) => {}
        }
    }

    fn connection_changed(&mut self, now: Now, index: usize, state: PeerConnectionState) {
        let remote = &mut self.remotes[index];
        let Some(link) = remote
            .link
            .as_mut()
            .filter(|link| link.connection() != state)
        else {
            return;
        };
        link.connection_changed(state, now.instant);
        match state {
            PeerConnectionState::Connected => self.quality.connected(link.id),
            PeerConnectionState::New | PeerConnectionState::Connecting => {}
            _ => self.quality.disconnected(link.id),
        }
        let (member, is_gone) = (remote.id.clone(), !remote.listed && !remote.is_connected());
        self.emit(CallEvent::Peer { member, state });
        if is_gone {
            self.remove(index);
        }
    }
}
