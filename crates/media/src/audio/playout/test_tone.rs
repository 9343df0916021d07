//! The speaker test.

use std::f32::consts::TAU;

use crate::audio::SAMPLE_RATE;
use crate::audio::output::Block;

/// A tone on the left, a pause, the same on the right.
#[derive(Default)]
pub(crate) struct TestTone {
    /// Frames so far.
    position: usize,
}

const HERTZ: f32 = 440.0;
const AMPLITUDE: f32 = 0.25;

/// Each tone lasts 650 ms, with a pause of 200 ms between them.
const TONE_FRAMES: usize = SAMPLE_RATE as usize * 65 / 100;
const PAUSE_FRAMES: usize = SAMPLE_RATE as usize / 5;

/// Tones swell and fade over 10 ms: no click.
const RAMP_FRAMES: usize = 480;

impl TestTone {
    /// Adds the next frames; says whether there is more.
    pub(crate) fn mix_into(&mut self, block: &mut Block) -> bool {
        for frame in block {
            let (side, into) = match self.position.checked_sub(TONE_FRAMES + PAUSE_FRAMES) {
                Some(into) => (1, into),
                None => (0, self.position),
            };
            let ramp = into.min(TONE_FRAMES.saturating_sub(into)).min(RAMP_FRAMES) as f32
                / RAMP_FRAMES as f32;
            frame[side] +=
                AMPLITUDE * ramp * (into as f32 * HERTZ * TAU / SAMPLE_RATE as f32).sin();
            self.position += 1;
        }
        self.position < 2 * TONE_FRAMES + PAUSE_FRAMES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::goertzel::power;

    #[test]
    fn the_tone_is_on_the_left_then_on_the_right_and_ends_after_a_second_and_a_half() {
        let (mut tone, mut frames) = (TestTone::default(), Vec::new());
        let mut goes_on = true;
        while goes_on {
            let mut block = [[0.0; 2]; 480];
            goes_on = tone.mix_into(&mut block);
            frames.extend(block);
        }
        assert_eq!(frames.len(), 72_000);
        let side = |side: usize, range: std::ops::Range<usize>| {
            let samples: Vec<f32> = frames[range].iter().map(|frame| frame[side]).collect();
            power(&samples, HERTZ)
        };
        assert!(side(0, 0..31_200) > 0.02 && side(1, 0..31_200) == 0.0);
        assert!(side(1, 40_800..72_000) > 0.02 && side(0, 31_200..72_000) < 0.001);
    }
}
