//! Pictures at an even rate, on an absolute schedule.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// When each picture of a stream is due. Being late once does not make the
/// later ones late; what was missed altogether is skipped.
#[derive(Debug)]
pub(super) struct Pace {
    start: Instant,
    number: u64,
    /// Pictures and seconds: their ratio is the rate.
    pictures: u32,
    seconds: u32,
}

impl Pace {
    /// A rate of `pictures` in `seconds`, neither of them 0; the first is due
    /// at `start`.
    pub(super) fn new(start: Instant, pictures: u32, seconds: u32) -> Self {
        Self {
            start,
            number: 0,
            pictures,
            seconds,
        }
    }

    fn offset(&self, number: u64) -> Duration {
        let nanos = u128::from(number) * u128::from(self.seconds) * 1_000_000_000
            / u128::from(self.pictures);
        Duration::from_nanos(nanos as u64)
    }

    /// When the next picture is due.
    pub(super) fn due(&self) -> Instant {
        self.start + self.offset(self.number)
    }

    /// The place of the picture that is made now on the schedule, and its
    /// time since the start.
    pub(super) fn take(&mut self, now: Instant) -> (u64, Duration) {
        let passed = now.saturating_duration_since(self.start).as_nanos();
        let current =
            passed * u128::from(self.pictures) / (u128::from(self.seconds) * 1_000_000_000);
        let number = self.number.max(current as u64);
        self.number = number + 1;
        (number, self.offset(number))
    }
}

/// Measures the rate at which pictures really come.
#[derive(Debug, Default)]
pub(in crate::video) struct RateMeter {
    times: VecDeque<Instant>,
}

impl RateMeter {
    const SPAN: Duration = Duration::from_secs(1);

    pub(in crate::video) fn picture(&mut self, now: Instant) {
        while self
            .times
            .front()
            .is_some_and(|&time| now.saturating_duration_since(time) > Self::SPAN)
        {
            self.times.pop_front();
        }
        self.times.push_back(now);
    }

    /// Pictures per second over the last second or so; 0 when none came.
    pub(in crate::video) fn rate(&self, now: Instant) -> f32 {
        let (Some(&first), Some(&last)) = (self.times.front(), self.times.back()) else {
            return 0.0;
        };
        let span = last.saturating_duration_since(first);
        if span.is_zero() || now.saturating_duration_since(last) > Self::SPAN {
            return 0.0;
        }
        (self.times.len() - 1) as f32 / span.as_secs_f32()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_picture_does_not_move_the_schedule() {
        let start = Instant::now();
        let mut pace = Pace::new(start, 30_000, 1_001);
        for number in 0..30_000 {
            let late = Duration::from_millis(number % 7);
            let due = pace.due();
            assert_eq!(pace.take(due + late).0, number);
        }
        assert_eq!(pace.due(), start + Duration::from_secs(1_001));
    }

    #[test]
    fn missed_pictures_are_skipped() {
        let start = Instant::now();
        let mut pace = Pace::new(start, 10, 1);
        pace.take(start);
        let (number, at) = pace.take(start + Duration::from_millis(1_050));
        assert_eq!((number, at), (10, Duration::from_secs(1)));
        assert_eq!(pace.due(), start + Duration::from_millis(1_100));
    }

    #[test]
    fn the_measured_rate_is_that_of_the_last_second() {
        let start = Instant::now();
        let mut meter = RateMeter::default();
        assert_eq!(meter.rate(start), 0.0);
        let mut now = start;
        for _ in 0..100 {
            now += Duration::from_millis(40);
            meter.picture(now);
        }
        assert!((meter.rate(now) - 25.0).abs() < 0.1);
        assert_eq!(meter.rate(now + Duration::from_secs(2)), 0.0);
    }
}
