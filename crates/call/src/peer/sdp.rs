//! Checks of remote descriptions before webrtc-rs sets them. webrtc-rs changes
//! its state while it parses a description and cannot undo part of it.

use std::collections::HashSet;

use rtc::ice::candidate::unmarshal_candidate;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::rtp_transceiver::RTCRtpTransceiverDirection as Direction;
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use rtc::sdp::{MediaDescription, SessionDescription};
use visavis_media::VideoCodec;
use visavis_protocol::limits::MAX_MESSAGE_BYTES;

use crate::rtp::Mid;

/// Why a description is rejected. The texts quote nothing of the description.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum SdpError {
    #[error("SDP exceeds {MAX_MESSAGE_BYTES} bytes")]
    TooLarge,
    #[error("not valid SDP")]
    Malformed,
    #[error("no media sections")]
    Empty,
    #[error("{0} is missing, conflicting or malformed")]
    Attribute(&'static str),
    #[error("media sections differ from those negotiated before")]
    Mismatch,
}

/// A remote description that passed the checks.
pub(super) struct RemoteDescription {
    pub(super) description: RTCSessionDescription,
    pub(super) sections: Vec<MediaSection>,
}

/// A media section (RFC 8866, section 5.14; RFC 9429, section 5.2.1).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MediaSection {
    pub(super) mid: Mid,
    pub(super) kind: MediaKind,
    /// The direction as the description states it: for a remote description, seen
    /// from the remote peer. `Inactive` also stands for port 0.
    pub(super) direction: Direction,
    /// The video codecs that we support, in the section's order.
    pub(super) codecs: Vec<VideoCodec>,
}

impl MediaSection {
    /// The codec to send: `preferred` where the section contains it, so that one
    /// encoder serves all peers, else the section's first.
    pub(super) fn codec(&self, preferred: VideoCodec) -> Option<VideoCodec> {
        let mut codecs = self.codecs.iter().copied();
        let first = codecs.clone().next();
        codecs.find(|codec| *codec == preferred).or(first)
    }
}

/// The media type of a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MediaKind {
    Audio,
    Video,
    /// Data channels and unknown media types.
    Other,
}

impl RemoteDescription {
    /// Parses and checks an offer.
    pub(super) fn offer(sdp: String) -> Result<Self, SdpError> {
        Self::read(sdp, RTCSessionDescription::offer)
    }

    /// Parses and checks an answer.
    pub(super) fn answer(sdp: String) -> Result<Self, SdpError> {
        Self::read(sdp, RTCSessionDescription::answer)
    }

    fn read<E>(
        sdp: String,
        parse: impl FnOnce(String) -> Result<RTCSessionDescription, E>,
    ) -> Result<Self, SdpError> {
        if sdp.len() > MAX_MESSAGE_BYTES {
            return Err(SdpError::TooLarge);
        }
        let description = parse(sdp).map_err(|_| SdpError::Malformed)?;
        let session = description.unmarshal().map_err(|_| SdpError::Malformed)?;
        let sections = sections(&session)?;
        check_transport(&session)?;
        Ok(Self {
            description,
            sections,
        })
    }

    /// Checks that every earlier section is still at its index (RFC 3264, section 8).
    pub(super) fn continues(&self, before: &[MediaSection]) -> Result<(), SdpError> {
        let same =
            |(new, old): (&MediaSection, &MediaSection)| new.mid == old.mid && new.kind == old.kind;
        if self.sections.len() >= before.len() && self.sections.iter().zip(before).all(same) {
            Ok(())
        } else {
            Err(SdpError::Mismatch)
        }
    }

    /// Checks that the answer has the sections of this offer (RFC 3264, section 6).
    pub(super) fn answers(&self, offer: &[MediaSection]) -> Result<(), SdpError> {
        if self.sections.len() > offer.len() {
            return Err(SdpError::Mismatch);
        }
        self.continues(offer)
    }

    /// The section that carries the call.
    pub(super) fn main(&self, kind: MediaKind) -> Option<&MediaSection> {
        main(&self.sections, kind)
    }
}

/// The section of this kind that carries the call: the first one that is not
/// inactive, else the first.
pub(super) fn main(sections: &[MediaSection], kind: MediaKind) -> Option<&MediaSection> {
    let mut of_kind = sections.iter().filter(|section| section.kind == kind);
    let first = of_kind.clone().next();
    of_kind
        .find(|section| section.direction != Direction::Inactive)
        .or(first)
}

