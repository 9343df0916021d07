//! Tracks by source.

use visavis_media::VideoCodec::Vp8;
use visavis_protocol::DescriptionKind;

use super::super::*;
use super::pair::*;

#[tokio::test]
async fn the_track_id_names_the_source_and_a_screen_is_received_as_one() {
    let (a, b) = call_with(|sdp| sdp.replace("-camera", "-screen_share")).await;
    wait_until(
        || b.video_of(TrackSource::ScreenShare).frames_decoded > 5,
        || format!("{:?}", b.log.lock().unwrap()),
    )
    .await;
    assert!(b.receiver(TrackSource::Camera).is_none());
    // The camera of the other side has no section yet, so it offers one.
    b.waits_for(|event| matches!(event, PeerEvent::NegotiationNeeded))
        .await;
    wait_until(
        || a.video_of(TrackSource::ScreenShare).frames_decoded > 5,
        || format!("{:?}", a.log.lock().unwrap()),
    )
    .await;
    assert!(described(&b, DescriptionKind::Offer)[0].contains("-camera"));
    assert_eq!(b.count(is_failure) + a.count(is_failure), 0);
    a.end().await;
    b.end().await;
}

/// Waits for frames of the camera and of the screen, each in its own receiver.
async fn receives_both(side: &Side) {
    let before = side.video_of(TrackSource::ScreenShare).frames_decoded;
    side.receives(5, 10).await;
    let screen = || side.video_of(TrackSource::ScreenShare);
    wait_until(
        || screen().frames_decoded > before + 5,
        || format!("{:?}", screen()),
    )
    .await;
    assert_eq!(
        (screen().width, screen().height),
        (SCREEN.width, SCREEN.height)
    );
    let camera = side.video();
    assert_eq!((camera.width, camera.height), (FORMAT.width, FORMAT.height));
}

#[tokio::test]
async fn camera_and_screen_are_received_at_once() {
    for first_has_screen in [true, false] {
        let sharing = Side::publishing(config(Vp8), screen());
        let ((a, from_a), (b, from_b)) = if first_has_screen {
            (sharing, Side::new(config(Vp8)))
        } else {
            (Side::new(config(Vp8)), sharing)
        };
        forward(from_a, &a, &b, true, direct());
        forward(from_b, &b, &a, false, direct());
        a.command(PeerCommand::MakeOffer { ice_restart: false })
            .await;
        let (sharing, viewing) = if first_has_screen { (a, b) } else { (b, a) };
        receives_both(&viewing).await;
        sharing.receives(5, 10).await;
        assert!(sharing.receiver(TrackSource::ScreenShare).is_none());
        // Key frames are requested of the screen, too.
        let Some(Receiver::Video(video)) = viewing.receiver(TrackSource::ScreenShare) else {
            panic!("no receiver of the screen")
        };
        video.clear();
        receives_both(&viewing).await;
        sharing.end().await;
        viewing.end().await;
    }
}

#[tokio::test]
async fn a_rolled_back_offer_with_a_screen_is_made_again() {
    let (a, from_a) = Side::new(config(Vp8));
    let (b, from_b) = Side::publishing(config(Vp8), screen());
    forward(from_a, &a, &b, true, direct());
    forward(from_b, &b, &a, false, direct());
    for side in [&a, &b] {
        side.command(PeerCommand::MakeOffer { ice_restart: false })
            .await;
    }
    receives_both(&a).await;
    b.receives(5, 10).await;
    assert!(b.receiver(TrackSource::ScreenShare).is_none());
    a.end().await;
    b.end().await;
}

#[tokio::test]
async fn a_screen_that_is_shared_later_is_offered_also_while_the_other_side_shares() {
    let (a, from_a) = Side::publishing(config(Vp8), screen());
    let (b, from_b) = Side::publishing(config(Vp8), screen());
    let share = async |side: &Side, local: Grants| {
        let remote = Grants::default();
        side.command(PeerCommand::SetGrants { local, remote }).await;
    };
    share(&a, without_screen()).await;
    share(&b, without_screen()).await;
    forward(from_a, &a, &b, true, direct());
    forward(from_b, &b, &a, false, direct());
    let offer = PeerCommand::MakeOffer { ice_restart: false };
    a.command(offer.clone()).await;
    a.receives(5, 10).await;
    b.receives(5, 10).await;
    let needs_offer = |event: &PeerEvent| matches!(event, PeerEvent::NegotiationNeeded);
    for (sharing, viewing) in [(&a, &b), (&b, &a)] {
        assert!(viewing.receiver(TrackSource::ScreenShare).is_none());
        assert_eq!(sharing.count(needs_offer), 0);
        share(sharing, Grants::default()).await;
        sharing.waits_for(needs_offer).await;
        sharing.command(offer.clone()).await;
        receives_both(viewing).await;
    }
    // It stops, and starts again without a negotiation.
    share(&a, without_screen()).await;
    share(&a, Grants::default()).await;
    receives_both(&b).await;
    assert_eq!(a.count(needs_offer), 1);
    a.end().await;
    b.end().await;
}

#[tokio::test]
async fn our_tracks_name_their_sources() {
    let side = recorded(Vp8);
    side.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    let offer = description(&side, DescriptionKind::Offer, 1).await;
    let named = |name: &str| {
        let mut lines = offer.lines();
        lines.any(|line| line.starts_with("a=msid:") && line.ends_with(name))
    };
    assert!(named("-microphone") && named("-camera"), "{offer}");
    side.end().await;
}

#[tokio::test]
async fn a_receiver_is_created_once_and_kept_over_negotiations() {
    let (a, b) = call(Vp8).await;
    for (side, count) in [(&b, 1), (&a, 2), (&b, 2)] {
        side.command(PeerCommand::MakeOffer { ice_restart: false })
            .await;
        description(side, DescriptionKind::Offer, count).await;
        a.receives(5, 20).await;
        b.receives(5, 20).await;
    }
    for side in [&a, &b] {
        let added = side.count(|event| matches!(event, PeerEvent::ReceiverAdded(..)));
        assert_eq!(added, 2, "{:?}", side.log.lock().unwrap());
    }
    a.end().await;
    b.end().await;
}

fn without_ssrcs(sdp: &str) -> String {
    let lines = sdp.split("\r\n");
    let kept: Vec<&str> = lines.filter(|line| !line.starts_with("a=ssrc")).collect();
    kept.join("\r\n")
}

/// The description with other SSRCs than are sent, as after a change.
fn with_other_ssrcs(sdp: &str) -> String {
    let mut section = 0;
    let mut lines = Vec::new();
    for line in without_ssrcs(sdp).split("\r\n") {
        lines.push(line.to_owned());
        if line.starts_with("a=msid:") {
            section += 1;
            lines.push(format!("a=ssrc:{section} cname:x"));
        }
    }
    lines.join("\r\n")
}

#[tokio::test]
async fn streams_are_received_whose_ssrc_is_not_in_the_description() {
    for edit in [without_ssrcs, with_other_ssrcs] {
        let (a, b) = call_with(edit).await;
        b.receives(5, 20).await;
        // Key frame requests reach the stream, too.
        let before = b.video().key_frames_decoded;
        b.clear_video();
        wait_until(
            || b.video().key_frames_decoded > before,
            || format!("{:?}", b.video()),
        )
        .await;
        b.receives(5, 20).await;
        a.receives(5, 20).await;
        a.end().await;
        b.end().await;
    }
}
