//! A remote participant: who it is and what it publishes. How it is connected is
//! the matter of its [`Link`].

use std::time::Instant;

use visavis_protocol::{Grants, Member, MemberConnection, Role, TrackSource, TrackState, limits};

use crate::state::link::Link;
use crate::view::{ParticipantView, PeerConnectionState, QualityView, TrackView};

/// Every source of a track.
pub(crate) const SOURCES: [TrackSource; 4] = [
    TrackSource::Microphone,
    TrackSource::Camera,
    TrackSource::ScreenShare,
    TrackSource::ScreenShareAudio,
];

/// Volumes of a participant's sound, in percent.
pub(crate) const DEFAULT_VOLUME: u8 = 100;
pub(crate) const MAX_VOLUME: u8 = 200;

/// A remote participant.
#[derive(Debug)]
pub(crate) struct RemoteParticipant {
    /// Identifies it in views and events: the client id under which it was first
    /// seen. It stays when the participant rejoins under a new client id.
    pub id: String,
    /// Its current client id.
    pub member: String,
    /// The new client id that it said it has, until the server confirms it.
    pub claim: Option<String>,
    pub name: String,
    pub role: Role,
    pub grants: Grants,
    /// Whether its own connection to the server was broken when last heard of.
    pub reconnecting: bool,
    /// Whether the server lists it. Otherwise it is kept while its link is connected.
    pub listed: bool,
    /// Start of the time to the first frame.
    pub joined_at: Instant,
    pub first_frame_reported: bool,
    /// Voice activity of the microphone. One that is muted does not count as speaking.
    pub speaking: bool,
    /// How loud the local user hears it, in percent.
    pub volume: u8,
    /// `None` between two participants who may not publish.
    pub link: Option<Link>,
    /// The sources with a decoded frame to draw.
    pictures: Vec<TrackSource>,
    /// The sources whose section has no common codec.
    unsupported: Vec<TrackSource>,
    /// The tracks that it suspends because its link is too narrow.
    suspended: Vec<TrackSource>,
    /// The tracks that it announced; `None` for peers that announce none.
    announced: Option<Vec<TrackState>>,
}

impl RemoteParticipant {
    pub fn new(member: &str, now: Instant) -> Self {
        Self {
            id: member.to_owned(),
            member: member.to_owned(),
            claim: None,
            name: String::new(),
            role: Role::Participant,
            grants: Grants::default(),
            reconnecting: false,
            listed: true,
            joined_at: now,
            first_frame_reported: false,
            speaking: false,
            volume: DEFAULT_VOLUME,
            link: None,
            pictures: Vec::new(),
            unsupported: Vec::new(),
            suspended: Vec::new(),
            announced: None,
        }
    }

    /// Whether its link is connected.
    pub fn is_connected(&self) -> bool {
        self.link.as_ref().is_some_and(Link::is_connected)
    }

    /// Applies the server's description of the member. Returns the sources that
    /// were on before and are not now.
    pub fn update(&mut self, member: &Member) -> Vec<TrackSource> {
        let before = self.on();
        self.name = bounded_name(&member.name);
        self.role = member.role;
        self.grants = grants_of(member);
        self.reconnecting = member.connection == MemberConnection::Reconnecting;
        // A member without tracks at the server may have announced them over the
        // data channel.
        if !member.tracks.is_empty() {
            let tracks = member.tracks.iter().take(limits::MAX_TRACKS);
            let tracks = tracks.map(|track| TrackState {
                source: track.source,
                muted: track.muted,
            });
            self.announced = Some(tracks.collect());
        }
        self.no_longer_on(before)
    }

    /// Applies the tracks that the participant announced. Returns the sources that
    /// were on before and are not now.
    pub fn announce(&mut self, tracks: Vec<TrackState>) -> Vec<TrackSource> {
        let before = self.on();
        self.announced = Some(tracks);
        self.no_longer_on(before)
    }

    /// Applies the tracks that the participant suspends. Returns the sources that were on
    /// before and are not now.
    pub fn suspend(&mut self, tracks: Vec<TrackSource>) -> Vec<TrackSource> {
        let before = self.on();
        self.suspended = tracks;
        self.no_longer_on(before)
    }

    /// Sets the sources that both sides have no codec for.
    pub fn set_unsupported(&mut self, sources: Vec<TrackSource>) {
        self.unsupported = sources;
    }

    /// A frame of this source can be drawn, or none any more.
    pub fn set_picture(&mut self, source: TrackSource, available: bool) {
        self.pictures.retain(|known| *known != source);
        if available {
            self.pictures.push(source);
        }
    }

    /// Forgets what its closed link received.
    pub fn link_closed(&mut self) {
        self.pictures.clear();
        self.unsupported.clear();
        self.speaking = false;
        self.suspended.clear();
    }

    fn on(&self) -> Vec<TrackSource> {
        let on = |source: &TrackSource| self.track(*source) == TrackView::On;
        SOURCES.into_iter().filter(on).collect()
    }

