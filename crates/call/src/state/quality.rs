//! How many bits the pictures may take, from the loss that peers report.
//!
//! Until bandwidth is estimated: halved when a peer reports more than 10 %,
//! recovering by 8 % a second.

const LOSS_LIMIT_PERCENT: f32 = 10.0;
const RECOVERY_PER_SECOND: f32 = 1.08;
const SMALLEST_SCALE: f32 = 0.05;

/// The share of the full rate that is sent, 0.05 to 1.
#[derive(Debug)]
pub(crate) struct Quality {
    scale: f32,
}

impl Quality {
    pub fn new() -> Self {
        Self { scale: 1.0 }
    }

    /// A second went by; the worst loss in percent that was reported in it, if
    /// any report came. The new share when it changed.
    pub fn second(&mut self, worst_loss_percent: Option<f32>) -> Option<f32> {
        let before = self.scale;
        let lossy = worst_loss_percent.is_some_and(|loss| loss > LOSS_LIMIT_PERCENT);
        let factor = if lossy { 0.5 } else { RECOVERY_PER_SECOND };
        self.scale = (self.scale * factor).clamp(SMALLEST_SCALE, 1.0);
        (self.scale != before).then_some(self.scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_halves_the_rate_and_it_recovers_to_the_whole() {
        let mut quality = Quality::new();
        assert_eq!(quality.second(Some(10.0)), None);
        assert_eq!(quality.second(Some(12.0)), Some(0.5));
        assert_eq!(quality.second(None), Some(0.54));
        let seconds = (0..20)
            .filter(|_| quality.second(Some(1.0)).is_some())
            .count();
        assert_eq!(seconds, 9);
        assert_eq!(quality.second(None), None);
    }

    #[test]
    fn it_never_falls_to_nothing() {
        let mut quality = Quality::new();
        for _ in 0..50 {
            quality.second(Some(100.0));
        }
        assert_eq!(quality.scale, SMALLEST_SCALE);
    }
}
