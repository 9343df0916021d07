//! Encodes less while the processor does not keep up, before frames queue: the virtual
//! background gives up processor time first, then the encoders search less, then half of
//! the frames are encoded, then smaller ones.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::video::background::Choice;

/// Durations are compared over this time.
const WINDOW: Duration = Duration::from_secs(1);
/// Fewer captured frames in a window say nothing.
const LEAST_FRAMES: u64 = 4;
/// The processor does not keep up above one of these in two windows in a row: the mean
/// and the 95th percentile of the duration of encoding, as shares of the frame interval,
/// the means of all encoders as a share of all cores, and the share of captured frames
/// that were replaced by a newer one.
const MOST_MEAN: f64 = 0.8;
const MOST_TAIL: f64 = 1.2;
const MOST_TOTAL: f64 = 0.7;
const MOST_DROPPED: f64 = 0.1;
/// A step up must be expected to stay below these shares of the limits for so long.
const EXPECTED: f64 = 0.75;
const UP_AFTER: Duration = Duration::from_secs(10);
/// The longest such time: it doubles when the step has to be undone within
/// [`TOO_SOON`].
const UP_AFTER_MAX: Duration = Duration::from_secs(160);
const TOO_SOON: Duration = Duration::from_secs(30);

/// By how much less is encoded. Each includes those before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reduction {
    /// Nothing is reduced.
    None,
    /// The encoder searches less.
    Complexity,
    /// Every second frame is left out.
    FrameRate,
    /// The sides are halved.
    Size,
}

impl Reduction {
    const ALL: [Self; 4] = [Self::None, Self::Complexity, Self::FrameRate, Self::Size];

    fn next(self) -> Self {
        Self::ALL[(self as usize + 1).min(Self::ALL.len() - 1)]
    }

    fn previous(self) -> Self {
        Self::ALL[(self as usize).saturating_sub(1)]
    }

    /// What the load is multiplied by at the step before.
    fn growth(self) -> f64 {
        match self {
            // Before it, the background finds the person more often.
            Self::None => 1.2,
            Self::Complexity => 1.4,
            Self::FrameRate => 2.0,
            Self::Size => 3.5,
        }
    }
}

/// What gives up processor time before the encoders do.
pub(super) trait Yields {
    /// One step down; false when there is none left.
    fn step_down(&self) -> bool;
    /// Takes one step back; false when there is none to take back.
    fn step_up(&self) -> bool;
}

impl Yields for Choice {
    fn step_down(&self) -> bool {
        Choice::step_down(self)
    }

    fn step_up(&self) -> bool {
        Choice::step_up(self)
    }
}

/// One frame of one encoder.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// Identifies the encoder.
    pub encoder: usize,
    /// The time between two frames that it encodes.
    pub interval: Duration,
    /// The duration of scaling and encoding.
    pub took: Duration,
    /// Captured frames since the one before that it was too late for.
    pub dropped: u64,
}

/// Watches all encoders of a source.
#[derive(Debug)]
pub(super) struct Overload {
    cores: f64,
    reduction: Reduction,
    started: Option<Instant>,
    samples: BTreeMap<usize, Vec<Sample>>,
    was_heavy: bool,
    light_since: Option<Instant>,
    went_up: Option<Instant>,
    up_after: Duration,
}

impl Overload {
    pub(super) fn new(cores: usize) -> Self {
        Self {
            cores: cores.max(1) as f64,
            reduction: Reduction::None,
            started: None,
            samples: BTreeMap::new(),
            was_heavy: false,
            light_since: None,
            went_up: None,
            up_after: UP_AFTER,
        }
    }

    pub(super) fn reduction(&self) -> Reduction {
        self.reduction
    }

    /// Another source: nothing is known of its frames.
    pub(super) fn reset(&mut self) {
        *self = Self::new(self.cores as usize);
    }

    /// Takes in a frame. `most` is the largest reduction that the source allows;
    /// `background` is reduced before, and restored after the encoders. Returns the new
    /// reduction when it changes.
    pub(super) fn encoded(
        &mut self,
        now: Instant,
        sample: Sample,
        most: Reduction,
        background: &impl Yields,
    ) -> Option<Reduction> {
        self.samples.entry(sample.encoder).or_default().push(sample);
        let started = *self.started.get_or_insert(now);
        if now.saturating_duration_since(started) < WINDOW {
            return None;
        }
        self.started = Some(now);
        let samples = std::mem::take(&mut self.samples);
        let load = load(&samples, self.cores)?;
        let before = self.reduction;
        self.reduction = self.step(now, load, background).min(most);
        (self.reduction != before).then_some(self.reduction)
    }

