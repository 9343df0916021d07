//! One participant of a room.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use rand::Rng;
use visavis_protocol::limits::RESUME_BACKLOG;
use visavis_protocol::{
    ErrorCode, Features, Member as WireMember, MemberConnection, MemberPatch, Role, Track,
    TrackState,
};

use crate::access::token::TokenRenewal;
use crate::id::{ClientId, SocketId, short_id};
use crate::model::Participant;
use crate::refusal::{Refusal, display_name};
use crate::socket::Frame;

/// The most that is kept for an absent member, in bytes; past it the oldest goes.
const BACKLOG_BYTES: usize = 2 * 1024 * 1024;

pub(super) struct Member {
    /// As stored.
    pub who: Participant,
    pub attachment: Attachment,
    /// Its resume token's secret, while this node has its socket.
    pub secret: u128,
    /// When its report of the connections was stored last.
    pub reported: Option<Instant>,
    /// The server's own STUN server, by the host that its client used.
    pub stun_url: Option<Arc<str>>,
    /// When it gets new TURN credentials, while this node has its socket.
    pub ice_renewal: Option<Instant>,
    /// The renewal of the token that it joined with, while this node has its socket.
    pub token: Option<TokenRenewal>,
    /// Number of the first membership change that is not in the list that it got.
    pub first_change: u64,
}

/// ```text
/// Here ── socket broke, feature resume ──► Away ── resumed ──► Here
///   │                                        └── resumed on another node ──► Elsewhere
///   └──── any other end ────► gone ◄──── window over ──┘ ◄── its node says so ──┘
/// ```
pub(super) enum Attachment {
    /// On this socket.
    Here(SocketId),
    /// The socket broke; the place is kept.
    Away { until: Instant, kept: Backlog },
    /// On another node.
    Elsewhere {
        reconnecting: bool,
        /// What its node did not take: it may be dead, and its people come back
        /// elsewhere.
        kept: Backlog,
    },
}

/// What was relayed to an absent member.
#[derive(Default)]
pub(super) struct Backlog {
    frames: VecDeque<Frame>,
    bytes: usize,
}

impl Backlog {
    pub fn push(&mut self, frame: Frame) {
        self.bytes += frame.len();
        self.frames.push_back(frame);
        while self.frames.len() > RESUME_BACKLOG || self.bytes > BACKLOG_BYTES {
            let Some(oldest) = self.frames.pop_front() else {
                break;
            };
            self.bytes -= oldest.len();
        }
    }

    pub fn into_frames(self) -> impl Iterator<Item = Frame> {
        self.frames.into_iter()
    }
}

impl Attachment {
    /// On another node.
    pub fn elsewhere(reconnecting: bool) -> Self {
        Self::Elsewhere {
            reconnecting,
            kept: Backlog::default(),
        }
    }
}

impl Member {
    pub fn new(who: Participant, attachment: Attachment) -> Self {
        Self {
            who,
            attachment,
            secret: 0,
            reported: None,
            stun_url: None,
            ice_renewal: None,
            token: None,
            first_change: 0,
        }
    }

    pub fn id(&self) -> ClientId {
        self.who.client
    }

    pub fn features(&self) -> Features {
        self.who.features
    }

    /// Whether this node has its socket, or keeps its place.
    pub fn is_local(&self) -> bool {
        !matches!(self.attachment, Attachment::Elsewhere { .. })
    }

    pub fn is_reconnecting(&self) -> bool {
        matches!(
            self.attachment,
            Attachment::Away { .. }
                | Attachment::Elsewhere {
                    reconnecting: true,
                    ..
                }
        )
    }

    pub fn is_on(&self, socket: SocketId) -> bool {
        matches!(self.attachment, Attachment::Here(here) if here == socket)
    }

    /// Takes over what the member says of itself. All of it or nothing.
    pub fn patch(&mut self, patch: MemberPatch, rng: &mut dyn Rng) -> Result<(), Refusal> {
        let name = patch.name.as_deref().map(display_name);
        let tracks = patch
            .tracks
            .map(|tracks| self.named(&tracks, rng))
            .transpose()?;
        let who = &mut self.who;
        who.name = name.unwrap_or_else(|| std::mem::take(&mut who.name));
        who.tracks = tracks.unwrap_or_else(|| std::mem::take(&mut who.tracks));
        who.hand_raised = patch.hand_raised.unwrap_or(who.hand_raised);
        Ok(())
    }

