//! The media sections of a description and whether they can be used.

use std::collections::HashSet;

use rtc::rtp_transceiver::RTCRtpTransceiverDirection as Direction;
use visavis_media::VideoCodec;
use visavis_protocol::TrackSource;

use super::SdpError;
use super::formats::{MappedFormat, PayloadFormat, parameter_sets, supported};
use super::media_kind::{MediaKind, source_of_track};
use super::text::{MediaText, SdpText, has, value, values};
use crate::peer::frame_timing::TimingIds;
use crate::rtp::{Mid, Ssrc};

/// The header extension with the mid (RFC 9143, section 15).
pub(in crate::peer) const MID_EXTENSION: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

/// The header extension with the rid (RFC 8852, section 4.1).
pub(in crate::peer) const RID_EXTENSION: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";

/// SSRCs read from one section; further ones are ignored.
const MAX_SSRCS: usize = 8;

/// The transport protocol of data channels (RFC 8841, section 4.1).
const SCTP_PROTOCOL: &str = "UDP/DTLS/SCTP";

/// A media section (RFC 8866, section 5.14; RFC 9429, section 5.2.1).
#[derive(Debug, Clone, PartialEq)]
pub(in crate::peer) struct MediaSection {
    /// Empty where a rejected section has none.
    pub(in crate::peer) mid: Mid,
    pub(in crate::peer) kind: MediaKind,
    pub(in crate::peer) usage: Usage,
    /// The direction as the description states it: for a remote description, seen
    /// from the remote peer. `Inactive` in a section that is not used.
    pub(in crate::peer) direction: Direction,
    /// The formats that we support, in the section's order.
    pub(in crate::peer) formats: Vec<MappedFormat>,
    /// H.264 parameter sets of the sender, as NAL units.
    pub(in crate::peer) parameter_sets: Vec<Vec<u8>>,
    /// SSRCs that the section names (RFC 5576, section 4.1).
    pub(in crate::peer) ssrcs: Vec<Ssrc>,
    /// The source that the track id names.
    pub(super) named_source: Option<TrackSource>,
    /// Identifier of the header extension with the mid.
    pub(in crate::peer) mid_extension: Option<u8>,
    /// Identifiers of the header extensions with the times of a frame.
    pub(in crate::peer) timing: Option<TimingIds>,
    /// The `m=` line's media, protocol and first format, for a rejection.
    pub(super) line: MediaLine,
}

/// The parts of an `m=` line that a rejection repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MediaLine {
    pub(super) kind: String,
    pub(super) protocol: String,
    pub(super) format: String,
}

/// Whether a section takes part in the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::peer) enum Usage {
    Used,
    /// The description itself rejects it, with port 0 (RFC 3264, section 6).
    Rejected,
    /// We reject it: it is none of audio, video or a data channel over DTLS, has
    /// no mid, or is not on the transport of the bundle.
    Unusable,
    /// We reject it: nothing is bundled, and another section has the one transport.
    NoTransport,
    /// We reject it, since it has no codec of ours.
    NoCommonCodec,
}

impl MediaSection {
    pub(in crate::peer) fn is_used(&self) -> bool {
        self.usage == Usage::Used
    }

    /// Whether the section carries data channels, or did before it was rejected.
    pub(in crate::peer) fn is_data(&self) -> bool {
        self.line.kind == "application" && self.usage != Usage::Unusable
    }

    /// The format to send: `preferred` where the section contains it, so that one
    /// encoder serves all peers, else the section's first.
    pub(in crate::peer) fn format_to_send(&self, preferred: VideoCodec) -> Option<MappedFormat> {
        let preferred = PayloadFormat::Video(preferred);
        let mut formats = self.formats.iter();
        formats
            .find(|format| format.payload == preferred)
            .or(self.formats.first())
            .copied()
    }
}

