//! Freezes, as webrtc-stats defines them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

const AVERAGED: usize = 30;
/// Fewer intervals than this say nothing about what is usual.
const MIN_AVERAGED: usize = 5;
const MARGIN: Duration = Duration::from_millis(150);

/// Watches the time between pictures.
#[derive(Debug, Default)]
pub(super) struct Freezes {
    last: Option<Instant>,
    intervals: VecDeque<Duration>,
}

impl Freezes {
    /// Takes the time of a shown picture; the length of the freeze that it
    /// ends, if it ends one.
    pub(super) fn picture(&mut self, now: Instant) -> Option<Duration> {
        let interval = now.saturating_duration_since(self.last.replace(now)?);
        let count = self.intervals.len();
        let frozen = count >= MIN_AVERAGED && {
            let average = self.intervals.iter().sum::<Duration>() / count as u32;
            interval >= (average * 3).max(average + MARGIN)
        };
        if count == AVERAGED {
            self.intervals.pop_front();
        }
        self.intervals.push_back(interval);
        frozen.then_some(interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_interval_far_above_the_average_is_a_freeze() {
        let mut freezes = Freezes::default();
        let mut now = Instant::now();
        let mut after = |ms: u64| {
            now += Duration::from_millis(ms);
            freezes.picture(now)
        };
        assert_eq!(after(0), None);
        assert_eq!(after(2_000), None, "nothing is usual yet");
        for _ in 0..40 {
            assert_eq!(after(33), None);
        }
        assert_eq!(after(180), None);
        for _ in 0..40 {
            assert_eq!(after(33), None);
        }
        assert_eq!(after(184), Some(Duration::from_millis(184)));
    }

    #[test]
    fn slow_pictures_freeze_at_three_times_their_interval() {
        let mut freezes = Freezes::default();
        let mut now = Instant::now();
        for _ in 0..10 {
            now += Duration::from_millis(200);
            freezes.picture(now);
        }
        assert_eq!(freezes.picture(now + Duration::from_millis(599)), None);
        let mut freezes = Freezes::default();
        for _ in 0..10 {
            now += Duration::from_millis(200);
            freezes.picture(now);
        }
        assert!(freezes.picture(now + Duration::from_millis(600)).is_some());
    }
}
