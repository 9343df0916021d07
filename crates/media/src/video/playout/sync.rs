//! Lip sync: which of a participant's sound and video is delayed, and by how much.
//!
//! Sender reports (RFC 3550, section 6.4.1) map the RTP timestamps of both streams to
//! the sender's clock. Sound and video of one moment are in sync when they are played
//! at one moment. Pure: the time is an argument. The steps are those of libwebrtc
//! (`StreamSynchronization`, 80 ms an update of 1 s); its bound of 10 s is 1 s here.

use std::time::{Duration, Instant};

use super::MAX_EXTRA_DELAY;

/// A difference up to this is left as it is: it is not perceived.
const DEAD_BAND: f64 = 0.010;
/// How fast a delay changes: seconds in a second.
const SLEW: f64 = 0.080;
/// A larger difference is a wrong mapping, and changes nothing.
const MAX_SKEW: f64 = 10.0;
/// Units of an NTP timestamp in a second.
const NTP_SECOND: f64 = 4_294_967_296.0;
/// Updates further apart than this do not change a delay further.
const MAX_ELAPSED: Duration = Duration::from_secs(1);

/// When a stream's packets arrive, and how long they wait until they are played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlayoutTiming {
    /// An RTP timestamp of the stream.
    pub timestamp: u32,
    /// When the media of this timestamp arrives.
    pub arrived_at: Instant,
    /// From then until it is played, with the delay that lip sync added.
    pub delay: Duration,
}

/// One moment on the sender's clock and on a stream's, from a sender report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderReport {
    /// NTP timestamp: seconds since 1900 in the upper 32 bits, their fraction in the
    /// lower.
    pub ntp: u64,
    /// RTP timestamp of the same moment.
    pub timestamp: u32,
}

/// What is known of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncStream {
    /// Ticks per second of its RTP clock.
    pub clock_rate: u32,
    /// Its newest sender report.
    pub report: SenderReport,
    /// Its playout.
    pub timing: PlayoutTiming,
}

/// Delays to add, each at most 1 s; one of them is zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SyncDelays {
    /// To the sound.
    pub audio: Duration,
    /// To the video.
    pub video: Duration,
}

/// Keeps one participant's sound and video in sync.
#[derive(Debug, Default)]
pub struct LipSync {
    /// Seconds added to the video where positive, to the sound where negative.
    video_delay: f64,
    updated_at: Option<Instant>,
}

impl LipSync {
    /// Moves the delays by at most 80 ms a second towards sync. A difference within
    /// ±10 ms, or one of more than 10 s, changes nothing.
    pub fn update(&mut self, now: Instant, audio: &SyncStream, video: &SyncStream) -> SyncDelays {
        let before = self.updated_at.replace(now).unwrap_or(now);
        let elapsed = now.saturating_duration_since(before).min(MAX_ELAPSED);
        if let Some(skew) = skew(audio, video)
            && (DEAD_BAND..=MAX_SKEW).contains(&skew.abs())
        {
            let step = skew.abs().min(SLEW * elapsed.as_secs_f64());
            let limit = MAX_EXTRA_DELAY.as_secs_f64();
            self.video_delay = (self.video_delay - step.copysign(skew)).clamp(-limit, limit);
        }
        self.delays()
    }

    /// Takes the delays back, by at most 80 ms a second: one of the streams has stalled or
    /// is gone, or has no sender reports, and must not hold the other one back.
    pub fn release(&mut self, now: Instant) -> SyncDelays {
        let before = self.updated_at.replace(now).unwrap_or(now);
        let elapsed = now.saturating_duration_since(before).min(MAX_ELAPSED);
        let step = self.video_delay.abs().min(SLEW * elapsed.as_secs_f64());
        self.video_delay -= step.copysign(self.video_delay);
        self.delays()
    }

    fn delays(&self) -> SyncDelays {
        SyncDelays {
            audio: Duration::from_secs_f64((-self.video_delay).max(0.0)),
            video: Duration::from_secs_f64(self.video_delay.max(0.0)),
        }
    }
}

/// Seconds by which video is played later than the sound of the same moment; `None`
/// where a clock rate is zero.
fn skew(audio: &SyncStream, video: &SyncStream) -> Option<f64> {
    let since_report = |stream: &SyncStream| {
        let ticks = stream
            .timing
            .timestamp
            .wrapping_sub(stream.report.timestamp) as i32;
        (stream.clock_rate > 0).then(|| f64::from(ticks) / f64::from(stream.clock_rate))
    };
    let ntp = video.report.ntp.wrapping_sub(audio.report.ntp) as i64;
    let sent = ntp as f64 / NTP_SECOND + since_report(video)? - since_report(audio)?;
    let arrived = signed(audio.timing.arrived_at, video.timing.arrived_at);
    let waits = video.timing.delay.as_secs_f64() - audio.timing.delay.as_secs_f64();
    Some(arrived + waits - sent)
}

