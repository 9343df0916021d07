//! The message rate of a client.

use std::time::{Duration, Instant};

use visavis_protocol::limits::{MESSAGE_BURST, MESSAGES_PER_SECOND};

/// Token bucket of a client's messages: [`MESSAGE_BURST`] tokens, refilled at
/// [`MESSAGES_PER_SECOND`].
pub(super) struct MessageRate {
    tokens: f64,
    counted: Instant,
    /// Start of the excess; a second within the rate ends it.
    exceeded_since: Option<Instant>,
    patience: Duration,
}

/// What to do after a message was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Continue.
    Go,
    /// Stop reading for this long.
    Wait(Duration),
    /// The rate was exceeded for longer than the patience: close.
    TooMuch,
}

impl MessageRate {
    pub fn new(now: Instant, patience: Duration) -> Self {
        Self {
            tokens: f64::from(MESSAGE_BURST),
            counted: now,
            exceeded_since: None,
            patience,
        }
    }

    /// Counts a message that was read.
    pub fn count(&mut self, now: Instant) -> Verdict {
        let elapsed = now.saturating_duration_since(self.counted).as_secs_f64();
        let rate = f64::from(MESSAGES_PER_SECOND);
        self.tokens = (self.tokens + elapsed * rate).min(f64::from(MESSAGE_BURST)) - 1.0;
        self.counted = now;
        if self.tokens >= rate {
            self.exceeded_since = None;
        }
        if self.tokens >= 0.0 {
            return Verdict::Go;
        }
        let since = *self.exceeded_since.get_or_insert(now);
        if now.saturating_duration_since(since) >= self.patience {
            return Verdict::TooMuch;
        }
        Verdict::Wait(Duration::from_secs_f64(-self.tokens / rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[test]
    fn a_burst_passes_and_then_two_hundred_a_second() {
        let start = Instant::now();
        let mut rate = MessageRate::new(start, PATIENCE);
        for _ in 0..MESSAGE_BURST {
            assert_eq!(rate.count(start), Verdict::Go);
        }
        assert_eq!(rate.count(start), Verdict::Wait(Duration::from_millis(5)));
        assert_eq!(rate.count(start + Duration::from_secs(1)), Verdict::Go);
    }

    /// Sends whenever allowed, late by this factor; returns the time until the close.
    fn flood(rate: &mut MessageRate, start: Instant, late: f64) -> Duration {
        let mut now = start;
        loop {
            match rate.count(now) {
                Verdict::Go => {}
                Verdict::Wait(pause) => now += pause.mul_f64(late),
                Verdict::TooMuch => return now - start,
            }
        }
    }

    #[test]
    fn a_client_over_its_rate_for_ten_seconds_is_closed_however_late_it_is_read() {
        for late in [0.99, 1.0, 1.2, 3.0] {
            let start = Instant::now();
            let closed_after = flood(&mut MessageRate::new(start, PATIENCE), start, late);
            assert!(
                closed_after >= PATIENCE && closed_after < PATIENCE * 2,
                "{closed_after:?}"
            );
        }
    }

    #[test]
    fn a_pause_resets_the_patience() {
        let start = Instant::now();
        let mut rate = MessageRate::new(start, PATIENCE);
        while rate.count(start) == Verdict::Go {}
        let later = start + PATIENCE;
        assert_eq!(rate.count(later), Verdict::Go);
        assert!(flood(&mut rate, later, 1.0) >= PATIENCE);
    }
}
