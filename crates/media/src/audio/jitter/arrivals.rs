//! How evenly packets arrive, and so how long they must wait.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::audio::SAMPLE_RATE;

/// The delay before anything is known.
const START: Duration = Duration::from_millis(40);
const MIN: Duration = Duration::from_millis(20);
const MAX: Duration = Duration::from_millis(400);

/// Beyond the lateness: blocks of 10 ms are asked for at a time, and not evenly.
const MARGIN: Duration = Duration::from_millis(10);

/// Packets that are remembered: 5 s of 20 ms. The target falls when late ones leave here.
const WINDOW: usize = 250;

/// Packets before the measure is believed.
const ENOUGH: usize = 25;

/// The newest packets, 1 s of 20 ms, with a share of their own: three late ones among them
/// raise the target at once.
const NEWEST: usize = 50;

/// Share of the packets that must come in time.
const IN_TIME: f64 = 0.97;
const NEWEST_IN_TIME: f64 = 0.95;

/// A step beyond this between arrival and timestamp is another clock.
const MAX_STEP_MS: f64 = 2_000.0;

/// Transit times of the last packets, relative to the first.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    last: Option<(Instant, u32)>,
    /// Transit of the last packet against the first, in milliseconds.
    transit_ms: f64,
    window: VecDeque<f64>,
    /// Least transit in the window.
    least_ms: f64,
    jitter_ms: f64,
    /// Lateness that most packets keep.
    late: Option<Duration>,
}

impl Arrivals {
    /// Notes when a packet came that was captured at `timestamp`; gives its transit time in
    /// milliseconds, from an arbitrary zero.
    pub(crate) fn note(&mut self, arrived_at: Instant, timestamp: u32) -> f64 {
        if let Some((last_arrival, last_timestamp)) = self.last.replace((arrived_at, timestamp)) {
            let arrival_ms = milliseconds_between(last_arrival, arrived_at);
            let capture_ms = f64::from(timestamp.wrapping_sub(last_timestamp) as i32) * 1000.0
                / f64::from(SAMPLE_RATE);
            let step_ms = arrival_ms - capture_ms;
            if step_ms.abs() > MAX_STEP_MS {
                self.window.clear();
                self.transit_ms = 0.0;
            } else {
                self.transit_ms += step_ms;
                self.jitter_ms += (step_ms.abs() - self.jitter_ms) / 16.0;
            }
        }
        if self.window.len() == WINDOW {
            self.window.pop_front();
        }
        self.window.push_back(self.transit_ms);
        self.least_ms = self.window.iter().copied().fold(f64::INFINITY, f64::min);
        self.late = self.measure();
        self.transit_ms
    }

    /// How much later a packet of this transit time came than the quickest of late.
    pub(crate) fn lateness(&self, transit_ms: f64) -> Duration {
        Duration::from_secs_f64((transit_ms - self.least_ms).clamp(0.0, MAX_STEP_MS) / 1000.0)
    }

    /// How long sound is to wait before it is played.
    pub(crate) fn target(&self) -> Duration {
        self.late
            .map_or(START, |late| (late + MARGIN).clamp(MIN, MAX))
    }

    /// So much later than the quickest, a packet that is not there is rather lost than late.
    pub(crate) fn latest(&self) -> Duration {
        self.late.unwrap_or(START).min(MAX)
    }

    /// Inter-arrival jitter (RFC 3550, section 6.4.1).
    pub(crate) fn jitter(&self) -> Duration {
        Duration::from_secs_f64(self.jitter_ms / 1000.0)
    }

    fn measure(&self) -> Option<Duration> {
        if self.window.len() < ENOUGH {
            return None;
        }
        let all = quantile(self.window.iter(), IN_TIME);
        let newest = self.window.len() - NEWEST.min(self.window.len());
        let newest = quantile(self.window.range(newest..), NEWEST_IN_TIME);
        let late = all.max(newest) - self.least_ms;
        Some(Duration::from_secs_f64(late.max(0.0) / 1000.0))
    }
}

fn quantile<'a>(values: impl Iterator<Item = &'a f64>, share: f64) -> f64 {
    let mut values: Vec<f64> = values.copied().collect();
    let at = (values.len() as f64 * share) as usize;
    *values.select_nth_unstable_by(at, f64::total_cmp).1
}

fn milliseconds_between(earlier: Instant, later: Instant) -> f64 {
    let forward = later.saturating_duration_since(earlier).as_secs_f64();
    let back = earlier.saturating_duration_since(later).as_secs_f64();
    (forward - back) * 1000.0
}
