//! What is heard in a WAV file.

use std::path::Path;

use anyhow::{Context, Result, ensure};

/// Length of the windows in which a tone is looked for, in seconds.
const WINDOW: f64 = 0.1;
/// A tone stands out by this factor over what lies beside it.
const STANDS_OUT: f64 = 10.0;
/// Amplitude, linear, below which there is no tone.
const AUDIBLE: f64 = 0.005;

/// Samples of one channel, full scale = 1.
pub struct Sound {
    /// Hertz.
    pub rate: u32,
    /// Several channels are mixed to one.
    pub samples: Vec<f64>,
}

impl Sound {
    /// Reads a WAV file of 16-bit samples or floats.
    ///
    /// # Errors
    /// When it is none, or empty.
    pub fn read(file: &Path) -> Result<Self> {
        let mut wav = hound::WavReader::open(file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        let spec = wav.spec();
        let samples: Vec<f64> = match spec.sample_format {
            hound::SampleFormat::Int => wav
                .samples::<i16>()
                .map(|sample| sample.map(|sample| f64::from(sample) / 32_768.0))
                .collect::<Result<_, _>>()?,
            hound::SampleFormat::Float => wav
                .samples::<f32>()
                .map(|sample| sample.map(f64::from))
                .collect::<Result<_, _>>()?,
        };
        ensure!(!samples.is_empty(), "{} is empty", file.display());
        let channels = usize::from(spec.channels);
        let mix = |frame: &[f64]| frame.iter().sum::<f64>() / frame.len() as f64;
        Ok(Self {
            rate: spec.sample_rate,
            samples: samples.chunks(channels).map(mix).collect(),
        })
    }

    /// For how many seconds a tone of this frequency is heard.
    pub fn seconds_of(&self, hertz: f64) -> f64 {
        let window = (WINDOW * f64::from(self.rate)) as usize;
        let heard = self.samples.chunks_exact(window).filter(|samples| {
            let strength = |hertz| amplitude(samples, self.rate, hertz);
            let beside = strength(hertz * 0.87).max(strength(hertz * 1.15));
            let tone = strength(hertz);
            tone > AUDIBLE && tone > beside * STANDS_OUT
        });
        heard.count() as f64 * WINDOW
    }

    /// Root mean square around each moment: over `window` seconds, `step` apart.
    pub fn envelope(&self, window: f64, step: f64) -> Vec<f64> {
        let length = |seconds| (seconds * f64::from(self.rate)) as usize;
        self.samples
            .windows(length(window))
            .step_by(length(step))
            .map(|samples| {
                let power = samples.iter().map(|sample| sample * sample).sum::<f64>();
                (power / samples.len() as f64).sqrt()
            })
            .collect()
    }
}

/// The amplitude of one frequency: Goertzel's algorithm under a Hann window.
pub fn amplitude(samples: &[f64], rate: u32, hertz: f64) -> f64 {
    let step = std::f64::consts::TAU / samples.len() as f64;
    let turn = 2.0 * (std::f64::consts::TAU * hertz / f64::from(rate)).cos();
    let (mut last, mut before) = (0.0, 0.0);
    for (at, sample) in samples.iter().enumerate() {
        let hann = 0.5 - 0.5 * (step * at as f64).cos();
        (last, before) = (sample * hann + turn * last - before, last);
    }
    let power = last * last + before * before - turn * last * before;
    // The Hann window halves a sine's sum; a sine of amplitude 1 sums to N/2.
    4.0 * power.max(0.0).sqrt() / samples.len() as f64
}

/// How alike two envelopes are where they fit best, the second up to `shift`
/// steps later: Pearson's coefficient, and how many steps.
pub fn correlation(spoken: &[f64], heard: &[f64], shift: usize) -> (f64, usize) {
    (0..=shift.min(heard.len()))
        .map(|shift| (pearson(spoken, &heard[shift..]), shift))
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .unwrap_or((0.0, 0))
}

fn pearson(one: &[f64], other: &[f64]) -> f64 {
    let length = one.len().min(other.len());
    if length < one.len() {
        return 0.0;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / length as f64;
    let (one, other) = (&one[..length], &other[..length]);
    let (mean_one, mean_other) = (mean(one), mean(other));
    let mut sums = (0.0, 0.0, 0.0);
    for (a, b) in one.iter().zip(other) {
        let (a, b) = (a - mean_one, b - mean_other);
        sums = (sums.0 + a * b, sums.1 + a * a, sums.2 + b * b);
    }
    sums.0 / (sums.1 * sums.2).sqrt().max(f64::EPSILON)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hertz: f64, amplitude: f64) -> Vec<f64> {
        let step = std::f64::consts::TAU * hertz / 48_000.0;
        (0..48_000)
            .map(|at| amplitude * (step * f64::from(at)).sin())
            .collect()
    }

    #[test]
    fn a_tone_is_heard_at_its_frequency_and_at_no_other() {
        let mixed = tone(440.0, 0.2).into_iter().zip(tone(910.0, 0.1));
        let sound = Sound {
            rate: 48_000,
            samples: mixed.map(|(one, other)| one + other).collect(),
        };
        assert_eq!(sound.seconds_of(440.0), 1.0);
        assert_eq!(sound.seconds_of(910.0), 1.0);
        assert_eq!(sound.seconds_of(620.0), 0.0);
    }

    #[test]
    fn the_amplitude_of_a_sine_is_its_own() {
        let measured = amplitude(&tone(440.0, 0.25), 48_000, 440.0);
        assert!((measured - 0.25).abs() < 0.001, "{measured}");
    }

    #[test]
    fn an_envelope_that_comes_late_is_found_at_its_delay() {
        let spoken = [0.0, 1.0, 0.5, 0.0, 2.0, 0.0, 1.0];
        let heard = [[0.0; 3].as_slice(), &spoken, &[0.0; 4]].concat();
        let (alike, shift) = correlation(&spoken, &heard, 6);
        assert!(alike > 0.999, "{alike}");
        assert_eq!(shift, 3);
    }
}
