//! The capture thread: one source after another, one newest frame.

use crate::device::DeviceError;
use crate::source::VideoFormat;

/// What the picture source is doing.
///
/// ```text
/// Off ──set_source, unmute──► Starting ──first format──► Live
///  ▲                             │                        │
///  └──── mute, source none ──────┴── error ──► Failed ◄───┘ error
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaptureState {
    /// No source, or muted: no device is held.
    Off,
    /// The source is being opened.
    Starting,
    /// Pictures come, in the format that was really opened.
    Live(VideoFormat),
    /// The source could not be opened, or failed while it ran; nothing takes
    /// its place until [`set_source`](super::VideoSender::set_source) is called.
    Failed(DeviceError),
}
