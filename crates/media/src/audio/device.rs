//! Microphones and speakers of this computer.

use cpal::traits::{DeviceTrait, HostTrait};
use cpal::{ErrorKind, Host};

use crate::device::{DeviceError, DeviceInfo, DeviceKind};
pub(crate) use crate::platform::sound::host;

/// Microphones, then speakers.
pub fn list() -> (Vec<DeviceInfo>, Vec<DeviceInfo>) {
    let Some(host) = host() else {
        return (Vec::new(), Vec::new());
    };
    (
        Direction::Capture.list(&host),
        Direction::Playback.list(&host),
    )
}

/// Which way sound goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From a microphone.
    Capture,
    /// To a speaker.
    Playback,
}

impl Direction {
    fn list(self, host: &Host) -> Vec<DeviceInfo> {
        let default_id = self.default_id(host);
        let (devices, kind) = match self {
            Self::Capture => (host.input_devices(), DeviceKind::Microphone),
            Self::Playback => (host.output_devices(), DeviceKind::Speaker),
        };
        let info = |device: cpal::Device| {
            let id = id_of(&device)?;
            let name = device.description().ok()?.name().to_owned();
            let is_default = default_id.as_ref() == Some(&id);
            Some(DeviceInfo {
                kind,
                id,
                name,
                is_default,
            })
        };
        devices.map_or_else(|_| Vec::new(), |devices| devices.filter_map(info).collect())
    }

    fn default(self, host: &Host) -> Option<cpal::Device> {
        match self {
            Self::Capture => host.default_input_device(),
            Self::Playback => host.default_output_device(),
        }
    }

    /// The id of the device that the system would choose now.
    pub(crate) fn default_id(self, host: &Host) -> Option<String> {
        id_of(&self.default(host)?)
    }

    /// The device with this id, or the default one.
    ///
    /// # Errors
    /// [`DeviceError::Absent`] when there is none.
    pub(crate) fn find(self, host: &Host, id: Option<&str>) -> Result<cpal::Device, DeviceError> {
        let device = match id {
            None => self.default(host).filter(|device| id_of(device).is_some()),
            Some(id) => {
                let devices = host.devices().map_err(open_error)?;
                devices
                    .into_iter()
                    .find(|device| id_of(device).as_deref() == Some(id) && self.suits(device))
            }
        };
        device.ok_or(DeviceError::Absent)
    }

    fn suits(self, device: &cpal::Device) -> bool {
        match self {
            Self::Capture => device.supports_input(),
            Self::Playback => device.supports_output(),
        }
    }
}

/// A device's id across restarts; none for what is no device to a person: a
/// speaker's monitor, which is no microphone, and ALSA's many aliases.
fn id_of(device: &cpal::Device) -> Option<String> {
    let id = device.id().ok()?;
    #[cfg(target_os = "linux")]
    let is_device = match id.host() {
        cpal::HostId::PulseAudio => !id.id().ends_with(".monitor"),
        _ => {
            id.id() == "default"
                || id.id().starts_with("sysdefault:")
                || id.id().starts_with("hdmi:")
        }
    };
    #[cfg(not(target_os = "linux"))]
    let is_device = true;
    is_device.then(|| id.to_string())
}

/// Why a device could not be opened.
pub(crate) fn open_error(error: cpal::Error) -> DeviceError {
    match error.kind() {
        ErrorKind::DeviceNotAvailable | ErrorKind::HostUnavailable => DeviceError::Absent,
        ErrorKind::DeviceBusy => DeviceError::Busy,
        ErrorKind::PermissionDenied => DeviceError::Refused,
        ErrorKind::UnsupportedConfig | ErrorKind::UnsupportedOperation => {
            DeviceError::Unsupported(error.to_string())
        }
        _ => DeviceError::Failed(error.to_string()),
    }
}

/// Why an open device stopped; `None` for what it survives.
pub(crate) fn stream_error(error: cpal::Error) -> Option<DeviceError> {
    match error.kind() {
        ErrorKind::Xrun | ErrorKind::RealtimeDenied | ErrorKind::DeviceChanged => None,
        ErrorKind::DeviceNotAvailable
        | ErrorKind::HostUnavailable
        | ErrorKind::StreamInvalidated => Some(DeviceError::Lost),
        _ => Some(open_error(error)),
    }
}
