//! Which device is used: the remembered one while it is there, else the
//! system's choice. Before the first look at the devices it is believed to be there.

use visavis_media::{AudioSink, AudioSource, DeviceInfo, Devices, VideoSource};

use crate::settings::{RememberedDevice, Settings};
use crate::view::DeviceKind;

pub(super) fn of_kind(devices: &Devices, kind: DeviceKind) -> &[DeviceInfo] {
    match kind {
        DeviceKind::Camera => &devices.cameras,
        DeviceKind::Microphone => &devices.microphones,
        DeviceKind::Speaker => &devices.speakers,
    }
}

pub(super) fn remembered(settings: &Settings, kind: DeviceKind) -> Option<&RememberedDevice> {
    match kind {
        DeviceKind::Camera => settings.camera.as_ref(),
        DeviceKind::Microphone => settings.microphone.as_ref(),
        DeviceKind::Speaker => settings.speaker.as_ref(),
    }
}

/// The remembered one, unless it is gone.
pub(super) fn present<'a>(
    settings: &'a Settings,
    listed: Option<&Devices>,
    kind: DeviceKind,
) -> Option<&'a RememberedDevice> {
    remembered(settings, kind).filter(|remembered| {
        listed.is_none_or(|devices| {
            of_kind(devices, kind)
                .iter()
                .any(|device| device.id == remembered.id)
        })
    })
}

/// Whether there is no device of this kind at all.
pub(super) fn is_absent(listed: Option<&Devices>, kind: DeviceKind) -> bool {
    listed.is_some_and(|devices| of_kind(devices, kind).is_empty())
}

pub(super) fn video(settings: &Settings, listed: Option<&Devices>) -> VideoSource {
    present(settings, listed, DeviceKind::Camera).map_or(VideoSource::DefaultCamera, |device| {
        VideoSource::Camera(device.id.clone())
    })
}

pub(super) fn audio(settings: &Settings, listed: Option<&Devices>) -> AudioSource {
    // Without a microphone a sound server records what the speaker plays.
    if is_absent(listed, DeviceKind::Microphone) {
        return AudioSource::None;
    }
    present(settings, listed, DeviceKind::Microphone)
        .map_or(AudioSource::DefaultMicrophone, |device| {
            AudioSource::Microphone(device.id.clone())
        })
}

pub(super) fn play(settings: &Settings, listed: Option<&Devices>) -> AudioSink {
    present(settings, listed, DeviceKind::Speaker).map_or(AudioSink::DefaultSpeaker, |device| {
        AudioSink::Speaker(device.id.clone())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_recorded_when_the_only_microphone_is_gone() {
        let settings = Settings::default();
        assert_eq!(audio(&settings, None), AudioSource::DefaultMicrophone);
        let none = Devices::default();
        assert_eq!(audio(&settings, Some(&none)), AudioSource::None);
        assert!(is_absent(Some(&none), DeviceKind::Microphone));
        assert!(!is_absent(None, DeviceKind::Microphone));
    }

    #[test]
    fn a_remembered_device_is_used_while_it_is_there_and_again_when_it_is_back() {
        let remembered = RememberedDevice {
            id: "usb".into(),
            name: "Desk camera".into(),
        };
        let settings = Settings {
            camera: Some(remembered),
            ..Settings::default()
        };
        let camera = |id: &str| DeviceInfo {
            kind: visavis_media::DeviceKind::Camera,
            id: id.into(),
            name: id.into(),
            is_default: false,
        };
        let with = |ids: &[&str]| Devices {
            cameras: ids.iter().map(|id| camera(id)).collect(),
            ..Devices::default()
        };
        let chosen = VideoSource::Camera("usb".into());
        assert_eq!(video(&settings, None), chosen);
        assert_eq!(video(&settings, Some(&with(&["lid", "usb"]))), chosen);
        assert_eq!(
            video(&settings, Some(&with(&["lid"]))),
            VideoSource::DefaultCamera
        );
        assert_eq!(
            video(&Settings::default(), Some(&with(&["lid"]))),
            VideoSource::DefaultCamera
        );
    }
}
