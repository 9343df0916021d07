//! Several channels to one, without loss of what only some of them carry.

/// Over which energies are averaged, in seconds.
const WINDOW_SECONDS: f32 = 0.1;
/// A channel this far below the loudest, in energy, is silent: −20 dB.
const SILENT: f32 = 0.01;
/// The mean of the channels has this share of the energy that it would have if
/// they had nothing in common: below it they cancel each other.
const CANCELS: f32 = 0.25;
/// The same, to trust the mean again.
const ADDS: f32 = 0.5;

/// Makes mono of interleaved channels.
///
/// The mean of all channels loses sound in two cases: one voice in one of eight
/// channels becomes 18 dB quieter, and a channel that is the inverse of another
/// cancels it. So the mean is taken over the channels that carry sound, and where
/// these cancel each other the loudest stands for all. Weights change smoothly.
pub(crate) struct Downmix {
    hertz: f32,
    /// Mean square of each channel.
    energies: Vec<f32>,
    weights: Vec<f32>,
    /// Mean square of the mean of the channels that carry sound, as a share of
    /// what it would be for channels that have nothing in common.
    common: f32,
    cancels: bool,
    started: bool,
}

impl Downmix {
    /// `channels` is at least 1.
    pub(crate) fn new(channels: usize, hertz: u32) -> Self {
        Self {
            hertz: hertz as f32,
            energies: vec![0.0; channels],
            weights: vec![1.0 / channels as f32; channels],
            common: 1.0,
            cancels: false,
            started: false,
        }
    }

    /// Appends the mono of whole frames.
    pub(crate) fn push(&mut self, interleaved: &[f32], mono: &mut Vec<f32>) {
        let channels = self.energies.len();
        if channels == 1 {
            mono.extend_from_slice(interleaved);
            return;
        }
        // Short enough for a change to take effect within a syllable.
        let block = (self.hertz / 100.0).max(1.0) as usize * channels;
        for block in interleaved.chunks(block) {
            self.block(block, mono);
        }
    }

    fn block(&mut self, interleaved: &[f32], mono: &mut Vec<f32>) {
        let channels = self.energies.len();
        let frames = interleaved.len() / channels;
        if frames == 0 {
            return;
        }
        let before = self.weights.clone();
        let was_started = self.started;
        self.measure(interleaved, frames);
        // The first block has nothing to change from.
        let before = if was_started { &before } else { &self.weights };
        for (number, frame) in interleaved.chunks_exact(channels).enumerate() {
            let progress = (number + 1) as f32 / frames as f32;
            let weights = before.iter().zip(&self.weights);
            let sample = frame
                .iter()
                .zip(weights)
                .map(|(sample, (from, to))| sample * (from + (to - from) * progress));
            mono.push(sample.sum());
        }
    }

    fn measure(&mut self, interleaved: &[f32], frames: usize) {
        let channels = self.energies.len();
        let mut energies = vec![0.0; channels];
        for frame in interleaved.chunks_exact(channels) {
            for (energy, sample) in energies.iter_mut().zip(frame) {
                *energy += sample * sample / frames as f32;
            }
        }
        let loudest = energies.iter().copied().fold(0.0, f32::max);
        if loudest <= f32::EPSILON {
            // Silence says nothing about the channels.
            return;
        }
        let share = if self.started {
            1.0 - (-(frames as f32) / (self.hertz * WINDOW_SECONDS)).exp()
        } else {
            1.0
        };
        self.started = true;
        for (average, energy) in self.energies.iter_mut().zip(&energies) {
            *average += share * (energy - *average);
        }
        let loudest = self.energies.iter().copied().fold(0.0, f32::max);
        let carries: Vec<bool> = self
            .energies
            .iter()
            .map(|energy| *energy > loudest * SILENT)
            .collect();
        let active = carries.iter().filter(|carries| **carries).count().max(1);
        let common = common(interleaved, &carries, &energies);
        self.common += share * (common - self.common);
        self.cancels = self.common < if self.cancels { ADDS } else { CANCELS };
        let first_loudest = self.energies.iter().position(|energy| *energy == loudest);
        for (channel, weight) in self.weights.iter_mut().enumerate() {
            *weight = match (self.cancels, carries[channel]) {
                (true, _) if Some(channel) == first_loudest => 1.0,
                (false, true) => 1.0 / active as f32,
                _ => 0.0,
            };
        }
    }
}