/// The media sections of a local description.
pub(super) fn local_sections(
    description: &RTCSessionDescription,
) -> Result<Vec<MediaSection>, SdpError> {
    sections(&description.unmarshal().map_err(|_| SdpError::Malformed)?)
}

fn sections(session: &SessionDescription) -> Result<Vec<MediaSection>, SdpError> {
    if session.media_descriptions.is_empty() {
        return Err(SdpError::Empty);
    }
    let mut mids = HashSet::new();
    session
        .media_descriptions
        .iter()
        .map(|media| {
            let mid = media.attribute("mid").flatten().unwrap_or_default();
            if mid.is_empty() || !mids.insert(mid) {
                return Err(SdpError::Attribute("a=mid"));
            }
            let kind = match RtpCodecKind::from(media.media_name.media.as_str()) {
                RtpCodecKind::Audio => MediaKind::Audio,
                RtpCodecKind::Video => MediaKind::Video,
                _ => MediaKind::Other,
            };
            if kind != MediaKind::Other {
                check_formats(media)?;
            }
            Ok(MediaSection {
                mid: Mid(mid.to_owned()),
                kind,
                direction: direction(media),
                codecs: codecs(media),
            })
        })
        .collect()
}

fn direction(media: &MediaDescription) -> Direction {
    if media.media_name.port.value == 0 {
        return Direction::Inactive;
    }
    [
        Direction::Sendonly,
        Direction::Recvonly,
        Direction::Inactive,
    ]
    .into_iter()
    .find(|direction| media.attribute(&direction.to_string()).is_some())
    .unwrap_or(Direction::Sendrecv)
}

/// Checks that every format has an `a=rtpmap` (RFC 8866, section 6.6).
fn check_formats(media: &MediaDescription) -> Result<(), SdpError> {
    let codecs = media.codecs();
    // A format with an fmtp or rtcp-fb line but no rtpmap has an empty name.
    let is_named = |number| {
        codecs
            .get(&number)
            .is_some_and(|codec| !codec.name.is_empty())
    };
    let mut formats = media.media_name.formats.iter();
    if formats.all(|format| format.parse().is_ok_and(is_named)) {
        Ok(())
    } else {
        Err(SdpError::Attribute("a=rtpmap"))
    }
}

fn codecs(media: &MediaDescription) -> Vec<VideoCodec> {
    let codecs = media.codecs();
    let formats = media.media_name.formats.iter();
    let known = formats.filter_map(|format| {
        let codec = codecs.get(&format.parse().ok()?)?;
        video_codec(&codec.name, &codec.fmtp)
    });
    known.collect()
}

/// The video codec with this encoding name (without `video/`) and these format
/// parameters. H.264 is supported in packetization mode 1 (RFC 6184, section 6.3).
pub(super) fn video_codec(name: &str, parameters: &str) -> Option<VideoCodec> {
    if name.eq_ignore_ascii_case("VP8") {
        return Some(VideoCodec::Vp8);
    }
    let mut parameters = parameters.split(';').map(str::trim);
    (name.eq_ignore_ascii_case("H264") && parameters.any(|one| one == "packetization-mode=1"))
        .then_some(VideoCodec::H264)
}

/// Checks that ICE credentials and fingerprint exist and are the same in all
/// bundled sections, and that the candidates are well formed.
fn check_transport(session: &SessionDescription) -> Result<(), SdpError> {
    for name in ["ice-ufrag", "ice-pwd", "fingerprint"] {
        let of_media = session
            .media_descriptions
            .iter()
            .filter_map(|media| media.attribute(name).flatten());
        let values: HashSet<&str> = session
            .attribute(name)
            .map(String::as_str)
            .into_iter()
            .chain(of_media)
            .collect();
        let well_formed = |value: &&str| {
            if name == "fingerprint" {
                is_fingerprint(value)
            } else {
                !value.is_empty() && !value.contains(' ')
            }
        };
        if values.len() != 1 || !values.iter().all(well_formed) {
            return Err(SdpError::Attribute(name));
        }
    }
    let mut attributes = session
        .media_descriptions
        .iter()
        .flat_map(|media| &media.attributes);
    let well_formed = attributes.all(|attribute| {
        !attribute.is_ice_candidate()
            || attribute
                .value
                .as_deref()
                .is_some_and(|value| unmarshal_candidate(value).is_ok())
    });
    if well_formed {
        Ok(())
    } else {
        Err(SdpError::Attribute("a=candidate"))
    }
}

