//! How much sound waits for a speaker beyond its next request.

use std::time::{Duration, Instant};

/// Blocks of 10 ms: more after an underrun, fewer after some time in which the last of
/// them was never touched.
#[derive(Debug)]
pub(super) struct Margin {
    blocks: usize,
    /// When to look next.
    next: Instant,
    /// When it may become smaller, and how long it waits for that after the next underrun.
    shrinks: (Instant, Duration),
    /// The first look is over: before it a device's first request finds nothing.
    started: bool,
}

/// The most: 60 ms.
const MAX_BLOCKS: usize = 6;
const LOOK: Duration = Duration::from_millis(250);
/// From an underrun until the margin may shrink; doubled with each.
const FIRST_WAIT: Duration = Duration::from_secs(10);
const LONGEST_WAIT: Duration = Duration::from_secs(320);

impl Margin {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            blocks: 1,
            next: now + LOOK,
            shrinks: (now + FIRST_WAIT, FIRST_WAIT),
            started: false,
        }
    }

    pub(super) fn blocks(&self) -> usize {
        self.blocks
    }

    /// Whether it is time to adapt.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        now >= self.next
    }

    /// Takes the underruns since the last look, and whether a block was left at each
    /// callback. Gives the underruns that count.
    pub(super) fn adapt(&mut self, now: Instant, underruns: u64, has_spare: bool) -> u64 {
        self.next = now + LOOK;
        let (at, wait) = self.shrinks;
        let counted = if std::mem::replace(&mut self.started, true) {
            underruns
        } else {
            0
        };
        if counted > 0 {
            self.blocks = (self.blocks + 1).min(MAX_BLOCKS);
            self.shrinks = (now + wait, (wait * 2).min(LONGEST_WAIT));
        } else if !has_spare {
            // The last block was needed.
            self.shrinks.0 = at.max(now + FIRST_WAIT);
        } else if now >= at && self.blocks > 0 {
            self.blocks -= 1;
            self.shrinks.0 = now + FIRST_WAIT;
        }
        counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_underrun_adds_a_block_and_time_without_use_takes_it_away_later_each_time() {
        let start = Instant::now();
        let mut margin = Margin::new(start);
        // The device's first request.
        margin.adapt(start + LOOK, 1, false);
        assert_eq!(margin.blocks(), 1);
        let mut now = start + LOOK;
        let mut lasts = |underruns| {
            margin.adapt(now, underruns, false);
            let (grown, since) = (margin.blocks(), now);
            while margin.blocks() == grown {
                now += LOOK;
                margin.adapt(now, 0, true);
            }
            (grown, (now - since).as_secs())
        };
        assert_eq!(lasts(1), (2, 10));
        assert_eq!(lasts(3), (2, 20));
        assert_eq!(lasts(1), (2, 40));
        // While the last block is used it stays.
        for _ in 0..1_000 {
            now += LOOK;
            margin.adapt(now, 0, false);
        }
        assert_eq!(margin.blocks(), 1);
        for _ in 0..100 {
            margin.adapt(now, 9, false);
        }
        assert_eq!(margin.blocks(), MAX_BLOCKS);
    }
}
