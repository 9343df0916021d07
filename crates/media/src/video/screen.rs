//! Screens and windows: what there is to share, and capturing it.
//!
//! Frames are captured when something was drawn or the pointer moved, at most at the
//! wanted rate. After a change the last frame is repeated at 5 frames/s, so that the
//! encoder makes it sharp; then, while nothing changes, once a second, so that receivers
//! that join get a frame and rate control goes on.

mod sources;

use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

pub use self::sources::{
    MAX_SOURCES, MAX_THUMBNAIL, ShareSource, ShareSources, Thumbnail, sources, sources_of,
};
use crate::device::DeviceError;
use crate::frame::Frame;
pub use crate::platform::screen::Opening;
use crate::platform::screen::{self as system, Capture};
use crate::source::{ScreenSource, VideoFormat};
use crate::video::convert;

/// After how long the last frame is repeated.
const REPEAT_AFTER: Duration = Duration::from_secs(1);

/// After how long it is repeated while the encoder makes it sharp: a change of the whole
/// screen does not fit into the bits of one frame.
const SHARPEN_AFTER: Duration = Duration::from_millis(200);

/// For how long after a change it is made sharp.
const SHARPEN_FOR: Duration = Duration::from_millis(1_500);

/// How long one call waits for a change: the caller can stop the source in this time.
const WAIT: Duration = Duration::from_millis(100);

/// The rates that are captured, in frames per second.
const RATES: (u32, u32) = (5, 30);

/// Which kind of thing can be shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ScreenKind {
    /// All that one monitor shows.
    Screen,
    /// One window, whatever lies over it.
    Window,
}

/// A screen or window that can be shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScreenInfo {
    /// Which of them it is.
    pub kind: ScreenKind,
    /// Names it as [`VideoSource`](crate::VideoSource) reads it: `screen:NAME` or
    /// `window:ID`. A screen's id stays; a window's lasts as long as the window.
    pub id: String,
    /// The monitor's name, or the window's title; at most 200 characters.
    pub name: String,
    /// The distance from the left of the desktop, in pixels.
    pub x: i32,
    /// The distance from the top of the desktop, in pixels.
    pub y: i32,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Whether it is the screen that `screen` means. Of windows none is.
    pub is_primary: bool,
}

/// Lists the screens, then the windows that are shown; not the windows of this
/// process. Takes milliseconds, and up to 5 s when the X server hangs: not for a loop
/// that must not wait.
///
/// # Errors
/// [`DeviceError::Refused`] when the X server lets nobody in, and
/// [`DeviceError::Failed`] with a sentence when there is no X display, when the
/// session is a Wayland one (see [`sources`]), when the server does not answer, or when
/// the system is not supported.
pub fn list() -> Result<Vec<ScreenInfo>, DeviceError> {
    list_of(None)
}

/// As [`list`], of the X display of this name; `None` is that of the environment.
///
/// # Errors
/// As [`list`].
pub fn list_of(display: Option<&str>) -> Result<Vec<ScreenInfo>, DeviceError> {
    system::list(display)
}

/// Where the system asks in a dialog of its own, it lets a person choose the same screen
/// or window again without one, while this process runs. After this it asks.
pub fn forget_choices() {
    system::forget_choices();
}

/// A screen or window, open or asked for. Dropping it releases all that the system holds for it.
pub struct Screen {
    capturer: Box<dyn Capture>,
    interval: Duration,
    frames_per_second: u32,
    /// When the next change may be captured.
    due: Instant,
    last: Option<Frame>,
    /// When something changed last.
    changed_at: Instant,
}

impl Screen {
    /// Opens a screen or window in its own size, at the wanted rate within 5 to 30
    /// frames per second. `display` is the name of the X display; `None` is that of
    /// the environment. Where the system asks the person, it returns at once:
    /// [`opening`](Self::opening) says what comes of it.
    ///
    /// # Errors
    /// [`DeviceError::Absent`] when there is no such screen or window,
    /// [`DeviceError::Unsupported`] when it is larger than
    /// [`MAX_SIDE`](crate::frame::MAX_SIDE) or its pixels are not understood, and
    /// as [`list`].
    pub fn open(
        display: Option<&str>,
        source: &ScreenSource,
        wanted: VideoFormat,
    ) -> Result<Self, DeviceError> {
        let capturer = system::open(display, source)?;
        let frames_per_second = wanted.frames_per_second.clamp(RATES.0, RATES.1);
        Ok(Self {
            capturer,
            interval: Duration::from_secs(1) / frames_per_second,
            frames_per_second,
            due: Instant::now(),
            last: None,
            changed_at: Instant::now(),
        })
    }

    /// Waits up to a tenth of a second until it is open.
    ///
    /// # Errors
    /// [`DeviceError::Failed`] when the system's dialog cannot be shown or gives no frame
    /// of what was chosen.
    pub fn opening(&mut self) -> Result<Opening, DeviceError> {
        self.capturer.opening(Instant::now() + WAIT)
    }

    /// The size that was last seen, which can change while it is open, and the
    /// highest rate.
    pub fn format(&self) -> VideoFormat {
        let (width, height) = self.capturer.size();
        VideoFormat {
            width: width & !1,
            height: height & !1,
            frames_per_second: self.frames_per_second,
        }
    }

    /// Waits for the next frame; `None` when there was none within a tenth of a
    /// second. A window that is not shown repeats its last frame.
    ///
    /// # Errors
    /// [`DeviceError::Lost`] when the window was closed, the screen or the X server went
    /// away, or the desktop ended the share; [`DeviceError::Unsupported`] when it became too large.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, DeviceError> {
        // What changes until then becomes one frame.
        thread::sleep(self.due.saturating_duration_since(Instant::now()));
        let mut until = Instant::now() + WAIT;
        if let Some(last) = &self.last {
            until = until.min(last.captured_at() + self.repeat_after(Instant::now()));
        }
        if self.capturer.changed(until)? {
            let now = Instant::now();
            // On an even schedule, which a late frame does not move.
            self.due = (self.due + self.interval).max(now);
            let mut converted = None;
            self.capturer.capture(&mut |image| {
                converted = Some(convert::bgrx(image.data, image.width, image.height, now));
            })?;
            if let Some(frame) = converted {
                let frame = frame.map_err(|error| DeviceError::Failed(error.to_string()))?;
                self.changed_at = now;
                return Ok(Some(self.last.insert(frame).clone()));
            }
        }
        Ok(self.repeated(Instant::now()))
    }

    fn repeat_after(&self, now: Instant) -> Duration {
        if now.saturating_duration_since(self.changed_at) < SHARPEN_FOR {
            SHARPEN_AFTER
        } else {
            REPEAT_AFTER
        }
    }

    fn repeated(&mut self, now: Instant) -> Option<Frame> {
        let repeat_after = self.repeat_after(now);
        let last = self.last.as_ref()?;
        if now < last.captured_at() + repeat_after {
            return None;
        }
        let data = last.data().clone();
        self.last = Frame::new(last.width(), last.height(), data, now).ok();
        self.last.clone()
    }
}
