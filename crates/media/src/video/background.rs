//! Virtual backgrounds: what is behind the person is blurred or replaced by a picture.
//!
//! A segmentation model finds the person in each captured frame. The frame is changed
//! once, on the capture thread, so that the preview and every encoder see the same.
//! The model is a file beside the program (see [`available`]); without it the feature
//! is off.

mod blur;
mod effort;
mod mask;
mod model;
mod network;
mod picture;
mod planes;
mod segmenter;
mod stage;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use self::effort::Effort;
pub use self::effort::MaskRate;
pub(super) use self::stage::Stage;
use crate::latest::Latest;

/// What is shown behind the person.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Background {
    /// What the camera sees.
    #[default]
    None,
    /// What the camera sees, blurred.
    Blur,
    /// A picture: a PNG or JPEG file, cropped to the shape of the frame.
    Picture(PathBuf),
}

impl FromStr for Background {
    type Err = String;

    /// Reads `none`, `blur` or the path of a picture.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "" => Err("a background is none, blur or the path of a picture".into()),
            "none" => Ok(Self::None),
            "blur" => Ok(Self::Blur),
            path => Ok(Self::Picture(path.into())),
        }
    }
}

/// Whether the chosen background is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackgroundState {
    /// None is chosen.
    Off,
    /// One is chosen. It is shown from the next captured frame on.
    Pending,
    /// It is shown.
    On(MaskRate),
    /// It is not shown: frames are sent as the camera takes them. Choosing a background
    /// tries again.
    Failed(BackgroundError),
}

/// Why a background is not shown. The text is a sentence for people.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum BackgroundError {
    /// This installation has no model.
    #[error("This installation of Visavis cannot change the background: its model is missing.")]
    ModelMissing,
    /// The file of the model is not the one that this version needs, and why.
    #[error("The model for backgrounds cannot be used: {0}.")]
    ModelDamaged(String),
    /// The picture cannot be read.
    #[error("The picture {path} cannot be used: {reason}.")]
    Picture {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The processor is short, even with the lowest [`MaskRate`].
    #[error("This computer is too busy to change the background.")]
    TooSlow,
}

/// Whether backgrounds can be changed here. Reads and checks the file of the model,
/// which takes a few milliseconds.
///
/// # Errors
/// When the model is missing or damaged.
pub fn available() -> Result<(), BackgroundError> {
    segmenter::Segmenter::load().map(drop)
}

/// The chosen background, shared between a sender and its capture thread.
pub(super) struct Choice {
    chosen: Mutex<Chosen>,
    pub(super) state: Latest<BackgroundState>,
}

struct Chosen {
    background: Background,
    /// Counts the choices: choosing the same again tries it again.
    number: u64,
    effort: Effort,
}

impl Choice {
    pub(super) fn new() -> Self {
        let state = Latest::new();
        state.set(BackgroundState::Off);
        Self {
            chosen: Mutex::new(Chosen {
                background: Background::None,
                number: 0,
                effort: Effort::new(),
            }),
            state,
        }
    }

    pub(super) fn set(&self, background: Background) {
        let mut chosen = self.lock();
        self.state.set(match background {
            Background::None => BackgroundState::Off,
            _ => BackgroundState::Pending,
        });
        *chosen = Chosen {
            background,
            number: chosen.number + 1,
            effort: Effort::new(),
        };
    }

    pub(super) fn step_down(&self) -> bool {
        self.step(Effort::step_down)
    }

    pub(super) fn step_up(&self) -> bool {
        self.step(Effort::step_up)
    }

    fn step(&self, step: impl FnOnce(&mut Effort) -> bool) -> bool {
        let mut chosen = self.lock();
        let is_shown = matches!(self.state.get(), Some(BackgroundState::On(_)));
        let has_changed = is_shown && step(&mut chosen.effort);
        if has_changed {
            self.show(&chosen.effort);
        }
        has_changed
    }

    /// Shows the state that the effort allows.
    fn show(&self, effort: &Effort) {
        let state = match effort.rate() {
            Some(rate) => BackgroundState::On(rate),
            None => BackgroundState::Failed(BackgroundError::TooSlow),
        };
        if self.state.get().as_ref() != Some(&state) {
            tracing::info!(?state, "background");
            self.state.set(state);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Chosen> {
        // Every change is one assignment: a panic leaves nothing half done.
        self.chosen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
