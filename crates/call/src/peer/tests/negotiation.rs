//! Offers, answers, ICE restarts, invalid descriptions and closing.

use std::sync::atomic::{AtomicU32, Ordering};

use visavis_media::VideoCodec::{H264, Vp8};
use visavis_protocol::DescriptionKind;
use visavis_protocol::limits::MAX_PEER_MESSAGE_BYTES;

use super::super::*;
use super::pair::*;

#[tokio::test]
async fn when_both_offer_at_once_the_polite_peer_rolls_back() {
    let (a, b) = pair(config(Vp8), config(H264));
    // The impolite side rejects an offer while its own is pending.
    a.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    b.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    for side in [&a, &b] {
        wait_until(
            || side.is_connected(),
            || format!("{:?}", side.log.lock().unwrap()),
        )
        .await;
        side.receives(3, 10).await;
        wait_until(
            || side.has(|event| matches!(event, PeerEvent::ChannelOpen)),
            || "no data channel".into(),
        )
        .await;
    }
    assert!(!b.has(is_failure), "{:?}", b.log.lock().unwrap());
    a.end().await;
    b.end().await;
}

#[tokio::test]
async fn an_offer_has_the_header_extensions_that_identify_a_stream() {
    let side = recorded(Vp8);
    side.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    let offer = description(&side, DescriptionKind::Offer, 1).await;
    let (audio, video) = offer.split_once("m=video").unwrap();
    let (mid, rid) = (":sdes:mid\r\n", ":sdes:rtp-stream-id\r\n");
    assert!(audio.contains(mid) && !audio.contains(rid), "{offer}");
    // Chromium cannot answer without it once it offered simulcast.
    assert!(video.contains(mid) && video.contains(rid), "{offer}");
    side.end().await;
}

#[tokio::test]
async fn the_offer_announces_the_size_limit_of_peer_messages() {
    let side = recorded(Vp8);
    side.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    let offer = description(&side, DescriptionKind::Offer, 1).await;
    let attribute = format!("a=max-message-size:{MAX_PEER_MESSAGE_BYTES}\r\n");
    assert!(offer.contains(&attribute), "{offer}");
    side.end().await;
}

#[tokio::test]
async fn an_ice_restart_from_either_side_keeps_the_call() {
    let (a, b) = call(Vp8).await;
    for (side, other, count) in [(&a, &b, 2), (&b, &a, 1)] {
        let accepted = side.count(|event| matches!(event, PeerEvent::AnswerAccepted));
        side.command(PeerCommand::MakeOffer { ice_restart: true })
            .await;
        description(side, DescriptionKind::Offer, count).await;
        wait_until(
            || side.count(|event| matches!(event, PeerEvent::AnswerAccepted)) > accepted,
            || format!("{:?}", side.log.lock().unwrap()),
        )
        .await;
        side.receives(15, 50).await;
        other.receives(15, 50).await;
    }
    let fragment = |sdp: &String| {
        sdp.lines()
            .find(|line| line.starts_with("a=ice-ufrag:"))
            .map(str::to_owned)
    };
    let offers = described(&a, DescriptionKind::Offer);
    assert_ne!(fragment(&offers[0]), fragment(&offers[1]));
    a.end().await;
    b.end().await;
}

#[tokio::test]
async fn invalid_descriptions_leave_a_call_unchanged() {
    let (a, b) = call(H264).await;
    let offer = described(&a, DescriptionKind::Offer).remove(0);
    let offers = [
        String::new(),
        "nonsense".into(),
        offer.replace("a=ice-ufrag", "a=x"),
        offer.replace("m=audio", "m=video"),
        offer.replace("sha-256", "sha-512 x"),
        offer.replacen("a=mid:0", "a=mid:7", 1),
        offer.split("m=video").next().unwrap().into(),
    ];
    let count = offers.len();
    for sdp in offers {
        a.command(PeerCommand::AcceptOffer {
            sdp: sdp.clone(),
            rollback: true,
            may_replace: false,
        })
        .await;
        a.command(PeerCommand::AcceptAnswer { sdp }).await;
    }
    for candidate in [
        "candidate:nonsense",
        "",
        "candidate:1 1 udp 1 256.1.1.1 99999 typ host",
        "\u{0}",
    ] {
        a.command(PeerCommand::AddCandidate(IceCandidate {
            candidate: candidate.into(),
            ..Default::default()
        }))
        .await;
    }
    wait_until(
        || a.count(is_failure) == 2 * count,
        || format!("{:?}", a.log.lock().unwrap()),
    )
    .await;
    a.receives(10, 50).await;
    b.receives(10, 50).await;
    // The connection can still be negotiated.
    b.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    wait_until(
        || b.has(|event| matches!(event, PeerEvent::AnswerAccepted)),
        || format!("{:?}", b.log.lock().unwrap()),
    )
    .await;
    a.receives(10, 50).await;
    a.end().await;
    b.end().await;
}

