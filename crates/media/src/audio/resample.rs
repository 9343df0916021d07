//! Sample rates of devices and files against our 48 kHz.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler as _};

/// Converts a stream of interleaved samples from one rate to another; passes
/// it through when they are the same.
pub(crate) struct Resampler {
    channels: usize,
    fft: Option<Fft<f32>>,
    waiting: Vec<f32>,
    chunk: Vec<f32>,
}

/// Chunks a second: what is converted at a time is about 10 ms.
const CHUNKS: u32 = 100;

impl Resampler {
    /// A converter, or why these rates cannot be converted.
    pub(crate) fn new(from_hertz: u32, to_hertz: u32, channels: usize) -> Result<Self, String> {
        let fft = if from_hertz == to_hertz {
            None
        } else {
            let fft = Fft::new(
                from_hertz as usize,
                to_hertz as usize,
                (from_hertz / CHUNKS).max(1) as usize,
                channels,
                FixedSync::Both,
            );
            Some(fft.map_err(|error| error.to_string())?)
        };
        let chunk = vec![0.0; fft.as_ref().map_or(0, Fft::output_frames_max) * channels];
        Ok(Self {
            channels,
            fft,
            waiting: Vec::new(),
            chunk,
        })
    }

    /// Appends to `output` what has become ready with `input`.
    pub(crate) fn push(&mut self, input: &[f32], output: &mut impl Extend<f32>) {
        let Some(fft) = &mut self.fft else {
            output.extend(input.iter().copied());
            return;
        };
        self.waiting.extend_from_slice(input);
        let wanted = fft.input_frames_next() * self.channels;
        let whole = self.waiting.len() / wanted * wanted;
        for samples in self.waiting[..whole].chunks_exact(wanted) {
            let frames = self.chunk.len() / self.channels;
            let from = InterleavedSlice::new(samples, self.channels, wanted / self.channels);
            let to = InterleavedSlice::new_mut(&mut self.chunk, self.channels, frames);
            // Cannot fail: the buffers have the sizes that were asked for.
            if let (Ok(from), Ok(mut to)) = (from, to)
                && let Ok((_, frames)) = fft.process_into_buffer(&from, &mut to, None)
            {
                output.extend(self.chunk[..frames * self.channels].iter().copied());
            }
        }
        self.waiting.drain(..whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::goertzel::power;

    #[test]
    fn a_tone_keeps_its_frequency_and_length_between_rates() {
        for rate in [8_000_u32, 16_000, 44_100, 96_000] {
            let tone: Vec<f32> = (0..rate)
                .map(|n| (n as f32 * 440.0 * std::f32::consts::TAU / rate as f32).sin())
                .collect();
            let mut sound = Vec::new();
            let mut resampler = Resampler::new(rate, 48_000, 1).unwrap();
            tone.chunks(37)
                .for_each(|some| resampler.push(some, &mut sound));
            assert!(
                (47_000..=48_000).contains(&sound.len()),
                "{rate}: {}",
                sound.len()
            );
            let middle = &sound[4_800..43_200];
            assert!(
                power(middle, 440.0) > 0.49 && power(middle, 880.0) < 0.001,
                "{rate}: {}",
                power(middle, 440.0)
            );
        }
    }

    #[test]
    fn both_channels_come_through_apart() {
        let stereo: Vec<f32> = (0..44_100).flat_map(|_| [0.5, -0.25]).collect();
        let mut sound = Vec::new();
        Resampler::new(44_100, 48_000, 2)
            .unwrap()
            .push(&stereo, &mut sound);
        let frame = &sound[sound.len() / 4 * 2..][..2];
        assert!(
            (frame[0] - 0.5).abs() < 0.01 && (frame[1] + 0.25).abs() < 0.01,
            "{frame:?}"
        );
    }
}
