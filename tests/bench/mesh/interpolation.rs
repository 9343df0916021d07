//! Bits for equal quality, from measured points of rate and quality.

/// A measured point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// kbit/s.
    pub rate: f64,
    /// PSNR in dB.
    pub quality: f64,
}

/// Rate of `ours` as a share of `theirs` at equal quality: the mean over the qualities
/// that both reach, of the difference in the logarithm of the rate, which is linear
/// between neighbouring points. `None` where they reach no quality in common.
pub fn rate_share(ours: &[Point], theirs: &[Point]) -> Option<f64> {
    let (ours, theirs) = (curve(ours), curve(theirs));
    let low = f64::max(ours.first()?.quality, theirs.first()?.quality);
    let high = f64::min(ours.last()?.quality, theirs.last()?.quality);
    if low > high {
        return None;
    }
    const STEPS: u32 = 100;
    let sum: f64 = (0..=STEPS)
        .map(|step| low + (high - low) * f64::from(step) / f64::from(STEPS))
        .map(|quality| log_rate(&ours, quality) - log_rate(&theirs, quality))
        .sum();
    Some((sum / f64::from(STEPS + 1)).exp())
}

/// By rising quality; of points of the same or a lower quality at more bits, the
/// cheapest remains.
fn curve(points: &[Point]) -> Vec<Point> {
    let mut sorted = points.to_vec();
    sorted.retain(|point| point.rate > 0.0);
    sorted.sort_by(|one, other| one.rate.total_cmp(&other.rate));
    let mut curve: Vec<Point> = Vec::new();
    for point in sorted {
        if curve.last().is_none_or(|last| point.quality > last.quality) {
            curve.push(point);
        }
    }
    curve
}

/// The logarithm of the rate at which a curve reaches a quality within its range.
fn log_rate(curve: &[Point], quality: f64) -> f64 {
    let after = curve.partition_point(|point| point.quality < quality);
    let high = curve[after.min(curve.len() - 1)];
    let low = curve[after.saturating_sub(1)];
    let span = high.quality - low.quality;
    let share = if span > 0.0 {
        ((quality - low.quality) / span).clamp(0.0, 1.0)
    } else {
        0.0
    };
    low.rate.ln() + share * (high.rate.ln() - low.rate.ln())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(points: &[(f64, f64)]) -> Vec<Point> {
        let point = |&(rate, quality)| Point { rate, quality };
        points.iter().map(point).collect()
    }

    #[test]
    fn half_the_rate_at_every_quality_is_a_share_of_a_half() {
        let theirs = points(&[(200.0, 30.0), (400.0, 33.0), (800.0, 36.0)]);
        let ours = points(&[(100.0, 30.0), (200.0, 33.0), (400.0, 36.0)]);
        let share = rate_share(&ours, &theirs).unwrap();
        assert!((share - 0.5).abs() < 1e-9, "{share}");
    }

    #[test]
    fn points_at_other_rates_are_interpolated() {
        // One straight line in the logarithm of the rate: 3 dB a doubling.
        let theirs = points(&[(200.0, 30.0), (800.0, 36.0)]);
        let ours = points(&[(400.0, 33.0), (1_600.0, 39.0)]);
        let share = rate_share(&ours, &theirs).unwrap();
        assert!((share - 1.0).abs() < 1e-9, "{share}");
    }

    #[test]
    fn a_point_that_costs_more_for_less_is_left_out() {
        let theirs = points(&[(200.0, 30.0), (300.0, 29.0), (400.0, 33.0)]);
        assert_eq!(curve(&theirs), points(&[(200.0, 30.0), (400.0, 33.0)]));
    }

    #[test]
    fn curves_without_a_common_quality_have_no_share() {
        let low = points(&[(200.0, 30.0), (400.0, 33.0)]);
        let high = points(&[(200.0, 34.0), (400.0, 36.0)]);
        assert_eq!(rate_share(&low, &high), None);
        assert_eq!(rate_share(&[], &low), None);
    }
}
