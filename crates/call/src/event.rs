//! Events and statistics of a call.

use visavis_media::audio::AudioReceiveStats;
use visavis_media::video::VideoReceiveStats;
use visavis_protocol::ErrorCode;

use crate::view::{EndReason, MutedByHost, PeerConnectionState};

/// Events queued for each receiver. A receiver that falls behind loses the oldest
/// and gets their number as an error.
pub const EVENTS_CAPACITY: usize = 256;

/// An event of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum CallEvent {
    /// The local user joined the room.
    Joined {
        /// The room id.
        room: String,
        /// The local user's client id.
        member: String,
        /// Milliseconds since the join request was sent.
        ms: u64,
    },
    /// The room's passcode is needed, or the one that was sent is wrong.
    PasscodeNeeded,
    /// Another member joined.
    MemberJoined {
        /// Client id.
        member: String,
    },
    /// Another member left.
    MemberLeft {
        /// Client id.
        member: String,
    },
    /// The state of a peer connection changed.
    Peer {
        /// Client id.
        member: String,
        /// The new state.
        state: PeerConnectionState,
    },
    /// A session description of one side was refused. Media that was negotiated
    /// before continues.
    NegotiationFailed {
        /// Client id.
        member: String,
        /// One sentence, without SDP.
        reason: String,
    },
    /// The first video frame of a member was decoded.
    FirstFrame {
        /// Client id.
        member: String,
        /// Milliseconds since the local join request was sent, or since the member
        /// joined if that was later.
        ms: u64,
    },
    /// A chat message arrived or was sent.
    Chat {
        /// Client id.
        member: String,
        /// Plain text.
        text: String,
    },
    /// The host muted a source of the local user.
    MutedByHost(MutedByHost),
    /// The server reported an error.
    Error {
        /// The error code.
        code: ErrorCode,
    },
    /// The call ended.
    Ended(EndReason),
}

/// The statistics of every peer.
#[derive(Debug, Clone, Default)]
pub struct Statistics {
    /// In the order of joining.
    pub peers: Vec<PeerStatistics>,
}

/// The statistics of one peer. Counters start at zero with each new connection.
#[derive(Debug, Clone)]
pub struct PeerStatistics {
    /// Client id.
    pub member: String,
    /// RTP payload bytes sent, audio and video.
    pub bytes_sent: u64,
    /// Encoded video frames sent to this peer.
    pub frames_sent: u64,
    /// Loss of our video in the peer's newest report, in percent (RFC 3550, section
    /// 6.4.1).
    pub remote_loss_percent: f32,
    /// Round-trip time of the selected candidate pair, in milliseconds, or of RTCP where
    /// the pair has none.
    pub round_trip_ms: Option<f32>,
    /// Estimate of what the link carries from here to the peer, in bits per second (W3C
    /// `availableOutgoingBitrate`).
    pub available_bits_per_second: u64,
    /// Bit rate that the video to this peer is encoded at, in bits per second (W3C
    /// `targetBitrate`); 0 while its link is too narrow for video.
    pub video_bits_per_second: u64,
    /// Statistics of the received camera.
    pub video: VideoReceiveStats,
    /// Statistics of the received screen.
    pub screen: VideoReceiveStats,
    /// Statistics of the received audio.
    pub audio: AudioReceiveStats,
}
