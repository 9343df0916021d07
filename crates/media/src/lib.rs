//! Devices, codecs and media pipelines of Visavis.
//!
//! Threads, no network, no rooms, no async runtime except that of the desktop portal
//! on Linux. Capture flows
//! `device → Latest<Frame> → one encoder per codec → Queue per peer`; what is
//! received flows `RtpPacket → assembly or jitter buffer → decoder →
//! Latest<Frame>` or the playout mix. Each frame and each sound is encoded
//! once, however many subscribers there are.

pub mod audio;
pub mod codec;
pub mod device;
pub mod frame;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
pub mod latest;
pub mod packet;
mod platform;
pub mod queue;
pub mod source;
pub mod time;
pub mod video;

pub use device::{DeviceError, DeviceInfo, DeviceKind, Devices};
pub use frame::Frame;
pub use latest::Latest;
pub use packet::{EncodedAudio, EncodedVideo, FrameRate, RtpPacket, VideoCodec, VideoLayer};
pub use queue::Queue;
pub use source::{AudioSink, AudioSource, ScreenSource, VideoFormat, VideoSource};
pub use video::screen::{ScreenInfo, ScreenKind};
