//! What came of one direction of a call, second by second.

use crate::statistics::{max, mean, median};

/// The figures of about a second at a receiver, of one sender.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Second {
    /// The end, in seconds since the watch began.
    pub at: f64,
    /// The length, in seconds.
    pub length: f64,
    /// Decoded frames.
    pub frames: f64,
    /// Freezes as W3C defines them, and their time in seconds.
    pub freezes: f64,
    pub frozen: f64,
    /// Payload that came, video and sound.
    pub kbps: f64,
    /// Audio samples: concealed, those of them that were silence, and all.
    pub concealed: f64,
    pub silent: f64,
    pub samples: f64,
    /// One-way delay of the frames with a time code, in milliseconds.
    pub delay_p50: Option<f64>,
    pub delay_p95: Option<f64>,
    pub delay_max: Option<f64>,
}

/// The seconds of one direction.
#[derive(Debug, Clone, Default)]
pub struct Timeline(pub Vec<Second>);

impl Timeline {
    /// The seconds that lie within this time.
    pub fn between(&self, start: f64, end: f64) -> Self {
        let within =
            |second: &&Second| second.at - second.length / 2.0 >= start && second.at <= end + 0.5;
        Self(self.0.iter().filter(within).copied().collect())
    }

    fn sum(&self, of: fn(&Second) -> f64) -> f64 {
        self.0.iter().map(of).sum()
    }

    fn all(&self, of: fn(&Second) -> Option<f64>) -> Vec<f64> {
        self.0.iter().filter_map(of).collect()
    }

    pub fn frames_per_second(&self) -> f64 {
        self.sum(|second| second.frames) / self.sum(|second| second.length).max(f64::EPSILON)
    }

    pub fn freezes(&self) -> f64 {
        self.sum(|second| second.freezes)
    }

    /// Seconds in freezes.
    pub fn frozen(&self) -> f64 {
        self.sum(|second| second.frozen)
    }

    /// The longest freeze in seconds. Of several that ended in one second, their mean.
    pub fn longest_freeze(&self) -> f64 {
        let lengths =
            self.all(|second| (second.freezes > 0.0).then_some(second.frozen / second.freezes));
        max(&lengths).unwrap_or(0.0)
    }

    /// kbit/s that came.
    pub fn rate(&self) -> f64 {
        mean(&self.all(|second| Some(second.kbps))).unwrap_or(0.0)
    }

    /// Share of the samples that were concealed and no silence: W3C
    /// (concealedSamples − silentConcealedSamples) / totalSamplesReceived.
    pub fn concealed_share(&self) -> f64 {
        let audible = self.sum(|second| second.concealed - second.silent);
        audible / self.sum(|second| second.samples).max(1.0)
    }

    /// Medians over the seconds.
    pub fn delay_p50(&self) -> Option<f64> {
        median(&self.all(|second| second.delay_p50))
    }

    pub fn delay_p95(&self) -> Option<f64> {
        median(&self.all(|second| second.delay_p95))
    }

    pub fn worst_delay(&self) -> Option<f64> {
        max(&self.all(|second| second.delay_max))
    }

    /// Seconds from `start` to the end of the first second at this rate or above.
    pub fn time_to_rate(&self, start: f64, kbps: f64) -> Option<f64> {
        let mut later = self.0.iter().filter(|second| second.at > start);
        let reached = later.find(|second| second.kbps >= kbps)?;
        Some(reached.at - start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(seconds: &[Second]) -> Timeline {
        let numbered = seconds.iter().zip(1..).map(|(second, number)| Second {
            at: f64::from(number),
            length: 1.0,
            ..*second
        });
        Timeline(numbered.collect())
    }

    fn of_rate(kbps: f64) -> Second {
        Second {
            kbps,
            ..Second::default()
        }
    }

    #[test]
    fn only_the_seconds_within_the_time_count() {
        let line = timeline(&[10.0, 20.0, 30.0, 40.0].map(of_rate));
        assert_eq!(line.between(1.0, 3.0).rate(), 25.0);
        assert_eq!(line.between(9.0, 12.0).rate(), 0.0);
    }

    #[test]
    fn the_time_to_a_rate_begins_at_the_rise() {
        let line = timeline(&[900.0, 100.0, 200.0, 950.0].map(of_rate));
        assert_eq!(line.time_to_rate(2.0, 900.0), Some(2.0));
        assert_eq!(line.time_to_rate(2.0, 1_000.0), None);
    }

    #[test]
    fn silence_that_was_concealed_does_not_count_as_concealed() {
        let second = Second {
            concealed: 4_800.0,
            silent: 2_400.0,
            samples: 48_000.0,
            ..Second::default()
        };
        assert_eq!(timeline(&[second, second]).concealed_share(), 0.05);
        assert_eq!(timeline(&[]).concealed_share(), 0.0);
    }

    #[test]
    fn freezes_add_up_and_the_longest_is_found() {
        let frozen = |freezes, frozen| Second {
            freezes,
            frozen,
            frames: 15.0,
            ..Second::default()
        };
        let line = timeline(&[frozen(1.0, 0.3), frozen(0.0, 0.0), frozen(2.0, 0.4)]);
        assert_eq!(line.freezes(), 3.0);
        assert!((line.frozen() - 0.7).abs() < 1e-9);
        assert_eq!(line.longest_freeze(), 0.3);
        assert_eq!(line.frames_per_second(), 15.0);
    }
}
