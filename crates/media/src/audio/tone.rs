//! A sine wave as a sound source.

use std::f64::consts::TAU;

use crate::audio::SAMPLE_RATE;

/// −20 dBFS, peak.
const AMPLITUDE: f64 = 0.1;

/// An endless sine wave at −20 dBFS, 48 kHz, mono.
pub(crate) struct Tone {
    /// Turns so far, 0 to 1.
    phase: f64,
    /// Turns a sample.
    step: f64,
}

impl Tone {
    pub(crate) fn new(hertz: f32) -> Self {
        Self {
            phase: 0.0,
            step: f64::from(hertz) / f64::from(SAMPLE_RATE),
        }
    }

    /// The next samples.
    pub(crate) fn fill(&mut self, sound: &mut [f32]) {
        for sample in sound {
            *sample = (AMPLITUDE * (self.phase * TAU).sin()) as f32;
            self.phase = (self.phase + self.step).fract();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::goertzel::power;

    #[test]
    fn a_tone_has_its_frequency_and_minus_20_dbfs() {
        let mut tone = Tone::new(1_000.0);
        let mut sound = vec![0.0; 48_000];
        sound.chunks_mut(960).for_each(|frame| tone.fill(frame));
        assert!((power(&sound, 1_000.0) - 0.005).abs() < 0.0001);
    }
}