fn signed(from: Instant, to: Instant) -> f64 {
    let after = to.saturating_duration_since(from).as_secs_f64();
    after - from.saturating_duration_since(to).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A participant whose streams have origins of their own, and reports 300 ms apart.
    struct Participant {
        start: Instant,
        audio_delay: Duration,
        video_delay: Duration,
    }

    impl Participant {
        fn new(audio_delay: Duration, video_delay: Duration) -> Self {
            Self {
                start: Instant::now(),
                audio_delay,
                video_delay,
            }
        }

        /// What is known `after` the start, with the delays added so far.
        fn streams(&self, after: Duration, added: SyncDelays) -> (SyncStream, SyncStream) {
            let stream = |clock_rate: u32, origin: u32, reported: Duration, delay| {
                let ticks = |time: Duration| (time.as_secs_f64() * f64::from(clock_rate)) as u32;
                let ntp = (0xE000_0000_u64 << 32) + (reported.as_secs_f64() * NTP_SECOND) as u64;
                SyncStream {
                    clock_rate,
                    report: SenderReport {
                        ntp,
                        timestamp: origin.wrapping_add(ticks(reported)),
                    },
                    timing: PlayoutTiming {
                        timestamp: origin.wrapping_add(ticks(after)),
                        arrived_at: self.start + after,
                        delay,
                    },
                }
            };
            (
                stream(48_000, 77, 100 * MS, self.audio_delay + added.audio),
                stream(
                    90_000,
                    u32::MAX - 5_000,
                    400 * MS,
                    self.video_delay + added.video,
                ),
            )
        }

        /// Runs for so long, with an update each 200 ms; the delays at the end.
        fn run(&self, sync: &mut LipSync, time: Duration) -> SyncDelays {
            let mut added = sync.delays();
            let steps = time.as_millis() as u32 / 200;
            for step in 1..=steps {
                let after = step * 200 * MS;
                let (audio, video) = self.streams(after, added);
                let next = sync.update(self.start + after, &audio, &video);
                let change = next.video.abs_diff(added.video) + next.audio.abs_diff(added.audio);
                assert!(change <= 16_100 * MS / 1_000, "{change:?} at once");
                added = next;
            }
            added
        }
    }

    #[test]
    fn the_side_that_is_early_is_delayed_until_both_are_within_the_dead_band() {
        for (audio, video) in [(20, 150), (180, 2), (60, 60)] {
            let participant = Participant::new(audio * MS, video * MS);
            let added = participant.run(&mut LipSync::default(), 4 * Duration::from_secs(1));
            let skew = (video * MS + added.video).abs_diff(audio * MS + added.audio);
            assert!(skew <= 10 * MS, "{added:?}");
            assert!(added.audio.min(added.video).is_zero());
        }
    }

    #[test]
    fn a_difference_within_the_dead_band_adds_nothing() {
        let participant = Participant::new(50 * MS, 58 * MS);
        let added = participant.run(&mut LipSync::default(), 4 * Duration::from_secs(1));
        assert_eq!(added, SyncDelays::default());
    }

    #[test]
    fn a_delay_that_is_no_longer_needed_is_taken_back_before_the_other_side_is_delayed() {
        let mut sync = LipSync::default();
        Participant::new(200 * MS, 20 * MS).run(&mut sync, Duration::from_secs(4));
        assert!(sync.delays().video > 150 * MS);
        let added = Participant::new(20 * MS, 20 * MS).run(&mut sync, Duration::from_secs(4));
        assert!(added.video <= 10 * MS && added.audio.is_zero(), "{added:?}");
    }

    #[test]
    fn delays_are_bounded_and_a_wrong_mapping_changes_nothing() {
        let long = Duration::from_secs(60);
        let mut sync = LipSync::default();
        let added = Participant::new(3_000 * MS, Duration::ZERO).run(&mut sync, long);
        assert_eq!(added.video, MAX_EXTRA_DELAY);
        let added = Participant::new(long, Duration::ZERO).run(&mut LipSync::default(), long);
        assert_eq!(added, SyncDelays::default());
        let participant = Participant::new(200 * MS, Duration::ZERO);
        let (mut audio, video) = participant.streams(MS, SyncDelays::default());
        audio.clock_rate = 0;
        let added = sync.update(participant.start + 2 * long, &audio, &video);
        assert_eq!(added.video, MAX_EXTRA_DELAY, "without a clock rate");
    }
}
