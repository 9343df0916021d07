//! How much processor time a background takes: the first thing to be cut when the
//! processor is short.
//!
//! Finding the person is about half of the work. A mask that is used for two or three
//! frames trails behind quick movements, which is seen less than a frame that comes too
//! late. When that is not enough, the background is given up.

use std::time::{Duration, Instant};

/// How often the person is searched for. Frames in between use the last mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaskRate {
    /// In every frame.
    Every,
    /// In every second frame.
    Second,
    /// In every third frame.
    Third,
}

const RATES: [MaskRate; 3] = [MaskRate::Every, MaskRate::Second, MaskRate::Third];

/// The time over which the share is measured.
const WINDOW: Duration = Duration::from_secs(2);
/// The share of the time between frames above which the rate goes down. The rest is
/// for reading and converting the frame, on the same thread.
const TOO_MUCH: f32 = 0.5;
/// The share above which even the lowest rate does not fit, and how many times in a row
/// it is measured before the background is given up: that shows the room, and a short
/// load is no reason for it.
const FAR_TOO_MUCH: f32 = 0.8;
const HOPELESS: u32 = 5;
/// The first wait before the rate goes up again. It doubles each time that fails.
const PATIENCE: Duration = Duration::from_secs(10);
const MAX_PATIENCE: Duration = Duration::from_secs(320);

/// The policy: pure, in the caller's time.
#[derive(Debug)]
pub(super) struct Effort {
    /// Steps down by the measured share.
    measured: usize,
    /// Steps down by the caller, who sees the encoders.
    asked: usize,
    /// The background was given up. Only a new choice ends that.
    given_up: bool,
    frame: u64,
    window: Option<Window>,
    /// The rate has fitted since then.
    fits_since: Option<Instant>,
    patience: Duration,
    went_up: Option<Instant>,
    /// How many times in a row the lowest rate did not fit.
    hopeless: u32,
}

#[derive(Debug)]
struct Window {
    start: Instant,
    busy: Duration,
}

impl Effort {
    pub(super) fn new() -> Self {
        Self {
            measured: 0,
            asked: 0,
            given_up: false,
            frame: 0,
            window: None,
            fits_since: None,
            patience: PATIENCE,
            went_up: None,
            hopeless: 0,
        }
    }

    /// How often the mask is made; `None` once the background was given up.
    pub(super) fn rate(&self) -> Option<MaskRate> {
        (!self.given_up).then(|| RATES[self.level()])
    }

    fn level(&self) -> usize {
        self.measured.max(self.asked)
    }

    /// Whether this frame, the next one, gets a mask of its own.
    pub(super) fn makes_mask(&mut self) -> bool {
        let makes = self.frame.is_multiple_of(self.level() as u64 + 1);
        self.frame += 1;
        makes
    }

    /// One step down for other work; false at the lowest rate: the room is not shown
    /// because something else needs the processor.
    pub(super) fn step_down(&mut self) -> bool {
        let level = self.level() + 1;
        if self.given_up || level >= RATES.len() {
            return false;
        }
        self.asked = level;
        self.measure_again();
        true
    }

    /// Takes one step of [`step_down`](Self::step_down) back; false when there was none.
    /// The rate stays where the measured share keeps it.
    pub(super) fn step_up(&mut self) -> bool {
        if self.given_up || self.asked == 0 {
            return false;
        }
        self.asked -= 1;
        self.measure_again();
        true
    }

    /// A frame was processed in this time, at `now`.
    pub(super) fn processed(&mut self, now: Instant, took: Duration) {
        let Some(window) = &mut self.window else {
            self.window = Some(Window {
                start: now,
                busy: Duration::ZERO,
            });
            return;
        };
        window.busy += took;
        let span = now.saturating_duration_since(window.start);
        if span < WINDOW {
            return;
        }
        let share = window.busy.as_secs_f32() / span.as_secs_f32();
        self.window = None;
        self.judge(now, share);
    }

    fn judge(&mut self, now: Instant, share: f32) {
        if share > TOO_MUCH {
            let was_tried = self.went_up.take();
            if was_tried.is_some_and(|since| now.saturating_duration_since(since) < self.patience) {
                self.patience = (self.patience * 2).min(MAX_PATIENCE);
            }
            self.fits_since = None;
            if self.level() + 1 < RATES.len() {
                self.measured = self.level() + 1;
            } else if share > FAR_TOO_MUCH {
                self.hopeless += 1;
                self.given_up |= self.hopeless >= HOPELESS;
            } else {
                self.hopeless = 0;
            }
            return;
        }
        self.hopeless = 0;
        let since = *self.fits_since.get_or_insert(now);
        // The next rate at most doubles the share.
        let fits_higher = share * 2.0 < TOO_MUCH;
        if !fits_higher {
            self.fits_since = None;
        } else if self.measured > 0 && now.saturating_duration_since(since) >= self.patience {
            self.measured -= 1;
            self.went_up = Some(now);
            self.fits_since = None;
        }
    }

