//! How long pictures took from the other side's camera to here.

/// Delays are counted up to here, in milliseconds; what took longer is no
/// measurement but a wrong clock or a wrongly read picture.
pub const MAX_DELAY_MS: u32 = 60_000;

/// Counts of delays in buckets of 1 ms, since the beginning. Two readings
/// subtracted ([`DelayHistogram::since`]) give those of the time between.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DelayHistogram {
    /// Grows to the largest delay seen.
    counts: Vec<u32>,
}

impl DelayHistogram {
    /// Counts one delay; one beyond [`MAX_DELAY_MS`] is ignored.
    pub fn record(&mut self, ms: u32) {
        if ms > MAX_DELAY_MS {
            return;
        }
        let bucket = ms as usize;
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] = self.counts[bucket].saturating_add(1);
    }

    /// How many delays were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|&count| u64::from(count)).sum()
    }

    /// The smallest delay, in milliseconds, that at least `share` (0 to 1) of
    /// all do not exceed; `None` where nothing was counted.
    pub fn percentile(&self, share: f32) -> Option<u32> {
        let wanted = ((self.count() as f64 * f64::from(share)).ceil() as u64).max(1);
        let mut seen = 0;
        self.counts
            .iter()
            .position(|&count| {
                seen += u64::from(count);
                seen >= wanted
            })
            .map(|ms| ms as u32)
    }

    /// The mean, in milliseconds; `None` where nothing was counted.
    pub fn mean(&self) -> Option<f64> {
        let count = self.count();
        let weighted = self.counts.iter().zip(0_u64..);
        let sum: u64 = weighted.map(|(&count, ms)| u64::from(count) * ms).sum();
        (count > 0).then(|| sum as f64 / count as f64)
    }

    /// What was counted after `earlier` was read from the same place.
    pub fn since(&self, earlier: &Self) -> Self {
        let before = earlier.counts.iter().chain(std::iter::repeat(&0));
        let counts = self
            .counts
            .iter()
            .zip(before)
            .map(|(now, then)| now.saturating_sub(*then));
        Self {
            counts: counts.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_count_from_the_smallest_delay() {
        let mut delays = DelayHistogram::default();
        assert_eq!((delays.percentile(0.5), delays.mean()), (None, None));
        for ms in 1..=100 {
            delays.record(ms);
        }
        assert_eq!(delays.percentile(0.0), Some(1));
        assert_eq!(delays.percentile(0.5), Some(50));
        assert_eq!(delays.percentile(0.95), Some(95));
        assert_eq!(delays.percentile(1.0), Some(100));
        assert_eq!(delays.mean(), Some(50.5));
    }

    #[test]
    fn a_difference_holds_only_what_came_between() {
        let mut delays = DelayHistogram::default();
        delays.record(10);
        let earlier = delays.clone();
        delays.record(30);
        delays.record(MAX_DELAY_MS + 1);
        let between = delays.since(&earlier);
        assert_eq!((between.count(), between.percentile(0.5)), (1, Some(30)));
    }
}
