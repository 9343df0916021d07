//! Table tests of descriptions.

use proptest::prelude::*;
use rtc::rtp_transceiver::RTCRtpTransceiverDirection as Direction;
use visavis_media::VideoCodec;
use visavis_protocol::TrackSource;

use super::*;
use crate::rtp::{Mid, PayloadType, Ssrc};

const FINGERPRINT: &str = "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF";

const AUDIO: &str = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendonly\r\na=rtpmap:111 opus/48000/2\r\n";
const VIDEO: &str = "m=video 9 UDP/TLS/RTP/SAVPF 98 102 103\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\n\
    a=rtpmap:98 H264/90000\r\na=rtpmap:102 H264/90000\r\n\
    a=fmtp:102 profile-level-id=42e01f;packetization-mode=1\r\n\
    a=rtpmap:103 rtx/90000\r\na=fmtp:103 apt=102\r\n";

/// An offer with these sections, bundled.
fn offer(group: &str, sections: &[&str]) -> String {
    format!(
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n{group}a=fingerprint:sha-256 {FINGERPRINT}\r\n\
         a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=setup:actpass\r\n{}",
        sections.concat()
    )
}

fn both() -> String {
    offer("a=group:BUNDLE 0 1\r\n", &[AUDIO, VIDEO])
}

fn parse(sdp: impl Into<String>) -> RemoteDescription {
    RemoteDescription::parse(sdp.into()).expect("the description is good")
}

fn error(sdp: impl Into<String>) -> SdpError {
    RemoteDescription::parse(sdp.into()).expect_err("the description is bad")
}

fn usages(remote: &RemoteDescription) -> Vec<Usage> {
    remote
        .sections
        .iter()
        .map(|section| section.usage)
        .collect()
}

/// What webrtc-rs is given.
fn for_engine(remote: &RemoteDescription) -> String {
    let mut sources = SourceMap::default();
    sources.assign(&remote.sections);
    let description = remote.for_engine(&sources, &[], RTCSessionDescription::offer);
    let description = description.expect("webrtc-rs parses it");
    description.unmarshal().expect("webrtc-rs parses it");
    description.sdp
}

#[test]
fn an_offer_is_parsed_into_its_media_sections() {
    let remote = parse(both());
    let [audio, video] = &remote.sections[..] else {
        panic!("{:?}", remote.sections)
    };
    assert_eq!(
        (audio.mid.0.as_str(), audio.kind, audio.direction),
        ("0", MediaKind::Audio, Direction::Sendonly)
    );
    assert_eq!(video.direction, Direction::Sendrecv);
    let h264 = MappedFormat {
        payload: PayloadFormat::Video(VideoCodec::H264),
        payload_type: PayloadType(102),
        retransmission: Some(PayloadType(103)),
    };
    assert_eq!(video.format_to_send(VideoCodec::Vp8), Some(h264));
}

#[test]
fn the_preferred_codec_is_sent_where_the_remote_peer_supports_it() {
    let remote = parse(both().replace("rtpmap:98 H264", "rtpmap:98 VP8"));
    for codec in [VideoCodec::Vp8, VideoCodec::H264] {
        let format = remote.sections[1].format_to_send(codec).unwrap();
        assert_eq!(format.payload, PayloadFormat::Video(codec));
    }
}

#[test]
fn the_parameter_sets_of_h264_are_read_from_its_format() {
    let sets = |parameter: &str| {
        let sdp = both().replace(
            "packetization-mode=1",
            &format!("packetization-mode=1;{parameter}"),
        );
        parse(sdp).sections[1].parameter_sets.clone()
    };
    let two = [vec![0x67, 0x42, 0xC0, 0x1F], vec![0x68, 0xCE, 0x3C, 0x80]];
    // With and without padding, and after one that is not base64.
    assert_eq!(sets("sprop-parameter-sets=Z0LAHw==,aM48gA=="), two);
    assert_eq!(sets("x=1; sprop-parameter-sets=?,Z0LAHw,aM48gA"), two);
    assert_eq!(sets("sprop-parameter-sets="), Vec::<Vec<u8>>::new());
    assert_eq!(
        sets(&format!("sprop-parameter-sets={}", "Zw==,".repeat(100))).len(),
        16
    );
    let long = format!("sprop-parameter-sets={}", "Z".repeat(2_000));
    assert_eq!(sets(&long), Vec::<Vec<u8>>::new());
    // Of a format in packetization mode 0, which is not received, none are read.
    let other = both().replace(
        "a=fmtp:102",
        "a=fmtp:98 sprop-parameter-sets=Zw==\r\na=fmtp:102",
    );
    assert_eq!(
        parse(other).sections[1].parameter_sets,
        Vec::<Vec<u8>>::new()
    );
}