/// Whether this is a fingerprint: `sha-256 AB:CD:…` (RFC 8122, section 5).
fn is_fingerprint(value: &str) -> bool {
    value.split_once(' ').is_some_and(|(algorithm, digest)| {
        let octet =
            |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        algorithm.starts_with("sha-") && digest.split(':').all(octet)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
        a=fingerprint:sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF\r\n\
        a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendonly\r\na=rtpmap:111 opus/48000/2\r\n\
        m=video 9 UDP/TLS/RTP/SAVPF 98 102\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=rtpmap:98 H264/90000\r\n\
        a=rtpmap:102 H264/90000\r\na=fmtp:102 profile-level-id=42e01f;packetization-mode=1\r\n";

    fn error(sdp: String) -> SdpError {
        RemoteDescription::offer(sdp)
            .err()
            .expect("the offer is bad")
    }

    #[test]
    fn an_offer_is_parsed_into_its_media_sections() {
        let remote = RemoteDescription::offer(OFFER.into()).unwrap();
        let [audio, video] = &remote.sections[..] else {
            panic!("{:?}", remote.sections)
        };
        assert_eq!(
            (audio.mid.0.as_str(), audio.kind, audio.direction),
            ("0", MediaKind::Audio, Direction::Sendonly)
        );
        assert_eq!(
            (video.direction, video.codec(VideoCodec::Vp8)),
            (Direction::Sendrecv, Some(VideoCodec::H264))
        );
    }

    #[test]
    fn the_preferred_codec_is_sent_where_the_remote_peer_supports_it() {
        let both = OFFER.replace("rtpmap:98 H264", "rtpmap:98 VP8");
        let remote = RemoteDescription::offer(both).unwrap();
        let video = remote.main(MediaKind::Video).unwrap();
        for codec in [VideoCodec::Vp8, VideoCodec::H264] {
            assert_eq!(video.codec(codec), Some(codec));
        }
        let remote = RemoteDescription::offer(OFFER.into()).unwrap();
        let video = remote.main(MediaKind::Video).unwrap();
        assert_eq!(video.codec(VideoCodec::Vp8), Some(VideoCodec::H264));
    }

    #[test]
    fn descriptions_that_webrtc_rs_would_apply_partly_are_rejected() {
        assert_eq!(error("hello".into()), SdpError::Malformed);
        assert_eq!(
            error(OFFER.replace("a=mid:1", "a=mid:0")),
            SdpError::Attribute("a=mid")
        );
        assert_eq!(
            error(OFFER.replace("a=ice-pwd", "a=x-pwd")),
            SdpError::Attribute("ice-pwd")
        );
        assert_eq!(
            error(OFFER.replace("sha-256 00", "00")),
            SdpError::Attribute("fingerprint")
        );
        assert_eq!(
            error(OFFER.replace("/90000", "/ninety")),
            SdpError::Attribute("a=rtpmap")
        );
        assert_eq!(
            error(OFFER.replace("rtpmap:111", "rtpmap:112")),
            SdpError::Attribute("a=rtpmap")
        );
        assert_eq!(
            error(OFFER.replace("a=mid:0", "a=mid:0\r\na=candidate:nonsense")),
            SdpError::Attribute("a=candidate")
        );
        assert_eq!(
            error(OFFER.split("m=audio").next().unwrap().into()),
            SdpError::Empty
        );
        assert_eq!(error("v".repeat(MAX_MESSAGE_BYTES + 1)), SdpError::TooLarge);
    }

    #[test]
    fn a_later_description_must_keep_the_sections_of_earlier_ones() {
        let remote = RemoteDescription::offer(OFFER.into()).unwrap();
        let before = remote.sections.clone();
        assert_eq!(remote.answers(&before), Ok(()));
        assert_eq!(remote.answers(&before[..1]), Err(SdpError::Mismatch));
        assert_eq!(remote.continues(&before[..1]), Ok(()));
        assert_eq!(remote.continues(&before[1..]), Err(SdpError::Mismatch));
    }

    proptest! {
        #[test]
        fn no_text_causes_a_panic(text in "\\PC*", at in 0..OFFER.len(), with in "\\PC{0,8}") {
            let _ = RemoteDescription::offer(text);
            let mut damaged = OFFER.to_owned();
            damaged.replace_range(at..=at, &with);
            let _ = RemoteDescription::offer(damaged);
        }
    }
}
