//! Pictures: sources, conversion, sending and receiving.

pub mod camera;
mod capture;
pub mod convert;
mod delay;
mod receiver;
mod sender;
pub mod snapshot;
pub mod synthetic;
pub mod timecode;

pub use capture::CaptureState;
pub use delay::{DelayHistogram, MAX_DELAY_MS};
pub use receiver::{VideoReceiveStats, VideoReceiver};
pub use sender::{VideoSendStats, VideoSender};
