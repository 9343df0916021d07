//! Whether the delay grows: the slope of the accumulated delay, against a threshold that
//! adapts (draft-ietf-rmcat-gcc-02, sections 5.3 and 5.4, with the line fit that replaced
//! the Kalman filter).

use std::collections::VecDeque;

use super::arrival::DelayChange;

/// Groups in the line fit.
const WINDOW: usize = 20;
/// Weight of the past in the smoothed delay.
const SMOOTHING: f64 = 0.9;
/// Factor of the slope. With it, a queue that grows by 5 ms in 100 ms is overuse
/// against the first threshold, once 60 groups have come.
const GAIN: f64 = 4.0;
/// Groups from which on the slope has its full weight.
const FULL_WEIGHT: u32 = 60;
/// How long overuse must last, in milliseconds of sending.
const OVERUSE_TIME: f64 = 10.0;
const FIRST_THRESHOLD: f64 = 12.5;
const LEAST_THRESHOLD: f64 = 6.0;
const MOST_THRESHOLD: f64 = 600.0;
/// Speed of the threshold towards a slope above it, for each millisecond. It is slower
/// than the way down: the threshold must not follow a queue that we fill ourselves, but
/// must rise above the one that a TCP flow fills, or that flow would take everything.
const RISE: f64 = 0.0087;
const FALL: f64 = 0.039;
/// A slope this far above the threshold is a sudden change of the route and does not
/// move it.
const OUTLIER: f64 = 15.0;
/// Weight of a group in the mean size of the changes.
const JITTER_WEIGHT: f64 = 0.05;
/// Longest time for which one group moves the threshold, in milliseconds.
const MAX_STEP: f64 = 100.0;

/// How the link is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Usage {
    /// The delay stays.
    #[default]
    Normal,
    /// The delay grows: a queue is filling.
    Over,
    /// The delay falls: a queue is emptying.
    Under,
}

/// The detector.
#[derive(Debug)]
pub(super) struct Trendline {
    /// Arrival time and smoothed delay of the last groups, in milliseconds.
    points: VecDeque<(f64, f64)>,
    accumulated: f64,
    smoothed: f64,
    groups: u32,
    threshold: f64,
    threshold_at: Option<f64>,
    previous_slope: f64,
    over_for: Option<f64>,
    over_count: u32,
    usage: Usage,
    /// Smoothed size of the changes, in milliseconds.
    jitter: f64,
}

impl Default for Trendline {
    fn default() -> Self {
        Self {
            points: VecDeque::with_capacity(WINDOW + 1),
            accumulated: 0.0,
            smoothed: 0.0,
            groups: 0,
            threshold: FIRST_THRESHOLD,
            threshold_at: None,
            previous_slope: 0.0,
            over_for: None,
            over_count: 0,
            usage: Usage::Normal,
            jitter: 0.0,
        }
    }
}

impl Trendline {
    pub(super) fn usage(&self) -> Usage {
        self.usage
    }

    /// Mean size of the changes of the delay, in seconds.
    pub(super) fn jitter(&self) -> f64 {
        self.jitter / 1_000.0
    }

    pub(super) fn add(&mut self, change: DelayChange) {
        self.groups = (self.groups + 1).min(1_000);
        self.jitter += JITTER_WEIGHT * (change.change.abs() - self.jitter);
        self.accumulated += change.change;
        self.smoothed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * self.accumulated;
        // A step of the receiver's clock; the line fit needs an increasing time.
        if self
            .points
            .back()
            .is_some_and(|(at, _)| change.arrived_at < *at)
        {
            self.points.clear();
        }
        self.points.push_back((change.arrived_at, self.smoothed));
        if self.points.len() > WINDOW {
            self.points.pop_front();
        }
        let slope = if self.points.len() == WINDOW {
            slope(&self.points).unwrap_or(self.previous_slope)
        } else {
            self.previous_slope
        };
        self.detect(slope, change);
    }

