//! Linux: X11 or Wayland, as the session says.

use super::{Capture, wayland, x11};
use crate::device::DeviceError;
use crate::source::ScreenSource;
use crate::video::screen::{ScreenInfo, ShareSources};

/// Whether this display is shared through the portal. One that is named is an X display.
fn is_wayland(display: Option<&str>) -> bool {
    display.is_none() && wayland::is_session()
}

pub(crate) fn list(display: Option<&str>) -> Result<Vec<ScreenInfo>, DeviceError> {
    if is_wayland(display) {
        let reason = "on Wayland the desktop lists its screens and windows in a dialog of its own";
        return Err(DeviceError::Failed(reason.into()));
    }
    x11::list(display)
}

pub(crate) fn sources(display: Option<&str>) -> Result<ShareSources, DeviceError> {
    if is_wayland(display) {
        return wayland::sources();
    }
    x11::sources(display)
}

pub(crate) fn forget_choices() {
    wayland::forget_choices();
}

pub(crate) fn open(
    display: Option<&str>,
    source: &ScreenSource,
) -> Result<Box<dyn Capture>, DeviceError> {
    if is_wayland(display) {
        return Ok(Box::new(wayland::Capturer::open(source)?));
    }
    Ok(Box::new(x11::Capturer::open(display, source)?))
}
