//! Capture, mute, one encoding, and everybody who gets it.

use crate::audio::Level;
use crate::device::DeviceError;
use crate::latest::Latest;
use crate::packet::EncodedAudio;
use crate::queue::{Queue, queue};
use crate::source::AudioSource;

/// What the microphone does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AudioCaptureState {
    /// Nothing was chosen.
    Off,
    /// It is being opened.
    Starting,
    /// It gives sound.
    Live,
    /// It gives none, and why. A device is tried again every second.
    Failed(DeviceError),
}

/// Counts of an [`AudioSender`] since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AudioSendStats {
    /// Frames of 20 ms that the source gave, muted ones too.
    pub frames_captured: u64,
    /// Frames that were encoded: once, however many subscribers.
    pub frames_encoded: u64,
    /// Bytes of Opus that came of it.
    pub bytes_encoded: u64,
    /// Samples that the device gave and there was no room for.
    pub overrun_samples: u64,
}

/// Captures, encodes once and hands out. Clones share it; dropping the last
/// stops everything.
#[derive(Clone)]
pub struct AudioSender {
    state: Latest<AudioCaptureState>,
    level: Latest<Level>,
}

impl Default for AudioSender {
    fn default() -> Self {
        Self::new()
    }
}

impl AudioSender {
    /// A sender without a source.
    pub fn new() -> Self {
        Self { state: Latest::new(), level: Latest::new() }
    }

    /// Chooses the source. Returns at once; [`AudioSender::state`] tells what
    /// came of it. Subscribers stay.
    pub fn set_source(&self, _source: AudioSource) {}

    /// Muted sends no packets at all. The device stays open, so that unmuting
    /// is instant and the level still shows who speaks into a muted microphone.
    pub fn set_muted(&self, _muted: bool) {}

    /// What the source does.
    pub fn state(&self) -> Latest<AudioCaptureState> {
        self.state.clone()
    }

    /// Loudness before mute, 25 times a second; empty without sound.
    pub fn level(&self) -> Latest<Level> {
        self.level.clone()
    }

    /// Every packet from now on, for one peer. Nothing is encoded while there
    /// is no subscriber.
    pub fn subscribe(&self) -> Queue<EncodedAudio> {
        queue().1
    }

    /// How much loss the receivers see, in percent: decides what FEC may cost.
    pub fn set_expected_loss(&self, _percent: u8) {}

    /// Counts so far.
    pub fn stats(&self) -> AudioSendStats {
        AudioSendStats::default()
    }
}
