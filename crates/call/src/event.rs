//! What happens once, and the figures of each second.

use visavis_media::audio::AudioReceiveStats;
use visavis_media::video::VideoReceiveStats;
use visavis_protocol::ErrorCode;

use crate::view::{EndReason, PeerConnectionState};

/// Events waiting for a reader: 256; a reader that falls behind loses the
/// oldest and is told how many.
pub const EVENTS_CAPACITY: usize = 256;

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum CallEvent {
    /// The local user is inside.
    Joined {
        /// The wire's room id.
        room: String,
        /// The local user's client id.
        member: String,
        /// Milliseconds since the join was sent.
        ms: u64,
    },
    /// Someone else joined.
    MemberJoined {
        /// Client id.
        member: String,
    },
    /// Someone else left.
    MemberLeft {
        /// Client id.
        member: String,
    },
    /// A peer connection changed.
    Peer {
        /// Client id.
        member: String,
        /// As it is now.
        state: PeerConnectionState,
    },
    /// A first picture of someone was decoded.
    FirstFrame {
        /// Client id.
        member: String,
        /// Milliseconds since our join was sent, or since that member joined if later.
        ms: u64,
    },
    /// Someone said something; the local user's own words too.
    Chat {
        /// Client id.
        member: String,
        /// Plain text.
        text: String,
    },
    /// The server refused something, or a message of ours.
    Error {
        /// Why.
        code: ErrorCode,
    },
    /// The call is over.
    Ended(EndReason),
}

/// The figures of every peer, renewed once a second.
#[derive(Debug, Clone, Default)]
pub struct Statistics {
    /// In the order of joining.
    pub peers: Vec<PeerStatistics>,
}

/// The figures of one peer, counted from the connection's beginning.
#[derive(Debug, Clone)]
pub struct PeerStatistics {
    /// Client id.
    pub member: String,
    /// RTP payload bytes sent, sound and picture.
    pub bytes_sent: u64,
    /// Encoded pictures handed to this peer.
    pub frames_sent: u64,
    /// Loss that the peer reported last for what we send, in percent.
    pub remote_loss_percent: f32,
    /// Round trip on the selected candidate pair, in milliseconds.
    pub round_trip_ms: Option<f32>,
    /// The pictures of this peer.
    pub video: VideoReceiveStats,
    /// The sound of this peer.
    pub audio: AudioReceiveStats,
}
