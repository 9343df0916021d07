//! What keeps a loud mix from cracking.

/// Below this samples pass unchanged.
const KNEE: f32 = 0.8;

/// Bends what is beyond the knee towards full scale, so that several people
/// at once sound loud and not broken. What is no number becomes silence.
pub(crate) fn limit(sample: f32) -> f32 {
    let magnitude = sample.abs();
    if magnitude <= KNEE {
        sample
    } else if magnitude.is_nan() {
        0.0
    } else {
        (KNEE + (1.0 - KNEE) * ((magnitude - KNEE) / (1.0 - KNEE)).tanh()).copysign(sample)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loud_samples_rise_towards_full_scale_and_quiet_ones_pass() {
        let steps: Vec<f32> = (-300..=300).map(|n| limit(n as f32 / 100.0)).collect();
        assert!(
            steps.windows(2).all(|pair| pair[0] <= pair[1])
                && steps.iter().all(|sample| sample.abs() <= 1.0)
        );
        assert_eq!(limit(-0.5), -0.5);
        assert_eq!((limit(f32::INFINITY), limit(f32::NAN)), (1.0, 0.0));
    }
}
