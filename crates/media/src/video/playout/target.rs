//! The target delay: rises fast, falls slowly, so that no change of it is a freeze.

use std::time::Duration;

use super::MAX_TARGET_DELAY;

/// While the delay rises, frames are shown at two thirds of their rate.
const RISE: f64 = 0.5;
/// While it falls, at least this much faster than their rate.
const MIN_FALL: f64 = 0.03;
/// The share of the excess that goes in a second: a large excess goes faster.
const FALL_SHARE: f64 = 0.5;
/// Frames further apart than this do not move it further.
const MAX_ELAPSED: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Target {
    seconds: f64,
}

impl Target {
    /// Moves it towards the wanted delay. `raised` is by how much the transit that it is
    /// added to has grown; it is taken off, so that the sum does not jump.
    pub(super) fn update(&mut self, elapsed: Duration, raised: Duration, wanted: Duration) {
        let elapsed = elapsed.min(MAX_ELAPSED).as_secs_f64();
        let wanted = wanted.min(MAX_TARGET_DELAY).as_secs_f64();
        let held = (self.seconds - raised.as_secs_f64()).max(0.0);
        let fall = MIN_FALL.max((held - wanted) * FALL_SHARE) * elapsed;
        self.seconds = if held < wanted {
            wanted.min(held + RISE * elapsed)
        } else {
            wanted.max(held - fall)
        };
    }

    pub(super) fn delay(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn it_rises_within_a_fifth_of_a_second_and_falls_within_seconds() {
        let mut target = Target::default();
        let mut after = |count: u32, wanted| {
            (0..count).for_each(|_| target.update(33 * MS, Duration::ZERO, wanted));
            target.delay()
        };
        assert_eq!(after(7, 100 * MS), 100 * MS);
        let falling = after(30, Duration::ZERO);
        assert!((50 * MS..75 * MS).contains(&falling), "{falling:?}");
        assert_eq!(after(90, Duration::ZERO), Duration::ZERO);
        let capped = after(300, Duration::from_secs(60));
        assert_eq!(capped, MAX_TARGET_DELAY);
    }

    #[test]
    fn a_slower_path_takes_the_place_of_the_delay_that_covered_it() {
        let mut target = Target::default();
        target.update(MAX_ELAPSED, Duration::ZERO, 200 * MS);
        target.update(Duration::ZERO, 150 * MS, Duration::ZERO);
        assert!(target.delay() <= 50 * MS);
    }
}