    fn detect(&mut self, slope: f64, change: DelayChange) {
        let weighted = f64::from(self.groups.min(FULL_WEIGHT)) * slope * GAIN;
        if self.groups < 2 {
            self.usage = Usage::Normal;
        } else if weighted > self.threshold {
            let over_for = match self.over_for {
                None => change.sent_apart / 2.0,
                Some(before) => before + change.sent_apart,
            };
            self.over_for = Some(over_for);
            self.over_count += 1;
            if over_for > OVERUSE_TIME && self.over_count > 1 && slope >= self.previous_slope {
                self.over_for = Some(0.0);
                self.over_count = 0;
                self.usage = Usage::Over;
            }
        } else {
            self.over_for = None;
            self.over_count = 0;
            self.usage = if weighted < -self.threshold {
                Usage::Under
            } else {
                Usage::Normal
            };
        }
        self.previous_slope = slope;
        self.adapt(weighted.abs(), change.arrived_at);
    }

    fn adapt(&mut self, weighted: f64, at: f64) {
        let elapsed = (at - self.threshold_at.unwrap_or(at)).clamp(0.0, MAX_STEP);
        self.threshold_at = Some(at);
        if weighted > self.threshold + OUTLIER {
            return;
        }
        let speed = if weighted < self.threshold {
            FALL
        } else {
            RISE
        };
        let moved = self.threshold + speed * (weighted - self.threshold) * elapsed;
        self.threshold = moved.clamp(LEAST_THRESHOLD, MOST_THRESHOLD);
    }
}

/// The slope of the line through the points by least squares.
fn slope(points: &VecDeque<(f64, f64)>) -> Option<f64> {
    let count = points.len() as f64;
    // Relative to the first, so that large clock values lose no precision.
    let (origin, _) = *points.front()?;
    let mean_x = points.iter().map(|(x, _)| x - origin).sum::<f64>() / count;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
    let (mut numerator, mut denominator) = (0.0, 0.0);
    for (x, y) in points {
        let x = x - origin - mean_x;
        numerator += x * (y - mean_y);
        denominator += x * x;
    }
    (denominator > 0.0).then(|| numerator / denominator)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The usage after groups each 20 ms, whose delay changes by these milliseconds.
    fn usages(changes: impl IntoIterator<Item = f64>) -> Vec<Usage> {
        let mut trendline = Trendline::default();
        let mut arrived_at = 0.0;
        let usages = changes.into_iter().map(|change| {
            arrived_at += 20.0 + change;
            trendline.add(DelayChange {
                change,
                sent_apart: 20.0,
                arrived_at,
            });
            trendline.usage()
        });
        usages.collect()
    }

    #[test]
    fn a_growing_delay_is_overuse_and_a_falling_one_underuse() {
        let growing = usages([0.0; 60].into_iter().chain([4.0; 20]));
        let first = growing.iter().position(|usage| *usage == Usage::Over);
        assert!((60..72).contains(&first.unwrap()), "{first:?}");
        let falling = usages([0.0; 60].into_iter().chain([-4.0; 20]));
        assert!(falling.contains(&Usage::Under) && !falling.contains(&Usage::Over));
    }

    #[test]
    fn a_steady_or_alternating_delay_is_normal() {
        let alternating = (0..1_000).map(|number| if number % 2 == 0 { 8.0 } else { -8.0 });
        for usages in [usages([0.0; 1_000]), usages(alternating)] {
            assert!(usages.iter().all(|usage| *usage == Usage::Normal));
        }
    }

    #[test]
    fn a_step_of_the_delay_is_overuse_for_a_moment_only() {
        let usages = usages([0.0; 60].into_iter().chain([100.0]).chain([0.0; 60]));
        assert_eq!(usages.last(), Some(&Usage::Normal));
    }

    #[test]
    fn the_threshold_adapts_to_a_delay_that_grows_slowly_and_long() {
        let slower = (0..1_000).map(|number| 1.1 - 0.0005 * f64::from(number));
        let usages = usages([1.2; 1_000].into_iter().chain(slower));
        assert!(usages[..200].contains(&Usage::Over));
        assert!(!usages[1_000..].contains(&Usage::Over));
    }
}
