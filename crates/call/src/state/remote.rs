//! The state of one remote participant.

use std::time::{Duration, Instant};

use visavis_protocol::{Member, Role, TrackSource, TrackState};

use crate::peer::PeerKey;
use crate::state::negotiation::Negotiation;
use crate::state::speaking::Speaking;
use crate::view::{ParticipantView, PeerConnectionState, TrackView};

/// Time in which a new member must offer. After it the existing member offers.
pub(crate) const OFFER_WAIT: Duration = Duration::from_secs(2);
/// Longest connection attempt before ICE is restarted.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Time in which a disconnected connection may recover before ICE is restarted.
const DISCONNECTED_GRACE: Duration = Duration::from_secs(4);

/// A remote participant.
#[derive(Debug)]
pub(crate) struct RemoteParticipant {
    /// The key of its current connection.
    pub key: PeerKey,
    pub name: String,
    pub role: Role,
    /// Start of the time to the first frame.
    pub joined_at: Instant,
    pub negotiation: Negotiation,
    pub connection: PeerConnectionState,
    /// Whether an offer and an answer were exchanged.
    pub negotiated: bool,
    /// When to offer unless the connection is connected by then.
    pub check_at: Option<Instant>,
    pub channel_open: bool,
    pub has_frame: bool,
    pub first_frame_reported: bool,
    pub speaking: Speaking,
    /// The tracks that it announced; `None` for peers that announce none.
    announced: Option<Vec<TrackState>>,
}

impl RemoteParticipant {
    pub fn new(me: &str, key: PeerKey, now: Instant) -> Self {
        Self {
            negotiation: Negotiation::new(me, &key.member),
            key,
            name: String::new(),
            role: Role::Participant,
            joined_at: now,
            connection: PeerConnectionState::New,
            negotiated: false,
            check_at: None,
            channel_open: false,
            has_frame: false,
            first_frame_reported: false,
            speaking: Speaking::default(),
            announced: None,
        }
    }

    /// Applies the server's description of the member. Returns the sources that
    /// were on before and are not now.
    pub fn update(&mut self, member: &Member) -> Vec<TrackSource> {
        self.name.clone_from(&member.name);
        self.role = member.role;
        let tracks = member.tracks.iter();
        // A member without tracks at the server may have announced them over the
        // data channel.
        if member.tracks.is_empty() {
            return Vec::new();
        }
        self.announce(
            tracks
                .map(|track| TrackState {
                    source: track.source,
                    muted: track.muted,
                })
                .collect(),
        )
    }

    /// Applies the tracks that the participant announced. Returns the sources that
    /// were on before and are not now.
    pub fn announce(&mut self, tracks: Vec<TrackState>) -> Vec<TrackSource> {
        let sources = [TrackSource::Microphone, TrackSource::Camera];
        let before: Vec<_> = sources
            .iter()
            .filter(|source| self.track(**source) == TrackView::On)
            .copied()
            .collect();
        self.announced = Some(tracks);
        before
            .into_iter()
            .filter(|source| self.track(*source) != TrackView::On)
            .collect()
    }

    fn track(&self, source: TrackSource) -> TrackView {
        match &self.announced {
            None => TrackView::On,
            Some(tracks) => match tracks.iter().find(|track| track.source == source) {
                None => TrackView::Absent,
                Some(track) if track.muted => TrackView::Muted,
                Some(_) => TrackView::On,
            },
        }
    }

    /// Applies a new connection state and schedules the next check.
    pub fn connection_changed(&mut self, state: PeerConnectionState, now: Instant) {
        self.connection = state;
        // Both sides detect a failure at about the same time. The polite side
        // waits, so that the offers do not collide.
        let glare_delay = if self.negotiation.is_polite() {
            OFFER_WAIT
        } else {
            Duration::ZERO
        };
        match state {
            PeerConnectionState::Connected => self.check_at = None,
            PeerConnectionState::Disconnected => {
                self.check_at = Some(now + DISCONNECTED_GRACE + glare_delay)
            }
            PeerConnectionState::Failed | PeerConnectionState::Closed => {
                self.check_at = Some(now + glare_delay)
            }
            PeerConnectionState::New | PeerConnectionState::Connecting => {
                self.check_at.get_or_insert(now + CONNECT_TIMEOUT);
            }
        }
    }

    /// An offer was made or received: restarts the connection timeout.
    pub fn expect_connection(&mut self, now: Instant) {
        if self.connection != PeerConnectionState::Connected {
            self.check_at = Some(now + CONNECT_TIMEOUT);
        }
    }

    pub fn view(&self) -> ParticipantView {
        let camera = self.track(TrackSource::Camera);
        ParticipantView {
            id: self.key.member.clone(),
            name: self.name.clone(),
            is_me: false,
            role: self.role,
            connection: self.connection,
            microphone: self.track(TrackSource::Microphone),
            camera,
            speaking: self.speaking.is_speaking(),
            has_picture: self.has_frame && camera == TrackView::On,
        }
    }
}
