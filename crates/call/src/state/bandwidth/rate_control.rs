//! Additive increase, multiplicative decrease (draft-ietf-rmcat-gcc-02, section 5.5).

use std::time::{Duration, Instant};

use super::trendline::Usage;

/// Growth in a second while the capacity is unknown.
const GROWTH_PER_SECOND: f64 = 1.08;
/// Share of the acknowledged rate after overuse: the rest lets the queue run empty.
const DECREASE: f64 = 0.85;
/// Growth in a second near the capacity, where one packet for each response time would
/// be slower: a link of 10 Mbit/s would take 20 s to be used again.
const LEAST_ADDITIVE_SHARE: f64 = 0.02;
/// Time that the detector takes beside the round-trip time.
const DETECTION: Duration = Duration::from_millis(100);
/// Growth near the capacity for each response time: one packet, which is at most this
/// large, or a frame at 30 frames/s where that is smaller, but not much smaller: flows
/// that share a link become equal only if all grow alike.
const PACKET_BITS: f64 = 1_200.0 * 8.0;
const LEAST_PACKET_BITS: f64 = 600.0 * 8.0;
const FRAMES_PER_SECOND: f64 = 30.0;
/// How fast the rate follows a bound by loss, for each second, and how far above it stays:
/// when the bound ends, the rate must not be where it was.
const BOUND_DECAY: f64 = 0.8;
const BOUND_MARGIN: f64 = 1.15;
/// The rate may exceed what was acknowledged only so far: the excess is not tested.
const HEADROOM: f64 = 1.5;
const HEADROOM_BITS: f64 = 10_000.0;
/// Bounds of the time between two decreases.
const DECREASE_INTERVALS: (Duration, Duration) =
    (Duration::from_millis(50), Duration::from_millis(200));
/// Longest step of the increase: after a pause the rate does not jump.
const MAX_STEP: Duration = Duration::from_secs(1);

/// The rate by delay.
#[derive(Debug)]
pub(super) struct RateControl {
    rate: f64,
    capacity: Capacity,
    increased_at: Option<Instant>,
    decreased_at: Option<Instant>,
}

/// What an update has to work with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conditions {
    pub(super) usage: Usage,
    /// The acknowledged rate in bits per second.
    pub(super) acknowledged: Option<f64>,
    pub(super) round_trip: Duration,
    /// Whether too little is sent to show what the link carries.
    pub(super) is_application_limited: bool,
    /// The capacity that loss shows.
    pub(super) loss_bound: Option<f64>,
}

impl RateControl {
    pub(super) fn new(rate: f64) -> Self {
        Self {
            rate,
            capacity: Capacity::default(),
            increased_at: None,
            decreased_at: None,
        }
    }

    /// Bits per second.
    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    /// Keeps the rate in its bounds.
    pub(super) fn clamp(&mut self, least: f64, most: f64) {
        self.rate = self.rate.max(least).min(most);
    }

    /// A probe showed that the link carries this rate. Returns whether the rate rose.
    pub(super) fn probed(&mut self, rate: f64) -> bool {
        let rises = rate > self.rate;
        if rises {
            self.rate = rate;
            self.capacity.reset_if_above(rate);
        }
        rises
    }

    /// Feedback stopped: sends less.
    pub(super) fn back_off(&mut self, factor: f64) {
        self.rate *= factor;
    }

    /// Updates the rate. Returns whether it was decreased for overuse.
    pub(super) fn update(&mut self, now: Instant, conditions: Conditions) -> bool {
        match conditions.usage {
            Usage::Over => self.decrease(now, conditions),
            // Waits until the queue is empty.
            Usage::Under => {
                self.increased_at = Some(now);
                false
            }
            Usage::Normal => {
                self.increase(now, conditions);
                false
            }
        }
    }

    fn increase(&mut self, now: Instant, conditions: Conditions) {
        let last = self.increased_at.replace(now).unwrap_or(now);
        let Some(acknowledged) = conditions.acknowledged else {
            return;
        };
        let seconds = now
            .saturating_duration_since(last)
            .min(MAX_STEP)
            .as_secs_f64();
        if let Some(bound) = conditions.loss_bound.map(|bound| BOUND_MARGIN * bound)
            && bound < self.rate
        {
            self.rate = bound.max(self.rate * BOUND_DECAY.powf(seconds));
            return;
        }
        if conditions.is_application_limited {
            return;
        }
        self.capacity.reset_if_above(acknowledged);
        let raised = if self.capacity.mean.is_some() {
            let response = (conditions.round_trip + DETECTION).as_secs_f64();
            let frame = self.rate / FRAMES_PER_SECOND;
            let packet = frame.clamp(LEAST_PACKET_BITS, PACKET_BITS);
            let growth = (packet / response).max(self.rate * LEAST_ADDITIVE_SHARE);
            self.rate + growth * seconds
        } else {
            self.rate * GROWTH_PER_SECOND.powf(seconds)
        };
        let bound = HEADROOM * acknowledged + HEADROOM_BITS;
        // The bound holds the increase back and never lowers the rate.
        self.rate = self.rate.max(raised.min(bound));
    }

