//! The local user and its sources.

use visavis_protocol::{
    ClientMessage, Feature, MemberPatch, PeerMessage, PeerPayload, Role, TrackSource, TrackState,
    UpdateMember,
};

use super::CallState;
use crate::state::Effect;
use crate::state::session::Session;
use crate::state::speaking::Speaking;
use crate::view::{ParticipantView, PeerConnectionState, TrackView};

/// The local user.
#[derive(Debug)]
pub(super) struct LocalParticipant {
    /// The client id; empty until the server assigns it.
    pub id: String,
    pub name: String,
    pub role: Role,
    pub speaking: Speaking,
    pub sources: Vec<LocalSource>,
}

/// A local source of media.
#[derive(Debug, Clone, Copy)]
pub(super) struct LocalSource {
    pub source: TrackSource,
    /// Muted by the user.
    pub muted: bool,
    /// The device is capturing.
    pub live: bool,
}

impl LocalSource {
    fn view(self) -> TrackView {
        match self {
            Self { muted: true, .. } => TrackView::Muted,
            Self { live: false, .. } => TrackView::Absent,
            Self { live: true, .. } => TrackView::On,
        }
    }

    fn sends(self) -> bool {
        self.view() == TrackView::On
    }
}

impl LocalParticipant {
    pub fn new(name: String, muted: &[TrackSource]) -> Self {
        let sources = [TrackSource::Microphone, TrackSource::Camera];
        let sources = sources.map(|source| LocalSource {
            source,
            muted: muted.contains(&source),
            live: false,
        });
        Self {
            id: String::new(),
            name,
            role: Role::Participant,
            speaking: Speaking::default(),
            sources: sources.to_vec(),
        }
    }

    fn source_mut(&mut self, source: TrackSource) -> Option<&mut LocalSource> {
        self.sources.iter_mut().find(|one| one.source == source)
    }

    fn track(&self, source: TrackSource) -> TrackView {
        let found = self.sources.iter().find(|one| one.source == source);
        found.map_or(TrackView::Absent, |one| one.view())
    }

    pub fn view(&self) -> ParticipantView {
        let sends = |source: &TrackSource| self.track(*source) == TrackView::On;
        let pictures = [TrackSource::Camera, TrackSource::ScreenShare];
        ParticipantView {
            id: self.id.clone(),
            name: self.name.clone(),
            is_me: true,
            role: self.role,
            connection: PeerConnectionState::Connected,
            problem: None,
            microphone: self.track(TrackSource::Microphone),
            camera: self.track(TrackSource::Camera),
            screen_share: self.track(TrackSource::ScreenShare),
            speaking: self.speaking.is_speaking() && sends(&TrackSource::Microphone),
            pictures: pictures.into_iter().filter(sends).collect(),
        }
    }

    /// The tracks to announce.
    pub fn tracks(&self) -> Vec<TrackState> {
        let state = |one: &LocalSource| TrackState {
            source: one.source,
            muted: !one.sends(),
        };
        self.sources.iter().map(state).collect()
    }
}

impl CallState {
    pub(super) fn set_muted(&mut self, source: TrackSource, muted: bool) {
        match self.local.source_mut(source) {
            Some(one) if one.muted != muted => one.muted = muted,
            _ => return,
        }
        self.effects.push(Effect::Mute { source, muted });
        self.publish_tracks();
    }

    pub(super) fn capture_changed(&mut self, source: TrackSource, live: bool) {
        let Some(one) = self.local.source_mut(source) else {
            return;
        };
        let before = one.sends();
        one.live = live;
        if before != one.sends() {
            self.publish_tracks();
        }
    }

    /// Announces the local tracks to the server and to every peer.
    pub(super) fn publish_tracks(&mut self) {
        let patch = MemberPatch {
            tracks: Some(self.local.tracks()),
            ..MemberPatch::default()
        };
        if self.session == Session::Joined && self.features.has(Feature::Members) {
            let room_id = self.room.as_ref().map(|room| room.id.clone());
            let message = UpdateMember {
                room_id,
                payload: patch.clone(),
            };
            self.effects
                .push(Effect::Send(ClientMessage::UpdateMember(message)));
        }
        let message = PeerMessage::UpdateMember(PeerPayload { payload: patch });
        self.send_to_peers(&message);
    }
}
