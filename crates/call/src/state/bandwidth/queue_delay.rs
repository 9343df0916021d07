//! The standing queue: how far the one-way delay stays above its least.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The least delay in this time is that of the standing queue: jitter does not count.
const RECENT_MICROS: i64 = 250_000;
/// The least delay is sought in this many periods.
const PERIODS: usize = 6;
const PERIOD: Duration = Duration::from_secs(5);
/// A larger step is one of the receiver's clock.
const MAX_STEP_MICROS: i64 = 5_000_000;
/// Packets in the recent window.
const MAX_RECENT: usize = 1_024;

/// One-way delays against the least of the last 30 s. The receiver's clock has another
/// zero and another speed: 100 ppm are 3 ms in that time.
#[derive(Debug)]
pub(super) struct QueueDelay {
    epoch: Instant,
    /// Least delay by period, the newest last.
    least: VecDeque<i64>,
    period_started: Instant,
    /// Arrival and delay, each delay below those that follow it: the first is the least.
    recent: VecDeque<(i64, i64)>,
}

impl QueueDelay {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            epoch: now,
            least: VecDeque::new(),
            period_started: now,
            recent: VecDeque::new(),
        }
    }

    pub(super) fn add(&mut self, sent_at: Instant, arrived_at: i64) {
        let sent = sent_at.saturating_duration_since(self.epoch).as_micros() as i64;
        let delay = arrived_at.saturating_sub(sent);
        if let Some((_, last)) = self.recent.back()
            && (delay - last).abs() > MAX_STEP_MICROS
        {
            self.least.clear();
            self.recent.clear();
        }
        if self.least.is_empty() {
            self.least.push_back(delay);
            self.period_started = sent_at;
        } else if sent_at.saturating_duration_since(self.period_started) >= PERIOD {
            self.period_started = sent_at;
            self.least.push_back(delay);
            if self.least.len() > PERIODS {
                self.least.pop_front();
            }
        } else if let Some(least) = self.least.back_mut() {
            *least = delay.min(*least);
        }
        while self.recent.back().is_some_and(|(_, other)| *other >= delay) {
            self.recent.pop_back();
        }
        if self.recent.len() < MAX_RECENT {
            self.recent.push_back((arrived_at, delay));
        }
        let oldest = arrived_at.saturating_sub(RECENT_MICROS);
        while self.recent.len() > 1 && self.recent.front().is_some_and(|(at, _)| *at < oldest) {
            self.recent.pop_front();
        }
    }

    /// Seconds of queue; 0 while nothing is known.
    pub(super) fn standing(&self) -> f64 {
        match (self.recent.front(), self.least.iter().min()) {
            (Some((_, delay)), Some(least)) => (delay - least).max(0) as f64 / 1e6,
            _ => 0.0,
        }
    }

    /// Takes the present delay as that of an empty queue: the route has become longer,
    /// or others fill the queue.
    pub(super) fn rebase(&mut self) {
        self.least.clear();
        self.least
            .extend(self.recent.front().map(|(_, delay)| *delay));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(delays: impl IntoIterator<Item = i64>) -> QueueDelay {
        let start = Instant::now();
        let mut queue = QueueDelay::new(start);
        for (number, delay) in (0..).zip(delays) {
            let sent = 10 * number;
            let arrived = (sent as i64 + delay) * 1_000;
            queue.add(start + Duration::from_millis(sent), arrived);
        }
        queue
    }

    #[test]
    fn the_queue_is_what_is_above_the_least_delay() {
        let queue = queue([50; 100].into_iter().chain([250; 100]));
        assert!((queue.standing() - 0.2).abs() < 1e-6);
    }

    #[test]
    fn jitter_is_no_queue() {
        let queue = queue((0..500).map(|number| 30 + (number * 7) % 40));
        assert!(queue.standing() < 0.01, "{}", queue.standing());
    }

    #[test]
    fn a_longer_route_is_the_new_least_after_30_seconds_or_at_once_when_rebased() {
        let mut rebased = queue([50; 100].into_iter().chain([150; 100]));
        rebased.rebase();
        assert_eq!(rebased.standing(), 0.0);
        let waited = queue([50; 100].into_iter().chain([150; 3_600]));
        assert_eq!(waited.standing(), 0.0);
    }

    #[test]
    fn a_step_of_the_clock_is_no_queue() {
        let queue = queue([50; 100].into_iter().chain([1_000_000; 10]));
        assert_eq!(queue.standing(), 0.0);
    }
}