#[test]
fn a_repeated_payload_type_is_read_once() {
    let repeated = both().replace(" 111\r\n", &format!("{}\r\n", " 111".repeat(5_000)));
    assert_eq!(parse(repeated).sections[0].formats.len(), 1);
    let unknown = both().replace(" 111\r\n", " 128 255 256 111\r\n");
    assert_eq!(parse(unknown).sections[0].formats.len(), 1);
}

#[test]
fn descriptions_without_a_transport_or_sections_are_rejected() {
    assert_eq!(error("hello"), SdpError::Malformed);
    assert_eq!(
        error(both().replace("m=audio 9", "m=audio x")),
        SdpError::Malformed
    );
    assert_eq!(
        error(both().replace("a=mid:1", "a=mid:0")),
        SdpError::Attribute("a=mid")
    );
    for name in ["ice-ufrag", "ice-pwd", "fingerprint"] {
        let without = both().replace(&format!("a={name}:"), "a=x:");
        assert_eq!(error(without), SdpError::Attribute(name));
    }
    assert_eq!(error(offer("", &[])), SdpError::Empty);
    assert_eq!(error("v".repeat(MAX_MESSAGE_BYTES + 1)), SdpError::TooLarge);
    assert_eq!(error(offer("", &[AUDIO; 65])), SdpError::TooManySections);
}

#[test]
fn odd_sections_do_not_refuse_the_others() {
    let group = "a=group:BUNDLE 0 1\r\n";
    let cases: [(&str, &str, Usage); 9] = [
        (
            "a port of 0 without formats",
            "m=video 0 RTP/AVP 255\r\n",
            Usage::Rejected,
        ),
        (
            "a port of 0 with a transport of its own",
            "m=video 0 UDP/TLS/RTP/SAVPF 0\r\na=mid:7\r\na=ice-ufrag:other\r\na=ice-pwd:other\r\n",
            Usage::Rejected,
        ),
        (
            "an unknown kind",
            "m=text 9 UDP/TLS/RTP/SAVPF 100\r\na=mid:7\r\n",
            Usage::Unusable,
        ),
        (
            "a made-up kind",
            "m=smell 9 RTP/AVP 0\r\na=mid:7\r\n",
            Usage::Unusable,
        ),
        (
            "another protocol",
            "m=application 9 TCP/BFCP *\r\na=mid:7\r\n",
            Usage::Unusable,
        ),
        (
            "a section outside of the bundle",
            "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:7\r\na=rtpmap:111 opus/48000/2\r\n",
            Usage::Unusable,
        ),
        (
            "no mid",
            "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\n",
            Usage::Unusable,
        ),
        (
            "static payload types",
            "m=audio 9 UDP/TLS/RTP/SAVPF 0 8 9\r\na=mid:7\r\n",
            Usage::NoCommonCodec,
        ),
        (
            "a malformed clock rate",
            "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:7\r\na=rtpmap:96 VP8/ninety\r\n",
            Usage::NoCommonCodec,
        ),
    ];
    for (name, odd, usage) in cases {
        let remote = parse(offer(group, &[AUDIO, odd, VIDEO]));
        // Outside of the bundle the codec does not matter.
        let usages = usages(&remote);
        assert_eq!(usages[0], Usage::Used, "{name}");
        assert_eq!(usages[2], Usage::Used, "{name}");
        let expected = if usage == Usage::NoCommonCodec {
            let bundled = parse(offer("a=group:BUNDLE 0 7 1\r\n", &[AUDIO, odd, VIDEO]));
            assert_eq!(bundled.sections[1].usage, usage, "{name}");
            Usage::Unusable
        } else {
            usage
        };
        assert_eq!(usages[1], expected, "{name}");
        let engine = for_engine(&remote);
        assert_eq!(engine.matches("m=audio 9").count(), 1, "{name} {engine}");
        assert_eq!(engine.matches("m=video 9").count(), 1, "{name} {engine}");
    }
}

