//! Audio, video and data channel messages.

use visavis_media::VideoCodec::{H264, Vp8};
use visavis_protocol::{Description, DescriptionKind, PeerPayload};

use super::super::*;
use super::lossy;
use super::pair::*;

#[tokio::test]
async fn audio_and_video_flow_in_both_directions_with_either_codec() {
    for codec in [H264, Vp8] {
        let (a, b) = call(codec).await;
        for side in [&a, &b] {
            let video = side.video();
            assert_eq!(
                (video.width, video.height),
                (FORMAT.width, FORMAT.height),
                "{codec:?}"
            );
            let Some(Receiver::Audio(audio)) = side.receiver(TrackSource::Microphone) else {
                panic!("no audio receiver")
            };
            wait_until(
                || audio.level().rms > 0.03,
                || format!("{:?}", audio.level()),
            )
            .await;
            let reported = |source| {
                let sent = side.sent(source);
                sent.bytes > 0 && sent.reports > 0
            };
            wait_until(
                || {
                    let round_trip = side.handle.statistics.borrow().round_trip_ms;
                    round_trip.is_some()
                        && reported(TrackSource::Camera)
                        && reported(TrackSource::Microphone)
                },
                || format!("{:?}", side.handle.statistics.borrow()),
            )
            .await;
            assert!(side.sent(TrackSource::Camera).frames > 0);
            assert_eq!(side.sent(TrackSource::Microphone).frames, 0);
        }
        a.end().await;
        b.end().await;
    }
}

#[tokio::test]
async fn a_muted_source_sends_nothing_and_continues_when_unmuted() {
    let (a, b) = call(Vp8).await;
    a.media.audio.set_muted(true);
    a.media.video.set_muted(true);
    let packets = || (b.video().packets_received, b.audio().packets_received);
    // Packets in flight arrive. After that nothing may; the reverse direction
    // measures the time.
    a.receives(2, 10).await;
    let quiet = packets();
    a.receives(5, 25).await;
    assert_eq!(packets(), quiet);
    assert!(a.is_connected() && b.video().frames_decoded > 0);
    a.media.audio.set_muted(false);
    a.media.video.set_muted(false);
    b.receives(5, 25).await;
    a.end().await;
    b.end().await;
}

#[tokio::test]
async fn a_receiver_that_requests_a_key_frame_gets_one() {
    for codec in [H264, Vp8] {
        let (a, b) = call(codec).await;
        let before = b.video().key_frames_decoded;
        b.clear_video();
        wait_until(
            || b.video().key_frames_decoded > before,
            || format!("{:?}", b.video()),
        )
        .await;
        b.receives(3, 0).await;
        a.end().await;
        b.end().await;
    }
}

#[tokio::test]
async fn messages_arrive_over_the_data_channel_in_order() {
    let (a, b) = call(Vp8).await;
    for side in [&a, &b] {
        wait_until(
            || side.has(|event| matches!(event, PeerEvent::ChannelOpen)),
            || format!("{:?}", side.log.lock().unwrap()),
        )
        .await;
    }
    for (from, to) in [(&a, &b), (&b, &a)] {
        for number in 0..20 {
            let payload = Description {
                offer_id: Some(number),
                ..Description::new(DescriptionKind::Offer, "x".repeat(50_000))
            };
            let offer = PeerMessage::Offer(PeerPayload { payload });
            from.command(PeerCommand::Send(Box::new(offer))).await;
        }
        let numbers = || -> Vec<u32> {
            let log = to.log.lock().unwrap();
            let number = |event: &PeerEvent| match event {
                PeerEvent::Message(message) => match message.as_ref() {
                    PeerMessage::Offer(offer) => offer.payload.offer_id,
                    _ => None,
                },
                _ => None,
            };
            log.iter().filter_map(number).collect()
        };
        wait_until(|| numbers().len() >= 20, || format!("{:?}", numbers())).await;
        assert_eq!(numbers(), (0..20).collect::<Vec<_>>());
    }
    a.end().await;
    b.end().await;
}

#[tokio::test]
async fn lost_packets_are_retransmitted_and_the_loss_is_reported() {
    let seed = rand::random();
    println!("seed {seed}");
    for codec in [H264, Vp8] {
        let (a, b) = lossy::call(codec, 0.05, seed).await;
        b.receives(100, 200).await;
        let video = b.video();
        println!("{codec:?} {video:?}");
        let repaired = (video.packets_lost as f64) < 0.01 * video.packets_received as f64;
        assert!(
            repaired && video.key_frames_decoded <= 3,
            "{codec:?} {video:?}"
        );
        wait_until(
            || a.sent(TrackSource::Camera).remote_loss_percent > 0.0,
            || format!("{:?}", a.handle.statistics.borrow()),
        )
        .await;
        a.end().await;
        b.end().await;
    }
}
