//! Entry points of the fuzz targets in `tests/fuzz`, built for fuzzing and for the
//! tests, which replay the corpora. Each takes arbitrary bytes and panics where an
//! invariant is broken.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rtc::interceptor::{AttributedPacket, Packet, StreamInfo, TaggedPacket};
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::rtp;
use rtc::shared::marshal::Unmarshal;
use visavis_media::VideoCodec;
use visavis_protocol::limits::MAX_MESSAGE_BYTES;

use super::continuity::Continuity;
use super::interceptor::IncomingInterceptor;
use super::router::{ReceiveRoutes, Route, RtpRouter};
use super::rtx::RtxUnwrapper;
use super::sdp::{
    MAX_SECTIONS, MappedFormat, MediaSection, PayloadFormat, RemoteDescription, SdpError,
    SourceMap, TRACK_SOURCES, to_wire,
};
use crate::rtp::{Mid, PayloadType, SequenceNumber, Ssrc};

/// Stands between two descriptions of a fuzz input.
const SEPARATOR: &str = "\n====\n";

/// Descriptions of a fuzz input.
const MAX_DESCRIPTIONS: usize = 4;

/// Reads the descriptions of one remote peer, each as an offer and as an answer to what
/// the one before became, and writes the local descriptions that follow from them.
pub fn sdp(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let mut sources = SourceMap::default();
    let mut before: Option<RemoteDescription> = None;
    for sdp in text.split(SEPARATOR).take(MAX_DESCRIPTIONS) {
        let Ok(remote) = RemoteDescription::parse(sdp.to_owned()) else {
            continue;
        };
        check_bounds(&remote);
        if let Some(before) = &before {
            if remote.continues(&before.sections).is_err() {
                continue;
            }
            check_answer_to(before, sdp, &sources);
        }
        sources.assign(&remote.sections);
        check_local(&remote, &before, &sources);
        before = Some(remote);
    }
}

fn check_bounds(remote: &RemoteDescription) {
    assert!(remote.sections.len() <= 64 && remote.candidates.len() <= 64);
    for section in &remote.sections {
        assert!(section.formats.len() <= 128 && section.ssrcs.len() <= 8);
        for codec in [VideoCodec::Vp8, VideoCodec::H264] {
            let format = section.format_to_send(codec);
            assert_eq!(format.is_some(), !section.formats.is_empty());
        }
    }
}

/// Reads a description as the answer to an offer with the sections of `before`.
fn check_answer_to(before: &RemoteDescription, sdp: &str, sources: &SourceMap) {
    let Ok(mut answer) = RemoteDescription::parse(sdp.to_owned()) else {
        return;
    };
    if answer.answers(&before.sections).is_ok() {
        let pairs = answer.sections.iter().zip(&before.sections);
        assert!(pairs.clone().all(|(new, old)| new.mid == old.mid));
        let formats = formats(Some(before));
        let _ = answer.for_engine(sources, &formats, RTCSessionDescription::answer);
    }
}

/// The formats that a negotiation with this description leaves.
fn formats(before: Option<&RemoteDescription>) -> Vec<MappedFormat> {
    let sections = before.into_iter().flat_map(|before| &before.sections);
    sections
        .flat_map(|section| section.formats.clone())
        .collect()
}

/// Writes our answer to an offer, and an offer of ours that follows it. webrtc-rs is
/// given the offer and would describe the same sections.
fn check_local(
    remote: &RemoteDescription,
    before: &Option<RemoteDescription>,
    sources: &SourceMap,
) {
    for source in TRACK_SOURCES {
        sources.has_section(source, &remote.sections);
    }
    let formats = formats(before.as_ref());
    let Ok(engine) = remote.for_engine(sources, &formats, RTCSessionDescription::offer) else {
        return;
    };
    let role = remote.transport.role_of_answerer();
    let _ = remote.transport.role_of_offerer();
    let written = to_wire(&engine.sdp, &remote.sections, &[], Some(role));
    let answer = written.expect("our own text is an answer");
    assert_eq!(answer.sections.len(), remote.sections.len());
    for (ours, theirs) in answer.sections.iter().zip(&remote.sections) {
        assert_eq!((&ours.mid, ours.is_used()), (&theirs.mid, theirs.is_used()));
    }
    if answer.sdp.len() <= MAX_MESSAGE_BYTES {
        let read = RemoteDescription::parse(answer.sdp);
        let mut read = read.expect("our own answer can be read");
        assert_eq!(read.answers(&remote.sections), Ok(()));
    }
    let gone = |section: &&MediaSection| remote.sections.iter().all(|new| new.mid != section.mid);
    let retired: Vec<Mid> = before
        .iter()
        .flat_map(|before| before.sections.iter().filter(gone))
        .map(|section| section.mid.clone())
        .collect();
    match to_wire(&engine.sdp, &remote.sections, &retired, None) {
        Ok(offer) => assert!(offer.sections.len() >= remote.sections.len()),
        // Sections that share a mid are offered as new ones, for which there must be room.
        Err(error) => assert!(
            error == SdpError::TooManySections && 2 * remote.sections.len() > MAX_SECTIONS,
            "our own text is an offer: {error}"
        ),
    }
}

