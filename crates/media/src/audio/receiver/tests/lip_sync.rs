//! Sound and video of one participant, at presentation, in virtual time.

use super::*;
use crate::video::CLOCK;
use crate::video::assembly::AssembledFrame;
use crate::video::playout::Playout as VideoPlayout;
use crate::video::playout::sync::{LipSync, SenderReport, SyncStream};

/// Where each stream's timestamps begin.
const AUDIO_ORIGIN: u32 = 77;
const VIDEO_ORIGIN: u32 = u32::MAX - 5_000;
/// A burst is in the first packet of so many, 2 s.
const BURST_EVERY: u32 = 100;
/// From there on a sample belongs to a burst.
const LOUD: f32 = 0.4;
/// From an Opus packet to its sound.
const OPUS_DELAY: f64 = 0.0065;

/// A voice, with a burst of 20 ms in each first packet.
fn packets() -> Vec<Bytes> {
    let mut encoder = Encoder::new().unwrap();
    let packet = |number: u32| {
        let frame = std::array::from_fn(|n| {
            let time = (number as usize * FRAME_SAMPLES + n) as f32 / 48_000.0;
            let turn = time * std::f32::consts::TAU;
            let voice: f32 = (1..8).map(|n| (turn * 150.0 * n as f32).sin()).sum();
            let burst = if number == 0 { 0.8 } else { 0.0 };
            0.02 * voice + burst * (turn * 1_000.0).sin()
        });
        encoder.encode(&frame).unwrap().into()
    };
    (0..BURST_EVERY).map(packet).collect()
}

/// One-way delays in seconds, and how much faster the sender's sound card runs.
#[derive(Clone, Copy)]
struct Paths {
    audio: f64,
    video: f64,
    drift_ppm: f64,
}

/// What became of a run.
#[derive(Default)]
struct Presented {
    /// Capture and presentation of each burst and each frame, in seconds.
    bursts: Vec<(f64, f64)>,
    frames: Vec<(f64, f64)>,
}

impl Presented {
    /// By how much video is late against the sound, at each burst after `from` seconds.
    fn skews(&self, from: f64) -> Vec<f64> {
        let bursts = self.bursts.iter().filter(|(captured, _)| *captured > from);
        let skew = |(captured, played): &(f64, f64)| {
            let at = self.frames.partition_point(|(frame, _)| frame < captured);
            let (frame, shown) = *self.frames.get(at)?;
            Some((shown - frame) - (played - captured))
        };
        bursts.filter_map(skew).collect()
    }
}

