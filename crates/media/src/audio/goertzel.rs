//! How much of a frequency is in some sound, for tests.

use crate::audio::SAMPLE_RATE;

/// Mean power of the component at `hertz` (Goertzel): 0.5 for a sine of full scale.
pub(crate) fn power(samples: &[f32], hertz: f32) -> f32 {
    let turn = f64::from(hertz) * std::f64::consts::TAU / f64::from(SAMPLE_RATE);
    let (re, im) = samples
        .iter()
        .enumerate()
        .fold((0.0, 0.0), |(re, im), (n, &sample)| {
            let (sin, cos) = (turn * n as f64).sin_cos();
            (re + f64::from(sample) * cos, im + f64::from(sample) * sin)
        });
    (2.0 * (re * re + im * im) / (samples.len() as f64).powi(2)) as f32
}
