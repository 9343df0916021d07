//! Descriptions of the other side, examined before webrtc-rs is given them: it
//! changes its state while it reads one, and has no way back from half of it.

use std::collections::HashSet;

use rtc::ice::candidate::unmarshal_candidate;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::rtp_transceiver::RTCRtpTransceiverDirection as Direction;
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use rtc::sdp::{MediaDescription, SessionDescription};
use visavis_media::VideoCodec;
use visavis_protocol::limits::MAX_MESSAGE_BYTES;

/// Why a description is not taken. Contains nothing of the description.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum SdpError {
    #[error("it is larger than any real one")]
    TooLarge,
    #[error("it is not SDP")]
    Malformed,
    #[error("it describes no media")]
    Empty,
    #[error("{0} is missing, conflicting or malformed")]
    Attribute(&'static str),
    #[error("its media do not match those negotiated before")]
    Mismatch,
}

/// A description that webrtc-rs can take as a whole.
pub(super) struct Remote {
    pub(super) description: RTCSessionDescription,
    pub(super) sections: Vec<Section>,
}

/// A media description (RFC 8866, section 5.14).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Section {
    pub(super) mid: String,
    pub(super) kind: Kind,
    /// As the other side sees it.
    pub(super) direction: Direction,
    /// The picture codecs that we know too, in the other side's order.
    pub(super) codecs: Vec<VideoCodec>,
}

impl Section {
    /// What we send: our own preference where the other side takes it, so that
    /// pictures are encoded once for everybody.
    pub(super) fn codec(&self, preferred: VideoCodec) -> Option<VideoCodec> {
        let mut codecs = self.codecs.iter().copied();
        let first = codecs.clone().next();
        codecs.find(|codec| *codec == preferred).or(first)
    }
}

/// What a media description is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Audio,
    Video,
    /// The data channels, and what nobody here knows.
    Other,
}

impl Remote {
    /// Reads an offer.
    pub(super) fn offer(sdp: String) -> Result<Self, SdpError> {
        Self::read(sdp, RTCSessionDescription::offer)
    }

    /// Reads an answer.
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

    /// Checks that the sections before are still there, in their places
    /// (RFC 3264, section 8).
    pub(super) fn continues(&self, before: &[Section]) -> Result<(), SdpError> {
        let same = |(new, old): (&Section, &Section)| new.mid == old.mid && new.kind == old.kind;
        if self.sections.len() >= before.len() && self.sections.iter().zip(before).all(same) {
            Ok(())
        } else {
            Err(SdpError::Mismatch)
        }
    }

    /// Checks that it answers this offer: the same sections (RFC 3264, section 6).
    pub(super) fn answers(&self, offer: &[Section]) -> Result<(), SdpError> {
        if self.sections.len() > offer.len() {
            return Err(SdpError::Mismatch);
        }
        self.continues(offer)
    }

    /// The section that carries the call.
    pub(super) fn main(&self, kind: Kind) -> Option<&Section> {
        main(&self.sections, kind)
    }
}

/// The first section of this kind that is in use, or else the first.
pub(super) fn main(sections: &[Section], kind: Kind) -> Option<&Section> {
    let mut of_kind = sections.iter().filter(|section| section.kind == kind);
    let first = of_kind.clone().next();
    of_kind
        .find(|section| section.direction != Direction::Inactive)
        .or(first)
}

/// The sections of a description of ours.
pub(super) fn local_sections(
    description: &RTCSessionDescription,
) -> Result<Vec<Section>, SdpError> {
    sections(&description.unmarshal().map_err(|_| SdpError::Malformed)?)
}

fn sections(session: &SessionDescription) -> Result<Vec<Section>, SdpError> {
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
                RtpCodecKind::Audio => Kind::Audio,
                RtpCodecKind::Video => Kind::Video,
                _ => Kind::Other,
            };
            if kind != Kind::Other {
                check_formats(media)?;
            }
            Ok(Section {
                mid: mid.to_owned(),
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

/// Every format has its `a=rtpmap`.
fn check_formats(media: &MediaDescription) -> Result<(), SdpError> {
    let codecs = media.codecs();
    // A codec without a name has other attributes only.
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

/// The codec with this name (without its `video/`) and these format parameters.
pub(super) fn video_codec(name: &str, parameters: &str) -> Option<VideoCodec> {
    if name.eq_ignore_ascii_case("VP8") {
        return Some(VideoCodec::Vp8);
    }
    let mut parameters = parameters.split(';').map(str::trim);
    (name.eq_ignore_ascii_case("H264") && parameters.any(|one| one == "packetization-mode=1"))
        .then_some(VideoCodec::H264)
}

/// ICE credentials, fingerprint and candidates, as webrtc-rs will want them.
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

/// `sha-256 AB:CD:…` (RFC 8122, section 5).
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
        Remote::offer(sdp).err().expect("the offer is bad")
    }

    #[test]
    fn an_offer_tells_its_sections() {
        let remote = Remote::offer(OFFER.into()).unwrap();
        let [audio, video] = &remote.sections[..] else {
            panic!("{:?}", remote.sections)
        };
        assert_eq!(
            (audio.mid.as_str(), audio.kind, audio.direction),
            ("0", Kind::Audio, Direction::Sendonly)
        );
        assert_eq!(
            (video.direction, video.codec(VideoCodec::Vp8)),
            (Direction::Sendrecv, Some(VideoCodec::H264))
        );
    }

    #[test]
    fn our_preferred_codec_is_sent_where_the_other_side_takes_it() {
        let both = OFFER.replace("rtpmap:98 H264", "rtpmap:98 VP8");
        let remote = Remote::offer(both).unwrap();
        let video = remote.main(Kind::Video).unwrap();
        for codec in [VideoCodec::Vp8, VideoCodec::H264] {
            assert_eq!(video.codec(codec), Some(codec));
        }
        let remote = Remote::offer(OFFER.into()).unwrap();
        let video = remote.main(Kind::Video).unwrap();
        assert_eq!(video.codec(VideoCodec::Vp8), Some(VideoCodec::H264));
    }

    #[test]
    fn what_webrtc_rs_would_choke_on_halfway_is_refused_before() {
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
    fn later_descriptions_keep_the_sections_of_earlier_ones() {
        let remote = Remote::offer(OFFER.into()).unwrap();
        let before = remote.sections.clone();
        assert_eq!(remote.answers(&before), Ok(()));
        assert_eq!(remote.answers(&before[..1]), Err(SdpError::Mismatch));
        assert_eq!(remote.continues(&before[..1]), Ok(()));
        assert_eq!(remote.continues(&before[1..]), Err(SdpError::Mismatch));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*", at in 0..OFFER.len(), with in "\\PC{0,8}") {
            let _ = Remote::offer(text);
            let mut damaged = OFFER.to_owned();
            damaged.replace_range(at..=at, &with);
            let _ = Remote::offer(damaged);
        }
    }
}
