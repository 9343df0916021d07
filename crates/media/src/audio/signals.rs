//! Speech, noise and rooms, for tests.

use std::f32::consts::TAU;
use std::process::Command;

use crate::audio::SAMPLE_RATE;
use crate::audio::resample::Resampler;

/// Uniform in −1 to 1.
pub struct Random(pub u32);

impl Random {
    pub fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / 8_388_608.0 - 1.0
    }
}

/// What is said, and how.
#[derive(Clone, Copy)]
pub struct Talker {
    pub voice: &'static str,
    pub text: &'static str,
    /// Of the stand-in: fundamental frequency.
    pub hertz: f32,
}

pub const FAR: Talker = Talker {
    voice: "en-us+m3",
    text: "The quick brown fox jumps over the lazy dog. She sells sea shells by the sea \
           shore, and every shell she sells is a real one. How much wood would a wood chuck \
           chuck, if a wood chuck could chuck wood? Please call me back on Monday morning.",
    hertz: 110.0,
};

pub const NEAR: Talker = Talker {
    voice: "en-gb+f2",
    text: "We were going to look at the numbers of the last three months. Peter wanted to \
           know whether the delivery arrives on time, and I told him that nobody in the \
           office had heard about it. Can we move the meeting to a quarter past eleven?",
    hertz: 210.0,
};

/// So many seconds of speech over and over, at −23 dBFS: espeak-ng's, or where it is not
/// installed a buzz with the syllables, formants and pauses of speech.
pub fn speech(talker: Talker, seconds: usize) -> Vec<f32> {
    let once = spoken(talker).unwrap_or_else(|| buzz(talker.hertz));
    let length = seconds * SAMPLE_RATE as usize;
    let mut sound: Vec<f32> = once.iter().copied().cycle().take(length).collect();
    let gain = 10_f32.powf(-23.0 / 20.0) / rms(&sound);
    sound.iter_mut().for_each(|sample| *sample *= gain);
    sound
}

fn spoken(talker: Talker) -> Option<Vec<f32>> {
    let folder = tempfile::tempdir().ok()?;
    let path = folder.path().join("speech.wav");
    let spoke = Command::new("espeak-ng")
        .args(["-v", talker.voice, "-w"])
        .arg(&path)
        .arg(talker.text)
        .status();
    spoke.ok().filter(std::process::ExitStatus::success)?;
    let reader = hound::WavReader::open(&path).ok()?;
    let hertz = reader.spec().sample_rate;
    let samples: Vec<f32> = reader
        .into_samples::<i16>()
        .map(|sample| f32::from(sample.unwrap()) / 32_768.0)
        .collect();
    let mut sound = Vec::new();
    let mut resampler = Resampler::new(hertz, SAMPLE_RATE, 1).ok()?;
    resampler.push(&samples, &mut sound);
    Some(sound)
}

fn buzz(hertz: f32) -> Vec<f32> {
    let mut random = Random(hertz as u32);
    let (mut loudness, mut wanted, mut pitch, mut formant) = (0.0, 0.0, hertz, 700.0);
    let mut phase = 0.0_f32;
    (0..12 * SAMPLE_RATE as usize)
        .map(|n| {
            if n % 8_640 == 0 {
                // A syllable of 180 ms; each seventh is a pause.
                wanted = if (n / 8_640) % 7 == 6 {
                    0.0
                } else {
                    0.6 + 0.4 * random.next()
                };
                pitch = hertz * (1.0 + 0.15 * random.next());
                formant = 800.0 + 500.0 * random.next();
            }
            loudness += (wanted - loudness) * 0.001;
            phase = (phase + pitch / SAMPLE_RATE as f32).fract();
            let tone: f32 = (1..20)
                .map(|harmonic| {
                    let at = harmonic as f32 * pitch;
                    let weight = 1.0 / (1.0 + ((at - formant) / 400.0).powi(2));
                    weight * (phase * harmonic as f32 * TAU).sin()
                })
                .sum();
            loudness * (tone * 0.5 + random.next() * 0.02)
        })
        .collect()
}

