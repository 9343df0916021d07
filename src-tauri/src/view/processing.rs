//! What is done to the local user's sound and picture before they are sent.

use serde::{Deserialize, Serialize};
use visavis_media::audio::SoundProcessing;
use visavis_media::video::background::{BackgroundError, BackgroundState};

/// What the microphone's sound passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct SoundSwitches {
    /// Removes what the speaker plays.
    pub echo_cancellation: bool,
    /// Removes noise.
    pub noise_suppression: bool,
    /// Brings speech to a common loudness.
    pub auto_gain: bool,
}

impl From<SoundProcessing> for SoundSwitches {
    fn from(processing: SoundProcessing) -> Self {
        Self {
            echo_cancellation: processing.echo_cancellation,
            noise_suppression: processing.noise_suppression,
            auto_gain: processing.auto_gain,
        }
    }
}

impl From<SoundSwitches> for SoundProcessing {
    fn from(switches: SoundSwitches) -> Self {
        Self {
            echo_cancellation: switches.echo_cancellation,
            noise_suppression: switches.noise_suppression,
            auto_gain: switches.auto_gain,
        }
    }
}

/// What is behind the local user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum BackgroundChoice {
    /// What the camera sees.
    #[default]
    None,
    /// The same, blurred.
    Blur,
}

/// The background, as chosen and as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct BackgroundView {
    /// The user's choice.
    pub chosen: BackgroundChoice,
    /// Whether its first frame is awaited.
    pub is_pending: bool,
    /// Why a chosen one is not shown, or none can be.
    pub problem: Option<BackgroundProblem>,
}

/// Why a background is not shown. Frames are sent as the camera takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum BackgroundProblem {
    /// This installation has no model.
    ModelMissing,
    /// The model's file is damaged.
    ModelDamaged,
    /// The processor is short.
    TooSlow,
    /// Anything else.
    Failed,
}

impl BackgroundView {
    /// `unavailable` is why none can be chosen, when none can.
    pub(crate) fn new(
        chosen: BackgroundChoice,
        state: &BackgroundState,
        unavailable: Option<BackgroundProblem>,
    ) -> Self {
        let failure = match state {
            BackgroundState::Failed(error) => Some(BackgroundProblem::from(error)),
            BackgroundState::Off | BackgroundState::Pending | BackgroundState::On(_) => None,
        };
        Self {
            chosen,
            is_pending: *state == BackgroundState::Pending,
            problem: failure.or(unavailable),
        }
    }
}

impl From<&BackgroundError> for BackgroundProblem {
    fn from(error: &BackgroundError) -> Self {
        match error {
            BackgroundError::ModelMissing => Self::ModelMissing,
            BackgroundError::ModelDamaged(_) => Self::ModelDamaged,
            BackgroundError::TooSlow => Self::TooSlow,
            BackgroundError::Picture { .. } => Self::Failed,
        }
    }
}
