//! Pictures: sources, conversion, sending and receiving.

pub mod assembly;
pub mod background;
pub mod camera;
mod capture;
pub mod convert;
mod delay;
pub mod depacketize;
pub mod playout;
mod receiver;
pub mod screen;
mod sender;
pub mod snapshot;
pub mod synthetic;
pub mod timecode;
pub mod y4m;

pub use capture::CaptureState;
pub use delay::{DelayHistogram, MAX_DELAY_MS};
pub use receiver::{FrameTiming, StageDelays, VideoReceiveStats, VideoReceiver};
pub use sender::{
    EncoderTarget, FrameRates, HALF_RATE_SHARE, Start, VideoSendStats, VideoSender, bitrate_for,
};

/// Ticks per second of the RTP clock of every picture codec.
pub const CLOCK: u32 = 90_000;

#[cfg(test)]
mod tests;
