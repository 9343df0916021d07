//! Media sections that are missing, rejected or unknown.

use visavis_media::VideoCodec::Vp8;
use visavis_protocol::DescriptionKind;

use super::super::*;
use super::pair::*;

fn lines<'a>(sdp: &'a str, prefix: &str) -> Vec<&'a str> {
    sdp.lines()
        .filter(|line| line.starts_with(prefix))
        .collect()
}

fn is_needed(event: &PeerEvent) -> bool {
    matches!(event, PeerEvent::NegotiationNeeded)
}

fn without_codec(event: &PeerEvent) -> bool {
    matches!(event, PeerEvent::NoCommonCodec(sources) if sources[..] == [TrackSource::Camera])
}

/// The description with video codecs that nobody supports.
fn with_other_codecs(sdp: &str) -> String {
    sdp.replace("VP8/90000", "VP7/90000")
        .replace("H264/90000", "H266/90000")
}

#[tokio::test]
async fn without_a_common_video_codec_the_sound_goes_on() {
    let (a, b) = call_with(with_other_codecs).await;
    a.receives(0, 20).await;
    b.receives(0, 20).await;
    let answer = description(&b, DescriptionKind::Answer, 1).await;
    assert!(
        lines(&answer, "m=video")[0].starts_with("m=video 0 "),
        "{answer}"
    );
    for side in [&a, &b] {
        side.waits_for(without_codec).await;
        assert_eq!(side.count(without_codec), 1);
        assert_eq!(side.count(is_needed), 0);
    }
    // The section stays in its place in later offers of either side.
    for (side, count) in [(&a, 2), (&b, 1)] {
        let accepted = side.count(|event| matches!(event, PeerEvent::AnswerAccepted));
        side.command(PeerCommand::MakeOffer { ice_restart: false })
            .await;
        let offer = description(side, DescriptionKind::Offer, count).await;
        assert_eq!(lines(&offer, "m=").len(), 3, "{offer}");
        assert!(
            lines(&offer, "m=video")[0].starts_with("m=video 0 "),
            "{offer}"
        );
        wait_until(
            || side.count(|event| matches!(event, PeerEvent::AnswerAccepted)) > accepted,
            || format!("{:?}", side.log.lock().unwrap()),
        )
        .await;
        assert_eq!(side.count(without_codec), 1);
    }
    a.receives(0, 20).await;
    b.receives(0, 20).await;
    a.end().await;
    b.end().await;
}

/// The sections of the browser's offer with these indices.
fn part(indices: &[usize]) -> String {
    let mut sections = BROWSER_OFFER.split("m=");
    let session = sections.next().unwrap();
    let sections: Vec<&str> = sections.collect();
    let kept = indices
        .iter()
        .map(|index| format!("m={}", sections[*index]));
    session.to_owned() + &kept.collect::<String>()
}

#[tokio::test]
async fn an_offer_with_less_than_we_send_is_followed_by_ours() {
    for (indices, sections) in [(&[0][..], 3), (&[3][..], 3), (&[0, 1, 2][..], 4)] {
        let side = recorded(Vp8);
        side.offered(&part(indices)).await;
        let answer = description(&side, DescriptionKind::Answer, 1).await;
        assert_eq!(lines(&answer, "m=").len(), indices.len(), "{answer}");
        side.waits_for(is_needed).await;
        side.command(PeerCommand::MakeOffer { ice_restart: false })
            .await;
        let offer = description(&side, DescriptionKind::Offer, 1).await;
        assert_eq!(lines(&offer, "m=").len(), sections, "{offer}");
        assert_eq!(lines(&offer, "m=application 9").len(), 1, "{offer}");
        let mut mids = lines(&offer, "a=mid:");
        mids.sort_unstable();
        mids.dedup();
        assert_eq!(mids.len(), sections, "{offer}");
        assert_eq!(side.count(is_needed), 1);
        side.end().await;
    }
}