    /// `load` is the highest share of a limit.
    fn step(&mut self, now: Instant, load: f64, background: &impl Yields) -> Reduction {
        let is_heavy = load > 1.0;
        if is_heavy && std::mem::replace(&mut self.was_heavy, is_heavy) {
            self.was_heavy = false;
            self.light_since = None;
            let was_too_soon = |at| now.saturating_duration_since(at) < TOO_SOON;
            self.up_after = if self.went_up.take().is_some_and(was_too_soon) {
                (self.up_after * 2).min(UP_AFTER_MAX)
            } else {
                UP_AFTER
            };
            if background.step_down() {
                return self.reduction;
            }
            return self.reduction.next();
        }
        self.was_heavy = is_heavy;
        let is_light = load * self.reduction.growth() < EXPECTED;
        self.light_since = is_light.then(|| self.light_since.unwrap_or(now));
        let light_for = |since| now.saturating_duration_since(since);
        if self
            .light_since
            .is_some_and(|since| light_for(since) >= self.up_after)
        {
            self.light_since = None;
            if self.reduction != Reduction::None || background.step_up() {
                self.went_up = Some(now);
            }
            return self.reduction.previous();
        }
        self.reduction
    }
}

/// The highest share of a limit in a window; none where too few frames were encoded.
fn load(samples: &BTreeMap<usize, Vec<Sample>>, cores: f64) -> Option<f64> {
    let (mut worst, mut total) = (None, 0.0);
    for samples in samples.values() {
        let dropped: u64 = samples.iter().map(|sample| sample.dropped).sum();
        let captured = dropped + samples.len() as u64;
        if captured < LEAST_FRAMES {
            continue;
        }
        let share = |sample: &Sample| {
            sample.took.as_secs_f64() / sample.interval.as_secs_f64().max(f64::EPSILON)
        };
        let mut shares: Vec<f64> = samples.iter().map(share).collect();
        shares.sort_unstable_by(f64::total_cmp);
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        let tail = shares[(shares.len() * 95 / 100).min(shares.len() - 1)];
        total += mean;
        let of_encoder = [
            mean / MOST_MEAN,
            tail / MOST_TAIL,
            dropped as f64 / captured as f64 / MOST_DROPPED,
        ];
        worst = of_encoder.into_iter().chain(worst).reduce(f64::max);
    }
    worst.map(|worst: f64| worst.max(total / cores / MOST_TOTAL))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const INTERVAL: Duration = Duration::from_millis(33);

    /// A background with so many steps left, of so many.
    struct Background {
        left: Cell<u32>,
        all: u32,
    }

    impl Yields for Background {
        fn step_down(&self) -> bool {
            let left = self.left.get();
            self.left.set(left.saturating_sub(1));
            left > 0
        }

        fn step_up(&self) -> bool {
            let is_lower = self.left.get() < self.all;
            self.left.set((self.left.get() + 1).min(self.all));
            is_lower
        }
    }

    struct Scene {
        now: Instant,
        overload: Overload,
        most: Reduction,
        background: Background,
    }

    impl Scene {
        fn new(cores: usize) -> Self {
            Self {
                now: Instant::now(),
                overload: Overload::new(cores),
                most: Reduction::Size,
                background: Background {
                    left: Cell::new(0),
                    all: 0,
                },
            }
        }

        /// Encodes for some seconds, each encoder with these milliseconds a frame at full
        /// rate and size.
        fn run(&mut self, seconds: f64, millis: &[f64], dropped: u64) -> Vec<Reduction> {
            let mut changes = Vec::new();
            for number in 0..(seconds * 30.0) as u32 {
                self.now += INTERVAL;
                let reduction = self.overload.reduction();
                let is_thinned = reduction >= Reduction::FrameRate;
                if is_thinned && number % 2 == 1 {
                    continue;
                }
                for (encoder, millis) in millis.iter().enumerate() {
                    let faster = if reduction >= Reduction::Complexity {
                        1.4
                    } else {
                        1.0
                    };
                    let smaller = if reduction == Reduction::Size {
                        3.5
                    } else {
                        1.0
                    };
                    let sample = Sample {
                        encoder,
                        interval: INTERVAL * if is_thinned { 2 } else { 1 },
                        took: Duration::from_secs_f64(millis / faster / smaller / 1_000.0),
                        dropped: if number % 5 == 0 { dropped } else { 0 },
                    };
                    let (now, most) = (self.now, self.most);
                    let background = &self.background;
                    changes.extend(self.overload.encoded(now, sample, most, background));
                }
            }
            changes
        }
    }

    #[test]
    fn an_encoder_that_keeps_up_is_left_alone() {
        let mut scene = Scene::new(2);
        assert_eq!(scene.run(30.0, &[15.0, 5.0], 0), []);
    }

    #[test]
    fn a_slow_encoder_steps_down_within_three_seconds_each_until_it_keeps_up() {
        use Reduction::{Complexity, FrameRate, Size};
        let mut scene = Scene::new(4);
        assert_eq!(scene.run(3.0, &[30.0], 0), [Complexity]);
        assert_eq!(scene.run(6.0, &[30.0], 0), []);
        let mut scene = Scene::new(4);
        assert_eq!(scene.run(6.0, &[50.0], 0), [Complexity, FrameRate]);
        let mut scene = Scene::new(4);
        assert_eq!(scene.run(9.0, &[120.0], 0), [Complexity, FrameRate, Size]);
    }

    #[test]
    fn many_encoders_together_are_too_much_for_few_cores() {
        let each = [6.0; 6];
        assert_eq!(Scene::new(8).run(10.0, &each, 0), []);
        assert_eq!(Scene::new(1).run(3.0, &each, 0), [Reduction::Complexity]);
    }

    #[test]
    fn frames_that_are_replaced_before_they_are_encoded_count() {
        let mut scene = Scene::new(4);
        assert_eq!(scene.run(3.0, &[5.0], 1), [Reduction::Complexity]);
    }

    #[test]
    fn an_encoder_of_two_frames_in_a_second_is_too_slow() {
        let mut scene = Scene::new(4);
        let mut changes = Vec::new();
        for _ in 0..8 {
            scene.now += Duration::from_millis(500);
            let sample = Sample {
                encoder: 0,
                interval: INTERVAL,
                took: Duration::from_millis(500),
                dropped: 14,
            };
            let (now, most) = (scene.now, scene.most);
            let overload = &mut scene.overload;
            changes.extend(overload.encoded(now, sample, most, &scene.background));
        }
        assert_eq!(changes, [Reduction::Complexity]);
    }

    #[test]
    fn a_few_slow_frames_are_no_overload_but_some_in_each_second_are() {
        let mut scene = Scene::new(4);
        assert_eq!(scene.run(5.0, &[10.0], 0), []);
        assert_eq!(scene.run(0.2, &[60.0], 0), []);
        assert_eq!(scene.run(5.0, &[10.0], 0), []);
        let mut changes = Vec::new();
        for _ in 0..8 {
            changes.extend(scene.run(0.4, &[10.0], 0));
            changes.extend(scene.run(0.1, &[60.0], 0));
        }
        assert_eq!(changes, [Reduction::Complexity]);
    }

    #[test]
    fn it_steps_up_slowly_and_ever_later_where_that_was_too_much() {
        let mut scene = Scene::new(4);
        assert_eq!(scene.run(9.0, &[120.0], 0).len(), 3);
        let ups = scene.run(60.0, &[5.0], 0);
        use Reduction::{Complexity, FrameRate, None};
        assert_eq!(ups, [FrameRate, Complexity, None]);
        let mut scene = Scene::new(4);
        // Just below what the first step allows, and above what none does.
        scene.run(4.0, &[30.0], 0);
        let changes = scene.run(300.0, &[27.0], 0);
        assert!(changes.len() <= 2, "{changes:?}");
    }

    #[test]
    fn the_background_steps_down_before_the_encoders_and_up_after_them() {
        let mut scene = Scene::new(4);
        (scene.background.left, scene.background.all) = (Cell::new(2), 2);
        assert_eq!(scene.run(2.5, &[30.0], 0), []);
        assert_eq!(scene.background.left.get(), 1);
        assert_eq!(scene.run(4.5, &[30.0], 0), [Reduction::Complexity]);
        assert_eq!(scene.background.left.get(), 0);
        assert_eq!(scene.run(12.0, &[5.0], 0), [Reduction::None]);
        assert_eq!(scene.background.left.get(), 0);
        assert_eq!(scene.run(30.0, &[5.0], 0), []);
        assert_eq!(scene.background.left.get(), 2);
    }

    #[test]
    fn a_screen_keeps_its_size() {
        let mut scene = Scene::new(4);
        scene.most = Reduction::FrameRate;
        scene.run(20.0, &[300.0], 0);
        assert_eq!(scene.overload.reduction(), Reduction::FrameRate);
    }
}
