//! Whether to play faster or slower, from the delay of what was played.

use std::collections::VecDeque;
use std::time::Duration;

use crate::audio::SAMPLE_RATE;

/// How a packet is to be played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Speed {
    /// As it is.
    Normal,
    /// Longer, where it is at least this much like itself a pitch period later.
    Slower(f32),
    /// Shorter, likewise.
    Faster(f32),
}

/// Delays of the last packets. Each is counted from when the packet would have come with
/// the quickest transit of late, so that jitter does not show, but the clocks' drift and
/// what was concealed for late packets do.
#[derive(Debug, Default)]
pub(super) struct PlayoutDelay {
    /// In milliseconds.
    last: VecDeque<f64>,
    /// Packets since the last that was stretched.
    since: u32,
    /// Packets that were to be stretched since then.
    asked: u32,
}

/// Delays that must agree: of 200 ms, since the speaker asks unevenly.
const AGREE: usize = 10;

/// What the delay may be off the target, either way.
const TOLERANCE_MS: f64 = 8.0;

/// Beyond this above the target, each packet is stretched;
const FAR_MS: f64 = 60.0;

/// else one of so many, at the most.
const EVERY: u32 = 5;

impl PlayoutDelay {
    /// A packet was pulled so much later than its quickest arrival.
    pub(super) fn note(&mut self, delay: Duration) {
        if self.last.len() == AGREE {
            self.last.pop_front();
        }
        self.last.push_back(delay.as_secs_f64() * 1000.0);
        self.since = self.since.saturating_add(1);
    }

    pub(super) fn advise(&mut self, target: Duration) -> Speed {
        if self.last.len() < AGREE {
            return Speed::Normal;
        }
        let target = target.as_secs_f64() * 1000.0;
        let least = self.last.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.last.iter().copied().fold(0.0, f64::max);
        let (above, below) = (least - target, target - most);
        let is_due = self.since >= EVERY || above > FAR_MS;
        if above.max(below) <= TOLERANCE_MS || !is_due {
            return Speed::Normal;
        }
        self.asked += 1;
        // The longer it waits for a packet that repeats itself, the less it asks for.
        let likeness = (0.9 - 0.05 * self.asked as f32).max(0.2);
        if above > 0.0 {
            Speed::Faster(likeness)
        } else {
            Speed::Slower(likeness)
        }
    }

    pub(super) fn note_stretched(&mut self, samples: isize) {
        let change = samples as f64 * 1000.0 / f64::from(SAMPLE_RATE);
        self.last.iter_mut().for_each(|delay| *delay += change);
        (self.since, self.asked) = (0, 0);
    }
}
