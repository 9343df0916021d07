//! Cameras.

use crate::device::DeviceInfo;

/// The cameras that are there.
pub fn list() -> Vec<DeviceInfo> {
    Vec::new()
}
