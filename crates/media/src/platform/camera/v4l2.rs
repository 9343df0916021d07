//! Video4Linux.

mod listing;
mod offers;

use std::io;
use std::mem::ManuallyDrop;
use std::time::Duration;

use v4l::buffer::{Flags, Type};
use v4l::format::{Colorspace, Quantization};
use v4l::io::traits::{CaptureStream as _, Stream as _};
use v4l::prelude::MmapStream;
use v4l::video::Capture as _;
use v4l::video::capture::Parameters;
use v4l::{Format, FourCC, Fraction};

pub(crate) use self::listing::{Found, list};
use crate::device::DeviceError;
use crate::source::VideoFormat;
use crate::video::camera::Offer;
use crate::video::convert::{Layout, Pixels};

/// How long a camera may take to open.
pub(crate) const OPEN_LIMIT: Duration = Duration::from_secs(10);

/// How long one call waits for a frame: the caller can stop a camera that gives
/// none within this time.
const WAIT: Duration = Duration::from_millis(500);

/// Buffers that the driver fills in turn. Some drivers begin only when they have
/// four or five, and one is always here.
const BUFFERS: u32 = 6;

/// The most that a driver makes when it wants more of them.
const MOST_BUFFERS: usize = 32;

/// `POLLIN` of poll(2).
const READABLE: i16 = 1;

/// Their codes in V4L2; a few cameras say JPEG for MJPG.
const FORMATS: [(&[u8; 4], Pixels); 12] = [
    (b"YUYV", Pixels::Yuyv),
    (b"UYVY", Pixels::Uyvy),
    (b"YVYU", Pixels::Yvyu),
    (b"NV12", Pixels::Nv12),
    (b"NV21", Pixels::Nv21),
    (b"YU12", Pixels::Yu12),
    (b"YV12", Pixels::Yv12),
    (b"GREY", Pixels::Grey),
    (b"RGB3", Pixels::Rgb),
    (b"BGR3", Pixels::Bgr),
    (b"MJPG", Pixels::Mjpeg),
    (b"JPEG", Pixels::Mjpeg),
];

fn pixels(code: FourCC) -> Option<Pixels> {
    let known = FORMATS.iter().find(|(known, _)| **known == code.repr);
    known.map(|(_, pixels)| *pixels)
}

/// An open camera.
pub(crate) struct Device {
    // Declared first: its buffers are released before the device is closed.
    stream: Option<Stream>,
    device: v4l::Device,
    layout: Layout,
    frames_per_second: u32,
}

impl Device {
    /// Opens a camera, which gives no frames yet.
    ///
    /// # Errors
    /// Why it cannot be opened.
    pub(crate) fn open(found: &Found) -> Result<Self, DeviceError> {
        Ok(Self {
            stream: None,
            device: v4l::Device::new(found.number).map_err(|error| device_error(&error))?,
            layout: Layout::tight(Pixels::Yuyv, 0, 0),
            frames_per_second: 0,
        })
    }

    /// The formats that it offers, those near to what is wanted where it
    /// offers a range.
    ///
    /// # Errors
    /// When it is no camera, or went away.
    pub(crate) fn offers(&mut self, wanted: VideoFormat) -> Result<Vec<Offer>, DeviceError> {
        offers::offers(&self.device, wanted).map_err(|error| device_error(&error))
    }

    /// Begins to capture. The driver may choose a format near to this one.
    ///
    /// # Errors
    /// What the driver said.
    pub(crate) fn start(&mut self, offer: &Offer) -> Result<(), DeviceError> {
        // While there are buffers the format cannot change.
        self.stream = None;
        self.set_up(offer).map_err(|error| device_error(&error))
    }

