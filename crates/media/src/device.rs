//! Cameras, microphones and speakers of this computer.

use serde::{Deserialize, Serialize};

/// What a device is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeviceKind {
    /// Takes pictures.
    Camera,
    /// Takes sound.
    Microphone,
    /// Plays sound.
    Speaker,
}

/// One device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceInfo {
    /// What it is for.
    pub kind: DeviceKind,
    /// Names it across restarts, as far as the system does.
    pub id: String,
    /// What a person calls it.
    pub name: String,
    /// Whether the system would choose it.
    pub is_default: bool,
}

/// Everything that is there now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Devices {
    /// In the system's order.
    pub cameras: Vec<DeviceInfo>,
    /// In the system's order.
    pub microphones: Vec<DeviceInfo>,
    /// In the system's order.
    pub speakers: Vec<DeviceInfo>,
}

/// Why a source or sink gives nothing. The page branches on the variant.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum DeviceError {
    /// There is no such device, or none at all.
    #[error("no such device")]
    Absent,
    /// Another program holds it.
    #[error("another program uses the device")]
    Busy,
    /// The system or the person refused it.
    #[error("access to the device was refused")]
    Refused,
    /// It offers no format that is understood.
    #[error("the device offers no usable format: {0}")]
    Unsupported(String),
    /// A file that cannot be read or written, and why.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It worked, and then it went away.
    #[error("the device was disconnected")]
    Lost,
    /// Anything else that the system said.
    #[error("the device failed: {0}")]
    Failed(String),
}

/// Lists the devices. Slow on some systems (tens of milliseconds): not for a
/// loop that must not wait.
pub fn list() -> Devices {
    let (microphones, speakers) = crate::audio::device::list();
    Devices {
        cameras: crate::video::camera::list(),
        microphones,
        speakers,
    }
}
