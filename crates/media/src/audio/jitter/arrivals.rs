//! How evenly packets arrive, and so how long they must wait.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::audio::SAMPLE_RATE;

/// The delay before anything is known.
const START: Duration = Duration::from_millis(60);
const MIN: Duration = Duration::from_millis(40);
const MAX: Duration = Duration::from_millis(400);

/// One packet beyond the lateness: it is asked for while it plays.
const MARGIN_MS: f64 = 20.0;

/// Packets that are remembered: 5 s of 20 ms.
const WINDOW: usize = 250;

/// Packets before the measure is believed.
const ENOUGH: usize = 50;

/// Share of the packets that must come in time.
const IN_TIME: f64 = 0.97;

/// A step beyond this between arrival and timestamp is another clock.
const MAX_STEP_MS: f64 = 2_000.0;

/// Transit times of the last packets, relative to the first.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    last: Option<(Instant, u32)>,
    /// Transit of the last packet against the first, in milliseconds.
    transit_ms: f64,
    window: VecDeque<f64>,
    jitter_ms: f64,
    target: Option<Duration>,
}

impl Arrivals {
    /// Notes when a packet came that was captured at `timestamp`.
    pub(crate) fn note(&mut self, arrived_at: Instant, timestamp: u32) {
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
        self.target = self.measure();
    }

    /// How long sound is to wait before it is played.
    pub(crate) fn target(&self) -> Duration {
        self.target.unwrap_or(START)
    }

    /// Inter-arrival jitter (RFC 3550, section 6.4.1).
    pub(crate) fn jitter(&self) -> Duration {
        Duration::from_secs_f64(self.jitter_ms / 1000.0)
    }

    fn measure(&self) -> Option<Duration> {
        if self.window.len() < ENOUGH {
            return None;
        }
        let mut sorted: Vec<f64> = self.window.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let late = sorted[(sorted.len() as f64 * IN_TIME) as usize] - sorted[0];
        Some(Duration::from_secs_f64((late + MARGIN_MS) / 1000.0).clamp(MIN, MAX))
    }
}

fn milliseconds_between(earlier: Instant, later: Instant) -> f64 {
    let forward = later.saturating_duration_since(earlier).as_secs_f64();
    let back = earlier.saturating_duration_since(later).as_secs_f64();
    (forward - back) * 1000.0
}