    fn set_up(&mut self, offer: &Offer) -> io::Result<()> {
        let code = FORMATS.iter().find(|(_, pixels)| *pixels == offer.pixels);
        let (code, _) = code.ok_or(io::ErrorKind::Unsupported)?;
        let wanted = Format::new(offer.width, offer.height, FourCC::new(code));
        let opened = self.device.set_format(&wanted)?;
        self.layout = layout(&opened)
            .ok_or_else(|| io::Error::other(format!("it chose the format {}", opened.fourcc)))?;
        // Virtual cameras have a rate that nobody sets.
        if let Some((numerator, denominator)) = offer.interval {
            let wanted = Parameters::new(Fraction::new(numerator, denominator));
            if let Err(error) = self.device.set_params(&wanted) {
                tracing::debug!(%error, "the camera's frame rate is not set");
            }
        }
        let interval = self.device.params().ok().map(|parameters| {
            let Fraction {
                numerator,
                denominator,
            } = parameters.interval;
            (numerator, denominator)
        });
        self.frames_per_second =
            Offer::rate_of(interval).unwrap_or_else(|| offer.frames_per_second());
        self.stream = Some(Stream::start(&self.device)?);
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

    /// Passes on the next frame's bytes; `None` when none came within half a
    /// second.
    ///
    /// # Errors
    /// [`DeviceError::Lost`] when the camera went away, or what the driver said.
    pub(crate) fn next<T>(
        &mut self,
        take: impl FnOnce(&Layout, &[u8]) -> T,
    ) -> Result<Option<T>, DeviceError> {
        let stream = self.stream.as_mut().ok_or(DeviceError::Lost)?;
        let bytes = stream.next().map_err(|error| match device_error(&error) {
            DeviceError::Absent => DeviceError::Lost,
            other => other,
        })?;
        Ok(bytes.map(|bytes| take(&self.layout, bytes)))
    }
}

fn layout(format: &Format) -> Option<Layout> {
    let full_range = match format.quantization {
        Quantization::FullRange => true,
        Quantization::LimitedRange => false,
        Quantization::Default => {
            format.fourcc.repr == *b"GREY" || matches!(format.colorspace, Colorspace::JPEG)
        }
    };
    Some(Layout {
        pixels: pixels(format.fourcc)?,
        width: format.width,
        height: format.height,
        stride: format.stride,
        full_range,
    })
}

/// The driver's buffers, filled in turn.
struct Stream(ManuallyDrop<MmapStream<'static>>);

impl Stream {
    fn start(device: &v4l::Device) -> io::Result<Self> {
        let stream = MmapStream::with_buffers(device, Type::VideoCapture, BUFFERS)?;
        let mut stream = Self(ManuallyDrop::new(stream));
        // `MmapStream::next` gives buffer 0 to the driver before it waits, as if it
        // had been read: so the driver starts with the others, as many as it made.
        for index in 1..MOST_BUFFERS {
            if let Err(error) = stream.0.queue(index) {
                if index == 1 {
                    return Err(error);
                }
                break;
            }
        }
        stream.0.start()?;
        Ok(stream)
    }

    fn next(&mut self) -> io::Result<Option<&[u8]>> {
        match self.0.handle().poll(READABLE, WAIT.as_millis() as i32) {
            Ok(0) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(None),
            Ok(_) => {}
            Err(error) => return Err(error),
        }
        let (bytes, about) = self.0.next()?;
        // A frame that the driver says is damaged has no bytes worth reading.
        let used = if about.flags.contains(Flags::ERROR) {
            0
        } else {
            about.bytesused
        };
        Ok(Some(&bytes[..bytes.len().min(used as usize)]))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        match self.0.stop() {
            // The library panics when this fails as it drops its stream.
            Err(error) if device_error(&error) != DeviceError::Absent => {
                tracing::warn!(%error, "a camera does not stop: its buffers stay allocated");
            }
            // SAFETY: nothing uses it after this.
            _ => unsafe { ManuallyDrop::drop(&mut self.0) },
        }
    }
}

fn device_error(error: &io::Error) -> DeviceError {
    match error.raw_os_error() {
        // ENOENT, ENXIO, ENODEV; EBUSY; EPERM, EACCES.
        Some(2 | 6 | 19) => DeviceError::Absent,
        Some(16) => DeviceError::Busy,
        Some(1 | 13) => DeviceError::Refused,
        _ => DeviceError::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_errors_have_their_meaning() {
        let error = |number| device_error(&io::Error::from_raw_os_error(number));
        for (number, meaning) in [
            (2, DeviceError::Absent),
            (19, DeviceError::Absent),
            (16, DeviceError::Busy),
            (13, DeviceError::Refused),
        ] {
            assert_eq!(error(number), meaning);
        }
        assert!(matches!(error(5), DeviceError::Failed(text) if text.contains("os error 5")));
    }

    #[test]
    fn the_range_of_a_format_is_its_own_or_its_colour_spaces() {
        let range = |quantization, colorspace| {
            let format = Format {
                quantization,
                colorspace,
                stride: 1_344,
                ..Format::new(640, 480, FourCC::new(b"UYVY"))
            };
            let layout = layout(&format).unwrap();
            assert_eq!((layout.pixels, layout.stride), (Pixels::Uyvy, 1_344));
            layout.full_range
        };
        assert!(range(Quantization::FullRange, Colorspace::SRGB));
        assert!(!range(Quantization::LimitedRange, Colorspace::JPEG));
        assert!(range(Quantization::Default, Colorspace::JPEG));
        assert!(!range(Quantization::Default, Colorspace::SRGB));
        assert!(layout(&Format::new(640, 480, FourCC::new(b"H264"))).is_none());
        let grey = layout(&Format::new(640, 480, FourCC::new(b"GREY")));
        assert!(grey.unwrap().full_range, "drivers map black to 0");
    }
}
