//! Encoded media between encoder, network and decoder.

use std::time::Instant;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A video codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VideoCodec {
    /// H.264 constrained baseline, packetization mode 1 (RFC 6184).
    H264,
    /// VP8 (RFC 6386, RFC 7741).
    Vp8,
}

/// A spatial layer: the size in which a source is encoded, in relation to its own.
/// Each layer is a stream of its own, as in simulcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VideoLayer {
    /// A quarter of each side.
    Quarter,
    /// Half of each side.
    Half,
    /// The size of the source.
    Full,
}

impl VideoLayer {
    /// All layers, the smallest first.
    pub const ALL: [Self; 3] = [Self::Quarter, Self::Half, Self::Full];

    /// By how much each side is divided.
    pub const fn divisor(self) -> u32 {
        match self {
            Self::Quarter => 4,
            Self::Half => 2,
            Self::Full => 1,
        }
    }
}

/// How many of the frames of a track a receiver gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameRate {
    /// Every second one: those that others are predicted from.
    Half,
    /// All.
    Full,
}

/// One encoded frame: an H.264 access unit in Annex B form, or a VP8 frame.
#[derive(Debug, Clone)]
pub struct EncodedVideo {
    /// The codec.
    pub codec: VideoCodec,
    /// The layer.
    pub layer: VideoLayer,
    /// The bit stream.
    pub data: Bytes,
    /// Capture time in RTP ticks of 90 kHz, from an arbitrary start, wrapping.
    pub timestamp: u32,
    /// Whether a decoder can start here.
    pub key_frame: bool,
    /// Whether no other frame is predicted from it, so that it can be left out.
    pub is_discardable: bool,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// When the frame was captured.
    pub captured_at: Instant,
    /// When its encoding began.
    pub encode_started_at: Instant,
    /// When its encoding ended.
    pub encoded_at: Instant,
}

/// One Opus packet (RFC 6716).
#[derive(Debug, Clone)]
pub struct EncodedAudio {
    /// The packet.
    pub data: Bytes,
    /// Capture time in samples at 48 kHz, from an arbitrary start, wrapping.
    pub timestamp: u32,
    /// Duration in samples at 48 kHz.
    pub samples: u32,
    /// When its first sample was captured: earlier than the rest of the frame by what the
    /// sound processing delays.
    pub captured_at: Instant,
}

/// What a receiver needs of an RTP packet (RFC 3550, section 5.1). Header
/// extensions and padding are gone; nothing else in it is trusted.
#[derive(Debug, Clone)]
pub struct RtpPacket {
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp in ticks of the payload's clock (90 kHz or 48 kHz).
    pub timestamp: u32,
    /// Marker bit: for video, the last packet of a frame.
    pub marker: bool,
    /// Payload.
    pub payload: Bytes,
    /// When it arrived.
    pub arrived_at: Instant,
}
