//! AVFoundation and Media Foundation, through nokhwa.

use std::sync::mpsc;
use std::time::Duration;

use nokhwa::utils::{
    ApiBackend, CameraFormat, CameraInfo, FrameFormat, RequestedFormat, RequestedFormatType,
};
use nokhwa::{NokhwaError, nokhwa_check, nokhwa_initialize, query};

use crate::device::DeviceError;
use crate::source::VideoFormat;
use crate::video::camera::Offer;
use crate::video::convert::{Layout, Pixels};

/// The formats that are understood.
const FORMATS: [(FrameFormat, Pixels); 3] = [
    (FrameFormat::YUYV, Pixels::Yuyv),
    (FrameFormat::NV12, Pixels::Nv12),
    (FrameFormat::MJPEG, Pixels::Mjpeg),
];

/// How long a person may take to allow the camera, where the system asks.
const PERMISSION_LIMIT: Duration = Duration::from_secs(60);

/// How long a camera may take to open.
pub(crate) const OPEN_LIMIT: Duration = Duration::from_secs(70);

/// A camera that is there.
pub(crate) struct Found {
    /// An id that lasts across restarts: AVFoundation's unique id, Media
    /// Foundation's symbolic link.
    pub(crate) id: String,
    /// What the system calls it.
    pub(crate) name: String,
    info: CameraInfo,
}

/// The cameras, in the system's order.
pub(crate) fn list() -> Vec<Found> {
    let mut found = query(ApiBackend::Auto).unwrap_or_else(|error| {
        tracing::warn!(%error, "cameras cannot be listed");
        Vec::new()
    });
    found.sort_by_key(|info| info.index().clone());
    let camera = |info: CameraInfo| Found {
        id: info.misc(),
        name: info.human_name(),
        info,
    };
    found.into_iter().map(camera).collect()
}

/// An open camera.
pub(crate) struct Device {
    inner: nokhwa::Camera,
    layout: Layout,
    frames_per_second: u32,
}

impl Device {
    /// Opens a camera, which gives no frames yet. Waits for a person's permission
    /// where the system asks for it.
    ///
    /// # Errors
    /// Why it cannot be opened.
    pub(crate) fn open(found: &Found) -> Result<Self, DeviceError> {
        ask_permission()?;
        let formats = FORMATS.map(|(format, _)| format);
        let any = RequestedFormat::with_formats(RequestedFormatType::None, &formats);
        let inner = nokhwa::Camera::new(found.info.index().clone(), any)
            .map_err(|error| device_error(&error))?;
        Ok(Self {
            inner,
            layout: Layout::tight(Pixels::Yuyv, 0, 0),
            frames_per_second: 0,
        })
    }

    /// The formats that it offers.
    ///
    /// # Errors
    /// When the camera went away.
    pub(crate) fn offers(&mut self, _wanted: VideoFormat) -> Result<Vec<Offer>, DeviceError> {
        let offered = self.inner.compatible_camera_formats();
        let offered = offered.map_err(|error| device_error(&error))?;
        let offer = |format: CameraFormat| {
            let known = FORMATS.iter().find(|(known, _)| *known == format.format());
            Some(Offer {
                pixels: known?.1,
                width: format.width(),
                height: format.height(),
                interval: Some((1, format.frame_rate())),
            })
        };
        Ok(offered.into_iter().filter_map(offer).collect())
    }

    /// Begins to capture.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn start(&mut self, offer: &Offer) -> Result<(), DeviceError> {
        let known = FORMATS.iter().find(|(_, pixels)| *pixels == offer.pixels);
        let (format, _) = known.ok_or_else(|| DeviceError::Unsupported("unknown".into()))?;
        let rate = offer.frames_per_second();
        let format = CameraFormat::new_from(offer.width, offer.height, *format, rate);
        let formats = FORMATS.map(|(format, _)| format);
        let exactly = RequestedFormat::with_formats(RequestedFormatType::Exact(format), &formats);
        self.inner
            .set_camera_requset(exactly)
            .and_then(|_| self.inner.open_stream())
            .map_err(|error| device_error(&error))?;
        self.layout = Layout::tight(offer.pixels, offer.width, offer.height);
        self.frames_per_second = rate;
        Ok(())
    }

    /// What was really opened.
    pub(crate) fn format(&self) -> VideoFormat {
        VideoFormat {
            width: self.layout.width & !1,
            height: self.layout.height & !1,
            frames_per_second: self.frames_per_second,
        }
    }

    /// Waits for the next frame and passes on its bytes; never `None`.
    ///
    /// # Errors
    /// [`DeviceError::Lost`] when the camera went away, or what the system said.
    pub(crate) fn next<T>(
        &mut self,
        take: impl FnOnce(&Layout, &[u8]) -> T,
    ) -> Result<Option<T>, DeviceError> {
        let bytes = self.inner.frame_raw();
        let bytes = bytes.map_err(|error| match device_error(&error) {
            DeviceError::Absent => DeviceError::Lost,
            other => other,
        })?;
        Ok(Some(take(&self.layout, &bytes)))
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
    fn the_systems_errors_have_their_meaning() {
        let error = |text: &str| device_error(&NokhwaError::OpenStreamError(text.into()));
        for (text, meaning) in [
            ("gone (os error 19)", DeviceError::Absent),
            ("HRESULT(0xC00D3EA3)", DeviceError::Busy),
            ("HRESULT(0x80070005)", DeviceError::Refused),
        ] {
            assert_eq!(error(text), meaning);
        }
        assert!(matches!(error("(os error 5)"), DeviceError::Failed(text) if text.contains("5")));
    }
}
