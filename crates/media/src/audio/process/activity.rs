//! Whether somebody speaks.

use std::f32::consts::PI;
use std::panic::{AssertUnwindSafe, catch_unwind};

use earshot::Detector;

use super::{BLOCK_SAMPLES, Block};

/// Says whether sound at 48 kHz is speech.
pub(crate) struct VoiceActivity {
    /// `None` after a panic of the library: the level decides then.
    detector: Option<Box<Detector>>,
    decimator: Decimator,
    /// At 16 kHz.
    waiting: Vec<f32>,
    /// Scores above the threshold in a row.
    hits: u32,
    /// Frames for which speech goes on without a hit.
    hold: u32,
    /// Samples at 16 kHz of a pause, less than a frame.
    paused: usize,
}

/// What the detector takes at a time: 16 ms at 16 kHz.
const FRAME: usize = 256;
/// From here a frame is speech.
const SPEECH: f32 = 0.5;
/// Frames of speech in a row until somebody speaks: a keystroke is shorter.
const ENOUGH_HITS: u32 = 2;
/// Frames until somebody no longer speaks: 400 ms, pauses between words are shorter.
const HOLD: u32 = 25;
/// Below −60 dBFS nobody speaks, whatever the detector says.
const QUIET_RMS: f32 = 0.001;
/// From here somebody speaks where there is no detector: −40 dBFS.
const LOUD_RMS: f32 = 0.01;

impl VoiceActivity {
    /// Nobody speaks yet.
    pub(crate) fn new() -> Self {
        Self {
            detector: catch_unwind(Detector::default_boxed).ok(),
            decimator: Decimator::new(),
            waiting: Vec::with_capacity(FRAME + BLOCK_SAMPLES / 3),
            hits: 0,
            hold: 0,
            paused: 0,
        }
    }

    /// Takes the next samples; says whether somebody speaks now.
    pub(crate) fn hear(&mut self, sound: &[f32]) -> bool {
        for block in sound.as_chunks::<BLOCK_SAMPLES>().0 {
            self.decimator.push(block, &mut self.waiting);
            if let Some((frame, rest)) = self.waiting.split_first_chunk::<FRAME>() {
                let (frame, rest) = (*frame, rest.to_vec());
                self.waiting = rest;
                self.decide(&frame);
            }
        }
        self.hold > 0
    }

    /// So many samples in which nobody can speak; says whether somebody spoke just before.
    /// Costs nothing.
    pub(crate) fn pause(&mut self, samples: usize) -> bool {
        self.waiting.clear();
        self.hits = 0;
        self.paused += samples / 3;
        self.hold = self.hold.saturating_sub((self.paused / FRAME) as u32);
        self.paused %= FRAME;
        self.hold > 0
    }

    fn decide(&mut self, frame: &[f32; FRAME]) {
        let rms = (frame.iter().map(|sample| sample * sample).sum::<f32>() / FRAME as f32).sqrt();
        self.hits = if rms >= QUIET_RMS && self.is_speech(frame, rms) {
            self.hits.saturating_add(1)
        } else {
            0
        };
        self.hold = match self.hits {
            ENOUGH_HITS.. => HOLD,
            _ => self.hold.saturating_sub(1),
        };
    }

    fn is_speech(&mut self, frame: &[f32; FRAME], rms: f32) -> bool {
        let Some(detector) = &mut self.detector else {
            return rms > LOUD_RMS;
        };
        // After a panic it is dropped: nothing sees what it left half done.
        match catch_unwind(AssertUnwindSafe(|| detector.predict_f32(frame))) {
            Ok(score) => score >= SPEECH,
            Err(_) => {
                tracing::error!("voice detection panicked: the level decides from now on");
                self.detector = None;
                false
            }
        }
    }
}

/// Every third sample of the lower third of the spectrum.
struct Decimator {
    taps: [f32; TAPS],
    history: [f32; TAPS + BLOCK_SAMPLES],
}

const TAPS: usize = 33;
/// Of the sample rate: 7 kHz.
const CUT_OFF: f32 = 7_000.0 / 48_000.0;

impl Decimator {
    fn new() -> Self {
        let mut taps = std::array::from_fn(|n| {
            let at = n as f32 - (TAPS - 1) as f32 / 2.0;
            let sinc = if at == 0.0 {
                2.0 * CUT_OFF
            } else {
                (2.0 * PI * CUT_OFF * at).sin() / (PI * at)
            };
            // Hann.
            sinc * (0.5 - 0.5 * (2.0 * PI * (n as f32 + 0.5) / TAPS as f32).cos())
        });
        let sum: f32 = taps.iter().sum();
        taps.iter_mut().for_each(|tap| *tap /= sum);
        Self {
            taps,
            history: [0.0; TAPS + BLOCK_SAMPLES],
        }
    }

    fn push(&mut self, block: &Block, output: &mut Vec<f32>) {
        self.history.copy_within(BLOCK_SAMPLES.., 0);
        self.history[TAPS..].copy_from_slice(block);
        output.extend((0..BLOCK_SAMPLES / 3).map(|n| {
            let window = &self.history[3 * n..3 * n + TAPS];
            let sample: f32 = window.iter().zip(&self.taps).map(|(a, b)| a * b).sum();
            sample.clamp(-1.0, 1.0)
        }));
    }
}
