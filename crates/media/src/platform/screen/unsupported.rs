//! Systems whose screens cannot be shared yet.

use super::Capture;
use crate::device::DeviceError;
use crate::source::ScreenSource;
use crate::video::screen::{ScreenInfo, ShareSources};

fn unsupported() -> DeviceError {
    DeviceError::Failed("sharing a screen is not supported on this system yet".into())
}

/// Lists nothing.
///
/// # Errors
/// Always.
pub(crate) fn list(_display: Option<&str>) -> Result<Vec<ScreenInfo>, DeviceError> {
    Err(unsupported())
}

/// Lists nothing.
///
/// # Errors
/// Always.
pub(crate) fn sources(_display: Option<&str>) -> Result<ShareSources, DeviceError> {
    Err(unsupported())
}

/// Nothing was chosen.
pub(crate) fn forget_choices() {}

/// Opens nothing.
///
/// # Errors
/// Always.
pub(crate) fn open(
    _display: Option<&str>,
    _source: &ScreenSource,
) -> Result<Box<dyn Capture>, DeviceError> {
    Err(unsupported())
}
