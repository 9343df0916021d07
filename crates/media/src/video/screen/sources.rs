//! What can be shared, as a page shows it to choose from.

use serde::{Deserialize, Serialize};

use super::ScreenKind;
use crate::device::DeviceError;
use crate::platform::screen as system;

/// The largest thumbnail, in pixels.
pub const MAX_THUMBNAIL: (u32, u32) = (320, 180);

/// The most sources that are offered.
pub const MAX_SOURCES: usize = 64;

/// A small image of a screen or window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Thumbnail {
    /// Width in pixels, 1 to 320.
    pub width: u32,
    /// Height in pixels, 1 to 180.
    pub height: u32,
    /// Red, green, blue and 255 for each pixel, in tightly packed rows.
    pub rgba: Vec<u8>,
}

/// A screen or window that can be shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShareSource {
    /// Which of them it is.
    pub kind: ScreenKind,
    /// Names it as [`VideoSource`](crate::VideoSource) reads it.
    pub id: String,
    /// The monitor's name, or the window's title; at most 200 characters. Empty where
    /// the system asks.
    pub title: String,
    /// Whether it is the primary screen.
    pub is_primary: bool,
    /// What it shows now; `None` where it cannot be read, and where the system asks.
    pub thumbnail: Option<Thumbnail>,
}

/// What there is to choose from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShareSources {
    /// The system shows a dialog of its own when a source is opened. `sources` then has
    /// one of each kind that the dialog can offer.
    pub system_asks: bool,
    /// The screens, then the windows; at most [`MAX_SOURCES`]. Windows of this process
    /// are left out.
    pub sources: Vec<ShareSource>,
}

/// Lists what can be shared, with thumbnails. Takes up to 5 s when the system hangs:
/// not for a loop that must not wait.
///
/// # Errors
/// As [`list`](super::list).
pub fn sources() -> Result<ShareSources, DeviceError> {
    sources_of(None)
}

/// As [`sources`], of the X display of this name; `None` is what the environment says.
///
/// # Errors
/// As [`list`](super::list).
pub fn sources_of(display: Option<&str>) -> Result<ShareSources, DeviceError> {
    system::sources(display)
}