    fn no_longer_on(&self, before: Vec<TrackSource>) -> Vec<TrackSource> {
        let off = |source: &TrackSource| self.track(*source) != TrackView::On;
        before.into_iter().filter(off).collect()
    }

    fn track(&self, source: TrackSource) -> TrackView {
        if !self.grants.may_publish(source) {
            return TrackView::Absent;
        }
        let announced = match &self.announced {
            // Such a peer sends a microphone and a camera; of more it cannot tell.
            None if matches!(source, TrackSource::Microphone | TrackSource::Camera) => {
                TrackView::On
            }
            None if self.pictures.contains(&source) => TrackView::On,
            None => TrackView::Absent,
            Some(tracks) => match tracks.iter().find(|track| track.source == source) {
                None => TrackView::Absent,
                Some(track) if track.muted => TrackView::Muted,
                Some(_) => TrackView::On,
            },
        };
        match announced {
            TrackView::On if self.unsupported.contains(&source) => TrackView::Unsupported,
            TrackView::On if self.suspended.contains(&source) => TrackView::Suspended,
            announced => announced,
        }
    }

    pub fn view(&self, quality: Option<QualityView>) -> ParticipantView {
        let drawn = |source: &&TrackSource| self.track(**source) == TrackView::On;
        let link = self.link.as_ref();
        ParticipantView {
            id: self.id.clone(),
            name: self.name.clone(),
            is_me: false,
            role: self.role,
            connection: link.map_or(PeerConnectionState::New, Link::connection),
            problem: link.and_then(Link::problem),
            microphone: self.track(TrackSource::Microphone),
            camera: self.track(TrackSource::Camera),
            screen_share: self.track(TrackSource::ScreenShare),
            speaking: self.speaking && self.track(TrackSource::Microphone) == TrackView::On,
            volume: self.volume,
            pictures: self.pictures.iter().filter(drawn).copied().collect(),
            quality,
        }
    }
}

/// A display name, cut to the longest that is shown.
pub(crate) fn bounded_name(name: &str) -> String {
    name.chars().take(limits::MAX_NAME_CHARS).collect()
}

/// What a member may publish. A viewer publishes nothing, whatever else is granted.
pub(crate) fn grants_of(member: &Member) -> Grants {
    Grants {
        can_publish: member.grants.can_publish && member.role != Role::Viewer,
        ..member.grants.clone()
    }
}

/// Whether these grants allow to publish any track.
pub(crate) fn may_publish_any(grants: &Grants) -> bool {
    SOURCES.into_iter().any(|source| grants.may_publish(source))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(source: TrackSource, muted: bool) -> TrackState {
        TrackState { source, muted }
    }

    #[test]
    fn tracks_that_may_not_be_published_are_absent_and_not_drawn() {
        let mut participant = RemoteParticipant::new("a", Instant::now());
        participant.set_picture(TrackSource::Camera, true);
        assert_eq!(participant.view(None).pictures, [TrackSource::Camera]);
        let viewer = Member {
            grants: Grants {
                can_publish: false,
                ..Grants::default()
            },
            ..Member::default()
        };
        let off = participant.update(&viewer);
        assert_eq!(off, [TrackSource::Microphone, TrackSource::Camera]);
        assert_eq!(participant.view(None).camera, TrackView::Absent);
        assert_eq!(participant.view(None).pictures, []);
    }

    #[test]
    fn a_track_without_a_common_codec_is_shown_as_such_while_it_is_on() {
        let mut participant = RemoteParticipant::new("a", Instant::now());
        participant.set_unsupported(vec![TrackSource::Camera]);
        assert_eq!(participant.view(None).camera, TrackView::Unsupported);
        participant.announce(vec![track(TrackSource::Camera, true)]);
        assert_eq!(participant.view(None).camera, TrackView::Muted);
    }

    #[test]
    fn a_suspended_track_is_shown_as_such_until_it_is_sent_again() {
        let mut participant = RemoteParticipant::new("a", Instant::now());
        participant.set_picture(TrackSource::Camera, true);
        let off = participant.suspend(vec![TrackSource::Camera]);
        assert_eq!(off, [TrackSource::Camera], "its last frame is not shown");
        assert_eq!(participant.view(None).camera, TrackView::Suspended);
        assert_eq!(participant.view(None).pictures, []);
        participant.announce(vec![track(TrackSource::Camera, true)]);
        assert_eq!(participant.view(None).camera, TrackView::Muted);
        participant.announce(vec![track(TrackSource::Camera, false)]);
        participant.suspend(Vec::new());
        assert_eq!(participant.view(None).camera, TrackView::On);
    }

    #[test]
    fn a_screen_of_a_peer_that_announces_nothing_is_shown_with_its_first_frame() {
        let mut participant = RemoteParticipant::new("a", Instant::now());
        assert_eq!(participant.view(None).screen_share, TrackView::Absent);
        participant.set_picture(TrackSource::ScreenShare, true);
        assert_eq!(participant.view(None).screen_share, TrackView::On);
        assert_eq!(participant.view(None).pictures, [TrackSource::ScreenShare]);
    }
}