/// webrtcbin 1.22 answers a later offer with a rejected section with invalid SDP.
#[tokio::test]
async fn an_offer_without_bundle_is_not_followed_by_ours() {
    let side = recorded(Vp8);
    let without = |sdp: String| sdp.replace("a=group:BUNDLE 0 1 2 3\r\n", "");
    side.offered(&without(part(&[0, 1]))).await;
    let answer = description(&side, DescriptionKind::Answer, 1).await;
    assert_eq!(lines(&answer, "m=").len(), 2, "{answer}");
    side.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    description(&side, DescriptionKind::Offer, 1).await;
    assert_eq!(side.count(is_needed), 0);
    side.end().await;
}

#[tokio::test]
async fn a_complete_offer_is_not_followed_by_ours() {
    let side = recorded(Vp8);
    side.offered(BROWSER_OFFER).await;
    description(&side, DescriptionKind::Answer, 1).await;
    side.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    description(&side, DescriptionKind::Offer, 1).await;
    assert_eq!(side.count(is_needed), 0);
    side.end().await;
}

#[tokio::test]
async fn unknown_and_rejected_sections_are_answered_in_their_place() {
    let side = recorded(Vp8);
    let odd = "m=text 9 UDP/TLS/RTP/SAVPF 100\r\na=mid:t\r\na=rtpmap:100 t140/1000\r\n\
        m=application 9 TCP/BFCP *\r\na=mid:b\r\nm=video 0 RTP/AVP 255\r\n";
    let offer = BROWSER_OFFER
        .replacen("m=video", &format!("{odd}m=video"), 1)
        .replace("BUNDLE 0 1 2 3", "BUNDLE 0 t 1 2 3");
    side.offered(&offer).await;
    let answer = description(&side, DescriptionKind::Answer, 1).await;
    let ports: Vec<&str> = lines(&answer, "m=")
        .iter()
        .map(|line| line.split(' ').nth(1).unwrap())
        .collect();
    assert_eq!(ports, ["9", "0", "0", "0", "9", "9", "9"], "{answer}");
    assert_eq!(lines(&answer, "a=group"), ["a=group:BUNDLE 0 1 2 3"]);
    // They stay in their place in our offer.
    side.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    let offer = description(&side, DescriptionKind::Offer, 1).await;
    let kinds = |sdp: &str| -> Vec<String> {
        let kind = |line: &&str| line.split(' ').next().unwrap_or_default().to_owned();
        lines(sdp, "m=").iter().map(kind).collect()
    };
    assert_eq!(kinds(&offer), kinds(&answer), "{offer}");
    side.end().await;
}

#[tokio::test]
async fn two_peers_connect_with_an_unknown_section_between_theirs() {
    // The offerer of the section has rejected it already.
    let text = "m=text 0 RTP/AVP 100\r\nc=IN IP4 0.0.0.0\r\na=mid:t\r\nm=video";
    let ((a, from_a), (b, from_b)) = (Side::new(config(Vp8)), Side::new(config(Vp8)));
    let add = move |sdp: &str| sdp.replacen("m=video", text, 1);
    let remove = |sdp: &str| {
        let mut parts: Vec<&str> = sdp.split("m=").collect();
        parts.retain(|part| !part.starts_with("text"));
        parts.join("m=")
    };
    forward(edited(from_a, add), &a, &b, true, direct());
    forward(edited(from_b, remove), &b, &a, false, direct());
    a.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    a.receives(3, 10).await;
    b.receives(3, 10).await;
    a.end().await;
    b.end().await;
}

#[tokio::test]
async fn a_refused_answer_takes_our_offer_back() {
    let side = recorded(Vp8);
    side.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    description(&side, DescriptionKind::Offer, 1).await;
    side.command(PeerCommand::AcceptAnswer {
        sdp: "nonsense".into(),
    })
    .await;
    side.waits_for(is_failure).await;
    side.offered(BROWSER_OFFER).await;
    description(&side, DescriptionKind::Answer, 1).await;
    assert_eq!(side.count(is_failure), 1);
    side.end().await;
}
