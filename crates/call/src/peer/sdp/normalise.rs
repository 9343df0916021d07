//! A remote description as webrtc-rs takes it.

use std::fmt::Write;

use rtc::rtp_transceiver::RTCRtpTransceiverDirection as Direction;

use super::RemoteDescription;
use super::formats::MappedFormat;
use super::media_kind::MediaKind;
use super::renumber::Renumbering;
use super::section::{MID_EXTENSION, MediaSection, RID_EXTENSION};
use super::sources::SourceMap;
use super::text::{MediaText, SdpText, attributes, has};
use super::transport::Setup;
use crate::peer::frame_timing::{CAPTURE_TIME_URI, VIDEO_TIMING_URI};

/// Attributes of a media section that webrtc-rs reads.
const KEPT: [&str; 9] = [
    "rtpmap",
    "fmtp",
    "rtcp-fb",
    "rtcp-mux",
    "msid",
    "ssrc",
    "ssrc-group",
    "sctp-port",
    "max-message-size",
];

/// Header extensions that webrtc-rs or we read.
const EXTENSIONS: [&str; 5] = [
    MID_EXTENSION,
    RID_EXTENSION,
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    CAPTURE_TIME_URI,
    VIDEO_TIMING_URI,
];

/// Writes the description: the transport at the session level, used sections with
/// the formats, extensions and attributes that are supported, and a placeholder
/// for every other section, so that webrtc-rs does not use its mid again. The
/// sections of a kind are in the order of their sources, in which webrtc-rs matches
/// them to our tracks. Formats have the payload types of `negotiated`, the formats of
/// the first negotiation. Candidates are left out, since webrtc-rs refuses the
/// description for a malformed one.
pub(super) fn for_engine(
    text: &SdpText<'_>,
    remote: &RemoteDescription,
    sources: &SourceMap,
    negotiated: &[MappedFormat],
) -> String {
    let transport = &remote.transport;
    let mut sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE".to_owned();
    for section in remote.sections.iter().filter(|section| section.is_used()) {
        push(&mut sdp, format_args!(" {}", section.mid.0));
    }
    push(
        &mut sdp,
        format_args!(
            "\r\na=fingerprint:sha-256 {}\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\na=ice-options:trickle\r\n",
            transport.fingerprint, transport.ufrag, transport.password,
        ),
    );
    for (name, is_set) in [
        ("ice-lite", transport.is_ice_lite),
        (
            "extmap-allow-mixed",
            has(&text.session, "extmap-allow-mixed"),
        ),
    ] {
        if is_set {
            push(&mut sdp, format_args!("a={name}\r\n"));
        }
    }
    let mut sections: Vec<(&MediaSection, &MediaText<'_>)> =
        remote.sections.iter().zip(&text.media).collect();
    sections.sort_by_key(|(section, _)| sources.rank(&section.mid));
    for (section, media) in sections {
        if section.is_used() {
            let numbers = Renumbering::new(&section.formats, negotiated);
            write_section(&mut sdp, section, media, transport.setup, sources, &numbers);
        } else if !section.mid.0.is_empty() {
            push(
                &mut sdp,
                format_args!("m=text 0 RTP/AVP 0\r\na=mid:{}\r\n", section.mid.0),
            );
        }
    }
    sdp
}

fn write_section(
    sdp: &mut String,
    section: &MediaSection,
    media: &MediaText<'_>,
    setup: Setup,
    sources: &SourceMap,
    numbers: &Renumbering,
) {
    let setup = match setup {
        Setup::Active => "active",
        Setup::Passive => "passive",
        Setup::Either => "actpass",
    };
    push(sdp, format_args!("m={} 9 ", media.kind));
    if section.kind == MediaKind::Other {
        sdp.push_str("UDP/DTLS/SCTP webrtc-datachannel");
    } else {
        sdp.push_str("UDP/TLS/RTP/SAVPF");
        for payload_type in numbers.formats(&media.formats) {
            push(sdp, format_args!(" {payload_type}"));
        }
    }
    push(
        sdp,
        format_args!(
            "\r\nc=IN IP4 0.0.0.0\r\na=setup:{setup}\r\na=mid:{}\r\n",
            section.mid.0
        ),
    );
    let has_source = sources.get(&section.mid).is_some();
    let sends = has_source && section.direction.has_send();
    for (name, value) in attributes(&media.lines) {
        let is_kept = match (name, value) {
            ("ssrc" | "ssrc-group" | "msid", _) => sends,
            ("extmap", Some(value)) => is_extension(value),
            _ => KEPT.contains(&name),
        };
        match value {
            _ if !is_kept => {}
            None => push(sdp, format_args!("a={name}\r\n")),
            Some(value) => {
                if let Some(value) = numbers.value(name, value) {
                    push(sdp, format_args!("a={name}:{value}\r\n"));
                }
            }
        }
    }
    if section.kind == MediaKind::Other {
        return;
    }
    if sends && !has(&media.lines, "ssrc") {
        // webrtc-rs refuses a track without an SSRC. The router finds the source of
        // a packet by its mid, so the number need not be the one that is sent.
        push(
            sdp,
            format_args!("a=ssrc:{} cname:-\r\n", rand::random::<u32>()),
        );
    }
    // webrtc-rs would stop the transceiver of an inactive section for ever. The
    // direction of our answer is set from the section itself.
    let direction = match section.direction {
        direction if has_source && direction != Direction::Inactive => direction,
        _ => Direction::Recvonly,
    };
    push(sdp, format_args!("a={direction}\r\n"));
}

/// Whether this `a=extmap` value is well formed and supported.
fn is_extension(value: &str) -> bool {
    value.split_once(' ').is_some_and(|(id, uri)| {
        let id = id.split('/').next().and_then(|id| id.parse::<u8>().ok());
        id.is_some_and(|id| (1..15).contains(&id)) && EXTENSIONS.contains(&uri.trim())
    })
}

fn push(sdp: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = sdp.write_fmt(text);
}