#[tokio::test]
async fn a_connection_that_got_an_invalid_offer_first_still_connects() {
    let (a, b) = pair(config(Vp8), config(Vp8));
    b.command(PeerCommand::AcceptOffer {
        sdp: "v=0".into(),
        rollback: false,
        may_replace: false,
    })
    .await;
    b.command(PeerCommand::AcceptOffer {
        sdp: BROWSER_OFFER.replace("a=ice-pwd", "a=x"),
        rollback: false,
        may_replace: false,
    })
    .await;
    wait_until(
        || b.count(is_failure) >= 1,
        || format!("{:?}", b.log.lock().unwrap()),
    )
    .await;
    a.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    a.receives(3, 10).await;
    b.receives(3, 10).await;
    a.end().await;
    b.end().await;
}

#[tokio::test]
async fn a_browser_offer_is_answered_section_by_section() {
    let side = recorded(Vp8);
    side.command(PeerCommand::AcceptOffer {
        sdp: BROWSER_OFFER.into(),
        rollback: false,
        may_replace: false,
    })
    .await;
    let answer = description(&side, DescriptionKind::Answer, 1).await;
    let sections: Vec<&str> = answer.split("\r\nm=").skip(1).collect();
    let [audio, video, screen, data] = &sections[..] else {
        panic!("{answer}")
    };
    assert!(
        audio.starts_with("audio 9") && audio.contains("a=recvonly") && audio.contains("109 opus"),
        "{answer}"
    );
    assert!(
        video.starts_with("video 9") && video.contains("a=sendonly") && video.contains("98 H264"),
        "{answer}"
    );
    assert!(video.contains("a=ssrc-group:FID"), "{answer}");
    assert!(
        screen.starts_with("video 9") && screen.contains("a=recvonly"),
        "{answer}"
    );
    assert!(!screen.contains("a=ssrc"), "{answer}");
    assert!(data.starts_with("application 9"), "{answer}");
    let added = |source| move |event: &PeerEvent| matches!(event, PeerEvent::ReceiverAdded(added, _) if *added == source);
    side.waits_for(added(TrackSource::Microphone)).await;
    side.waits_for(added(TrackSource::ScreenShare)).await;
    assert!(
        !side.has(added(TrackSource::Camera)),
        "nothing is sent in it"
    );
    side.end().await;
}

#[tokio::test]
async fn an_offer_without_video_connects_with_audio() {
    let side = recorded(Vp8);
    let audio_only = BROWSER_OFFER
        .split("m=video")
        .next()
        .unwrap()
        .replace("BUNDLE 0 1 2 3", "BUNDLE 0")
        .replace("sendonly", "sendrecv");
    side.command(PeerCommand::AcceptOffer {
        sdp: audio_only,
        rollback: false,
        may_replace: false,
    })
    .await;
    let answer = description(&side, DescriptionKind::Answer, 1).await;
    assert!(
        answer.contains("a=sendrecv") && !answer.contains("m=video"),
        "{answer}"
    );
    side.end().await;
}

#[tokio::test]
async fn a_peer_without_the_preferred_codec_is_sent_the_other() {
    let ((a, from_a), (b, from_b)) = (Side::new(config(H264)), Side::new(config(Vp8)));
    forward(from_a, &a, &b, true, direct());
    forward(edited(from_b, without_h264), &b, &a, false, direct());
    a.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    b.receives(5, 10).await;
    b.clear_video();
    b.receives(5, 10).await;
    wait_until(
        || a.sent(TrackSource::Camera).reports > 0,
        || format!("{:?}", a.handle.statistics.borrow()),
    )
    .await;
    a.end().await;
    b.end().await;
}

