//! Camera, microphone and speaker: what is there, what is chosen, how it is.

mod choice;
mod listing;
mod view;

pub(crate) use self::view::problem;
use tokio::sync::watch;
use visavis_call::Media;
use visavis_media::audio::{AudioCaptureState, PlayoutState, SoundProcessing};
use visavis_media::video::CaptureState;
use visavis_media::video::background::{self, Background, BackgroundError, BackgroundState};
use visavis_media::{AudioSink, AudioSource, Devices, Latest, VideoFormat, VideoSource};
use visavis_protocol::TrackSource;

use crate::settings::{RememberedDevice, Settings};
use crate::view::{BackgroundChoice, BackgroundProblem, BackgroundView, DeviceKind, DevicesView};

/// Sources that the command line put in the place of devices. Choosing a
/// device ends that for its kind.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Instead of a camera.
    pub video: Option<VideoSource>,
    /// Instead of a microphone.
    pub audio: Option<AudioSource>,
    /// Instead of a speaker.
    pub play: Option<AudioSink>,
}

/// Owns the local media: opened with the device test, kept for the call,
/// released in the lobby.
pub(crate) struct LocalMedia {
    media: Media,
    overrides: Overrides,
    listed: watch::Receiver<Option<Devices>>,
    in_use: Option<InUse>,
    camera_muted: bool,
    microphone_muted: bool,
    /// What the sound of a microphone passes.
    processing: SoundProcessing,
    /// Why no background can be chosen; none when one can.
    no_background: Option<BackgroundProblem>,
    seen: Seen,
}

/// What was opened, so that only a change opens anew.
#[derive(Debug, PartialEq)]
struct InUse {
    video: VideoSource,
    audio: AudioSource,
    play: AudioSink,
}

/// The versions of the states that the view knows.
#[derive(Debug, Default)]
struct Seen {
    video: u64,
    audio: u64,
    play: u64,
    background: u64,
}

/// What [`LocalMedia::changed`] saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// There are other devices than before.
    List,
    /// A device in use began to work, failed or stopped.
    State,
}

impl LocalMedia {
    /// Media without sources, with the background of the settings. Needs a tokio
    /// runtime.
    pub async fn new(overrides: Overrides, settings: &Settings) -> Self {
        let available = tokio::task::spawn_blocking(background::available).await;
        let problem = |error: BackgroundError| BackgroundProblem::from(&error);
        let local = Self {
            media: Media::new(),
            processing: settings.sound,
            no_background: available.map_or(Some(BackgroundProblem::Failed), |available| {
                available.err().map(problem)
            }),
            overrides,
            listed: listing::start(),
            in_use: None,
            camera_muted: false,
            microphone_muted: false,
            seen: Seen::default(),
        };
        local.set_background(settings.background);
        local
    }

    /// For a call, which shares it.
    pub fn media(&self) -> &Media {
        &self.media
    }

    /// Opens what is chosen, or what stands in for it.
    pub fn open(&mut self, settings: &Settings) {
        let wanted = self.wanted(settings);
        let now = self.in_use.as_ref();
        if now.map(|in_use| &in_use.video) != Some(&wanted.video) {
            let format = VideoFormat::default();
            self.media.video.set_source(wanted.video.clone(), format);
        }
        if now.map(|in_use| &in_use.audio) != Some(&wanted.audio) {
            self.media.set_audio_source(wanted.audio.clone());
            self.process(&wanted.audio);
        }
        if now.map(|in_use| &in_use.play) != Some(&wanted.play) {
            self.media.playout.set_sink(wanted.play.clone());
        }
        self.in_use = Some(wanted);
    }

    /// Releases every device.
    pub fn release(&mut self) {
        if self.in_use.take().is_some() {
            self.media
                .video
                .set_source(VideoSource::None, VideoFormat::default());
            self.media.set_audio_source(AudioSource::None);
            self.media.playout.set_sink(AudioSink::None);
        }
    }

    /// Notes that the person chose a device, which the settings now name: it
    /// stands above the command line, and choosing it again tries it again.
    pub fn choose_anew(&mut self, kind: DeviceKind) {
        match kind {
            DeviceKind::Camera => self.overrides.video = None,
            DeviceKind::Microphone => self.overrides.audio = None,
            DeviceKind::Speaker => self.overrides.play = None,
        }
        if let Some(in_use) = &mut self.in_use {
            match kind {
                DeviceKind::Camera => in_use.video = VideoSource::None,
                DeviceKind::Microphone => in_use.audio = AudioSource::None,
                DeviceKind::Speaker => in_use.play = AudioSink::None,
            }
        }
    }

