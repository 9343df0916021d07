//! Where the delay of received video comes from.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What the sender says about a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameTiming {
    /// When it was captured, on the clock of this process.
    pub captured_at: Instant,
    /// From then to the start of its encoding.
    pub encode_started: Duration,
    /// From its capture to the end of its encoding.
    pub encoded: Duration,
    /// From its capture until its last packet was sent.
    pub sent: Duration,
}

/// Sums of the delays of frames, in seconds. Divided by `frames`, the means. Together
/// they are the time from the capture of a frame until it is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StageDelays {
    /// Shown frames of which the sender's times are known.
    pub frames: u64,
    /// From the capture to the start of the encoding.
    pub capture: f64,
    /// The encoding.
    pub encode: f64,
    /// Packetising, and the wait for the pacer, up to the last packet.
    pub pace: f64,
    /// From sending the last packet to the arrival of the frame's last one, repairs
    /// included. It depends on the clocks of both sides, so that it can be below 0 by
    /// the error of their offset.
    pub network: f64,
    /// From the arrival of the last packet to the decoder.
    pub jitter_buffer: f64,
    /// The decoding.
    pub decode: f64,
}

impl StageDelays {
    /// All stages.
    pub fn total(&self) -> f64 {
        self.capture + self.encode + self.pace + self.network + self.jitter_buffer + self.decode
    }

    /// What was counted after `earlier` was read from the same place.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            frames: self.frames.saturating_sub(earlier.frames),
            capture: self.capture - earlier.capture,
            encode: self.encode - earlier.encode,
            pace: self.pace - earlier.pace,
            network: self.network - earlier.network,
            jitter_buffer: self.jitter_buffer - earlier.jitter_buffer,
            decode: self.decode - earlier.decode,
        }
    }

    /// Counts a frame that arrived, went to the decoder and was shown at these times.
    pub(super) fn record(
        &mut self,
        timing: &FrameTiming,
        arrived_at: Instant,
        decode_started_at: Instant,
        shown_at: Instant,
    ) {
        let sent_at = timing.captured_at + timing.sent;
        self.frames += 1;
        self.capture += timing.encode_started.as_secs_f64();
        self.encode += difference(timing.encode_started, timing.encoded);
        self.pace += difference(timing.encoded, timing.sent);
        self.network += arrived_at.saturating_duration_since(sent_at).as_secs_f64()
            - sent_at.saturating_duration_since(arrived_at).as_secs_f64();
        self.jitter_buffer += decode_started_at
            .saturating_duration_since(arrived_at)
            .as_secs_f64();
        self.decode += shown_at
            .saturating_duration_since(decode_started_at)
            .as_secs_f64();
    }
}

fn difference(from: Duration, to: Duration) -> f64 {
    to.as_secs_f64() - from.as_secs_f64()
}

/// The timings of frames that are not shown yet.
#[derive(Debug, Default)]
pub(super) struct Timings {
    /// By RTP timestamp, in the order of arrival.
    known: VecDeque<(u32, FrameTiming)>,
}

/// More frames than a playout buffer holds.
const CAPACITY: usize = 128;

impl Timings {
    /// Of several timings of a frame, the first counts.
    pub(super) fn note(&mut self, timestamp: u32, timing: FrameTiming) {
        if self.known.iter().any(|(known, _)| *known == timestamp) {
            return;
        }
        if self.known.len() == CAPACITY {
            self.known.pop_front();
        }
        self.known.push_back((timestamp, timing));
    }

    /// The timing of a frame, and forgets it.
    pub(super) fn take(&mut self, timestamp: u32) -> Option<FrameTiming> {
        let mut known = self.known.iter();
        let index = known.position(|(known, _)| *known == timestamp)?;
        self.known.remove(index).map(|(_, timing)| timing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn timing(captured_at: Instant) -> FrameTiming {
        FrameTiming {
            captured_at,
            encode_started: ms(2),
            encoded: ms(7),
            sent: ms(17),
        }
    }

    #[test]
    fn the_stages_add_up_to_the_time_from_capture_to_picture() {
        let start = Instant::now();
        let at = |after| start + ms(after);
        let mut stages = StageDelays::default();
        stages.record(&timing(start), at(40), at(65), at(70));
        let expected = [0.002, 0.005, 0.010, 0.023, 0.025, 0.005];
        let found = [
            stages.capture,
            stages.encode,
            stages.pace,
            stages.network,
            stages.jitter_buffer,
            stages.decode,
        ];
        for (found, expected) in found.into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{stages:?}");
        }
        assert!((stages.total() - 0.070).abs() < 1e-9);
        // An offset that is wrong by 20 ms: the sum keeps its meaning.
        let before = stages;
        stages.record(&timing(at(20)), at(30), at(31), at(32));
        let second = stages.since(&before);
        assert!((second.network + 0.007).abs() < 1e-9, "{second:?}");
        assert!((second.total() - 0.012).abs() < 1e-9 && second.frames == 1);
    }

    #[test]
    fn the_timing_of_a_frame_is_found_once_and_old_ones_are_forgotten() {
        let start = Instant::now();
        let mut timings = Timings::default();
        for timestamp in 0..=CAPACITY as u32 {
            timings.note(timestamp, timing(start));
            timings.note(timestamp, timing(start + ms(1)));
        }
        assert_eq!(timings.take(0), None);
        assert_eq!(timings.take(1), Some(timing(start)));
        assert_eq!(timings.take(1), None);
    }
}
