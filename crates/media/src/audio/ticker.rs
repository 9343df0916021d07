//! A clock for sources and sinks that no sound card drives.

use std::time::{Duration, Instant};

/// Says when the next step is due, counted from the start, so that steps keep
/// their rate however late each is taken.
#[derive(Debug)]
pub(crate) struct Ticker {
    next: Instant,
    step: Duration,
}

/// Further behind than this (the machine slept), the steps in between are left out.
const MAX_LAG: Duration = Duration::from_millis(500);

impl Ticker {
    /// The first step is due now.
    pub(crate) fn new(now: Instant, step: Duration) -> Self {
        Self { next: now, step }
    }

    /// Takes the step that is due and says when it was, or how long to wait for it.
    pub(crate) fn take(&mut self, now: Instant) -> Result<Instant, Duration> {
        if now < self.next {
            return Err(self.next - now);
        }
        if now - self.next > MAX_LAG {
            self.next = now;
        }
        let due = self.next;
        self.next += self.step;
        Ok(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_keep_their_rate_when_taken_late_and_are_left_out_after_a_sleep() {
        let (start, step) = (Instant::now(), Duration::from_millis(10));
        let mut ticker = Ticker::new(start, step);
        assert_eq!(ticker.take(start + step / 2), Ok(start));
        assert_eq!(ticker.take(start + step / 2), Err(step / 2));
        assert_eq!(ticker.take(start + step * 3), Ok(start + step));
        let later = start + Duration::from_secs(60);
        assert_eq!(ticker.take(later), Ok(later));
    }
}