    fn decrease(&mut self, now: Instant, conditions: Conditions) -> bool {
        self.increased_at = Some(now);
        let (least, most) = DECREASE_INTERVALS;
        let interval = conditions.round_trip.clamp(least, most);
        let is_early = self
            .decreased_at
            .is_some_and(|at| now.saturating_duration_since(at) < interval);
        let acknowledged = conditions.acknowledged;
        let is_far_below = acknowledged.is_some_and(|rate| rate < 0.5 * self.rate);
        if is_early && !is_far_below {
            return false;
        }
        let decreased = DECREASE * acknowledged.unwrap_or(self.rate);
        if let Some(acknowledged) = acknowledged {
            self.capacity.overused(acknowledged);
        }
        if decreased >= self.rate {
            return false;
        }
        self.rate = decreased;
        self.decreased_at = Some(now);
        true
    }
}

/// The acknowledged rate at which overuse was seen: mean and variance, in kbit/s.
#[derive(Debug, Default)]
struct Capacity {
    mean: Option<f64>,
    /// Variance divided by the mean, so that it holds for other rates.
    variance: f64,
}

impl Capacity {
    const WEIGHT: f64 = 0.05;
    /// Bounds of the variance, in kbit/s.
    const VARIANCES: (f64, f64) = (0.4, 2.5);

    fn overused(&mut self, rate: f64) {
        let rate = rate / 1_000.0;
        if self
            .mean
            .is_some_and(|mean| rate < mean - self.spread(mean))
        {
            self.mean = None;
        }
        let mean = match self.mean {
            None => rate,
            Some(mean) => mean + Self::WEIGHT * (rate - mean),
        };
        self.mean = Some(mean);
        let error = (mean - rate).powi(2) / mean.max(1.0);
        self.variance += Self::WEIGHT * (error - self.variance);
        self.variance = self.variance.clamp(Self::VARIANCES.0, Self::VARIANCES.1);
    }

    /// Three standard deviations.
    fn spread(&self, mean: f64) -> f64 {
        3.0 * (self.variance * mean).sqrt()
    }

    /// More passed than the capacity allows: it has grown.
    fn reset_if_above(&mut self, rate: f64) {
        let above = |mean: f64| rate / 1_000.0 > mean + self.spread(mean);
        if self.mean.is_some_and(above) {
            self.mean = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(usage: Usage, acknowledged: f64) -> Conditions {
        Conditions {
            usage,
            acknowledged: Some(acknowledged),
            round_trip: Duration::from_millis(50),
            is_application_limited: false,
            loss_bound: None,
        }
    }

    /// Updates each 100 ms; the acknowledged rate is a share of the rate.
    fn run(control: &mut RateControl, now: &mut Instant, updates: u32, share: f64) {
        for _ in 0..updates {
            *now += Duration::from_millis(100);
            let conditions = conditions(Usage::Normal, control.rate() * share);
            control.update(*now, conditions);
        }
    }

    #[test]
    fn the_increase_is_8_percent_far_from_the_capacity() {
        let (mut control, mut now) = (RateControl::new(1e6), Instant::now());
        run(&mut control, &mut now, 11, 1.0);
        assert!(
            (control.rate() / 1.08e6 - 1.0).abs() < 0.001,
            "{}",
            control.rate()
        );
    }

    #[test]
    fn overuse_sets_85_percent_and_the_increase_is_additive_then() {
        let (mut control, mut now) = (RateControl::new(1e6), Instant::now());
        assert!(control.update(now, conditions(Usage::Over, 0.8e6)));
        assert_eq!(control.rate(), 0.68e6);
        run(&mut control, &mut now, 10, 1.0);
        let grown = control.rate() - 0.68e6;
        assert!((60e3..70e3).contains(&grown), "{grown}");
    }

    #[test]
    fn an_acknowledged_rate_above_the_capacity_makes_the_increase_fast_again() {
        let (mut control, mut now) = (RateControl::new(5e6), Instant::now());
        control.update(now, conditions(Usage::Over, 0.5e6));
        control.probed(2e6);
        run(&mut control, &mut now, 10, 1.0);
        assert!(control.rate() > 1.07 * 2e6, "{}", control.rate());
    }

    #[test]
    fn the_bound_by_the_acknowledged_rate_never_lowers_the_rate() {
        let (mut control, mut now) = (RateControl::new(1e6), Instant::now());
        run(&mut control, &mut now, 100, 0.3);
        assert_eq!(control.rate(), 1e6);
        run(&mut control, &mut now, 1_000, 0.8);
        assert!(control.rate() > 1.1e6);
    }

    #[test]
    fn nothing_grows_while_application_limited_or_without_acknowledgements() {
        let mut control = RateControl::new(1e6);
        let start = Instant::now();
        for number in 0..50 {
            let mut conditions = conditions(Usage::Normal, 1e6);
            conditions.is_application_limited = number % 2 == 0;
            conditions.acknowledged = conditions.acknowledged.filter(|_| number % 2 == 0);
            control.update(start + Duration::from_millis(100) * number, conditions);
        }
        assert_eq!(control.rate(), 1e6);
    }

    #[test]
    fn overuse_never_raises_the_rate() {
        let mut control = RateControl::new(0.5e6);
        assert!(!control.update(Instant::now(), conditions(Usage::Over, 1e6)));
        assert_eq!(control.rate(), 0.5e6);
    }
}
