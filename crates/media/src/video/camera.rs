//! Cameras.

mod choice;

use std::sync::mpsc;
use std::time::{Duration, Instant};

use nokhwa::utils::{
    ApiBackend, CameraFormat, CameraInfo, FrameFormat, RequestedFormat, RequestedFormatType,
};
use nokhwa::{NokhwaError, nokhwa_check, nokhwa_initialize, query};

use crate::device::{DeviceError, DeviceInfo, DeviceKind};
use crate::frame::Frame;
use crate::platform;
use crate::source::VideoFormat;
use crate::video::convert;

/// The formats that are understood.
const PIXELS: [FrameFormat; 3] = [FrameFormat::YUYV, FrameFormat::NV12, FrameFormat::MJPEG];

/// Drivers refuse some of what they list: so many formats are tried.
const TRIED_FORMATS: usize = 4;

/// Cameras begin with damaged pictures; so many in a row are a failure.
const DAMAGED_LIMIT: u32 = 30;

/// How long a person may take to allow the camera, where the system asks.
const PERMISSION_LIMIT: Duration = Duration::from_secs(60);

/// Which camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// By its place in [`list`], from 0; 0 is the default.
    Index(u32),
    /// By its id in [`list`].
    Id(String),
}

/// An open camera. Dropping it releases the device.
pub struct Camera {
    inner: nokhwa::Camera,
    opened: CameraFormat,
}

/// The cameras that are there.
pub fn list() -> Vec<DeviceInfo> {
    let info = |(place, (id, info)): (usize, (String, CameraInfo))| DeviceInfo {
        kind: DeviceKind::Camera,
        id,
        name: info.human_name(),
        is_default: place == 0,
    };
    cameras().into_iter().enumerate().map(info).collect()
}

fn cameras() -> Vec<(String, CameraInfo)> {
    let found = query(ApiBackend::Auto).unwrap_or_else(|error| {
        tracing::warn!(%error, "cameras cannot be listed");
        Vec::new()
    });
    let mut found: Vec<_> = found
        .into_iter()
        .filter_map(|info| Some((platform::camera::id(&info)?, info)))
        .collect();
    found.sort_by_key(|(_, info)| info.index().clone());
    found
}

impl Camera {
    /// Opens a camera in the format nearest to what is wanted: the smallest
    /// size that is not below it, then the highest rate up to it, then what
    /// need not be decompressed. Waits for a person's permission where the
    /// system asks for it.
    ///
    /// # Errors
    /// As [`DeviceError`] says: absent, busy, refused, without a usable format.
    pub fn open(choice: &Choice, wanted: VideoFormat) -> Result<Self, DeviceError> {
        let mut cameras = cameras().into_iter();
        let (_, info) = match choice {
            Choice::Index(index) => cameras.nth(*index as usize),
            Choice::Id(id) => cameras.find(|(found, _)| found == id),
        }
        .ok_or(DeviceError::Absent)?;
        ask_permission()?;
        let any = RequestedFormat::with_formats(RequestedFormatType::None, &PIXELS);
        let mut inner =
            nokhwa::Camera::new(info.index().clone(), any).map_err(|error| device_error(&error))?;
        let offered = inner
            .compatible_camera_formats()
            .map_err(|error| device_error(&error))?;
        let ranked = choice::ranked(&offered, wanted);
        let mut last = DeviceError::Unsupported("none of YUYV, NV12 and MJPEG".into());
        for format in ranked.into_iter().take(TRIED_FORMATS) {
            let exactly =
                RequestedFormat::with_formats(RequestedFormatType::Exact(format), &PIXELS);
            match inner
                .set_camera_requset(exactly)
                .and_then(|_| inner.open_stream())
            {
                Ok(()) => {
                    tracing::debug!(%format, "camera opened");
                    return Ok(Self {
                        inner,
                        opened: format,
                    });
                }
                Err(error) => last = device_error(&error),
            }
        }
        Err(last)
    }

