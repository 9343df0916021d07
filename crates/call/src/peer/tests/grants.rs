//! What the two sides may publish.

use visavis_media::VideoCodec::Vp8;

use super::super::*;
use super::pair::*;

fn only(sources: &[TrackSource]) -> Grants {
    Grants {
        can_publish_sources: sources.to_vec(),
        ..Default::default()
    }
}

fn nothing() -> Grants {
    Grants {
        can_publish: false,
        ..Default::default()
    }
}

async fn set(side: &Side, local: Grants, remote: Grants) {
    side.command(PeerCommand::SetGrants { local, remote }).await;
}

#[tokio::test]
async fn a_source_that_the_remote_participant_may_not_publish_is_not_received() {
    let (a, b) = call(Vp8).await;
    set(&b, Grants::default(), only(&[TrackSource::Microphone])).await;
    let Some(Receiver::Video(video)) = b.receiver(TrackSource::Camera) else {
        panic!("no video receiver")
    };
    // The frame is cleared at once, and no packet reaches the receiver.
    wait_until(
        || video.frames().get().is_none(),
        || "a frame is left".into(),
    )
    .await;
    let before = b.video().packets_received;
    b.receives(0, 50).await;
    assert_eq!(b.video().packets_received, before);
    assert!(a.sent(TrackSource::Camera).frames > 0);
    set(&b, Grants::default(), Grants::default()).await;
    b.receives(5, 20).await;
    a.end().await;
    b.end().await;
}

#[tokio::test]
async fn a_source_that_the_local_user_may_not_publish_is_not_sent() {
    let (a, b) = call(Vp8).await;
    set(&a, only(&[TrackSource::Camera]), Grants::default()).await;
    // Packets in flight arrive.
    b.receives(5, 0).await;
    let before = b.audio().packets_received;
    b.receives(20, 0).await;
    assert_eq!(b.audio().packets_received, before);
    set(&a, Grants::default(), Grants::default()).await;
    b.receives(5, 20).await;
    a.end().await;
    b.end().await;
}

#[tokio::test]
async fn grants_hold_for_a_connection_that_starts_later() {
    let (a, b) = pair(config(Vp8), config(Vp8));
    set(&a, nothing(), Grants::default()).await;
    set(&b, Grants::default(), nothing()).await;
    a.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    a.receives(5, 20).await;
    assert_eq!(b.received(), (0, 0));
    let is_added = |event: &PeerEvent| matches!(event, PeerEvent::ReceiverAdded(..));
    assert_eq!(b.count(is_added), 0, "a receiver costs a decode thread");
    set(&a, without_screen(), Grants::default()).await;
    set(&b, without_screen(), Grants::default()).await;
    b.receives(5, 20).await;
    assert_eq!(b.count(is_added), 2);
    for side in [a, b] {
        side.end().await;
    }
}

#[tokio::test]
async fn nothing_is_sent_before_it_may_be_published() {
    let (a, b) = pair(config(Vp8), config(Vp8));
    set(&a, nothing(), Grants::default()).await;
    a.command(PeerCommand::MakeOffer { ice_restart: false })
        .await;
    a.receives(5, 20).await;
    assert_eq!(b.received(), (0, 0));
    assert_eq!(a.sent(TrackSource::Camera).bytes, 0);
    a.end().await;
    b.end().await;
}
