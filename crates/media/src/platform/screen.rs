//! Screens and windows as the system gives them.
//!
//! Each system has a module with `list` and `Capturer`: the capturer waits for a
//! change and reads the pixels; rates and repetition are its caller's
//! (`video/screen.rs`).

#[cfg(not(target_os = "linux"))]
mod unsupported;
#[cfg(target_os = "linux")]
mod x11;

#[cfg(not(target_os = "linux"))]
pub(crate) use self::unsupported::{Capturer, list, sources};
#[cfg(target_os = "linux")]
pub(crate) use self::x11::{Capturer, list, sources};

/// The pixels of a screen or window: four bytes each, blue, green, red and one
/// without a meaning, in tightly packed rows.
pub(crate) struct Image<'a> {
    pub data: &'a [u8],
    pub width: u32,
    pub height: u32,
}