/// The energy of the sum of the channels that carry sound, as a share of the sum
/// of their energies: 1 for channels that have nothing in common, more for equal
/// ones, 0 for those that cancel each other.
fn common(interleaved: &[f32], carries: &[bool], energies: &[f32]) -> f32 {
    let channels = carries.len();
    let frames = (interleaved.len() / channels) as f32;
    let sums = interleaved.chunks_exact(channels).map(|frame| {
        let carried = frame.iter().zip(carries).filter(|(_, carries)| **carries);
        carried.map(|(sample, _)| sample).sum::<f32>()
    });
    let together = sums.map(|sum| sum * sum).sum::<f32>() / frames;
    let apart: f32 = energies
        .iter()
        .zip(carries)
        .filter(|(_, carries)| **carries)
        .map(|(energy, _)| energy)
        .sum();
    if apart <= f32::EPSILON {
        1.0
    } else {
        together / apart
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::goertzel::power;

    const HERTZ: u32 = 48_000;

    /// A second of channels, each a sine wave of a frequency and an amplitude.
    fn mixed(channels: &[(f32, f32)]) -> Vec<f32> {
        let frames = 0..HERTZ;
        let interleaved: Vec<f32> = frames
            .flat_map(|n| {
                channels.iter().map(move |(hertz, amplitude)| {
                    let turns = n as f32 / HERTZ as f32 * hertz;
                    amplitude * (turns.fract() * std::f32::consts::TAU).sin()
                })
            })
            .collect();
        let mut mono = Vec::new();
        let mut downmix = Downmix::new(channels.len(), HERTZ);
        for some in interleaved.chunks(441 * channels.len()) {
            downmix.push(some, &mut mono);
        }
        assert_eq!(mono.len(), HERTZ as usize);
        mono
    }

    /// Amplitude of a frequency.
    fn amplitude(sound: &[f32], hertz: f32) -> f32 {
        (2.0 * power(sound, hertz)).sqrt()
    }

    #[test]
    fn equal_channels_stay_as_loud() {
        assert!((amplitude(&mixed(&[(440.0, 0.5), (440.0, 0.5)]), 440.0) - 0.5).abs() < 0.01);
    }

    #[test]
    fn one_of_eight_channels_stays_as_loud() {
        let mut channels = [(440.0, 0.0); 8];
        channels[5] = (440.0, 0.5);
        assert!((amplitude(&mixed(&channels), 440.0) - 0.5).abs() < 0.01);
    }

    #[test]
    fn an_inverted_channel_cancels_nothing() {
        let heard = amplitude(&mixed(&[(440.0, 0.5), (440.0, -0.5)]), 440.0);
        assert!((heard - 0.5).abs() < 0.01, "{heard}");
        let heard = amplitude(&mixed(&[(440.0, 0.5), (440.0, -0.45)]), 440.0);
        assert!((heard - 0.5).abs() < 0.01, "{heard}");
    }

    #[test]
    fn two_voices_in_two_channels_are_both_heard() {
        let sound = mixed(&[(440.0, 0.5), (1_000.0, 0.4)]);
        assert!((amplitude(&sound, 440.0) - 0.25).abs() < 0.02);
        assert!((amplitude(&sound, 1_000.0) - 0.2).abs() < 0.02);
    }

    #[test]
    fn a_change_of_weights_makes_no_click() {
        let mut downmix = Downmix::new(2, HERTZ);
        let mut mono = Vec::new();
        let wave = |n: usize| (n as f32 / HERTZ as f32 * 440.0 * std::f32::consts::TAU).sin() * 0.5;
        // The second channel begins after half a second, as the inverse.
        let interleaved: Vec<f32> = (0..HERTZ as usize)
            .flat_map(|n| [wave(n), if n < 24_000 { 0.0 } else { -wave(n) }])
            .collect();
        downmix.push(&interleaved, &mut mono);
        let step = mono.windows(2).map(|pair| (pair[1] - pair[0]).abs());
        // A sine wave of 440 Hz and 0.5 changes by at most 0.029 a sample.
        assert!(step.fold(0.0, f32::max) < 0.04);
        assert!(amplitude(&mono[36_000..], 440.0) > 0.45);
    }
}
