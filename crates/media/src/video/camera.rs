//! Cameras.

mod choice;

use std::time::Instant;

pub use self::choice::Offer;
use crate::device::{DeviceError, DeviceInfo, DeviceKind};
use crate::frame::Frame;
use crate::platform::camera::{Device, Found};
use crate::source::VideoFormat;
use crate::video::convert::{self, ConvertError};

pub(crate) use crate::platform::camera::OPEN_LIMIT;

/// Drivers refuse some of what they list: so many formats are tried.
const TRIED_FORMATS: usize = 4;

/// Cameras begin with damaged pictures; so many in a row are a failure.
const DAMAGED_LIMIT: u32 = 30;

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
    device: Device,
    damaged: Damaged,
}

/// The cameras that are there.
pub fn list() -> Vec<DeviceInfo> {
    let info = |(place, found): (usize, Found)| DeviceInfo {
        kind: DeviceKind::Camera,
        id: found.id,
        name: found.name,
        is_default: place == 0,
    };
    let cameras = crate::platform::camera::list();
    cameras.into_iter().enumerate().map(info).collect()
}

fn open(choice: &Choice) -> Result<Device, DeviceError> {
    let mut cameras = crate::platform::camera::list().into_iter();
    let found = match choice {
        Choice::Index(index) => cameras.nth(*index as usize),
        Choice::Id(id) => cameras.find(|found| found.id == *id),
    };
    Device::open(&found.ok_or(DeviceError::Absent)?)
}

/// The formats of a camera that are understood, those near to what is wanted
/// where it offers a range, the best first.
///
/// # Errors
/// As [`Camera::open`].
pub fn offers(choice: &Choice, wanted: VideoFormat) -> Result<Vec<Offer>, DeviceError> {
    Ok(choice::ranked(open(choice)?.offers(wanted)?, wanted))
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
        let mut device = open(choice)?;
        let offers = choice::ranked(device.offers(wanted)?, wanted);
        let mut last = DeviceError::Unsupported(
            "no pixel format that is understood; a virtual camera has none until its program runs"
                .into(),
        );
        for offer in offers.iter().take(TRIED_FORMATS) {
            match device.start(offer) {
                Ok(()) => return Ok(Self::started(device, offer)),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Opens a camera in one of its [`offers`].
    ///
    /// # Errors
    /// As [`Camera::open`].
    pub fn open_as(choice: &Choice, offer: &Offer) -> Result<Self, DeviceError> {
        let mut device = open(choice)?;
        device.start(offer)?;
        Ok(Self::started(device, offer))
    }

    fn started(device: Device, offer: &Offer) -> Self {
        tracing::debug!(format = %device.format(), pixels = ?offer.pixels, "camera opened");
        Self {
            device,
            damaged: Damaged::default(),
        }
    }

    /// The format that was really opened.
    pub fn format(&self) -> VideoFormat {
        self.device.format()
    }

    /// Frames that were cut off or damaged, since it was opened.
    pub fn damaged(&self) -> u64 {
        self.damaged.total
    }

    /// Waits for the next frame: `None` when it is damaged, or on Linux when none
    /// came within half a second. On other systems the wait has no end.
    ///
    /// # Errors
    /// [`DeviceError::Lost`] when the camera went away, [`DeviceError::Failed`]
    /// when it gives nothing but damaged frames.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, DeviceError> {
        let converted = self
            .device
            .next(|layout, bytes| convert::from_camera(layout, bytes, Instant::now()))?;
        match converted {
            Some(converted) => self.damaged.check(converted),
            None => Ok(None),
        }
    }
}

/// Counts the frames that are cut off or damaged.
#[derive(Default)]
struct Damaged {
    total: u64,
    in_a_row: u32,
}

impl Damaged {
    /// Drops a damaged frame; too many in a row are an error.
    fn check(
        &mut self,
        converted: Result<Frame, ConvertError>,
    ) -> Result<Option<Frame>, DeviceError> {
        let error = match converted {
            Ok(frame) => {
                self.in_a_row = 0;
                return Ok(Some(frame));
            }
            Err(error) => error,
        };
        self.total += 1;
        self.in_a_row += 1;
        tracing::debug!(%error, total = self.total, "a camera's frame is dropped");
        if self.in_a_row > DAMAGED_LIMIT {
            return Err(DeviceError::Failed(error.to_string()));
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::convert::{Layout, Pixels};

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
    fn frames_that_are_cut_off_are_dropped_and_counted_until_too_many_come_in_a_row() {
        let layout = Layout::tight(Pixels::Uyvy, 16, 16);
        let whole = [128; 16 * 16 * 2];
        let mut damaged = Damaged::default();
        let mut take = |bytes: &[u8]| {
            let converted = convert::from_camera(&layout, bytes, Instant::now());
            let taken = damaged.check(converted);
            (taken.map(|frame| frame.is_some()), damaged.total)
        };
        assert_eq!(take(&whole), (Ok(true), 0));
        assert_eq!(take(&whole[1..]), (Ok(false), 1));
        for n in 2..=u64::from(DAMAGED_LIMIT) {
            assert_eq!(take(&[]), (Ok(false), n));
        }
        // A good one in between: it counts from the beginning.
        assert_eq!(take(&whole), (Ok(true), 30));
        for n in 1..=u64::from(DAMAGED_LIMIT) {
            assert_eq!(take(&[]), (Ok(false), 30 + n));
        }
        assert!(matches!(take(&[]), (Err(DeviceError::Failed(_)), 61)));
    }
}
