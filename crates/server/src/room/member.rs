//! One participant of a room.

use std::collections::{HashSet, VecDeque};
use std::time::Instant;

use rand::Rng;
use time::OffsetDateTime;
use visavis_protocol::limits::{MAX_TRACKS, RESUME_BACKLOG};
use visavis_protocol::{
    ErrorCode, Features, Grants, Member as WireMember, MemberConnection, MemberPatch, Role, Track,
    TrackState,
};

use crate::clock;
use crate::id::{ClientId, SocketId, track_sid};
use crate::refusal::{Refusal, person_name};
use crate::room::message::Frame;

/// The most that is kept for an absent member, in bytes; past it the oldest goes.
const BACKLOG_BYTES: usize = 2 * 1024 * 1024;

pub(super) struct Member {
    pub id: ClientId,
    pub name: String,
    pub features: Features,
    pub joined_at: OffsetDateTime,
    /// Proves who comes back.
    pub secret: u128,
    pub attachment: Attachment,
    tracks: Vec<Track>,
    hand_raised: bool,
}

/// ```text
/// Here ── socket broke, feature resume ──► Away ── resumed ──► Here
///   └──── any other end ────► gone ◄──── window over ──┘
/// ```
pub(super) enum Attachment {
    /// On this socket.
    Here(SocketId),
    /// The socket broke; the place is kept.
    Away { until: Instant, kept: Backlog },
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

impl Member {
    pub fn new(
        id: ClientId,
        socket: SocketId,
        name: String,
        features: Features,
        secret: u128,
        joined_at: OffsetDateTime,
    ) -> Self {
        Self {
            id,
            name,
            features,
            joined_at,
            secret,
            attachment: Attachment::Here(socket),
            tracks: Vec::new(),
            hand_raised: false,
        }
    }

    pub fn is_on(&self, socket: SocketId) -> bool {
        matches!(self.attachment, Attachment::Here(here) if here == socket)
    }

    /// Takes over what the member says of itself. All of it or nothing.
    pub fn patch(&mut self, patch: MemberPatch, rng: &mut dyn Rng) -> Result<(), Refusal> {
        let name = patch.name.as_deref().map(person_name).transpose()?;
        let tracks = patch
            .tracks
            .map(|tracks| self.named(&tracks, rng))
            .transpose()?;
        self.name = name.unwrap_or_else(|| std::mem::take(&mut self.name));
        self.tracks = tracks.unwrap_or_else(|| std::mem::take(&mut self.tracks));
        self.hand_raised = patch.hand_raised.unwrap_or(self.hand_raised);
        Ok(())
    }

    /// The tracks with their sids: a source keeps the one it has.
    fn named(&self, tracks: &[TrackState], rng: &mut dyn Rng) -> Result<Vec<Track>, Refusal> {
        let mut sources = HashSet::new();
        if tracks.len() > MAX_TRACKS || !tracks.iter().all(|track| sources.insert(track.source)) {
            let why = "one track for each source";
            return Err(Refusal::new(ErrorCode::BadMessage, why));
        }
        let sid = |source| {
            let known = self.tracks.iter().find(|track| track.source == source);
            known.map(|track| track.sid.clone())
        };
        Ok(tracks
            .iter()
            .map(|track| Track {
                sid: sid(track.source).unwrap_or_else(|| track_sid(rng)),
                source: track.source,
                muted: track.muted,
            })
            .collect())
    }

    /// The member as the others are told of it.
    pub fn wire(&self, host: Option<ClientId>) -> WireMember {
        WireMember {
            id: self.id.to_string(),
            name: self.name.clone(),
            role: match host {
                Some(host) if host == self.id => Role::Host,
                _ => Role::Participant,
            },
            joined_at: clock::seconds(self.joined_at),
            grants: Grants::default(),
            tracks: self.tracks.clone(),
            hand_raised: self.hand_raised,
            connection: match self.attachment {
                Attachment::Here(_) => MemberConnection::Connected,
                Attachment::Away { .. } => MemberConnection::Reconnecting,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use uuid::Uuid;
    use visavis_protocol::TrackSource;

    use super::*;

    fn member() -> Member {
        let id = Uuid::from_u128(1);
        let (name, features) = (String::new(), Features::default());
        Member::new(
            id,
            SocketId(1),
            name,
            features,
            0,
            OffsetDateTime::UNIX_EPOCH,
        )
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
        let camera = member.tracks[0].sid.clone();
        let both = announce(&[TrackSource::Microphone, TrackSource::Camera]);
        member.patch(both, rng).unwrap();
        assert_eq!(member.tracks[1].sid, camera);
        assert_ne!(member.tracks[0].sid, camera);
    }

    #[test]
    fn a_refused_change_changes_nothing() {
        let mut member = member();
        let mut patch = announce(&[TrackSource::Camera, TrackSource::Camera]);
        patch.name = Some("Ann".to_owned());
        assert!(member.patch(patch, &mut StdRng::seed_from_u64(1)).is_err());
        assert_eq!((member.name.as_str(), member.tracks.len()), ("", 0));
    }

    #[test]
    fn the_backlog_forgets_the_oldest_first() {
        let mut backlog = Backlog::default();
        for number in 0..RESUME_BACKLOG + 3 {
            backlog.push(Frame::from(number.to_string()));
        }
        let frames: Vec<Frame> = backlog.into_frames().collect();
        assert_eq!(frames.len(), RESUME_BACKLOG);
        assert_eq!(frames[0].as_str(), "3");
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