    fn measure_again(&mut self) {
        self.window = None;
        self.fits_since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs for some seconds at 30 frames/s; a mask and a blend cost this much, in ms.
    struct Bench {
        effort: Effort,
        now: Instant,
    }

    impl Bench {
        fn new() -> Self {
            Self {
                effort: Effort::new(),
                now: Instant::now(),
            }
        }

        /// Returns how many of the frames had a mask of their own.
        fn run(&mut self, seconds: u32, mask_ms: u64, blend_ms: u64) -> u32 {
            let mut masks = 0;
            for _ in 0..seconds * 30 {
                self.now += Duration::from_micros(33_333);
                let makes = self.effort.makes_mask();
                masks += u32::from(makes);
                let took = blend_ms + if makes { mask_ms } else { 0 };
                let took = Duration::from_millis(took);
                self.effort.processed(self.now, took);
            }
            masks
        }
    }

    #[test]
    fn with_time_left_every_frame_gets_a_mask() {
        let mut bench = Bench::new();
        assert_eq!(bench.run(60, 4, 3), 1800);
        assert_eq!(bench.effort.rate(), Some(MaskRate::Every));
    }

    #[test]
    fn a_slow_processor_gets_masks_in_every_second_then_in_every_third_frame() {
        let mut bench = Bench::new();
        bench.run(20, 15, 5);
        assert_eq!(bench.effort.rate(), Some(MaskRate::Second));
        let mut bench = Bench::new();
        bench.run(20, 24, 6);
        assert_eq!(bench.effort.rate(), Some(MaskRate::Third));
        assert_eq!(bench.run(3, 24, 6), 30);
    }

    #[test]
    fn a_processor_that_cannot_even_blend_gives_the_background_up_for_good() {
        let mut bench = Bench::new();
        bench.run(12, 30, 20);
        assert_eq!(bench.effort.rate(), Some(MaskRate::Third), "not at once");
        bench.run(8, 30, 20);
        assert_eq!(bench.effort.rate(), None);
        bench.run(600, 1, 1);
        assert_eq!(bench.effort.rate(), None);
        assert!(!bench.effort.step_down() && !bench.effort.step_up());
    }

    #[test]
    fn a_load_of_some_seconds_does_not_show_the_room() {
        let mut bench = Bench::new();
        for _ in 0..3 {
            bench.run(6, 30, 25);
            bench.run(4, 4, 3);
        }
        assert_ne!(bench.effort.rate(), None);
    }

    #[test]
    fn after_a_short_load_every_frame_gets_a_mask_again() {
        let mut bench = Bench::new();
        bench.run(5, 20, 2);
        assert_eq!(bench.effort.rate(), Some(MaskRate::Second));
        bench.run(20, 4, 3);
        assert_eq!(bench.effort.rate(), Some(MaskRate::Every));
    }

    #[test]
    fn a_rate_that_fails_again_and_again_is_tried_less_and_less() {
        let mut bench = Bench::new();
        let mut tries = 0;
        let mut before = bench.effort.rate();
        for _ in 0..1200 {
            // Every second frame fits easily, every frame never does.
            let mask = if bench.effort.rate() == Some(MaskRate::Every) {
                30
            } else {
                2
            };
            bench.run(1, mask, 2);
            let rate = bench.effort.rate();
            tries += u32::from(rate == Some(MaskRate::Every) && rate != before);
            before = rate;
        }
        assert!((3..=9).contains(&tries), "{tries} tries in 20 minutes");
    }

    #[test]
    fn other_work_comes_first_and_what_it_gives_back_is_used_again() {
        let mut bench = Bench::new();
        assert!(bench.effort.step_down());
        bench.run(60, 2, 2);
        let rate = bench.effort.rate();
        assert_eq!(rate, Some(MaskRate::Second), "it stays down");
        assert!(bench.effort.step_down());
        assert_eq!(bench.effort.rate(), Some(MaskRate::Third));
        assert!(bench.effort.step_up() && bench.effort.step_up());
        assert!(!bench.effort.step_up());
        assert_eq!(bench.effort.rate(), Some(MaskRate::Every));
        for is_left in [true, true, false] {
            assert_eq!(bench.effort.step_down(), is_left);
        }
        assert_eq!(
            bench.effort.rate(),
            Some(MaskRate::Third),
            "the room is hidden"
        );
    }
}
