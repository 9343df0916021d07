//! Every figure of a connection moves when what it counts happens.

use std::time::Duration;

use visavis_media::VideoCodec;

use super::super::*;
use super::pair::*;

#[tokio::test(flavor = "multi_thread")]
async fn every_figure_of_a_lossy_connection_is_counted() {
    let (a, b) = super::lossy::call(VideoCodec::Vp8, 0.1, 7).await;
    b.receives(30, 50).await;
    b.clear_video();
    let outbound = || a.sent(TrackSource::Camera);
    let inbound = || {
        let statistics = b.handle.statistics.borrow();
        let track = statistics.received.get(&TrackSource::Camera);
        track.copied().unwrap_or_default()
    };
    wait_until(
        || {
            let (sent, received) = (outbound(), inbound());
            let counts = [
                sent.packets,
                sent.bytes,
                sent.frames,
                sent.key_frames,
                sent.nack_count,
                sent.pli_count,
                sent.retransmitted_packets,
                sent.retransmitted_bytes,
                sent.reports,
                received.nack_count,
                received.pli_count,
                received.retransmitted_packets,
                received.retransmitted_bytes,
            ];
            let is_timed = !sent.total_encode_time.is_zero()
                && !sent.total_packet_send_delay.is_zero()
                && sent.remote_jitter_ms > 0.0;
            is_timed && counts.iter().all(|count| *count > 0)
        },
        || format!("{:?} {:?}", outbound(), inbound()),
    )
    .await;
    let (sent, received) = (outbound(), inbound());
    assert!(sent.key_frames < sent.frames && sent.frames <= sent.packets);
    assert!(sent.retransmitted_packets < sent.packets / 2, "{sent:?}");
    assert!(sent.total_encode_time < Duration::from_millis(100) * sent.frames as u32);
    // A tenth of the requests and of the answers is lost on the way.
    assert!(
        sent.nack_count <= inbound().nack_count,
        "{sent:?} {received:?}"
    );
    let sound = a.sent(TrackSource::Microphone);
    assert!(
        sound.packets > 0 && sound.remote_packets_lost > 0,
        "{sound:?}"
    );
    a.end().await;
    b.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_candidate_pair_in_use_is_known_without_addresses() {
    let (a, b) = call(VideoCodec::Vp8).await;
    let pair = || a.handle.statistics.borrow().candidate_pair.clone();
    let is_measured =
        || pair().is_some_and(|pair| pair.current_round_trip_time.is_some_and(|time| time > 0.0));
    wait_until(is_measured, || format!("{:?}", pair())).await;
    let pair = pair().unwrap();
    assert_eq!(pair.local_candidate_type, "host");
    assert!(["host", "prflx"].contains(&pair.remote_candidate_type.as_str()));
    assert_eq!(pair.protocol, "udp");
    assert!(pair.responses_received > 0 && pair.total_round_trip_time > 0.0);
    a.end().await;
    b.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stages_of_the_delay_add_up_to_the_time_from_drawing_to_decoding() {
    let (a, b) = call(VideoCodec::Vp8).await;
    let stages = || b.video().stages;
    wait_until(|| stages().frames > 0, || format!("{:?}", b.video())).await;
    let before = b.video();
    wait_until(
        || stages().frames >= before.stages.frames + 20,
        || format!("{:?}", b.video()),
    )
    .await;
    let now = b.video();
    let stages = now.stages.since(&before.stages);
    let truth = now.delay.since(&before.delay).mean().unwrap();
    let sum = stages.total() * 1_000.0 / stages.frames as f64;
    assert!(
        (sum - truth).abs() <= 10.0,
        "{sum} ms, {truth} ms: {stages:?}"
    );
    assert!(
        stages.capture + stages.encode + stages.pace > 0.0
            && stages.jitter_buffer > 0.0
            && stages.decode > 0.0
    );
    let offset = || b.handle.statistics.borrow().clock_offset_ms;
    wait_until(|| offset().is_some(), || format!("{:?}", offset())).await;
    assert!(
        offset().unwrap().abs() < 10.0,
        "both read one clock: {:?}",
        offset()
    );
    a.end().await;
    b.end().await;
}