/// Takes RTP packets, each after its length in a byte, through the RTX unwrapper, the
/// router and the numbering across streams.
pub fn rtp(mut input: &[u8]) {
    let mut unwrapper = RtxUnwrapper::default();
    unwrapper.bind_remote_stream(&StreamInfo {
        ssrc: 1,
        ssrc_rtx: Some(2),
        payload_type: 96,
        payload_type_rtx: Some(97),
        ..Default::default()
    });
    let router = router();
    let mut continuity = Continuity::default();
    let mut now = Instant::now();
    while let Some((&length, rest)) = input.split_first() {
        let (packet, rest) = rest.split_at(usize::from(length).min(rest.len()));
        input = rest;
        now += Duration::from_millis(20);
        let Ok(packet) = rtp::Packet::unmarshal(&mut Bytes::copy_from_slice(packet)) else {
            continue;
        };
        let length = packet.payload.len();
        let packet = unwrapper.handle_incoming(TaggedPacket {
            now,
            transport: Default::default(),
            message: AttributedPacket::new(Packet::Rtp(packet)),
        });
        let Some(Packet::Rtp(packet)) = packet.map(|packet| packet.message.packet) else {
            continue;
        };
        assert!(packet.payload.len() <= length);
        router.find(&packet.header);
        let ssrc = Ssrc(packet.header.ssrc);
        let sequence = SequenceNumber(packet.header.sequence_number);
        if let Some(placed) = continuity.place(ssrc, sequence, now) {
            let again = continuity.place(ssrc, sequence, now);
            assert!(again.is_some_and(|again| again.sequence == placed.sequence));
        }
    }
}

/// A router of one audio and two video sections.
fn router() -> RtpRouter {
    let video = PayloadFormat::Video(VideoCodec::Vp8);
    let sections = [
        ("0", 111, PayloadFormat::Audio),
        ("1", 96, video),
        ("2", 96, video),
    ];
    let routes: HashMap<Mid, Arc<Route>> = sections
        .into_iter()
        .map(|(mid, payload_type, format)| {
            let payloads = [(PayloadType(payload_type), format)].into();
            let route = Route {
                payloads,
                received: None,
                timing: None,
            };
            (Mid(mid.to_owned()), Arc::new(route))
        })
        .collect();
    let router = RtpRouter::default();
    let declared = [(Ssrc(1), Mid("1".to_owned()))];
    router.set_routes(ReceiveRoutes::new(routes, Some(4)), declared);
    router
}

#[cfg(test)]
mod tests {
    use std::fs;

    /// Plays every input of a corpus.
    fn replay(target: &str, play: fn(&[u8])) {
        let sources = env!("CARGO_MANIFEST_DIR");
        let corpus = format!("{sources}/../../tests/fuzz/corpus/{target}");
        let mut played = 0;
        for input in fs::read_dir(corpus).unwrap() {
            play(&fs::read(input.unwrap().path()).unwrap());
            played += 1;
        }
        assert!(played > 0);
    }

    #[test]
    fn the_fuzz_corpus_of_descriptions_is_replayed_without_a_panic() {
        replay("sdp", super::sdp);
    }

    #[test]
    fn the_fuzz_corpus_of_rtp_packets_is_replayed_without_a_panic() {
        replay("rtp", super::rtp);
    }
}