#[test]
fn a_section_whose_mid_is_not_a_token_is_rejected() {
    let audio = AUDIO.replace("a=mid:0", "a=mid:0 x");
    let remote = parse(offer("", &[&audio, VIDEO]));
    assert_eq!(usages(&remote), [Usage::Unusable, Usage::Used]);
    let answer = to_wire(
        &ours(&[VIDEO]),
        &remote.sections,
        &[],
        Some(DtlsRole::Passive),
    )
    .unwrap();
    assert_eq!(parse(answer.sdp).answers(&remote.sections), Ok(()));
}

#[test]
fn a_bundle_only_section_is_in_use() {
    let video = VIDEO.replace("m=video 9", "m=video 0") + "a=bundle-only\r\n";
    let remote = parse(offer("a=group:BUNDLE 0 1\r\n", &[AUDIO, &video]));
    assert_eq!(usages(&remote), [Usage::Used, Usage::Used]);
    assert!(for_engine(&remote).contains("m=video 9"));
}

#[test]
fn without_a_bundle_the_first_section_is_used() {
    let remote = parse(offer("", &[AUDIO, VIDEO]));
    assert_eq!(usages(&remote), [Usage::Used, Usage::NoTransport]);
    let engine = for_engine(&remote);
    assert!(engine.contains("a=group:BUNDLE 0\r\n"), "{engine}");
}

#[test]
fn one_sha_256_fingerprint_is_chosen_among_several() {
    let several = both().replace(
        "a=fingerprint:sha-256 ",
        "a=fingerprint:sha-1 00:11\r\na=fingerprint:SHA-256 ",
    );
    assert_eq!(parse(several).transport.fingerprint, FINGERPRINT);
    let lower = both().replace(FINGERPRINT, &FINGERPRINT.to_lowercase());
    assert_eq!(parse(lower).transport.fingerprint, FINGERPRINT);
}

#[test]
fn the_transport_is_that_of_the_first_bundled_section() {
    let own =
        "a=ice-ufrag:first\r\na=ice-pwd:first\r\na=candidate:1 1 udp 1 127.0.0.1 1 typ host\r\n";
    let other =
        "a=ice-ufrag:other\r\na=ice-pwd:other\r\na=candidate:1 1 udp 1 127.0.0.1 2 typ host\r\n";
    let audio = format!("{AUDIO}{own}");
    let video = format!("{VIDEO}{other}");
    let remote = parse(offer("a=group:BUNDLE 0 1\r\n", &[&audio, &video]));
    assert_eq!(remote.transport.ufrag, "first");
    assert_eq!(
        remote.candidates,
        ["candidate:1 1 udp 1 127.0.0.1 1 typ host"]
    );
}

#[test]
fn no_candidate_reaches_the_parser_of_webrtc_rs() {
    let odd = format!("{AUDIO}a=candidate:nonsense\r\na=candidate:\r\n");
    let remote = parse(offer("a=group:BUNDLE 0\r\n", &[&odd]));
    assert!(!for_engine(&remote).contains("candidate"));
}

#[test]
fn the_role_of_an_answerer_follows_the_offer() {
    for (setup, role) in [
        ("actpass", DtlsRole::Active),
        ("passive", DtlsRole::Active),
        ("active", DtlsRole::Passive),
    ] {
        let remote = parse(both().replace("actpass", setup));
        assert_eq!(remote.transport.role_of_answerer(), role, "{setup}");
    }
    let lite = both().replace("a=setup", "a=ice-lite\r\na=setup");
    assert_eq!(parse(lite).transport.role_of_answerer(), DtlsRole::Passive);
}

#[test]
fn a_later_description_must_keep_the_sections_of_earlier_ones() {
    let mut remote = parse(both());
    let before = remote.sections.clone();
    assert_eq!(remote.answers(&before), Ok(()));
    assert_eq!(remote.answers(&before[..1]), Err(SdpError::Mismatch));
    assert_eq!(remote.continues(&before[..1]), Ok(()));
    assert_eq!(remote.continues(&before[1..]), Err(SdpError::Mismatch));
    let rejected = both().replace("m=video 9", "m=video 0");
    assert_eq!(parse(rejected.clone()).continues(&before), Ok(()));
    // The index of a rejected section is free for another one.
    let recycled = both()
        .replace("a=mid:1", "a=mid:5")
        .replace("BUNDLE 0 1", "BUNDLE 0 5");
    assert_eq!(
        parse(recycled.clone()).continues(&before),
        Err(SdpError::Mismatch)
    );
    let before = parse(rejected).sections;
    assert_eq!(parse(recycled).continues(&before), Ok(()));
}