    /// Lets the sound of a microphone pass these from now on.
    pub fn set_processing(&mut self, processing: SoundProcessing) {
        self.processing = processing;
        if let Some(in_use) = &self.in_use {
            self.process(&in_use.audio);
        }
    }

    /// A tone or a file is sent as it is.
    fn process(&self, source: &AudioSource) {
        if matches!(
            source,
            AudioSource::DefaultMicrophone | AudioSource::Microphone(_)
        ) {
            self.media.audio.set_processing(self.processing);
        }
    }

    /// Shows this behind the local user. Choosing it again tries it again.
    pub fn set_background(&self, choice: BackgroundChoice) {
        self.media.video.set_background(match choice {
            BackgroundChoice::None => Background::None,
            BackgroundChoice::Blur => Background::Blur,
        });
    }

    /// The background, as chosen and as it is.
    pub fn background(&self, settings: &Settings) -> BackgroundView {
        let state = self.media.video.background().get();
        let state = state.unwrap_or(BackgroundState::Off);
        BackgroundView::new(settings.background, &state, self.no_background)
    }

    /// The device with this id, to be remembered.
    pub fn find(&self, kind: DeviceKind, id: &str) -> Option<RememberedDevice> {
        let listed = self.listed.borrow();
        let device = choice::of_kind(listed.as_ref()?, kind)
            .iter()
            .find(|device| device.id == id)?;
        Some(RememberedDevice {
            id: device.id.clone(),
            name: device.name.clone(),
        })
    }

    /// Notes what the person wants to send, and does it.
    pub fn set_muted(&mut self, kind: DeviceKind, muted: bool) {
        match kind {
            DeviceKind::Camera => self.camera_muted = muted,
            DeviceKind::Microphone => self.microphone_muted = muted,
            DeviceKind::Speaker => {}
        }
        self.media.video.set_muted(self.camera_muted);
        self.media.audio.set_muted(self.microphone_muted);
    }

    /// The sources that the user muted.
    pub fn muted(&self) -> Vec<TrackSource> {
        let sources = [
            (TrackSource::Camera, self.camera_muted),
            (TrackSource::Microphone, self.microphone_muted),
        ];
        let muted = sources.into_iter().filter(|(_, muted)| *muted);
        muted.map(|(source, _)| source).collect()
    }

    /// Waits until a device came, went, failed or began to work.
    pub async fn changed(&mut self) -> Change {
        let video = self.media.video.state();
        let audio = self.media.audio.state();
        let play = self.media.playout.state();
        let background = self.media.video.background();
        let seen = &mut self.seen;
        tokio::select! {
            Ok(()) = self.listed.changed() => return Change::List,
            version = newer(&video, seen.video) => seen.video = version,
            version = newer(&audio, seen.audio) => seen.audio = version,
            version = newer(&play, seen.play) => seen.play = version,
            version = newer(&background, seen.background) => seen.background = version,
        }
        Change::State
    }

    /// Follows the device list: what came back is used again, and a camera
    /// that failed is tried again, since it may be the one that was plugged in.
    /// Sound tries again by itself.
    pub fn follow_list(&mut self, settings: &Settings) {
        let failed = matches!(self.video_state(), CaptureState::Failed(_));
        let Some(in_use) = &mut self.in_use else {
            return;
        };
        if failed && self.overrides.video.is_none() {
            in_use.video = VideoSource::None;
        }
        self.open(settings);
    }

    /// For the page.
    pub fn view(&self, settings: &Settings) -> DevicesView {
        view::devices(self, settings)
    }

    fn wanted(&self, settings: &Settings) -> InUse {
        let listed = self.listed.borrow();
        let listed = listed.as_ref();
        let overrides = &self.overrides;
        InUse {
            video: overrides
                .video
                .clone()
                .unwrap_or_else(|| choice::video(settings, listed)),
            audio: overrides
                .audio
                .clone()
                .unwrap_or_else(|| choice::audio(settings, listed)),
            play: overrides
                .play
                .clone()
                .unwrap_or_else(|| choice::play(settings, listed)),
        }
    }

    fn video_state(&self) -> CaptureState {
        self.media.video.state().get().unwrap_or(CaptureState::Off)
    }

    fn audio_state(&self) -> AudioCaptureState {
        self.media
            .audio
            .state()
            .get()
            .unwrap_or(AudioCaptureState::Off)
    }

    fn play_state(&self) -> PlayoutState {
        self.media
            .playout
            .state()
            .get()
            .unwrap_or(PlayoutState::Off)
    }
}

async fn newer<T: Clone>(slot: &Latest<T>, seen: u64) -> u64 {
    slot.changed(seen).await.0
}
