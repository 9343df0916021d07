//! From a source over lossy packets to decoded pictures.

mod packetize;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use self::packetize::Packetizer;
use super::playout::sync::PlayoutTiming;
use super::synthetic::Synthetic;
use super::*;
use crate::codec::{EncoderSettings, FrameKind, video_encoder};
use crate::packet::{EncodedVideo, RtpPacket, VideoCodec, VideoLayer};
use crate::queue::Queue;
use crate::source::{VideoFormat, VideoSource};

const FORMAT: VideoFormat = VideoFormat {
    width: 320,
    height: 180,
    frames_per_second: 30,
};
const CODECS: [VideoCodec; 2] = [VideoCodec::H264, VideoCodec::Vp8];
const LIMIT: Duration = Duration::from_secs(20);
/// Longer than what makes a freeze at this rate.
const PAUSE: Duration = Duration::from_millis(600);

/// A sender and a receiver, and a network between them that `wait_until` drives.
struct Link {
    sender: VideoSender,
    queue: Queue<EncodedVideo>,
    packetizer: Packetizer,
    receiver: VideoReceiver,
    asked: Arc<AtomicU64>,
    sent: u64,
}

impl Link {
    fn new(codec: VideoCodec) -> Self {
        let sender = VideoSender::new();
        sender.set_source(VideoSource::Synthetic(FORMAT), FORMAT);
        let asked = Arc::new(AtomicU64::new(0));
        let (asks, count) = (sender.clone(), Arc::clone(&asked));
        let receiver = VideoReceiver::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
            asks.request_key_frame(codec, VideoLayer::Full);
        });
        let queue = sender.subscribe(codec, VideoLayer::Full, Start::Soonest);
        Self {
            sender,
            queue,
            packetizer: Packetizer::new(codec, 65_000),
            receiver,
            asked,
            sent: 0,
        }
    }

    /// Carries packets until the condition holds; `arrives` says of each,
    /// counted from 0, whether it does.
    fn wait_until(
        &mut self,
        what: &str,
        arrives: impl Fn(u64) -> bool,
        condition: impl Fn(&VideoReceiveStats) -> bool,
    ) {
        let deadline = Instant::now() + LIMIT;
        while !condition(&self.receiver.stats()) {
            assert!(
                Instant::now() < deadline,
                "not within {LIMIT:?}: {what}; {:?}",
                self.receiver.stats()
            );
            while let Some(video) = self.queue.try_next() {
                for packet in self.packetizer.packets(&video) {
                    if arrives(self.sent) {
                        self.receiver.push(video.codec, packet);
                    }
                    self.sent += 1;
                }
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn pictures_come_through_with_their_size_and_delay() {
    for codec in CODECS {
        let mut link = Link::new(codec);
        link.wait_until("60 pictures", |_| true, |stats| stats.frames_decoded >= 60);
        let stats = link.receiver.stats();
        assert_eq!((stats.width, stats.height), (320, 180));
        assert_eq!(
            (stats.packets_lost, stats.frames_received),
            (0, stats.frames_decoded),
            "{stats:?}"
        );
        // On loaded cores two frames may be due at once; then only one is shown.
        assert_eq!(
            stats.frames_decoded,
            stats.frames_rendered + stats.frames_dropped,
            "{stats:?}"
        );
        assert!(stats.key_frames_decoded > 0);
        assert_eq!(stats.delay.count(), stats.frames_rendered);
        assert!(stats.delay.percentile(0.5).is_some());
        assert_eq!(link.asked.load(Ordering::Relaxed), 0);
        assert!(stats.bytes_received > 10_000);
        let frame = link.receiver.frames().get().unwrap();
        assert!(timecode::read(&frame).is_some());
    }
}

#[test]
fn a_loss_without_repair_is_mended_by_a_key_frame_that_is_asked_for() {
    for codec in CODECS {
        let mut link = Link::new(codec);
        link.wait_until(
            "the first pictures",
            |_| true,
            |stats| stats.frames_decoded >= 5,
        );
        let gap = link.sent + 3;
        link.wait_until(
            "a key frame after the loss",
            |number| number != gap,
            |stats| stats.key_frames_decoded >= 2,
        );
        let stats = link.receiver.stats();
        assert_eq!(stats.packets_lost, 1, "{stats:?}");
        assert!(stats.frames_dropped > 0);
        assert!(link.asked.load(Ordering::Relaxed) > 0);
        let decoded = stats.frames_decoded;
        link.wait_until(
            "more pictures",
            |_| true,
            |stats| stats.frames_decoded >= decoded + 10,
        );
    }
}

#[test]
fn a_lost_first_packet_is_asked_for_again() {
    let mut link = Link::new(VideoCodec::Vp8);
    link.wait_until(
        "a picture",
        |number| number > 0,
        |stats| stats.frames_decoded > 0,
    );
    assert!(link.asked.load(Ordering::Relaxed) > 0);
}

#[test]
fn after_a_mute_the_picture_is_gone_and_comes_back_without_a_freeze() {
    for codec in CODECS {
        let mut link = Link::new(codec);
        link.wait_until("pictures", |_| true, |stats| stats.frames_decoded >= 20);
        link.sender.set_muted(true);
        let state = link.sender.state();
        let deadline = Instant::now() + LIMIT;
        while state.get() != Some(CaptureState::Off) {
            assert!(Instant::now() < deadline, "the source is not released");
            thread::sleep(Duration::from_millis(1));
        }
        while link.queue.try_next().is_some() {}
        link.receiver.clear();
        assert!(link.receiver.frames().get().is_none());
        let before = link.receiver.stats();
        let pause = Instant::now();
        while pause.elapsed() < PAUSE {
            thread::sleep(Duration::from_millis(10));
            assert!(link.receiver.frames().get().is_none());
        }
        link.sender.set_muted(false);
        link.wait_until(
            "pictures again",
            |_| true,
            |stats| stats.frames_decoded >= before.frames_decoded + 10,
        );
        // Loaded cores may freeze the picture for a moment, but not for the pause.
        assert!(link.receiver.stats().freeze_ms < before.freeze_ms + PAUSE.as_millis() as u64);
        assert!(link.receiver.frames().get().is_some());
    }
}

#[test]
fn garbage_from_a_peer_does_not_stop_its_later_pictures() {
    for codec in CODECS {
        let mut link = Link::new(codec);
        let mut number = 0_u16;
        for n in 0..500_u32 {
            number = number.wrapping_mul(40_503).wrapping_add(n as u16);
            let payload: Vec<u8> = (0..n % 50)
                .map(|byte| (byte.wrapping_mul(n) >> 3) as u8)
                .collect();
            let packet = RtpPacket {
                sequence: 64_990 + number % 20,
                timestamp: n.wrapping_mul(0x9E37_79B9),
                marker: n % 3 == 0,
                payload: payload.into(),
                arrived_at: Instant::now(),
            };
            link.receiver.push(codec, packet);
        }
        link.wait_until(
            "pictures after garbage",
            |_| true,
            |stats| stats.frames_decoded >= 10,
        );
    }
}

/// Frames of H.264 as NAL units, encoded by OpenH264: every third is an IDR picture,
/// with its parameter sets.
fn h264_frames() -> Vec<Vec<Vec<u8>>> {
    let scene = Synthetic::new(FORMAT.width, FORMAT.height, 0.0).unwrap();
    let settings = EncoderSettings {
        width: FORMAT.width,
        height: FORMAT.height,
        frames_per_second: FORMAT.frames_per_second,
        bits_per_second: 300_000,
    };
    let mut encoder = video_encoder(VideoCodec::H264, settings).unwrap();
    let frames = (0..9_u32).map(|number| {
        let frame = scene.draw(number as f32 / 30.0, u64::from(number), Instant::now());
        let encoded = encoder
            .encode(&frame, FrameKind::key_or_reference(number % 3 == 0))
            .unwrap();
        let units = packetize::units(&encoded.data);
        units.iter().map(|unit| unit.to_vec()).collect()
    });
    frames.collect()
}

fn is_parameter_set(unit: &[u8]) -> bool {
    matches!(unit[0] & 0x1F, 7 | 8)
}

/// Waits until what a receiver has seen is so.
fn wait_for(receiver: &VideoReceiver, condition: impl Fn(&VideoReceiveStats) -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !condition(&receiver.stats()) {
        assert!(Instant::now() < deadline, "{:?}", receiver.stats());
        thread::sleep(Duration::from_millis(1));
    }
}

/// Sends access units to a receiver, each when the one before was taken, and waits until
/// so many pictures were decoded.
fn decode_access_units(receiver: &VideoReceiver, access_units: &[Vec<Vec<u8>>], pictures: u64) {
    let mut packetizer = Packetizer::new(VideoCodec::H264, 9);
    let mut sent = 0;
    for (units, timestamp) in access_units.iter().zip(1_u32..) {
        for packet in packetizer.unit_packets(units, timestamp * 1_500) {
            receiver.push(VideoCodec::H264, packet);
            sent += 1;
        }
        wait_for(receiver, |stats| stats.packets_received == sent);
    }
    wait_for(receiver, |stats| stats.frames_decoded >= pictures);
    let stats = receiver.stats();
    assert_eq!((stats.frames_decoded, stats.frames_dropped), (pictures, 0));
}

#[test]
fn parameter_sets_may_come_in_an_access_unit_of_their_own() {
    let mut access_units = Vec::new();
    for frame in h264_frames() {
        let (sets, rest): (Vec<_>, Vec<_>) =
            frame.into_iter().partition(|unit| is_parameter_set(unit));
        access_units.extend([sets, rest].into_iter().filter(|units| !units.is_empty()));
    }
    assert_eq!(access_units.len(), 12);
    decode_access_units(&VideoReceiver::new(|| {}), &access_units, 9);
}

#[test]
fn parameter_sets_may_be_in_the_session_description_only() {
    let (mut sets, mut access_units) = (Vec::new(), Vec::new());
    for frame in h264_frames() {
        let (own, rest): (Vec<_>, Vec<_>) =
            frame.into_iter().partition(|unit| is_parameter_set(unit));
        sets.extend(own);
        access_units.push(rest);
    }
    let receiver = VideoReceiver::new(|| {});
    receiver.set_parameter_sets(&sets[..2]);
    decode_access_units(&receiver, &access_units, 9);
}

#[test]
fn frames_that_come_at_once_are_decoded_and_the_newest_is_shown() {
    let receiver = VideoReceiver::new(|| {});
    let mut packetizer = Packetizer::new(VideoCodec::H264, 9);
    let arrived_at = Instant::now();
    for (units, number) in h264_frames().iter().zip(0_u32..) {
        for packet in packetizer.unit_packets(units, number * 3_000) {
            let packet = RtpPacket {
                arrived_at,
                ..packet
            };
            receiver.push(VideoCodec::H264, packet);
        }
    }
    wait_for(&receiver, |stats| {
        stats.frames_received == 9
            && stats.frames_rendered + stats.frames_dropped >= 9
            && stats.jitter_buffer_emitted_count == stats.frames_decoded
    });
    let stats = receiver.stats();
    assert!(stats.frames_rendered >= 1, "{stats:?}");
    let (newest, newest_at) = (
        timing_of(&receiver).timestamp,
        timing_of(&receiver).arrived_at,
    );
    assert_eq!((newest, newest_at), (8 * 3_000, arrived_at));
    assert_eq!(stats.jitter_buffer_target_delay, Duration::ZERO);
}

fn timing_of(receiver: &VideoReceiver) -> PlayoutTiming {
    receiver.timing().expect("a frame was decoded")
}

#[test]
fn an_extra_delay_holds_frames_back_and_is_in_the_statistics() {
    let extra = Duration::from_millis(300);
    let mut link = Link::new(VideoCodec::Vp8);
    link.receiver.set_extra_delay(extra);
    link.wait_until("30 pictures", |_| true, |stats| stats.frames_rendered >= 30);
    let stats = link.receiver.stats();
    let emitted = stats.jitter_buffer_emitted_count as u32;
    assert!(stats.delay.percentile(0.0) >= Some(290), "{stats:?}");
    assert!(stats.jitter_buffer_delay >= emitted * (extra - extra / 10));
    assert!(stats.jitter_buffer_target_delay >= emitted * extra);
    let network = stats.jitter_buffer_target_delay - stats.jitter_buffer_minimum_delay;
    assert_eq!(network, emitted * extra);
    assert!(stats.total_processing_delay > stats.jitter_buffer_delay);
    assert!(stats.total_decode_time > Duration::ZERO);
    assert!(stats.frames_received >= stats.frames_decoded);
    assert!(timing_of(&link.receiver).delay >= extra);
    link.receiver.clear();
    assert_eq!(link.receiver.timing(), None);
}

#[test]
fn a_burst_after_a_stall_is_not_shown_frame_by_frame() {
    let mut link = Link::new(VideoCodec::Vp8);
    link.wait_until("30 pictures", |_| true, |stats| stats.frames_rendered >= 30);
    let before = link.receiver.stats();
    let mut held = Vec::new();
    let stall = Instant::now();
    while stall.elapsed() < PAUSE {
        while let Some(video) = link.queue.try_next() {
            held.extend(link.packetizer.packets(&video));
        }
        thread::sleep(Duration::from_millis(1));
    }
    let arrived_at = Instant::now();
    for packet in held {
        let packet = RtpPacket {
            arrived_at,
            ..packet
        };
        link.receiver.push(VideoCodec::Vp8, packet);
    }
    link.wait_until(
        "pictures again",
        |_| true,
        |stats| stats.frames_decoded >= before.frames_decoded + 20,
    );
    let stats = link.receiver.stats();
    // 18 frames came at once.
    let shown = stats.frames_rendered - before.frames_rendered;
    assert!(
        stats.frames_dropped >= before.frames_dropped + 5,
        "{stats:?}"
    );
    assert!(shown <= 15, "{shown} shown, {stats:?}");
    assert!(stats.freezes > before.freezes && stats.freeze_ms >= before.freeze_ms + 500);
}

#[test]
fn the_codec_may_change_within_a_call() {
    let mut link = Link::new(VideoCodec::Vp8);
    link.wait_until("VP8", |_| true, |stats| stats.frames_decoded >= 5);
    link.queue = link
        .sender
        .subscribe(VideoCodec::H264, VideoLayer::Full, Start::Soonest);
    link.packetizer = Packetizer::new(VideoCodec::H264, 3);
    let decoded = link.receiver.stats().frames_decoded;
    link.wait_until(
        "H.264",
        |_| true,
        |stats| stats.frames_decoded >= decoded + 5,
    );
}
