//! How loud something is.

/// Loudness of a short stretch of sound, linear, 1 being full scale.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Level {
    /// Root of the mean square, 0 to 1.
    pub rms: f32,
    /// Largest magnitude, 0 to 1.
    pub peak: f32,
}

impl Level {
    /// Measures some samples; nothing is silent.
    pub fn of(samples: &[f32]) -> Self {
        let (energy, peak) = samples
            .iter()
            .fold((0.0_f32, 0.0_f32), |(energy, peak), sample| {
                (energy + sample * sample, peak.max(sample.abs()))
            });
        let rms = (energy / samples.len().max(1) as f32).sqrt();
        Self {
            rms: rms.min(1.0),
            peak: peak.min(1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_wave_is_as_loud_as_its_peak_and_nothing_is_silent() {
        assert_eq!(
            Level::of(&[0.5, -0.5, 0.5, -0.5]),
            Level {
                rms: 0.5,
                peak: 0.5
            }
        );
        assert_eq!(Level::of(&[]), Level::default());
        assert_eq!(
            Level::of(&[9.0]),
            Level {
                rms: 1.0,
                peak: 1.0
            }
        );
    }
}
