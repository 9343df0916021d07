//! Counts of a receiver, named and defined as in webrtc-stats
//! (`RTCInboundRtpStreamStats`).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::stages::StageDelays;
use crate::video::delay::DelayHistogram;

/// What a [`VideoReceiver`](super::VideoReceiver) has seen since it was made. Counts
/// and sums only grow.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VideoReceiveStats {
    /// Packets that came, in time and for the first time.
    pub packets_received: u64,
    /// Packets that did not come, or not in time to be used.
    pub packets_lost: u64,
    /// Payload bytes of the packets that came.
    pub bytes_received: u64,
    /// Frames of which all packets came, in time to be decoded (W3C `framesReceived`).
    pub frames_received: u64,
    /// Frames decoded (W3C `framesDecoded`).
    pub frames_decoded: u64,
    /// Decoded frames that were shown (W3C `framesRendered`).
    pub frames_rendered: u64,
    /// Frames given up: incomplete, damaged, in need of one that is missing, or not
    /// shown since a later one was due (W3C `framesDropped`).
    pub frames_dropped: u64,
    /// Key frames decoded (W3C `keyFramesDecoded`).
    pub key_frames_decoded: u64,
    /// Width of the newest frame in pixels; 0 before the first.
    pub width: u32,
    /// Height of the newest frame in pixels; 0 before the first.
    pub height: u32,
    /// Interarrival jitter (RFC 3550, appendix A.8).
    pub jitter_ms: f32,
    /// Freezes (W3C `freezeCount`): the time between two shown frames reached
    /// max(3 × average, average + 150 ms), with the average of the last 30.
    pub freezes: u64,
    /// Time spent in freezes, in milliseconds (W3C `totalFreezesDuration`).
    pub freeze_ms: u64,
    /// Times of more than 5 s between two shown frames (W3C `pauseCount`). They are
    /// freezes as well.
    pub pauses: u64,
    /// Time spent in pauses (W3C `totalPausesDuration`).
    pub total_pauses_duration: Duration,
    /// Sum of the times between two shown frames (W3C `totalInterFrameDelay`).
    pub total_inter_frame_delay: Duration,
    /// Sum of their squares in s² (W3C `totalSquaredInterFrameDelay`).
    pub total_squared_inter_frame_delay: f64,
    /// Sum of the times from a frame's first packet to the decoder
    /// (W3C `jitterBufferDelay`).
    pub jitter_buffer_delay: Duration,
    /// Sum of the delays that were aimed at (W3C `jitterBufferTargetDelay`).
    pub jitter_buffer_target_delay: Duration,
    /// The same without the delay that lip sync adds (W3C `jitterBufferMinimumDelay`).
    pub jitter_buffer_minimum_delay: Duration,
    /// Frames that the three sums are of (W3C `jitterBufferEmittedCount`).
    pub jitter_buffer_emitted_count: u64,
    /// Sum of the decode times of the decoded frames (W3C `totalDecodeTime`).
    pub total_decode_time: Duration,
    /// Sum of the times from a frame's first packet until it was decoded
    /// (W3C `totalProcessingDelay`).
    pub total_processing_delay: Duration,
    /// The delay of the shown frames by stage, where the sender's times are known.
    pub stages: StageDelays,
    /// Delay from the other side's source to the shown frame, of those frames that carry
    /// a time code; both clocks have to agree.
    pub delay: DelayHistogram,
}

impl VideoReceiveStats {
    /// Counts a time between two shown frames.
    pub(super) fn record(&mut self, interval: Interval) {
        self.total_inter_frame_delay += interval.time;
        self.total_squared_inter_frame_delay += interval.time.as_secs_f64().powi(2);
        if interval.is_freeze {
            self.freezes += 1;
            self.freeze_ms += interval.time.as_millis() as u64;
        }
        if interval.is_pause {
            self.pauses += 1;
            self.total_pauses_duration += interval.time;
        }
    }
}

/// The average is of so many intervals.
const AVERAGED: usize = 30;
/// Fewer intervals than this say nothing about what is usual.
const MIN_AVERAGED: usize = 5;
const MARGIN: Duration = Duration::from_millis(150);
const PAUSE: Duration = Duration::from_secs(5);

/// The time between two shown frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) time: Duration,
    pub(super) is_freeze: bool,
    pub(super) is_pause: bool,
}

/// Watches the time between shown frames.
#[derive(Debug, Default)]
pub(super) struct Intervals {
    last: Option<Instant>,
    times: VecDeque<Duration>,
}

impl Intervals {
    /// Takes the time at which a frame was shown; the interval that it ends.
    pub(super) fn shown(&mut self, now: Instant) -> Option<Interval> {
        let time = now.saturating_duration_since(self.last.replace(now)?);
        let count = self.times.len();
        let is_freeze = count >= MIN_AVERAGED && {
            let average = self.times.iter().sum::<Duration>() / count as u32;
            time >= (average * 3).max(average + MARGIN)
        };
        if count == AVERAGED {
            self.times.pop_front();
        }
        self.times.push_back(time);
        Some(Interval {
            time,
            is_freeze,
            is_pause: time > PAUSE,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shows a frame after each of these times, in milliseconds.
    fn stats_after(times: impl IntoIterator<Item = u64>) -> VideoReceiveStats {
        let (mut intervals, mut stats) = (Intervals::default(), VideoReceiveStats::default());
        let mut now = Instant::now();
        intervals.shown(now);
        for ms in times {
            now += Duration::from_millis(ms);
            stats.record(intervals.shown(now).unwrap());
        }
        stats
    }

    fn freezes_after(count: usize, usual: u64, last: u64) -> (u64, u64) {
        let stats = stats_after(std::iter::repeat_n(usual, count).chain([last]));
        (stats.freezes, stats.freeze_ms)
    }

    #[test]
    fn only_an_interval_far_above_the_average_is_a_freeze() {
        assert_eq!(freezes_after(0, 33, 2_000), (0, 0), "nothing is usual yet");
        assert_eq!(freezes_after(40, 33, 182), (0, 0));
        assert_eq!(freezes_after(40, 33, 183), (1, 183));
    }

    #[test]
    fn slow_frames_freeze_at_three_times_their_interval() {
        assert_eq!(freezes_after(10, 200, 599), (0, 0));
        assert_eq!(freezes_after(10, 200, 600), (1, 600));
    }

    #[test]
    fn an_old_average_is_forgotten_after_thirty_frames() {
        let times = std::iter::repeat_n(1_000, 40).chain(std::iter::repeat_n(33, 30));
        assert_eq!(stats_after(times.chain([183])).freezes, 1);
    }

    #[test]
    fn more_than_five_seconds_are_a_pause_and_a_freeze() {
        let stats = stats_after([1_000, 1_000, 1_000, 1_000, 1_000, 5_000, 5_001]);
        assert_eq!((stats.pauses, stats.freezes), (1, 2));
        assert_eq!(stats.total_pauses_duration, Duration::from_millis(5_001));
    }

    #[test]
    fn intervals_and_their_squares_are_summed() {
        let stats = stats_after([100, 300]);
        assert_eq!(stats.total_inter_frame_delay, Duration::from_millis(400));
        assert!((stats.total_squared_inter_frame_delay - 0.1).abs() < 1e-9);
    }
}
