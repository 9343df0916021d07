//! The local user and its sources.

use std::time::Instant;

use visavis_protocol::{
    ClientMessage, Feature, Grants, Member, MemberPatch, PeerMessage, PeerPayload, Role,
    TrackSource, TrackState, UpdateMember,
};

use super::CallState;
use crate::command::VideoSize;
use crate::event::CallEvent;
use crate::state::Effect;
use crate::state::participant::{DEFAULT_VOLUME, SOURCES, grants_of};
use crate::state::session::Session;
use crate::view::{MutedByHost, ParticipantView, PeerConnectionState, QualityView, TrackView};

/// The local user.
#[derive(Debug)]
pub(super) struct LocalParticipant {
    /// Identifies the user in views: its first client id.
    pub participant: String,
    /// The client id; empty until the server assigns it.
    pub id: String,
    pub name: String,
    pub role: Role,
    pub grants: Grants,
    /// Voice activity of the microphone. One that is muted does not count as speaking.
    pub speaking: bool,
    pub sources: Vec<LocalSource>,
}

/// A local source of media.
#[derive(Debug, Clone, Copy)]
pub(super) struct LocalSource {
    pub source: TrackSource,
    /// Muted by the user, or by the host.
    pub muted: bool,
    /// Whether the grants allow to publish it.
    pub allowed: bool,
    /// The device is capturing.
    pub live: bool,
    /// The size of its frames.
    pub size: Option<VideoSize>,
}

impl LocalSource {
    fn view(self) -> TrackView {
        match self {
            Self { allowed: false, .. } => TrackView::Absent,
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
        let sources = [
            TrackSource::Microphone,
            TrackSource::Camera,
            TrackSource::ScreenShare,
        ];
        let sources = sources.map(|source| LocalSource {
            source,
            muted: muted.contains(&source),
            allowed: true,
            live: false,
            size: None,
        });
        Self {
            participant: String::new(),
            id: String::new(),
            name,
            role: Role::Participant,
            grants: Grants::default(),
            speaking: false,
            sources: sources.to_vec(),
        }
    }

    fn source_mut(&mut self, source: TrackSource) -> Option<&mut LocalSource> {
        self.sources.iter_mut().find(|one| one.source == source)
    }

    /// What is published: of what is allowed, a screen only while it is shared.
    pub fn published(&self) -> Grants {
        let is_published = |source: &TrackSource| {
            let is_screen = matches!(
                source,
                TrackSource::ScreenShare | TrackSource::ScreenShareAudio
            );
            self.grants.may_publish(*source)
                && (!is_screen || self.track(*source) != TrackView::Absent)
        };
        let sources: Vec<_> = SOURCES.into_iter().filter(is_published).collect();
        Grants {
            can_publish: !sources.is_empty(),
            can_publish_sources: sources,
            ..self.grants.clone()
        }
    }

    /// What the grants allow to publish.
    pub fn may_publish(&self) -> Vec<TrackSource> {
        let granted = |source: &TrackSource| self.grants.may_publish(*source);
        SOURCES.into_iter().filter(granted).collect()
    }

    /// The size of the captured frames of a source, while there are any.
    pub fn size(&self, source: TrackSource) -> Option<VideoSize> {
        let found = self.sources.iter().find(|one| one.source == source);
        found?.size
    }

    fn track(&self, source: TrackSource) -> TrackView {
        let found = self.sources.iter().find(|one| one.source == source);
        found.map_or(TrackView::Absent, |one| one.view())
    }

    pub fn view(&self, quality: Option<QualityView>) -> ParticipantView {
        let sends = |source: &TrackSource| self.track(*source) == TrackView::On;
        let pictures = [TrackSource::Camera, TrackSource::ScreenShare];
        ParticipantView {
            id: self.participant.clone(),
            name: self.name.clone(),
            is_me: true,
            role: self.role,
            connection: PeerConnectionState::Connected,
            problem: None,
            microphone: self.track(TrackSource::Microphone),
            camera: self.track(TrackSource::Camera),
            screen_share: self.track(TrackSource::ScreenShare),
            speaking: self.speaking && sends(&TrackSource::Microphone),
            volume: DEFAULT_VOLUME,
            pictures: pictures.into_iter().filter(sends).collect(),
            quality,
        }
    }

    /// The tracks to announce.
    pub fn tracks(&self) -> Vec<TrackState> {
        let state = |one: &LocalSource| TrackState {
            source: one.source,
            muted: !one.sends(),
        };
        // A screen that is not shared is no track.
        let exists = |one: &&LocalSource| {
            one.allowed && (one.source != TrackSource::ScreenShare || one.live)
        };
        self.sources.iter().filter(exists).map(state).collect()
    }
}

impl CallState {
    pub(super) fn set_muted(&mut self, source: TrackSource, muted: bool) {
        match self.local.source_mut(source) {
            Some(one) if one.muted != muted => one.muted = muted,
            _ => return,
        }
        if self
            .muted_by_host
            .as_ref()
            .is_some_and(|by| by.source == source)
        {
            self.muted_by_host = None;
        }
        self.mute_device(source);
        self.publish_tracks();
    }

    /// Mutes the device of a source that the user muted or may not publish, so that
    /// a camera is released.
    fn mute_device(&mut self, source: TrackSource) {
        if let Some(one) = self.local.source_mut(source) {
            let muted = one.muted || !one.allowed;
            self.effects.push(Effect::Mute { source, muted });
        }
    }

    /// The host asked to mute a source of the local user. Only the user unmutes it.
    pub(super) fn muted_by(&mut self, host: Option<&str>, source: TrackSource) {
        let on = self.local.source_mut(source).is_some_and(|one| !one.muted);
        if !on {
            return;
        }
        self.set_muted(source, true);
        let name = host.map(|id| self.name_of(id)).unwrap_or_default();
        tracing::info!(?source, "muted by the host");
        let by_host = MutedByHost { source, name };
        self.muted_by_host = Some(by_host.clone());
        self.emit(CallEvent::MutedByHost(by_host));
    }

    /// Applies the server's description of the local user.
    pub(super) fn local_updated(&mut self, now: Instant, member: &Member) {
        self.local.role = member.role;
        let grants = grants_of(member);
        if self.local.grants == grants {
            return;
        }
        tracing::info!(can_publish = grants.can_publish, "the local grants changed");
        self.local.grants = grants;
        let mut changed = Vec::new();
        for one in &mut self.local.sources {
            let allowed = self.local.grants.may_publish(one.source);
            if one.allowed != allowed {
                one.allowed = allowed;
                changed.push(one.source);
            }
        }
        changed
            .into_iter()
            .for_each(|source| self.mute_device(source));
        self.publish_tracks();
        for index in 0..self.remotes.len() {
            self.grants_changed(index, now);
        }
    }

    pub(super) fn capture_changed(
        &mut self,
        source: TrackSource,
        live: bool,
        size: Option<VideoSize>,
    ) {
        let Some(one) = self.local.source_mut(source) else {
            return;
        };
        let before = one.sends();
        one.live = live;
        one.size = size;
        if before != one.sends() {
            self.publish_tracks();
            for index in 0..self.remotes.len() {
                self.send_grants(index);
            }
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