/// Reads the sections of a description.
pub(super) fn read(text: &SdpText<'_>) -> Result<Vec<MediaSection>, SdpError> {
    let mut mids = HashSet::new();
    for mid in text.media.iter().filter_map(mid) {
        if !mids.insert(mid) {
            return Err(SdpError::Attribute("a=mid"));
        }
    }
    let bundle = bundle(text);
    let mut has_transport = false;
    let sections = text.media.iter().map(|media| {
        let mut section = section(text, media);
        // All sections share one transport: those of the bundle, or without one
        // the first (RFC 9143, section 7.3).
        if section.usage != Usage::Rejected && section.usage != Usage::Unusable {
            match &bundle {
                Some(members) if members.contains(section.mid.0.as_str()) => {}
                Some(_) => section.usage = Usage::Unusable,
                None if has_transport => section.usage = Usage::NoTransport,
                None => has_transport = true,
            }
        }
        if !section.is_used() {
            section.direction = Direction::Inactive;
        }
        section
    });
    Ok(sections.collect())
}

/// The mids of the first group of bundled sections (RFC 9143, section 5).
fn bundle<'a>(text: &SdpText<'a>) -> Option<HashSet<&'a str>> {
    values(&text.session, "group").find_map(|group| {
        let mut words = group.split_ascii_whitespace();
        (words.next() == Some("BUNDLE")).then(|| words.collect())
    })
}

/// The mid of a section: a token (RFC 5888, section 4). One with white space would be
/// several in the bundle of our answer.
fn mid<'a>(media: &MediaText<'a>) -> Option<&'a str> {
    let is_token = |mid: &&str| !mid.is_empty() && mid.bytes().all(|byte| byte.is_ascii_graphic());
    value(&media.lines, "mid").filter(is_token)
}

fn section(text: &SdpText<'_>, media: &MediaText<'_>) -> MediaSection {
    let kind = MediaKind::of(media.kind);
    let formats = supported(media, kind);
    let is_rtp = kind != MediaKind::Other && media.protocol.contains("RTP/");
    let is_data = media.kind == "application"
        && media.protocol == SCTP_PROTOCOL
        && media.formats == ["webrtc-datachannel"];
    // A section that is sent only in a bundle has port 0 (RFC 9143, section 6).
    let usage = if media.port == 0 && !has(&media.lines, "bundle-only") {
        Usage::Rejected
    } else if !(is_rtp || is_data) || mid(media).is_none() {
        Usage::Unusable
    } else if is_rtp && formats.is_empty() {
        Usage::NoCommonCodec
    } else {
        Usage::Used
    };
    let track = value(&media.lines, "msid").and_then(|value| value.split(' ').nth(1));
    MediaSection {
        mid: Mid(mid(media).unwrap_or_default().to_owned()),
        kind,
        usage,
        direction: direction(&media.lines)
            .or_else(|| direction(&text.session))
            .unwrap_or(Direction::Sendrecv),
        parameter_sets: parameter_sets(media, &formats),
        formats,
        ssrcs: ssrcs(media),
        named_source: track.and_then(|track| source_of_track(track, kind)),
        mid_extension: extension(media, MID_EXTENSION),
        timing: TimingIds::find(|uri| extension(media, uri)),
        line: MediaLine {
            kind: media.kind.to_owned(),
            protocol: media.protocol.to_owned(),
            format: media.formats.first().copied().unwrap_or("0").to_owned(),
        },
    }
}

fn direction(lines: &[&str]) -> Option<Direction> {
    [
        Direction::Sendrecv,
        Direction::Sendonly,
        Direction::Recvonly,
        Direction::Inactive,
    ]
    .into_iter()
    .find(|direction| has(lines, &direction.to_string()))
}

fn ssrcs(media: &MediaText<'_>) -> Vec<Ssrc> {
    let numbers = values(&media.lines, "ssrc").filter_map(|value| {
        let number = value.split(' ').next()?;
        number.parse().ok().map(Ssrc)
    });
    let mut ssrcs: Vec<Ssrc> = numbers.collect();
    ssrcs.dedup();
    ssrcs.truncate(MAX_SSRCS);
    ssrcs
}

/// The identifier of a header extension, `a=extmap:ID[/direction] URI` (RFC 8285,
/// section 8).
fn extension(media: &MediaText<'_>, wanted: &str) -> Option<u8> {
    values(&media.lines, "extmap").find_map(|value| {
        let (id, uri) = value.split_once(' ')?;
        let id = id.split('/').next()?.parse().ok()?;
        (uri.split(' ').next() == Some(wanted)).then_some(id)
    })
}
