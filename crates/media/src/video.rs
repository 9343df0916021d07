//! Pictures: sources, conversion, sending and receiving.

pub mod camera;
mod capture;
mod delay;
mod receiver;
mod sender;

pub use capture::CaptureState;
pub use delay::{DelayHistogram, MAX_DELAY_MS};
pub use receiver::{VideoReceiveStats, VideoReceiver};
pub use sender::{VideoSendStats, VideoSender};
