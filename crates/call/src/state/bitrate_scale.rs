//! Scales the video bit rate by the loss that peers report.
//!
//! The scale is halved in a second in which a peer reports more than 10 % loss,
//! and grows by 8 % in any other second. It replaces bandwidth estimation.

const LOSS_LIMIT_PERCENT: f32 = 10.0;
const RECOVERY_PER_SECOND: f32 = 1.08;
const SMALLEST_SCALE: f32 = 0.05;

/// A factor of the full video bit rate, 0.05 to 1.
#[derive(Debug)]
pub(crate) struct BitrateScale {
    scale: f32,
}

impl BitrateScale {
    pub fn new() -> Self {
        Self { scale: 1.0 }
    }

    /// Updates the scale after one second with the highest loss reported during it,
    /// in percent. Returns the new scale when it changed.
    pub fn update(&mut self, worst_loss_percent: Option<f32>) -> Option<f32> {
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
    fn loss_halves_the_scale_and_it_recovers_to_one() {
        let mut bitrate_scale = BitrateScale::new();
        assert_eq!(bitrate_scale.update(Some(10.0)), None);
        assert_eq!(bitrate_scale.update(Some(12.0)), Some(0.5));
        assert_eq!(bitrate_scale.update(None), Some(0.54));
        let seconds = (0..20)
            .filter(|_| bitrate_scale.update(Some(1.0)).is_some())
            .count();
        assert_eq!(seconds, 9);
        assert_eq!(bitrate_scale.update(None), None);
    }

    #[test]
    fn the_scale_has_a_lower_bound() {
        let mut bitrate_scale = BitrateScale::new();
        for _ in 0..50 {
            bitrate_scale.update(Some(100.0));
        }
        assert_eq!(bitrate_scale.scale, SMALLEST_SCALE);
    }
}
