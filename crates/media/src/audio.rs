//! Sound: microphones, Opus, jitter buffers, mixing and speakers.
//!
//! Sending: a device's callback copies into a ring; one thread makes mono
//! frames of 20 ms at 48 kHz of it, processes them ([`SoundProcessing`]), measures,
//! encodes once and hands out ([`AudioSender`]). Receiving: packets wait in each person's jitter buffer
//! ([`AudioReceiver`]); one thread pulls them all by the clock of the sound
//! card, decodes and mixes ([`Playout`]).

mod capture;
pub mod device;
pub(crate) mod downmix;
mod file;
#[cfg(test)]
mod goertzel;
pub(crate) mod jitter;
mod level;
mod limiter;
mod output;
mod playout;
mod process;
mod receiver;
pub(crate) mod resample;
mod sender;
#[cfg(test)]
mod signals;
mod stream;
mod stretch;
mod supervisor;
#[cfg(test)]
mod tests;
mod ticker;
mod tone;
pub mod wav;

pub use level::Level;
pub use playout::{Playout, PlayoutState, PlayoutStats};
pub use process::SoundProcessing;
pub use receiver::{AudioReceiveStats, AudioReceiver};
pub use sender::{AudioCaptureState, AudioSendStats, AudioSender};

/// Samples per second everywhere between capture and playout.
pub const SAMPLE_RATE: u32 = 48_000;

/// Samples in what is encoded at a time: 20 ms.
pub const FRAME_SAMPLES: usize = 960;

fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What is behind these locks is whole at every moment, after a panic too.
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
