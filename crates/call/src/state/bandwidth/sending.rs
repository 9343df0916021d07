//! How much is sent, and whether that is enough to show what the link carries.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The window is divided into slots of this length.
const SLOT: Duration = Duration::from_millis(50);
/// One second: at any frame rate above 5 frames/s the rate is even.
const SLOTS: usize = 20;
/// Below this share of the target the source limits the rate, not the link.
const LIMITED_BELOW: f64 = 0.65;
/// From this share on it does so no more.
const FULL_FROM: f64 = 0.75;

/// The rate of sending over the last second.
#[derive(Debug)]
pub(super) struct Sending {
    started: Instant,
    /// Number of the newest slot.
    newest: u64,
    /// Bytes of all packets and of audio by slot, the newest last.
    slots: VecDeque<(usize, usize)>,
    is_limited: bool,
}

impl Sending {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            started: now,
            newest: 0,
            slots: VecDeque::from([(0, 0)]),
            is_limited: true,
        }
    }

    pub(super) fn sent(&mut self, now: Instant, bytes: usize, is_audio: bool) {
        self.advance(now);
        if let Some(newest) = self.slots.back_mut() {
            newest.0 += bytes;
            newest.1 += if is_audio { bytes } else { 0 };
        }
    }

    /// Updates whether the source limits the rate.
    pub(super) fn update(&mut self, now: Instant, target: f64) {
        self.advance(now);
        let share = self.rate() / target;
        self.is_limited = if self.is_limited {
            share < FULL_FROM
        } else {
            share < LIMITED_BELOW
        };
    }

    pub(super) fn is_limited(&self) -> bool {
        self.is_limited
    }

    /// Bits per second.
    pub(super) fn rate(&self) -> f64 {
        self.per_second(self.slots.iter().map(|(bytes, _)| bytes).sum())
    }

    /// Bits per second of audio.
    pub(super) fn audio_rate(&self) -> f64 {
        self.per_second(self.slots.iter().map(|(_, audio)| audio).sum())
    }

    fn per_second(&self, bytes: usize) -> f64 {
        let window = SLOT.as_secs_f64() * self.slots.len() as f64;
        bytes as f64 * 8.0 / window.max(0.25)
    }

    fn advance(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.started).as_millis();
        let slot = (elapsed / SLOT.as_millis()) as u64;
        let behind = slot.saturating_sub(self.newest).min(SLOTS as u64);
        self.newest = self.newest.max(slot);
        for _ in 0..behind {
            if self.slots.len() == SLOTS {
                self.slots.pop_front();
            }
            self.slots.push_back((0, 0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_second() {
        let start = Instant::now();
        let mut sending = Sending::new(start);
        for number in 0..300 {
            let now = start + Duration::from_millis(10 * number);
            sending.sent(now, 1_250, number % 2 == 0);
        }
        let (all, audio) = (sending.rate(), sending.audio_rate());
        assert!((0.95e6..=1e6).contains(&all), "{all}");
        assert!((0.47e6..=0.5e6).contains(&audio), "{audio}");
        sending.update(start + Duration::from_secs(60), 1e6);
        assert_eq!(sending.rate(), 0.0);
    }

    #[test]
    fn a_source_far_below_the_target_limits_the_rate() {
        for (target, is_limited) in [(0.9e6, false), (1.3e6, false), (1.7e6, true)] {
            let start = Instant::now();
            let mut sending = Sending::new(start);
            for number in 0..300 {
                let now = start + Duration::from_millis(10 * number);
                sending.sent(now, 1_250, false);
                sending.update(now, target);
            }
            assert_eq!(sending.is_limited(), is_limited, "{target}");
        }
    }
}
