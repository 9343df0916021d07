//! The rate for peers without transport-wide feedback: by receiver reports
//! (RFC 3550, section 6.4.1) and REMB (draft-alvestrand-rmcat-remb-03).

use std::time::{Duration, Instant};

/// Up to this loss the rate grows.
const LOW_LOSS: f64 = 0.02;
/// Above this one it falls, by half the loss.
const HIGH_LOSS: f64 = 0.1;
const GROWTH_PER_SECOND: f64 = 1.08;
/// Between two decreases; beside the round-trip time.
const DECREASE_INTERVAL: Duration = Duration::from_millis(300);
/// Longest step of the increase.
const MAX_STEP: Duration = Duration::from_secs(1);
/// A REMB holds for this long; receivers repeat it each second.
const REMB_VALIDITY: Duration = Duration::from_secs(10);

/// The rate by reports.
#[derive(Debug)]
pub(super) struct ReportControl {
    rate: f64,
    loss: f64,
    reported_at: Option<Instant>,
    increased_at: Option<Instant>,
    decreased_at: Option<Instant>,
    remb: Option<(f64, Instant)>,
}

impl ReportControl {
    pub(super) fn new(rate: f64) -> Self {
        Self {
            rate,
            loss: 0.0,
            reported_at: None,
            increased_at: None,
            decreased_at: None,
            remb: None,
        }
    }

    /// Takes in a report block. Nothing grows while the source limits the rate.
    pub(super) fn report(
        &mut self,
        now: Instant,
        loss: f64,
        round_trip: Duration,
        is_application_limited: bool,
    ) {
        self.reported_at = Some(now);
        self.loss += 0.5 * (loss - self.loss);
        let last = self.increased_at.replace(now).unwrap_or(now);
        if loss > HIGH_LOSS {
            let interval = DECREASE_INTERVAL + round_trip;
            let is_early = self
                .decreased_at
                .is_some_and(|at| now.saturating_duration_since(at) < interval);
            if !is_early {
                self.decreased_at = Some(now);
                self.rate *= 1.0 - 0.5 * loss;
            }
        } else if loss <= LOW_LOSS && !is_application_limited {
            let seconds = now
                .saturating_duration_since(last)
                .min(MAX_STEP)
                .as_secs_f64();
            self.rate *= GROWTH_PER_SECOND.powf(seconds);
        }
    }

    /// Takes in a REMB. The receiver measured it, so that without loss the rate rises to
    /// it at once.
    pub(super) fn remb(&mut self, now: Instant, rate: f64) {
        self.remb = Some((rate, now));
        if self.loss <= LOW_LOSS && self.reported_at.is_some() {
            self.rate = self.rate.max(rate);
        }
    }

    pub(super) fn back_off(&mut self, factor: f64) {
        self.rate *= factor;
    }

    pub(super) fn clamp(&mut self, least: f64, most: f64) {
        self.rate = self.rate.max(least).min(most);
    }

    /// Bits per second.
    pub(super) fn rate(&self, now: Instant) -> f64 {
        match self.remb {
            Some((remb, at)) if now.saturating_duration_since(at) < REMB_VALIDITY => {
                self.rate.min(remb)
            }
            _ => self.rate,
        }
    }

    pub(super) fn loss(&self) -> f64 {
        self.loss
    }

    pub(super) fn reported_at(&self) -> Option<Instant> {
        self.reported_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND_TRIP: Duration = Duration::from_millis(50);

    /// Reports this loss each second.
    fn report(control: &mut ReportControl, now: &mut Instant, seconds: u32, loss: f64) {
        for _ in 0..seconds {
            *now += Duration::from_secs(1);
            control.report(*now, loss, ROUND_TRIP, false);
        }
    }

    #[test]
    fn the_rate_grows_without_loss_stays_with_some_and_falls_with_much() {
        let (mut control, mut now) = (ReportControl::new(1e6), Instant::now());
        report(&mut control, &mut now, 11, 0.0);
        assert!((control.rate(now) / (1e6 * 1.08_f64.powi(10)) - 1.0).abs() < 1e-6);
        let before = control.rate(now);
        report(&mut control, &mut now, 10, 0.05);
        assert_eq!(control.rate(now), before);
        report(&mut control, &mut now, 1, 0.2);
        assert!((control.rate(now) / before - 0.9).abs() < 1e-6);
    }

    #[test]
    fn reports_of_several_streams_at_once_lower_the_rate_once() {
        let (mut control, now) = (ReportControl::new(1e6), Instant::now());
        for _ in 0..3 {
            control.report(now, 0.2, ROUND_TRIP, false);
        }
        assert_eq!(control.rate(now), 0.9e6);
    }

    #[test]
    fn a_remb_is_a_bound_for_a_while_and_raises_the_rate_without_loss() {
        let (mut control, mut now) = (ReportControl::new(0.3e6), Instant::now());
        report(&mut control, &mut now, 1, 0.0);
        control.remb(now, 0.2e6);
        assert_eq!(control.rate(now), 0.2e6);
        assert_eq!(control.rate(now + REMB_VALIDITY), 0.3e6);
        control.remb(now, 2e6);
        assert_eq!(control.rate(now), 2e6);
        report(&mut control, &mut now, 4, 0.3);
        let after = control.rate(now);
        control.remb(now, 5e6);
        assert_eq!(control.rate(now), after);
    }

    #[test]
    fn nothing_grows_while_the_source_limits_the_rate() {
        let (mut control, now) = (ReportControl::new(1e6), Instant::now());
        for second in 0..10 {
            control.report(now + Duration::from_secs(second), 0.0, ROUND_TRIP, true);
        }
        assert_eq!(control.rate(now), 1e6);
    }
}