fn sources(sections: &[&str]) -> Vec<Option<TrackSource>> {
    let remote = parse(offer("a=group:BUNDLE 0 1 2 3 4\r\n", sections));
    let mut map = SourceMap::default();
    map.assign(&remote.sections);
    let sections = remote.sections.iter();
    sections.map(|section| map.get(&section.mid)).collect()
}

fn video(mid: &str, track: &str) -> String {
    VIDEO.replace("a=mid:1", &format!("a=mid:{mid}\r\na=msid:s {track}"))
}

#[test]
fn sections_are_mapped_to_sources_by_track_id_else_by_order() {
    use TrackSource::{Camera, Microphone, ScreenShare, ScreenShareAudio};
    let second_audio = AUDIO.replace("a=mid:0", "a=mid:3");
    assert_eq!(
        sources(&[AUDIO, VIDEO, &video("2", "x"), &second_audio]),
        [
            Some(Microphone),
            Some(Camera),
            Some(ScreenShare),
            Some(ScreenShareAudio)
        ]
    );
    assert_eq!(
        sources(&[&video("0", "x"), &video("1", "s-camera"), &video("2", "y")]),
        [Some(ScreenShare), Some(Camera), None]
    );
    // The name of a source of another kind is not one.
    assert_eq!(sources(&[&video("0", "s-microphone")]), [Some(Camera)]);
    let audio = AUDIO.replace("a=mid:0", "a=mid:0\r\na=msid:s s-screen_share_audio");
    assert_eq!(sources(&[&audio]), [Some(ScreenShareAudio)]);
}

#[test]
fn the_source_of_a_section_stays_until_the_remote_peer_rejects_it() {
    let mut map = SourceMap::default();
    let group = "a=group:BUNDLE 0 1 2\r\n";
    let first = video("0", "x");
    map.assign(&parse(offer(group, &[&first])).sections);
    let both = parse(offer(group, &[&first, &video("1", "s-camera")])).sections;
    map.assign(&both);
    assert_eq!(map.get(&Mid("0".into())), Some(TrackSource::Camera));
    assert_eq!(map.get(&Mid("1".into())), Some(TrackSource::ScreenShare));
    let rejected = first.replace("m=video 9", "m=video 0");
    let third = parse(offer(
        group,
        &[&rejected, &video("1", "x"), &video("2", "x")],
    ))
    .sections;
    map.assign(&third);
    assert_eq!(map.get(&Mid("2".into())), Some(TrackSource::Camera));
    assert_eq!(map.get(&Mid("1".into())), Some(TrackSource::ScreenShare));
}

#[test]
fn webrtc_rs_sees_the_sections_of_a_kind_in_the_order_of_their_sources() {
    let remote = parse(offer(
        "a=group:BUNDLE 0 1\r\n",
        &[&video("0", "s-screen_share"), &video("1", "s-camera")],
    ));
    let engine = for_engine(&remote);
    assert!(engine.find("a=mid:1") < engine.find("a=mid:0"), "{engine}");
}

#[test]
fn a_stream_without_an_ssrc_and_simulcast_are_reduced_to_one_stream() {
    let simulcast = format!("{VIDEO}a=rid:h send\r\na=rid:l send\r\na=simulcast:send h;l\r\n");
    let engine = for_engine(&parse(offer("a=group:BUNDLE 1\r\n", &[&simulcast])));
    assert!(engine.contains("a=ssrc:"), "{engine}");
    assert!(
        !engine.contains("simulcast") && !engine.contains("a=rid"),
        "{engine}"
    );
    let named = format!("{VIDEO}a=ssrc:5 cname:x\r\n");
    let remote = parse(offer("a=group:BUNDLE 1\r\n", &[&named]));
    assert_eq!(remote.sections[0].ssrcs, [Ssrc(5)]);
    assert_eq!(for_engine(&remote).matches("a=ssrc:").count(), 1);
}

/// A description as webrtc-rs writes it, for these mids.
fn ours(sections: &[&str]) -> String {
    offer("a=group:BUNDLE x\r\n", sections)
}

