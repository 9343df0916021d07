//! One other participant, as far as we know it.

use std::time::{Duration, Instant};

use visavis_protocol::{Member, Role, TrackSource, TrackState};

use crate::peer::PeerKey;
use crate::state::negotiation::Negotiation;
use crate::state::speaking::Speaking;
use crate::view::{ParticipantView, PeerConnectionState, TrackView};

/// How long a member waits for a newcomer's offer before it offers itself.
pub(crate) const OFFER_PATIENCE: Duration = Duration::from_secs(2);
/// How long a connection may take before ICE is restarted.
const CONNECT_LIMIT: Duration = Duration::from_secs(15);
/// How long a silent connection may take to come back by itself.
const SILENCE_PATIENCE: Duration = Duration::from_secs(4);

/// One other participant.
#[derive(Debug)]
pub(crate) struct Remote {
    /// The name of its present connection.
    pub key: PeerKey,
    pub name: String,
    pub role: Role,
    /// Since when the first picture is waited for.
    pub joined_at: Instant,
    pub negotiation: Negotiation,
    pub connection: PeerConnectionState,
    /// Whether an offer and its answer were exchanged once.
    pub negotiated: bool,
    /// When the connection is looked at again, if it is not there by then.
    pub check_at: Option<Instant>,
    pub channel_open: bool,
    pub has_picture: bool,
    pub first_picture_told: bool,
    pub speaking: Speaking,
    /// What it says it sends; plain peers do not say.
    announced: Option<Vec<TrackState>>,
}

impl Remote {
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
            has_picture: false,
            first_picture_told: false,
            speaking: Speaking::default(),
            announced: None,
        }
    }

    /// The server's word about the member. What changed from sending to muted.
    pub fn update(&mut self, member: &Member) -> Vec<TrackSource> {
        self.name.clone_from(&member.name);
        self.role = member.role;
        let tracks = member.tracks.iter();
        // A member that announced nothing through the server may have told us itself.
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

    /// What the participant says it sends. What changed from sending to muted.
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

    /// The connection changed: when to look at it again.
    pub fn connection_changed(&mut self, state: PeerConnectionState, now: Instant) {
        self.connection = state;
        // Both sides see a failure at about the same time: one goes first.
        let courtesy = if self.negotiation.is_polite() {
            OFFER_PATIENCE
        } else {
            Duration::ZERO
        };
        match state {
            PeerConnectionState::Connected => self.check_at = None,
            PeerConnectionState::Disconnected => {
                self.check_at = Some(now + SILENCE_PATIENCE + courtesy)
            }
            PeerConnectionState::Failed | PeerConnectionState::Closed => {
                self.check_at = Some(now + courtesy)
            }
            PeerConnectionState::New | PeerConnectionState::Connecting => {
                self.check_at.get_or_insert(now + CONNECT_LIMIT);
            }
        }
    }

    /// An offer was made or taken: the connection has its time again.
    pub fn expect_connection(&mut self, now: Instant) {
        if self.connection != PeerConnectionState::Connected {
            self.check_at = Some(now + CONNECT_LIMIT);
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
            has_picture: self.has_picture && camera == TrackView::On,
        }
    }
}