    /// The format that was really opened.
    pub fn format(&self) -> VideoFormat {
        VideoFormat {
            width: self.opened.width() & !1,
            height: self.opened.height() & !1,
            frames_per_second: self.opened.frame_rate(),
        }
    }

    /// Waits for the next picture.
    ///
    /// # Errors
    /// [`DeviceError::Lost`] when the camera went away, [`DeviceError::Failed`]
    /// when it gives nothing but damaged pictures.
    pub fn next_frame(&mut self) -> Result<Frame, DeviceError> {
        let mut damaged = 0;
        loop {
            let data = self
                .inner
                .frame_raw()
                .map_err(|error| match device_error(&error) {
                    DeviceError::Absent => DeviceError::Lost,
                    other => other,
                })?;
            let now = Instant::now();
            let (width, height) = (self.opened.width(), self.opened.height());
            let converted = match self.opened.format() {
                FrameFormat::YUYV => convert::yuyv(&data, width, height, now),
                FrameFormat::NV12 => convert::nv12(&data, width, height, now),
                _ => convert::mjpeg(&data, now),
            };
            match converted {
                Ok(frame) => return Ok(frame),
                Err(error) if damaged == DAMAGED_LIMIT => {
                    return Err(DeviceError::Failed(error.to_string()));
                }
                Err(_) => damaged += 1,
            }
        }
    }
}

/// Where the system lets each person decide (macOS), asks and waits.
fn ask_permission() -> Result<(), DeviceError> {
    if nokhwa_check() {
        return Ok(());
    }
    let (answer, answered) = mpsc::sync_channel(1);
    nokhwa_initialize(move |allowed| {
        // The capture thread may have given up waiting.
        let _ = answer.try_send(allowed);
    });
    match answered.recv_timeout(PERMISSION_LIMIT) {
        Ok(true) => Ok(()),
        _ => Err(DeviceError::Refused),
    }
}

/// The library passes the system's error on as text only: POSIX numbers, and
/// on Windows the `HRESULT`s of Media Foundation.
fn device_error(error: &NokhwaError) -> DeviceError {
    const ABSENT: [&str; 4] = [
        "(os error 2)",
        "(os error 6)",
        "(os error 19)",
        "0xC00D3EA2",
    ];
    const BUSY: [&str; 3] = ["(os error 16)", "0xC00D3704", "0xC00D3EA3"];
    const REFUSED: [&str; 3] = ["(os error 13)", "(os error 1)", "0x80070005"];
    let text = error.to_string();
    let any = |marks: &[&str]| marks.iter().any(|mark| text.contains(mark));
    if any(&ABSENT) {
        DeviceError::Absent
    } else if any(&BUSY) {
        DeviceError::Busy
    } else if any(&REFUSED) {
        DeviceError::Refused
    } else {
        DeviceError::Failed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_that_is_not_there_is_absent() {
        for choice in [Choice::Index(10_000), Choice::Id("nobody's".into())] {
            assert_eq!(
                Camera::open(&choice, VideoFormat::default()).err(),
                Some(DeviceError::Absent)
            );
        }
    }

    #[test]
    fn the_list_names_each_camera_once_and_has_one_default() {
        let cameras = list();
        assert!(
            cameras
                .iter()
                .all(|camera| camera.kind == DeviceKind::Camera && !camera.name.is_empty())
        );
        assert_eq!(
            cameras.iter().filter(|camera| camera.is_default).count(),
            cameras.len().min(1)
        );
    }

    #[test]
    fn the_systems_errors_have_their_meaning() {
        let error = |number| {
            NokhwaError::OpenStreamError(std::io::Error::from_raw_os_error(number).to_string())
        };
        for (number, meaning) in [
            (2, DeviceError::Absent),
            (19, DeviceError::Absent),
            (16, DeviceError::Busy),
            (13, DeviceError::Refused),
        ] {
            assert_eq!(device_error(&error(number)), meaning);
        }
        assert!(
            matches!(device_error(&error(5)), DeviceError::Failed(text) if text.contains("os error 5"))
        );
    }
}