    /// The tracks with their sids: a source keeps the one it has.
    fn named(&self, tracks: &[TrackState], rng: &mut dyn Rng) -> Result<Vec<Track>, Refusal> {
        let mut sources = HashSet::new();
        if !tracks.iter().all(|track| sources.insert(track.source)) {
            let why = "one track for each source";
            return Err(Refusal::new(ErrorCode::BadMessage, why));
        }
        let may = |track: &TrackState| self.who.grants.may_publish(track.source);
        if !tracks.iter().all(may) {
            let why = "you may not publish such a track in this room";
            return Err(Refusal::new(ErrorCode::Forbidden, why));
        }
        let sid = |source| {
            let mut known = self.who.tracks.iter();
            let known = known.find(|track| track.source == source);
            known.map(|track| track.sid.clone())
        };
        Ok(tracks
            .iter()
            .map(|track| Track {
                sid: sid(track.source).unwrap_or_else(|| short_id("TR_", rng)),
                source: track.source,
                muted: track.muted,
            })
            .collect())
    }

    /// The member as the other members see it.
    pub fn wire(&self, host: Option<ClientId>) -> WireMember {
        let who = &self.who;
        WireMember {
            id: who.client.to_string(),
            name: who.name.clone(),
            role: match host {
                Some(host) if host == who.client => Role::Host,
                _ => who.role,
            },
            joined_at: who.joined_at.rfc3339(),
            grants: who.grants.clone(),
            tracks: who.tracks.clone(),
            hand_raised: who.hand_raised,
            connection: if self.is_reconnecting() {
                MemberConnection::Reconnecting
            } else {
                MemberConnection::Connected
            },
            recording: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use uuid::Uuid;
    use visavis_protocol::{Grants, TrackSource};

    use super::*;
    use crate::model::ParticipantKind;

    fn member() -> Member {
        let who = Participant::someone(Uuid::from_u128(1));
        Member::new(who, Attachment::Here(SocketId(1)))
    }

    impl Participant {
        /// One who has done nothing yet.
        pub(crate) fn someone(client: Uuid) -> Self {
            Self {
                sid: format!("PA_{client}"),
                room: Uuid::nil(),
                instance: String::new(),
                client,
                identity: client.to_string(),
                name: String::new(),
                role: Role::Participant,
                kind: ParticipantKind::Video,
                joined_at: crate::clock::Timestamp::default(),
                left_at: None,
                node: String::new(),
                features: Features::default(),
                grants: Grants::default(),
                tracks: Vec::new(),
                hand_raised: false,
                quality: None,
                hidden: false,
                metadata: String::new(),
                secret: crate::model::SecretHash::of(0),
            }
        }
    }

    fn announce(sources: &[TrackSource]) -> MemberPatch {
        let state = |source: &TrackSource| TrackState {
            source: *source,
            muted: false,
        };
        MemberPatch {
            tracks: Some(sources.iter().map(state).collect()),
            ..MemberPatch::default()
        }
    }

    #[test]
    fn a_source_keeps_its_sid_as_long_as_it_is_announced() {
        let rng = &mut StdRng::seed_from_u64(1);
        let mut member = member();
        member.patch(announce(&[TrackSource::Camera]), rng).unwrap();
        let camera = member.who.tracks[0].sid.clone();
        let both = announce(&[TrackSource::Microphone, TrackSource::Camera]);
        member.patch(both, rng).unwrap();
        assert_eq!(member.who.tracks[1].sid, camera);
        assert_ne!(member.who.tracks[0].sid, camera);
    }

    #[test]
    fn a_refused_change_changes_nothing() {
        let mut member = member();
        let mut patch = announce(&[TrackSource::Camera, TrackSource::Camera]);
        patch.name = Some("Ann".to_owned());
        assert!(member.patch(patch, &mut StdRng::seed_from_u64(1)).is_err());
        assert_eq!((member.who.name.as_str(), member.who.tracks.len()), ("", 0));
    }

    #[test]
    fn the_backlog_forgets_the_oldest_first() {
        let mut backlog = Backlog::default();
        for number in 0..RESUME_BACKLOG + 3 {
            backlog.push(Frame::from(number.to_string()));
        }
        let frames: Vec<Frame> = backlog.into_frames().collect();
        assert_eq!(frames.len(), RESUME_BACKLOG);
        assert_eq!(&*frames[0], "3");
    }

    #[test]
    fn the_backlog_stays_small_whatever_is_sent() {
        let mut backlog = Backlog::default();
        for _ in 0..20 {
            backlog.push(Frame::from("x".repeat(256 * 1024)));
        }
        assert!(backlog.bytes <= BACKLOG_BYTES);
        assert_eq!(backlog.into_frames().count(), 8);
    }
}
