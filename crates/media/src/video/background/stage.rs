//! The step of the capture thread that changes the background.

use std::path::PathBuf;
use std::time::Instant;

use super::blur::Blur;
use super::picture;
use super::planes::{Scaler, Size, blend, half, len};
use super::segmenter::Segmenter;
use super::{Background, BackgroundError, BackgroundState, Choice};
use crate::frame::Frame;

/// Changes the frames of one source.
#[derive(Default)]
pub(in crate::video) struct Stage {
    /// The choice that was last seen.
    number: u64,
    changer: Option<Changer>,
}

impl Stage {
    /// The frame with the chosen background; the frame itself where none is chosen, or
    /// it cannot be shown. Loads the model and the picture when another is chosen, so
    /// that no frame after the choice shows the room.
    pub(in crate::video) fn apply(&mut self, frame: Frame, choice: &Choice) -> Frame {
        let (background, makes_mask) = {
            let mut chosen = choice.lock();
            let is_new = chosen.number != self.number;
            self.number = chosen.number;
            if chosen.effort.rate().is_none() {
                self.changer = None;
            }
            let makes_mask = chosen.effort.makes_mask();
            (is_new.then(|| chosen.background.clone()), makes_mask)
        };
        if let Some(background) = background {
            self.changer = None;
            match Changer::load(background) {
                Ok(changer) => self.changer = changer,
                Err(error) => self.failed(error, choice),
            }
        }
        let Some(changer) = &mut self.changer else {
            return frame;
        };
        let started = Instant::now();
        match changer.change(&frame, makes_mask) {
            Ok(changed) => {
                self.took(started, choice);
                changed
            }
            Err(error) => {
                self.failed(error, choice);
                frame
            }
        }
    }

    fn failed(&mut self, error: BackgroundError, choice: &Choice) {
        self.changer = None;
        let chosen = choice.lock();
        if chosen.number == self.number {
            tracing::warn!(%error, "the background is not changed");
            choice.state.set(BackgroundState::Failed(error));
        }
    }

    /// Steps down when the frames took too long.
    fn took(&mut self, started: Instant, choice: &Choice) {
        let mut chosen = choice.lock();
        if chosen.number != self.number {
            return;
        }
        let now = Instant::now();
        chosen.effort.processed(now, now - started);
        choice.show(&chosen.effort);
        if chosen.effort.rate().is_none() {
            self.changer = None;
        }
    }
}

/// A background that can be shown.
struct Changer {
    segmenter: Segmenter,
    behind: Behind,
    scaler: Scaler,
    /// Set with the first frame, and when frames come in another size.
    fitted: Option<Fitted>,
}

enum Behind {
    Blur,
    Picture(PathBuf),
}

/// What depends on the size of the frames.
struct Fitted {
    size: Size,
    source: Source,
    /// The mask in full size, of which the first quarter serves for the colours.
    mask: Vec<u8>,
}

enum Source {
    Blur(Blur),
    Picture(Frame),
}

impl Changer {
    /// `None` where the background stays.
    fn load(background: Background) -> Result<Option<Self>, BackgroundError> {
        let behind = match background {
            Background::None => return Ok(None),
            Background::Blur => Behind::Blur,
            Background::Picture(path) => Behind::Picture(path),
        };
        Ok(Some(Self {
            segmenter: Segmenter::load()?,
            behind,
            scaler: Scaler::new(),
            fitted: None,
        }))
    }

    fn change(&mut self, frame: &Frame, makes_mask: bool) -> Result<Frame, BackgroundError> {
        let size = (frame.width(), frame.height());
        let is_new = self
            .fitted
            .as_ref()
            .is_none_or(|fitted| fitted.size != size);
        if is_new {
            let source = match &self.behind {
                Behind::Blur => Source::Blur(Blur::new(size)),
                Behind::Picture(path) => Source::Picture(picture::read(path, size)?),
            };
            self.fitted = Some(Fitted {
                size,
                source,
                mask: vec![0; len(size)],
            });
        }
        if makes_mask || is_new {
            self.segmenter.update(frame);
        }
        Ok(self.compose(frame))
    }

    fn compose(&mut self, frame: &Frame) -> Frame {
        let Some(fitted) = &mut self.fitted else {
            return frame.clone();
        };
        let Fitted { size, source, mask } = fitted;
        let (size, scaler) = (*size, &mut self.scaler);
        let (found, found_size) = (self.segmenter.mask(), self.segmenter.size());
        let behind = match source {
            Source::Blur(blur) => blur.render(frame, (found, found_size), scaler),
            Source::Picture(picture) => picture.data(),
        };
        let mut out = frame.data().to_vec();
        let (y, colours) = out.split_at_mut(len(size));
        let (behind_y, behind_colours) = behind.split_at(len(size));
        scaler.enlarge(found, found_size, mask, size);
        blend(y, behind_y, mask);
        let count = len(half(size));
        let mask = &mut mask[..count];
        scaler.enlarge(found, found_size, mask, half(size));
        let planes = colours.chunks_exact_mut(count);
        for (plane, behind) in planes.zip(behind_colours.chunks_exact(count)) {
            blend(plane, behind, mask);
        }
        Frame::new(size.0, size.1, out.into(), frame.captured_at())
            .expect("it has the size of the captured frame")
    }
}
