//! Screens and windows as the system gives them.
//!
//! Each system has a module with `list`, `sources`, `open` and a [`Capture`]: that waits
//! for a change and reads the pixels; rates and repetition are its caller's
//! (`video/screen.rs`).

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod newest;
#[cfg(not(target_os = "linux"))]
mod unsupported;
#[cfg(target_os = "linux")]
mod wayland;
#[cfg(target_os = "linux")]
mod x11;

use std::time::Instant;

#[cfg(target_os = "linux")]
pub(crate) use self::linux::{forget_choices, list, open, sources};
#[cfg(not(target_os = "linux"))]
pub(crate) use self::unsupported::{forget_choices, list, open, sources};
use crate::device::DeviceError;

/// The pixels of a screen or window: four bytes each, blue, green, red and one
/// without a meaning, in tightly packed rows.
pub(crate) struct Image<'a> {
    pub data: &'a [u8],
    pub width: u32,
    pub height: u32,
}

/// How far the opening of a screen or window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// The system asks the person, or its first frame is awaited.
    Asks,
    /// Frames come.
    Open,
    /// The person chose nothing.
    Declined,
}

/// Captures one screen or window. Dropping it releases all that the system holds for it.
pub(crate) trait Capture {
    /// Waits until it is open, until then at the latest. Systems that ask nobody are open
    /// at once.
    fn opening(&mut self, _until: Instant) -> Result<Opening, DeviceError> {
        Ok(Opening::Open)
    }

    /// Width and height that were last seen.
    fn size(&self) -> (u32, u32);

    /// Waits until something is drawn or the pointer moves, and says whether.
    ///
    /// # Errors
    /// [`DeviceError::Lost`] when the window, the screen or the server went away, or the
    /// desktop ended the share.
    fn changed(&mut self, until: Instant) -> Result<bool, DeviceError>;

    /// Reads the pixels; `take` is not called while a window is not shown.
    ///
    /// # Errors
    /// [`DeviceError::Lost`] as for [`changed`](Self::changed),
    /// [`DeviceError::Unsupported`] for a size beyond the limit.
    fn capture(&mut self, take: &mut dyn FnMut(&Image<'_>)) -> Result<(), DeviceError>;
}