#[test]
fn an_answer_has_every_section_of_the_offer_in_its_place() {
    let text = "m=text 9 RTP/AVP 100\r\na=mid:t\r\n";
    let remote = parse(offer(
        "a=group:BUNDLE 0 1\r\n",
        &[AUDIO, text, "m=audio 0 RTP/AVP 255\r\n", VIDEO],
    ));
    let answer = to_wire(
        &ours(&[VIDEO, AUDIO]),
        &remote.sections,
        &[],
        Some(DtlsRole::Passive),
    )
    .unwrap();
    let lines: Vec<&str> = answer
        .sdp
        .lines()
        .filter(|line| line.starts_with("m="))
        .collect();
    assert_eq!(
        lines,
        [
            "m=audio 9 UDP/TLS/RTP/SAVPF 111",
            "m=text 0 RTP/AVP 100",
            "m=audio 0 RTP/AVP 255",
            "m=video 9 UDP/TLS/RTP/SAVPF 102 103"
        ]
    );
    assert!(
        answer.sdp.contains("a=group:BUNDLE 0 1\r\n"),
        "{}",
        answer.sdp
    );
    assert_eq!(answer.sections.len(), 4);
}

#[test]
fn an_answer_repeats_the_protocol_and_states_the_role_of_the_association() {
    let audio = AUDIO.replace("UDP/TLS/RTP/SAVPF", "RTP/SAVPF");
    let remote = parse(offer("a=group:BUNDLE 0\r\n", &[&audio]));
    let own = format!("{AUDIO}a=setup:active\r\n");
    let answer = to_wire(
        &ours(&[&own]),
        &remote.sections,
        &[],
        Some(DtlsRole::Passive),
    )
    .unwrap();
    assert!(
        answer.sdp.contains("m=audio 9 RTP/SAVPF 111"),
        "{}",
        answer.sdp
    );
    assert!(answer.sdp.contains("a=setup:passive"), "{}", answer.sdp);
    assert!(!answer.sdp.contains("a=setup:active"), "{}", answer.sdp);
}

#[test]
fn an_offer_keeps_rejected_sections_and_gives_the_data_section_a_free_mid() {
    let text = "m=text 9 RTP/AVP 100\r\na=mid:1\r\n";
    let before = parse(offer("a=group:BUNDLE 0\r\n", &[AUDIO, text])).sections;
    let gone = AUDIO.replace("a=mid:0", "a=mid:8");
    let data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=sctp-port:5000\r\n";
    let added = VIDEO.replace("a=mid:1", "a=mid:2");
    let offer = to_wire(
        &ours(&[AUDIO, &added, data, &gone]),
        &before,
        &[Mid("8".into())],
        None,
    )
    .unwrap();
    let mids: Vec<&str> = offer
        .sections
        .iter()
        .map(|section| section.mid.0.as_str())
        .collect();
    assert_eq!(mids, ["0", "1", "2", "3"]);
    assert_eq!(offer.sections[1].usage, Usage::Rejected);
    assert!(offer.sections[3].is_data());
    assert!(
        offer.sdp.contains("a=group:BUNDLE 0 2 3\r\n"),
        "{}",
        offer.sdp
    );
    assert_eq!(offer.ufrag, "");
}

#[test]
fn a_section_that_does_not_send_describes_no_track() {
    let own = VIDEO.replace(
        "a=mid:1",
        "a=mid:1\r\na=msid:s s-screen_share\r\na=ssrc:5 cname:x\r\na=ssrc-group:FID 5 6\r\na=recvonly",
    );
    let remote = parse(offer("a=group:BUNDLE 1\r\n", &[VIDEO]));
    let answer = to_wire(
        &ours(&[&own]),
        &remote.sections,
        &[],
        Some(DtlsRole::Active),
    )
    .unwrap();
    assert!(
        !answer.sdp.contains("ssrc") && !answer.sdp.contains("msid"),
        "{}",
        answer.sdp
    );
}

proptest! {
    #[test]
    fn no_text_causes_a_panic(text in "\\PC*", at in 0..800_usize, with in "\\PC{0,8}") {
        let _ = RemoteDescription::parse(text);
        let mut damaged = both();
        let at = at.min(damaged.len() - 1);
        damaged.replace_range(at..=at, &with);
        if let Ok(remote) = RemoteDescription::parse(damaged) {
            let mut sources = SourceMap::default();
            sources.assign(&remote.sections);
            let _ = remote.for_engine(&sources, &[], RTCSessionDescription::offer);
            let _ = to_wire(&both(), &remote.sections, &[], None);
        }
    }
}
