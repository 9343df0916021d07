//! Microphones and speakers of this computer.

use crate::device::DeviceInfo;

/// Microphones, then speakers.
pub fn list() -> (Vec<DeviceInfo>, Vec<DeviceInfo>) {
    (Vec::new(), Vec::new())
}