/// Pink noise of this level.
pub fn pink(samples: usize, rms_wanted: f32) -> Vec<f32> {
    let mut random = Random(7);
    let mut rows = [0.0_f32; 12];
    let mut noise: Vec<f32> = (1..=samples)
        .map(|n: usize| {
            let row = n.trailing_zeros() as usize % rows.len();
            rows[row] = random.next();
            rows.iter().sum::<f32>() + random.next()
        })
        .collect();
    let mean = noise.iter().sum::<f32>() / samples as f32;
    noise.iter_mut().for_each(|sample| *sample -= mean);
    let gain = rms_wanted / rms(&noise);
    noise.iter_mut().for_each(|sample| *sample *= gain);
    noise
}

/// From a speaker to a microphone.
#[derive(Clone, Copy)]
pub struct Room {
    pub delay_ms: usize,
    /// The speaker is overdriven.
    pub is_nonlinear: bool,
    /// How much faster the speaker's clock runs.
    pub drift_ppm: f64,
}

impl Room {
    /// The echo of what a speaker plays, 10 dB quieter.
    pub fn echo(self, far: &[f32]) -> Vec<f32> {
        let mut random = Random(99);
        // Reflections within 100 ms that fade by 60 dB.
        let taps: Vec<(usize, f32)> = (0..150)
            .map(|n| {
                let at = n * 32 + (random.next().abs() * 31.0) as usize;
                (at, random.next() * (-6.9 * at as f32 / 4_800.0).exp())
            })
            .collect();
        let played = |sample: f32| {
            if self.is_nonlinear {
                (sample * 4.0).tanh() / 4.0
            } else {
                sample
            }
        };
        let played: Vec<f32> = far.iter().map(|&sample| played(sample)).collect();
        let delay = self.delay_ms * 48;
        let echo: Vec<f32> = (0..far.len())
            .map(|n| {
                let tap = |&(at, gain): &(usize, f32)| {
                    n.checked_sub(at + delay).map_or(0.0, |n| played[n] * gain)
                };
                taps.iter().map(tap).sum()
            })
            .collect();
        let gain = rms(far) * 0.316 / rms(&echo);
        (0..far.len())
            .map(|n| {
                let at = n as f64 * (1.0 - self.drift_ppm * 1e-6);
                let (whole, part) = (at as usize, at.fract() as f32);
                let next = echo.get(whole + 1).copied().unwrap_or(0.0);
                let this = echo.get(whole).copied().unwrap_or(0.0);
                (this * (1.0 - part) + next * part) * gain
            })
            .collect()
    }
}

pub fn rms(sound: &[f32]) -> f32 {
    (sound.iter().map(|sample| sample * sample).sum::<f32>() / sound.len() as f32).sqrt()
}

pub fn decibels(ratio: f32) -> f32 {
    20.0 * ratio.log10()
}

/// The lag in samples, up to 100 ms, at which `late` is most like `sound`.
pub fn lag(sound: &[f32], late: &[f32]) -> usize {
    let middle = sound.len() / 3..sound.len() / 3 * 2 - 4_800;
    let likeness = |lag: usize| {
        let pairs = sound[middle.clone()]
            .iter()
            .zip(&late[middle.start + lag..]);
        pairs.map(|(a, b)| a * b).sum::<f32>()
    };
    (0..4_800)
        .max_by(|&a, &b| likeness(a).total_cmp(&likeness(b)))
        .unwrap()
}

pub fn correlation(a: &[f32], b: &[f32]) -> f32 {
    let product: f32 = a.iter().zip(b).map(|(a, b)| a * b).sum();
    product / (rms(a) * rms(b) * a.len() as f32)
}

/// Scale-invariant signal-to-distortion ratio in dB.
pub fn si_sdr(clean: &[f32], sound: &[f32]) -> f32 {
    let product: f32 = clean.iter().zip(sound).map(|(a, b)| a * b).sum();
    let share = product / clean.iter().map(|sample| sample * sample).sum::<f32>();
    let error: Vec<f32> = clean
        .iter()
        .zip(sound)
        .map(|(clean, sound)| sound - share * clean)
        .collect();
    decibels(share.abs() * rms(clean) / rms(&error))
}
