//! The sources behind one trait.

use std::fs::File;
use std::path::PathBuf;
use std::time::Instant;

use super::Wish;
use super::pace::Pace;
use crate::device::DeviceError;
use crate::frame::Frame;
use crate::source::{VideoFormat, VideoSource};
use crate::time::unix_ms;
use crate::video::camera::{Camera, Choice};
use crate::video::screen::{Opening, Screen};
use crate::video::synthetic::Synthetic;
use crate::video::y4m::{self, Y4m};

/// Gives one picture after another. Dropping it releases its device.
pub(in crate::video) trait PictureSource {
    /// Whether it is open, after a tenth of a second at most while a person is asked.
    fn opening(&mut self) -> Result<Opening, DeviceError> {
        Ok(Opening::Open)
    }

    /// What was really opened.
    fn format(&self) -> VideoFormat;

    /// When to call [`next`](Self::next); `None` where that waits by itself.
    fn due(&self) -> Option<Instant>;

    /// The next frame; `None` when there is none yet, so that the caller can
    /// stop a source that gives none.
    fn next(&mut self) -> Result<Option<Frame>, DeviceError>;
}

pub(super) fn open(wish: &Wish, hue_degrees: f32) -> Result<Box<dyn PictureSource>, DeviceError> {
    let camera = |choice: Choice| {
        Ok(Box::new(Camera::open(&choice, wish.wanted)?) as Box<dyn PictureSource>)
    };
    match &wish.source {
        VideoSource::None => Err(DeviceError::Absent),
        VideoSource::Synthetic(format) => Ok(Box::new(SyntheticSource::new(*format, hue_degrees)?)),
        VideoSource::DefaultCamera => camera(Choice::Index(0)),
        VideoSource::CameraIndex(index) => camera(Choice::Index(*index)),
        VideoSource::Camera(id) => camera(Choice::Id(id.clone())),
        VideoSource::Screen(source) => Ok(Box::new(Screen::open(None, source, wish.wanted)?)),
        VideoSource::Y4m(path) => {
            let file = y4m::open(path)?;
            let (pictures, seconds) = file.rate();
            Ok(Box::new(FileSource {
                path: path.clone(),
                file,
                pace: Pace::new(Instant::now(), pictures, seconds),
            }))
        }
    }
}

struct SyntheticSource {
    scene: Synthetic,
    format: VideoFormat,
    pace: Pace,
}

impl SyntheticSource {
    fn new(format: VideoFormat, hue_degrees: f32) -> Result<Self, DeviceError> {
        let unsupported = |reason: String| DeviceError::Unsupported(reason);
        if format.frames_per_second == 0 {
            return Err(unsupported("no frames per second".into()));
        }
        let scene = Synthetic::new(format.width, format.height, hue_degrees)
            .map_err(|error| unsupported(error.to_string()))?;
        Ok(Self {
            scene,
            format,
            pace: Pace::new(Instant::now(), format.frames_per_second, 1),
        })
    }
}

impl PictureSource for SyntheticSource {
    fn format(&self) -> VideoFormat {
        self.format
    }

    fn due(&self) -> Option<Instant> {
        Some(self.pace.due())
    }

    fn next(&mut self) -> Result<Option<Frame>, DeviceError> {
        let now = Instant::now();
        let (_, at) = self.pace.take(now);
        Ok(Some(self.scene.draw(at.as_secs_f32(), unix_ms(), now)))
    }
}

struct FileSource {
    path: PathBuf,
    file: Y4m<File>,
    pace: Pace,
}

impl PictureSource for FileSource {
    fn format(&self) -> VideoFormat {
        self.file.format()
    }

    fn due(&self) -> Option<Instant> {
        Some(self.pace.due())
    }

    fn next(&mut self) -> Result<Option<Frame>, DeviceError> {
        let now = Instant::now();
        self.pace.take(now);
        self.file
            .next_frame(now)
            .map(Some)
            .map_err(|reason| y4m::file_error(&self.path, reason))
    }
}

impl PictureSource for Camera {
    fn format(&self) -> VideoFormat {
        self.format()
    }

    fn due(&self) -> Option<Instant> {
        None
    }

    fn next(&mut self) -> Result<Option<Frame>, DeviceError> {
        self.next_frame()
    }
}

impl PictureSource for Screen {
    fn opening(&mut self) -> Result<Opening, DeviceError> {
        self.opening()
    }

    fn format(&self) -> VideoFormat {
        self.format()
    }

    fn due(&self) -> Option<Instant> {
        None
    }

    fn next(&mut self) -> Result<Option<Frame>, DeviceError> {
        self.next_frame()
    }
}
