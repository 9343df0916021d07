//! Typed identifiers and header fields of RTP and SDP, which are otherwise bare
//! integers and strings and easily mixed up.

/// Synchronisation source of a stream (RFC 3550, section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Ssrc(pub u32);

/// RTP payload type, 0 to 127 (RFC 3550, section 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PayloadType(pub u8);

/// RTP sequence number, wrapping (RFC 3550, section 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SequenceNumber(pub u16);

/// RTP timestamp in ticks of the payload's clock, wrapping (RFC 3550, section
/// 5.1): 90 kHz for video, 48 kHz for Opus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RtpTime(pub u32);

/// Identification tag of a media section (RFC 5888, section 4).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Mid(pub String);
