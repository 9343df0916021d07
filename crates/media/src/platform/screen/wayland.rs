//! Wayland: the desktop asks the person, and gives a stream of PipeWire.

mod format;
mod pixels;
mod portal;
mod stream;
mod tokens;

use std::env;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use self::portal::{Answer, Share};
use self::stream::Stream;
use super::{Capture, Image, Opening};
use crate::device::DeviceError;
use crate::source::ScreenSource;
use crate::video::screen::{ScreenKind, ShareSource, ShareSources};

/// How long the first frame may take after the person chose.
const FIRST_FRAME: Duration = Duration::from_secs(5);

/// Whether programs of this session have to ask the desktop for its screens.
pub(super) fn is_session() -> bool {
    let text = |name| env::var(name).unwrap_or_default();
    match text("XDG_SESSION_TYPE").as_str() {
        "wayland" => true,
        "x11" => false,
        _ => !text("WAYLAND_DISPLAY").is_empty(),
    }
}

/// One entry of each kind that the desktop's dialog offers.
pub(super) fn sources() -> Result<ShareSources, DeviceError> {
    let source = |kind| ShareSource {
        kind,
        id: match kind {
            ScreenKind::Screen => ScreenSource::Primary.to_string(),
            ScreenKind::Window => ScreenSource::ChosenWindow.to_string(),
        },
        title: String::new(),
        is_primary: false,
        thumbnail: None,
    };
    Ok(ShareSources {
        system_asks: true,
        sources: portal::kinds()?.into_iter().map(source).collect(),
    })
}

/// Makes the next share of each kind ask.
pub(super) fn forget_choices() {
    tokens::set(ScreenKind::Screen, None);
    tokens::set(ScreenKind::Window, None);
}

/// A share, from its dialog to its end.
pub(super) struct Capturer {
    // Before the share, so that the stream is closed first.
    stream: Option<(Stream, Instant)>,
    share: Share,
}

impl Capturer {
    /// Shows the dialog; [`opening`](Capture::opening) says what comes of it.
    pub(super) fn open(source: &ScreenSource) -> Result<Self, DeviceError> {
        let kind = match source {
            ScreenSource::Primary => ScreenKind::Screen,
            ScreenSource::ChosenWindow => ScreenKind::Window,
            ScreenSource::Index(_) | ScreenSource::Named(_) | ScreenSource::Window(_) => {
                let reason = "on Wayland the desktop's dialog chooses: \
                              share `screen` or `window` alone";
                return Err(DeviceError::Failed(reason.into()));
            }
        };
        Ok(Self {
            stream: None,
            share: Share::start(kind)?,
        })
    }

    /// What the portal has said since the stream was opened.
    fn check_share(&self) -> Result<(), DeviceError> {
        match self.share.answers.try_recv() {
            Ok(Answer::Ended) => {
                tracing::info!("the desktop ended the share");
                Err(DeviceError::Lost)
            }
            Ok(Answer::Failed(error)) => Err(error),
            _ => Ok(()),
        }
    }
}

impl Capture for Capturer {
    fn opening(&mut self, until: Instant) -> Result<Opening, DeviceError> {
        let Some((stream, since)) = &self.stream else {
            let left = until.saturating_duration_since(Instant::now());
            return match self.share.answers.recv_timeout(left) {
                Ok(Answer::Granted(grant)) => {
                    self.stream = Some((Stream::open(grant)?, Instant::now()));
                    Ok(Opening::Asks)
                }
                Ok(Answer::Declined) => Ok(Opening::Declined),
                Ok(Answer::Ended) => Err(DeviceError::Lost),
                Ok(Answer::Failed(error)) => Err(error),
                Err(RecvTimeoutError::Timeout) => Ok(Opening::Asks),
                Err(RecvTimeoutError::Disconnected) => {
                    Err(DeviceError::Failed("the desktop portal went away".into()))
                }
            };
        };
        self.check_share()?;
        if stream.slot.wait(until)? {
            return Ok(Opening::Open);
        }
        if since.elapsed() > FIRST_FRAME {
            let reason = "the desktop gives no frame of what was chosen";
            return Err(DeviceError::Failed(reason.into()));
        }
        Ok(Opening::Asks)
    }

    fn size(&self) -> (u32, u32) {
        let size = |(stream, _): &(Stream, Instant)| stream.slot.size();
        self.stream.as_ref().map_or((0, 0), size)
    }

    fn changed(&mut self, until: Instant) -> Result<bool, DeviceError> {
        self.check_share()?;
        match &self.stream {
            Some((stream, _)) => stream.slot.wait(until),
            None => Ok(false),
        }
    }

    fn capture(&mut self, take: &mut dyn FnMut(&Image<'_>)) -> Result<(), DeviceError> {
        if let Some((stream, _)) = &self.stream {
            let newest = stream.slot.take();
            take(&Image {
                data: &newest.data,
                width: newest.width,
                height: newest.height,
            });
        }
        Ok(())
    }
}
