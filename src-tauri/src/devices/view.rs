//! The devices as the page is shown them.

use visavis_media::audio::{AudioCaptureState, PlayoutState};
use visavis_media::video::CaptureState;
use visavis_media::{DeviceError, DeviceInfo};

use super::{LocalMedia, choice};
use crate::settings::Settings;
use crate::view::{
    DeviceChoice, DeviceKind, DeviceProblem, DeviceState, DeviceView, DevicesView, PictureFormat,
};

pub(super) fn devices(local: &LocalMedia, settings: &Settings) -> DevicesView {
    let video = local.video_state();
    let format = match &video {
        CaptureState::Live(format) => Some(PictureFormat {
            width: format.width,
            height: format.height,
            frames_per_second: local.media.video.measured_rate().round(),
        }),
        _ => None,
    };
    let overrides = &local.overrides;
    let device = |kind, is_overridden: bool, muted, state| {
        let listed = local.listed.borrow();
        let remembered = choice::remembered(settings, kind).filter(|_| !is_overridden);
        let present = choice::present(settings, listed.as_ref(), kind);
        let found = listed
            .as_ref()
            .map_or(&[][..], |devices| choice::of_kind(devices, kind));
        DeviceView {
            choices: found.iter().map(to_choice).collect(),
            chosen: remembered.and(present).map(|device| device.id.clone()),
            default: found
                .iter()
                .find(|device| device.is_default)
                .map(|device| device.name.clone()),
            missing: remembered
                .filter(|_| present.is_none())
                .map(|device| device.name.clone()),
            muted,
            // The sound server may offer something else in its place, such as what
            // the speaker plays.
            state: if !is_overridden && choice::is_absent(listed.as_ref(), kind) {
                failed(&DeviceError::Absent)
            } else {
                state
            },
        }
    };
    DevicesView {
        camera: device(
            DeviceKind::Camera,
            overrides.video.is_some(),
            local.camera_muted,
            video_state(video),
        ),
        microphone: device(
            DeviceKind::Microphone,
            overrides.audio.is_some(),
            local.microphone_muted,
            audio_state(local.audio_state()),
        ),
        speaker: device(
            DeviceKind::Speaker,
            overrides.play.is_some(),
            false,
            play_state(local.play_state()),
        ),
        format,
    }
}

fn to_choice(device: &DeviceInfo) -> DeviceChoice {
    DeviceChoice {
        id: device.id.clone(),
        name: device.name.clone(),
    }
}

fn video_state(state: CaptureState) -> DeviceState {
    match state {
        CaptureState::Off => DeviceState::Off,
        CaptureState::Starting => DeviceState::Starting,
        CaptureState::Live(_) => DeviceState::Live,
        CaptureState::Failed(error) => failed(&error),
    }
}

fn audio_state(state: AudioCaptureState) -> DeviceState {
    match state {
        AudioCaptureState::Off => DeviceState::Off,
        AudioCaptureState::Starting => DeviceState::Starting,
        AudioCaptureState::Live => DeviceState::Live,
        AudioCaptureState::Failed(error) => failed(&error),
    }
}

fn play_state(state: PlayoutState) -> DeviceState {
    match state {
        PlayoutState::Off => DeviceState::Off,
        PlayoutState::Starting => DeviceState::Starting,
        PlayoutState::Live => DeviceState::Live,
        PlayoutState::Failed(error) => failed(&error),
    }
}

/// Why a device or a shared screen gives nothing, for the page.
pub(crate) fn problem(error: &DeviceError) -> DeviceProblem {
    match error {
        DeviceError::Absent => DeviceProblem::Absent,
        DeviceError::Busy => DeviceProblem::Busy,
        DeviceError::Refused => DeviceProblem::Refused,
        DeviceError::Lost => DeviceProblem::Lost,
        DeviceError::File { .. } => DeviceProblem::File,
        DeviceError::Unsupported(_) | DeviceError::Failed(_) => DeviceProblem::Failed,
    }
}

fn failed(error: &DeviceError) -> DeviceState {
    DeviceState::Failed {
        problem: problem(error),
        detail: error.to_string(),
    }
}
