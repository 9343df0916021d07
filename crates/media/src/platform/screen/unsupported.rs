//! Systems whose screens cannot be shared yet.

use std::time::Instant;

use super::Image;
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

/// Never opens, so it has no values.
pub(crate) enum Capturer {}

impl Capturer {
    /// # Errors
    /// Always.
    pub(crate) fn open(
        _display: Option<&str>,
        _source: &ScreenSource,
    ) -> Result<Self, DeviceError> {
        Err(unsupported())
    }

    pub(crate) fn size(&self) -> (u32, u32) {
        match *self {}
    }

    pub(crate) fn changed(&mut self, _until: Instant) -> Result<bool, DeviceError> {
        match *self {}
    }

    pub(crate) fn capture<T>(
        &mut self,
        _take: impl FnOnce(&Image<'_>) -> T,
    ) -> Result<Option<T>, DeviceError> {
        match *self {}
    }
}