#[tokio::test]
async fn a_sendonly_peer_is_received_and_sent_nothing() {
    let ((a, from_a), (b, from_b)) = (Side::new(config(H264)), Side::new(config(H264)));
    let one_way = |sdp: &str| sdp.replace("a=sendrecv", "a=sendonly");
    forward(edited(from_a, one_way), &a, &b, true, direct());
    forward(from_b, &b, &a, false, direct());
    a.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    b.receives(10, 50).await;
    assert_eq!(a.received(), (0, 0));
    assert!(a.receiver(TrackSource::Camera).is_none());
    a.end().await;
    b.end().await;
}

fn without_h264(sdp: &str) -> String {
    let gone = |line: &str| {
        ["rtpmap", "fmtp", "rtcp-fb"].iter().any(|name| {
            ["102", "103"]
                .iter()
                .any(|number| line.starts_with(&format!("a={name}:{number} ")))
        })
    };
    sdp.replace(" 102 103", "")
        .replace(" 102", "")
        .replace(" 103", "")
        .split("\r\n")
        .filter(|line| !gone(line))
        .collect::<Vec<_>>()
        .join("\r\n")
}

#[tokio::test]
async fn dropping_the_handle_closes_the_peer() {
    let side = recorded(Vp8);
    side.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    description(&side, DescriptionKind::Offer, 1).await;
    let Side {
        handle, tasks, log, ..
    } = side;
    drop(handle);
    tasks.close();
    wait_until(
        || {
            log.lock()
                .unwrap()
                .iter()
                .any(|event| matches!(event, PeerEvent::Connection(PeerConnectionState::Closed)))
        },
        || format!("{:?}", log.lock().unwrap()),
    )
    .await;
    tokio::time::timeout(LIMIT, tasks.wait()).await.unwrap();
}

#[tokio::test]
async fn video_resumes_after_the_remote_peer_had_made_it_inactive() {
    let (a, b) = call(Vp8).await;
    let offer = described(&a, DescriptionKind::Offer).remove(0);
    let (audio, video) = offer.split_once("m=video").unwrap();
    let inactive = format!(
        "{audio}m=video{}",
        video.replacen("a=sendrecv", "a=inactive", 1)
    );
    b.command(PeerCommand::AcceptOffer {
        sdp: inactive,
        rollback: false,
        may_replace: false,
    })
    .await;
    let answer = description(&b, DescriptionKind::Answer, 2).await;
    assert!(answer.contains("a=inactive"), "{answer}");
    b.receives(0, 25).await;
    b.command(PeerCommand::AcceptOffer {
        sdp: offer,
        rollback: false,
        may_replace: false,
    })
    .await;
    let answer = description(&b, DescriptionKind::Answer, 3).await;
    assert!(!answer.contains("a=inactive"), "{answer}");
    a.receives(10, 25).await;
    b.receives(10, 25).await;
    a.end().await;
    b.end().await;
}

/// Firefox re-offers its own payload types after it answered an offer with ours.
#[tokio::test]
async fn a_later_offer_with_other_payload_types_is_answered_with_them() {
    let ((a, from_a), (b, from_b)) = (Side::new(config(Vp8)), Side::new(config(Vp8)));
    forward(from_a, &a, &b, true, direct());
    // Its first description is the answer.
    let descriptions = AtomicU32::new(0);
    let renumber = move |sdp: &str| {
        let numbers = [
            (" 96 ", " 120 "),
            (" 97 ", " 124 "),
            (":96 ", ":120 "),
            (":97 ", ":124 "),
        ];
        match descriptions.fetch_add(1, Ordering::Relaxed) {
            1.. => numbers
                .iter()
                .chain(&[("apt=96", "apt=120")])
                .fold(sdp.to_owned(), |sdp, (old, new)| sdp.replace(old, new)),
            0 => sdp.to_owned(),
        }
    };
    forward(edited(from_b, renumber), &b, &a, false, direct());
    for offering in [&a, &b] {
        offering
            .command(PeerCommand::MakeOffer { ice_restart: true })
            .await;
        for side in [&a, &b] {
            side.receives(3, 10).await;
        }
    }
    let answer = description(&a, DescriptionKind::Answer, 1).await;
    assert!(answer.contains("a=rtpmap:120 VP8/90000"), "{answer}");
    assert!(answer.contains("a=fmtp:124 apt=120"), "{answer}");
    assert!(!answer.contains(":96 "), "{answer}");
    // Media of the time after the answer.
    a.receives(15, 50).await;
    b.receives(15, 50).await;
    assert_eq!(a.count(is_failure) + b.count(is_failure), 0);
    a.end().await;
    b.end().await;
}