/// Plays so many seconds; sound comes until `audio_until`.
fn play(paths: Paths, seconds: u32, audio_until: f64, is_synced: bool) -> Presented {
    let (receiver, mut speaker_stream) = SpeakerStream::new();
    let (mut video, mut sync) = (VideoPlayout::default(), LipSync::default());
    let (packets, start) = (packets(), Instant::now());
    let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
    let hertz = 48_000.0 * (1.0 + paths.drift_ppm * 1e-6);
    let (mut sent, mut frames, mut presented) = (0_u32, 0_u32, Presented::default());
    for block in 0..seconds * 100 {
        let now = f64::from(block) * 0.01;
        // A packet is captured while its 20 ms pass, then it is under way.
        loop {
            let captured = f64::from(sent) * 960.0 / hertz;
            let arrival = captured + 0.02 + paths.audio;
            if arrival > now || captured > audio_until {
                break;
            }
            receiver.push(RtpPacket {
                sequence: sent as u16,
                timestamp: AUDIO_ORIGIN.wrapping_add(sent.wrapping_mul(960)),
                marker: false,
                payload: packets[(sent % BURST_EVERY) as usize].clone(),
                arrived_at: at(arrival),
            });
            sent += 1;
        }
        loop {
            let captured = f64::from(frames) / 30.0;
            if captured + paths.video > now {
                break;
            }
            let arrived_at = at(captured + paths.video);
            video.push(AssembledFrame {
                data: vec![0; 100],
                key_frame: frames == 0,
                timestamp: VIDEO_ORIGIN.wrapping_add(frames.wrapping_mul(CLOCK / 30)),
                first_arrival: arrived_at,
                last_arrival: arrived_at,
                is_repaired: false,
            });
            frames += 1;
        }
        while let Some(frame) = video.pop(at(now)) {
            let ticks = frame.timestamp.wrapping_sub(VIDEO_ORIGIN);
            video.decoded(at(now), Duration::ZERO);
            let captured = f64::from(ticks) / f64::from(CLOCK);
            presented.frames.push((captured, now));
        }
        let mut mix = [0.0; 480];
        assert!(speaker_stream.mix_into(&mut mix, at(now)));
        if let Some(n) = mix.iter().position(|sample| sample.abs() > LOUD) {
            let played = now + n as f64 / 48_000.0 - OPUS_DELAY;
            let last = presented.bursts.last();
            if last.is_none_or(|(_, before)| played - before > 1.0) {
                // A burst is heard before the next one is captured.
                let period = f64::from(BURST_EVERY) * 960.0 / hertz;
                let captured = ((played - paths.audio) / period).floor() * period;
                presented.bursts.push((captured, played));
            }
        }
        if is_synced && block % 20 == 0 {
            // The reports of this second.
            let reported = now.floor();
            let ntp = (reported * 4_294_967_296.0) as u64;
            let report = |origin: u32, hertz: f64| SenderReport {
                ntp,
                timestamp: origin.wrapping_add((reported * hertz) as u32),
            };
            let fresh = |timing: &crate::video::playout::sync::PlayoutTiming| {
                at(now).saturating_duration_since(timing.arrived_at) < Duration::from_secs(2)
            };
            let timings = (
                receiver.timing().filter(fresh),
                video.timing().filter(fresh),
            );
            let delays = match timings {
                (Some(of_audio), Some(of_video)) => sync.update(
                    at(now),
                    &SyncStream {
                        clock_rate: SAMPLE_RATE,
                        report: report(AUDIO_ORIGIN, hertz),
                        timing: of_audio,
                    },
                    &SyncStream {
                        clock_rate: CLOCK,
                        report: report(VIDEO_ORIGIN, f64::from(CLOCK)),
                        timing: of_video,
                    },
                ),
                _ => sync.release(at(now)),
            };
            receiver.set_extra_delay(delays.audio);
            video.set_extra_delay(delays.video);
        }
    }
    presented
}

fn worst(skews: &[f64]) -> f64 {
    skews.iter().fold(0.0, |worst, skew| skew.abs().max(worst))
}

#[test]
fn lips_are_within_40_ms_over_ten_minutes_of_drift_whichever_side_is_250_ms_late() {
    for (audio, video) in [(0.27, 0.02), (0.02, 0.27), (0.02, 0.02)] {
        for drift_ppm in [-100.0, 100.0] {
            let paths = Paths {
                audio,
                video,
                drift_ppm,
            };
            // 250 ms take three seconds at 80 ms a second.
            let skews = play(paths, 600, f64::INFINITY, true).skews(8.0);
            let worst = worst(&skews);
            println!(
                "LIP SYNC audio {audio} s, video {video} s, {drift_ppm} ppm: {:.0} ms at most",
                worst * 1000.0
            );
            assert!(
                skews.len() > 280 && worst <= 0.04,
                "{audio} {video}: {worst}"
            );
        }
    }
}

#[test]
fn without_lip_sync_a_side_that_is_250_ms_late_stays_late() {
    let paths = Paths {
        audio: 0.02,
        video: 0.27,
        drift_ppm: 100.0,
    };
    let skews = play(paths, 20, f64::INFINITY, false).skews(8.0);
    assert!(skews.iter().all(|skew| *skew > 0.15), "{skews:?}");
}

#[test]
fn sound_that_stalls_does_not_hold_the_video_back() {
    let paths = Paths {
        audio: 0.27,
        video: 0.02,
        drift_ppm: 0.0,
    };
    let presented = play(paths, 30, 15.0, true);
    let delays = |seconds: std::ops::Range<f64>| {
        let frames = presented.frames.iter();
        let frames = frames.filter(|(captured, _)| seconds.contains(captured));
        let delays: Vec<f64> = frames.map(|(captured, shown)| shown - captured).collect();
        assert!(delays.len() > 50);
        delays.into_iter().fold(0.0, f64::max)
    };
    assert!(delays(10.0..15.0) > 0.2, "held for the late sound");
    assert!(delays(24.0..29.0) < 0.05, "{}", delays(24.0..29.0));
}
