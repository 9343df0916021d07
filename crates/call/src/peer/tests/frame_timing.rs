//! The header extensions with the times of a frame, in descriptions and calls.

use std::collections::{BTreeMap, BTreeSet};

use visavis_media::VideoCodec::Vp8;
use visavis_protocol::DescriptionKind;

use super::super::*;
use super::pair::*;

const TIMES: [&str; 2] = [
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
    "http://www.webrtc.org/experiments/rtp-hdrext/video-timing",
];

/// The identifiers of each extension in the sections of a kind. Each is one that a header
/// of one byte can hold, and no two extensions share one.
fn extensions(sdp: &str, kind: &str) -> BTreeMap<String, BTreeSet<u8>> {
    let mut found: BTreeMap<String, BTreeSet<u8>> = BTreeMap::new();
    for section in sdp.split("\r\nm=").skip(1) {
        let mut uri_of = BTreeMap::new();
        for line in section.lines() {
            let Some(value) = line.strip_prefix("a=extmap:") else {
                continue;
            };
            let (id, uri) = value.split_once(' ').unwrap();
            let id: u8 = id.split('/').next().unwrap().parse().unwrap();
            assert!((1..=14).contains(&id), "{sdp}");
            assert_eq!(uri_of.insert(id, uri), None, "{sdp}");
            if section.starts_with(kind) {
                found.entry(uri.to_owned()).or_default().insert(id);
            }
        }
    }
    found
}

/// The one identifier of each of the two extensions in all video sections.
fn ids(sdp: &str) -> [u8; 2] {
    let found = extensions(sdp, "video");
    TIMES.map(|uri| {
        let ids = found.get(uri).unwrap_or_else(|| panic!("{uri}: {sdp}"));
        assert_eq!(ids.len(), 1, "{sdp}");
        *ids.first().unwrap()
    })
}

#[tokio::test]
async fn the_times_of_frames_are_offered_for_video_by_their_uris() {
    let side = recorded(Vp8);
    side.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    let offer = description(&side, DescriptionKind::Offer, 1).await;
    ids(&offer);
    let audio = extensions(&offer, "audio");
    assert!(TIMES.iter().all(|uri| !audio.contains_key(*uri)), "{offer}");
    side.end().await;
}

/// The browser's offer with these extensions in its video sections.
fn with_extensions(lines: &str) -> String {
    BROWSER_OFFER.replace(
        "a=rtpmap:98 H264/90000\r\n",
        &format!("a=rtpmap:98 H264/90000\r\n{lines}"),
    )
}

#[tokio::test]
async fn an_offer_is_answered_with_its_identifiers_and_followed_by_offers_with_them() {
    let side = recorded(Vp8);
    // Those of our own offers stand for something else.
    let others = "a=extmap:1 urn:ietf:params:rtp-hdrext:toffset\r\n\
        a=extmap:2 urn:3gpp:video-orientation\r\n\
        a=extmap:4 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay\r\n";
    let times = format!("a=extmap:7 {}\r\na=extmap:13 {}\r\n", TIMES[0], TIMES[1]);
    side.offered(&with_extensions(&format!("{others}{times}")))
        .await;
    let answer = description(&side, DescriptionKind::Answer, 1).await;
    assert_eq!(ids(&answer), [7, 13]);
    side.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    let offer = description(&side, DescriptionKind::Offer, 1).await;
    assert_eq!(ids(&offer), [7, 13]);
    side.end().await;
}

#[tokio::test]
async fn an_offer_without_the_times_is_answered_without_them() {
    for lines in [String::new(), format!("a=extmap:3 {}\r\n", TIMES[1])] {
        let side = recorded(Vp8);
        side.offered(&with_extensions(&lines)).await;
        let answer = description(&side, DescriptionKind::Answer, 1).await;
        assert!(!answer.contains(TIMES[0]), "{answer}");
        side.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_in_which_the_times_are_not_negotiated_has_video_without_stages() {
    let without = |sdp: &str| {
        let lines = sdp.split_inclusive("\r\n");
        lines
            .filter(|line| !line.contains(TIMES[0]))
            .collect::<String>()
    };
    let (a, b) = call_with(without).await;
    a.receives(15, 20).await;
    b.receives(15, 20).await;
    let offset = || b.handle.statistics.borrow().clock_offset_ms;
    wait_until(|| offset().is_some(), || format!("{:?}", offset())).await;
    a.receives(15, 0).await;
    b.receives(15, 0).await;
    for side in [&a, &b] {
        assert_eq!(side.video().stages.frames, 0, "{:?}", side.video());
    }
    a.end().await;
    b.end().await;
}
