//! Encoded media between encoder, network and decoder.

use std::time::Instant;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A codec for pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VideoCodec {
    /// H.264 constrained baseline, packetization mode 1 (RFC 6184).
    H264,
    /// VP8 (RFC 6386, RFC 7741).
    Vp8,
}

/// One encoded picture: an H.264 access unit in Annex B form, or a VP8 frame.
#[derive(Debug, Clone)]
pub struct EncodedVideo {
    /// The codec.
    pub codec: VideoCodec,
    /// The bit stream.
    pub data: Bytes,
    /// Capture time in RTP ticks of 90 kHz, from an arbitrary start, wrapping.
    pub timestamp: u32,
    /// Whether a decoder can start here.
    pub key_frame: bool,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// When the picture was captured.
    pub captured_at: Instant,
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
    /// When its first sample was captured.
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
    /// Marker bit: for pictures, the last packet of one.
    pub marker: bool,
    /// Payload.
    pub payload: Bytes,
    /// When it arrived.
    pub arrived_at: Instant,
}
