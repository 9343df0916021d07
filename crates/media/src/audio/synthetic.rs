//! Sound without a microphone: a tone, or a file over and over.

use std::f64::consts::TAU;
use std::path::Path;

use hound::{SampleFormat, WavReader};

use crate::audio::SAMPLE_RATE;
use crate::audio::resample::Resampler;
use crate::device::DeviceError;

/// Endless sound at 48 kHz, mono.
pub(crate) enum Synthetic {
    /// A sine wave.
    Tone {
        /// Turns so far, 0 to 1.
        phase: f64,
        /// Turns a sample.
        step: f64,
    },
    /// A recording and the place in it.
    Recording {
        /// Never empty.
        samples: Vec<f32>,
        /// What comes next.
        position: usize,
    },
}

/// −20 dBFS, peak.
const TONE_AMPLITUDE: f64 = 0.1;

impl Synthetic {
    /// A sine wave at −20 dBFS.
    pub(crate) fn tone(hertz: f32) -> Self {
        Self::Tone {
            phase: 0.0,
            step: f64::from(hertz) / f64::from(SAMPLE_RATE),
        }
    }

    /// Reads a WAV file whole: any rate, any channels, integers or floats.
    pub(crate) fn wav(path: &Path) -> Result<Self, DeviceError> {
        let samples = read_wav(path).map_err(|reason| DeviceError::File {
            path: path.display().to_string(),
            reason,
        })?;
        Ok(Self::Recording {
            samples,
            position: 0,
        })
    }

    /// The next samples.
    pub(crate) fn fill(&mut self, sound: &mut [f32]) {
        match self {
            Self::Tone { phase, step } => {
                for sample in sound {
                    *sample = (TONE_AMPLITUDE * (*phase * TAU).sin()) as f32;
                    *phase = (*phase + *step).fract();
                }
            }
            Self::Recording { samples, position } => {
                for sample in sound {
                    *sample = samples[*position];
                    *position = (*position + 1) % samples.len();
                }
            }
        }
    }
}

fn read_wav(path: &Path) -> Result<Vec<f32>, String> {
    let say = |error: hound::Error| error.to_string();
    let mut reader = WavReader::open(path).map_err(say)?;
    let spec = reader.spec();
    if spec.channels == 0 || spec.sample_rate == 0 || !(1..=32).contains(&spec.bits_per_sample) {
        return Err("its header makes no sense".into());
    }
    let interleaved = match spec.sample_format {
        SampleFormat::Float => reader.samples().collect::<Result<Vec<f32>, _>>(),
        SampleFormat::Int => {
            let scale = 1.0 / (1_i64 << (spec.bits_per_sample - 1)) as f32;
            reader
                .samples::<i32>()
                .map(|sample| Ok(sample? as f32 * scale))
                .collect()
        }
    };
    let mono = downmix(&interleaved.map_err(say)?, spec.channels.into());
    let mut samples = Vec::new();
    Resampler::new(spec.sample_rate, SAMPLE_RATE, 1)?.push(&mono, &mut samples);
    if samples.is_empty() {
        Err("it holds no sound".into())
    } else {
        Ok(samples)
    }
}

/// The mean of each frame's channels.
pub(crate) fn downmix(interleaved: &[f32], channels: usize) -> Vec<f32> {
    interleaved
        .chunks_exact(channels)
        .map(|frame| frame.iter().sum::<f32>() / channels as f32)
        .collect()
}

#[cfg(test)]
mod tests {
    use hound::{WavSpec, WavWriter};

    use super::*;
    use crate::audio::goertzel::power;

    fn take(source: &mut Synthetic, samples: usize) -> Vec<f32> {
        let mut sound = vec![0.0; samples];
        sound.chunks_mut(960).for_each(|frame| source.fill(frame));
        sound
    }

    #[test]
    fn a_tone_has_its_frequency_and_minus_20_dbfs() {
        let sound = take(&mut Synthetic::tone(1_000.0), 48_000);
        assert!((power(&sound, 1_000.0) - 0.005).abs() < 0.0001);
    }

    #[test]
    fn wav_files_of_every_kind_are_read_and_loop() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        for (rate, channels, bits, format) in [
            (48_000, 1, 16, SampleFormat::Int),
            (44_100, 2, 24, SampleFormat::Int),
            (16_000, 2, 32, SampleFormat::Float),
            (22_050, 1, 8, SampleFormat::Int),
        ] {
            let spec = WavSpec {
                channels,
                sample_rate: rate,
                bits_per_sample: bits,
                sample_format: format,
            };
            let mut writer = WavWriter::create(&path, spec).unwrap();
            for n in 0..rate {
                let value = (n as f32 * 440.0 * std::f32::consts::TAU / rate as f32).sin() * 0.5;
                for _ in 0..channels {
                    match format {
                        SampleFormat::Float => writer.write_sample(value).unwrap(),
                        SampleFormat::Int => writer
                            .write_sample((value * ((1 << (bits - 1)) - 1) as f32) as i32)
                            .unwrap(),
                    }
                }
            }
            writer.finalize().unwrap();
            let sound = take(&mut Synthetic::wav(&path).unwrap(), 144_000);
            for second in sound.chunks(48_000) {
                assert!(
                    power(second, 440.0) > 0.1,
                    "{rate} {channels} {bits}: {}",
                    power(second, 440.0)
                );
            }
        }
    }

    #[test]
    fn a_file_that_is_no_recording_is_named_with_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.wav");
        assert!(matches!(
            Synthetic::wav(&path),
            Err(DeviceError::File { .. })
        ));
        std::fs::write(&path, b"RIFF\x10\0\0\0WAVEjunk").unwrap();
        assert!(matches!(
            Synthetic::wav(&path),
            Err(DeviceError::File { .. })
        ));
        let spec = WavSpec {
            channels: 1,
            sample_rate: 48_000,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        WavWriter::create(&path, spec).unwrap().finalize().unwrap();
        let Err(DeviceError::File { reason, .. }) = Synthetic::wav(&path) else {
            panic!("an empty file was taken")
        };
        assert_eq!(reason, "it holds no sound");
    }
}
