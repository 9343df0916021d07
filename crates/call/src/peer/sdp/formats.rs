//! The payload formats of a media section.

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use visavis_media::VideoCodec;

use super::MediaKind;
use super::text::{MediaText, values};
use crate::rtp::PayloadType;

/// H.264 parameter sets read from one section, and the longest in characters; further
/// and longer ones are ignored.
const MAX_PARAMETER_SETS: usize = 16;
const MAX_PARAMETER_SET_CHARACTERS: usize = 1_024;

/// Base64 with or without its padding, which some senders leave out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A payload format that we support.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::peer) enum PayloadFormat {
    /// Opus (RFC 7587).
    Audio,
    Video(VideoCodec),
}

impl PayloadFormat {
    pub(in crate::peer) fn kind(self) -> MediaKind {
        match self {
            Self::Audio => MediaKind::Audio,
            Self::Video(_) => MediaKind::Video,
        }
    }
}

/// A payload format and the payload type that a section maps to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::peer) struct MappedFormat {
    pub(in crate::peer) payload: PayloadFormat,
    pub(in crate::peer) payload_type: PayloadType,
    /// That of its retransmissions (RFC 4588, section 8.1).
    pub(in crate::peer) retransmission: Option<PayloadType>,
}

/// The supported formats of a section, in its order. Static payload types, which
/// need no `a=rtpmap` (RFC 3551, section 6), stand for codecs that we lack.
pub(super) fn supported(media: &MediaText<'_>, kind: MediaKind) -> Vec<MappedFormat> {
    let formats = payload_types(media).filter_map(|payload_type| {
        Some(MappedFormat {
            payload: payload_format(media, kind, payload_type)?,
            payload_type,
            retransmission: retransmission(media, payload_type),
        })
    });
    formats.collect()
}

/// The payload type with the retransmissions of another one.
fn retransmission(media: &MediaText<'_>, of: PayloadType) -> Option<PayloadType> {
    payload_types(media).find(|payload_type| {
        let is_rtx =
            mapping(media, *payload_type).is_some_and(|(name, _)| name.eq_ignore_ascii_case("rtx"));
        let apt = parameters(media, *payload_type)
            .split(';')
            .find_map(|one| one.trim().strip_prefix("apt=")?.parse().ok());
        is_rtx && apt == Some(of.0)
    })
}

/// The H.264 parameter sets that the section names for its supported formats (RFC 6184,
/// section 8.1: `sprop-parameter-sets`), as NAL units.
pub(super) fn parameter_sets(media: &MediaText<'_>, supported: &[MappedFormat]) -> Vec<Vec<u8>> {
    let is_h264 = |format: &&MappedFormat| format.payload == PayloadFormat::Video(VideoCodec::H264);
    let sets = supported.iter().filter(is_h264).flat_map(|format| {
        let parameters = parameters(media, format.payload_type).split(';');
        parameters.filter_map(|one| one.trim().strip_prefix("sprop-parameter-sets="))
    });
    sets.flat_map(|sets| sets.split(','))
        .filter(|set| set.len() <= MAX_PARAMETER_SET_CHARACTERS)
        .filter_map(|set| BASE64.decode(set.trim()).ok())
        .filter(|set| !set.is_empty())
        .take(MAX_PARAMETER_SETS)
        .collect()
}

/// The payload types of a section, each once, so that a long list costs little.
fn payload_types(media: &MediaText<'_>) -> impl Iterator<Item = PayloadType> {
    let mut seen = [false; 128];
    let numbers = media
        .formats
        .iter()
        .filter_map(|format| format.parse().ok());
    let new = numbers.filter(move |number: &u8| {
        let slot = seen.get_mut(usize::from(*number));
        slot.is_some_and(|seen| !std::mem::replace(seen, true))
    });
    new.map(PayloadType)
}

fn payload_format(
    media: &MediaText<'_>,
    kind: MediaKind,
    payload_type: PayloadType,
) -> Option<PayloadFormat> {
    let (name, clock_rate) = mapping(media, payload_type)?;
    match kind {
        MediaKind::Audio => (name.eq_ignore_ascii_case("opus") && clock_rate == 48_000)
            .then_some(PayloadFormat::Audio),
        MediaKind::Video if clock_rate == 90_000 => {
            video_codec(name, parameters(media, payload_type)).map(PayloadFormat::Video)
        }
        MediaKind::Video | MediaKind::Other => None,
    }
}

/// The encoding name and the clock rate of the format's `a=rtpmap`.
fn mapping<'a>(media: &MediaText<'a>, payload_type: PayloadType) -> Option<(&'a str, u32)> {
    let mut parts = of_format(media, "rtpmap", payload_type)?.split('/');
    Some((parts.next()?, parts.next()?.trim().parse().ok()?))
}

fn parameters<'a>(media: &MediaText<'a>, payload_type: PayloadType) -> &'a str {
    of_format(media, "fmtp", payload_type).unwrap_or_default()
}

fn of_format<'a>(media: &MediaText<'a>, name: &str, payload_type: PayloadType) -> Option<&'a str> {
    values(&media.lines, name).find_map(|value| {
        let (number, rest) = value.split_once(' ')?;
        (number.parse() == Ok(payload_type.0)).then(|| rest.trim())
    })
}

/// The video codec with this encoding name (without `video/`) and these format
/// parameters. H.264 is supported in packetization mode 1 (RFC 6184, section 6.3).
fn video_codec(name: &str, parameters: &str) -> Option<VideoCodec> {
    if name.eq_ignore_ascii_case("VP8") {
        return Some(VideoCodec::Vp8);
    }
    let mut parameters = parameters.split(';').map(str::trim);
    (name.eq_ignore_ascii_case("H264") && parameters.any(|one| one == "packetization-mode=1"))
        .then_some(VideoCodec::H264)
}
