//! What is done to captured sound before it is encoded once.
//!
//! ```text
//! capture ──► echo cancel ──► noise suppress ──► gain ──► voice activity ──► Opus
//!                ▲
//! playout mix ───┘ reference (bounded queue, 10 ms blocks)
//! ```
//!
//! Each stage can be switched off and on at run time: it warms up beside the sound, then
//! the two are crossfaded over 10 ms. A stage that is off has no state and takes no
//! processor time. With all stages off the samples pass untouched.

mod activity;
mod echo;
mod gain;
mod noise;
mod reference;
mod stage;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(crate) use activity::VoiceActivity;
use echo::EchoCanceller;
use gain::GainControl;
use noise::NoiseSuppressor;
pub(crate) use reference::{EchoReference, ReferenceWriter, echo_reference};
use stage::Switch;

/// Samples that are processed at a time: 10 ms.
pub(crate) const BLOCK_SAMPLES: usize = 480;

/// By how much each stage delays.
const ECHO_DELAY: Duration = Duration::from_millis(9);
const NOISE_DELAY: Duration = Duration::from_millis(10);

/// 10 ms of mono sound at 48 kHz.
pub(crate) type Block = [f32; BLOCK_SAMPLES];

/// Which stages captured sound passes. All off leaves the samples as they are, for music.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SoundProcessing {
    /// Removes what the speaker plays from what the microphone hears.
    pub echo_cancellation: bool,
    /// Removes steady and sudden noise.
    pub noise_suppression: bool,
    /// Brings quiet speech to a common loudness.
    pub auto_gain: bool,
}

impl SoundProcessing {
    /// No stage: samples stay as they were captured.
    pub const OFF: Self = Self {
        echo_cancellation: false,
        noise_suppression: false,
        auto_gain: false,
    };
}

impl Default for SoundProcessing {
    /// Everything on.
    fn default() -> Self {
        Self {
            echo_cancellation: true,
            noise_suppression: true,
            auto_gain: true,
        }
    }
}

/// The stages, and the far-end reference that echo is cancelled with.
pub(crate) struct Processor {
    echo: Switch<EchoCanceller>,
    noise: Switch<NoiseSuppressor>,
    gain: Switch<GainControl>,
    reference: Option<EchoReference>,
    /// What the speaker played since the last frame.
    far: Vec<Block>,
}

impl Processor {
    /// All stages off, no reference.
    pub(crate) fn new() -> Self {
        Self {
            echo: Switch::new("echo canceller", EchoCanceller::new),
            noise: Switch::new("noise suppressor", NoiseSuppressor::new),
            gain: Switch::new("gain control", GainControl::new),
            reference: None,
            far: Vec::new(),
        }
    }

    /// Cancels the echo of what this reference brings from now on.
    pub(crate) fn set_reference(&mut self, reference: EchoReference) {
        self.reference = Some(reference);
        self.echo.restart();
    }

    /// Another microphone: what the stages know of the last one is void.
    pub(crate) fn restart(&mut self) {
        self.echo.restart();
        self.noise.restart();
        self.gain.restart();
        if let Some(reference) = &mut self.reference {
            reference.flush();
        }
    }

    /// Processes a frame of whole blocks. Of a muted one only the echo is cancelled, so
    /// that the filters stay converged and voice activity does not see the far end.
    pub(crate) fn process(&mut self, frame: &mut [f32], settings: SoundProcessing, muted: bool) {
        // Emptied at each frame, whether the echo is cancelled or not.
        let is_audible = self.reference.as_mut().is_some_and(|reference| {
            let drained = reference.drain(&mut self.far);
            if drained.was_interrupted {
                self.echo.restart();
            }
            drained.is_audible
        });
        let mut far: &[Block] = &self.far;
        for block in frame.as_chunks_mut::<BLOCK_SAMPLES>().0 {
            self.echo
                .process(block, settings.echo_cancellation && is_audible, far);
            far = &[];
            self.noise
                .process(block, settings.noise_suppression && !muted, far);
            self.gain.process(block, settings.auto_gain && !muted, far);
        }
        self.far.clear();
    }

    /// How much later what it gives was captured than the frame that it was given.
    pub(crate) fn delay(&self) -> Duration {
        let stages = [
            (self.echo.is_on(), ECHO_DELAY),
            (self.noise.is_on(), NOISE_DELAY),
        ];
        let on = stages.into_iter().filter(|(is_on, _)| *is_on);
        on.map(|(_, delay)| delay).sum()
    }

    /// Stages that were made again after a panic.
    pub(crate) fn take_panics(&mut self) -> u64 {
        self.echo.take_panics() + self.noise.take_panics() + self.gain.take_panics()
    }
}
