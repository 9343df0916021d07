//! The mix of everybody, and where it goes.

mod test_tone;

use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::audio::limiter::limit;
use crate::audio::output::{BLOCK_FRAMES, Block, Output, Turn};
use crate::audio::process::{EchoReference, ReferenceWriter, echo_reference};
use crate::audio::receiver::SpeakerStream;
use crate::audio::{AudioReceiver, lock};
use crate::device::DeviceError;
use crate::latest::Latest;
use crate::source::AudioSink;
use test_tone::TestTone;

/// What the speaker does: `Off → Starting → Live`, and `Failed` from either of
/// the last two, from where a device that comes back is `Live` again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlayoutState {
    /// Nothing was chosen: sound is decoded, measured and dropped.
    Off,
    /// The device is being opened.
    Starting,
    /// It plays.
    Live,
    /// It does not, and why. A device is tried again every second; meanwhile
    /// sound is decoded, measured and dropped.
    Failed(DeviceError),
}

/// How the device keeps up, since the sink was chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlayoutStats {
    /// Requests of the device that found less sound than they asked for: the mixer came
    /// late. Each makes the sound that waits for the device longer.
    pub underruns: u64,
    /// Sound that waits for the device beyond its next request, in milliseconds.
    pub margin_ms: u32,
    /// From the mix to the speaker, as far as the device tells; zero without one.
    pub delay: Duration,
}

/// Pulls every receiver by one clock, the sound card's or without one a
/// thread's, and mixes them. Clones share it; dropping the last stops it.
#[derive(Clone)]
pub struct Playout {
    owner: Arc<Owner>,
}

/// Stops the thread with the last clone and waits for it, a block's time at
/// the most: a file is whole then.
struct Owner {
    desired: Arc<Mutex<DesiredState>>,
    state: Latest<PlayoutState>,
    stats: Arc<Mutex<PlayoutStats>>,
    mixer: Option<JoinHandle<()>>,
}

/// What the mixer is to do; it takes what is new at each turn.
#[derive(Default)]
struct DesiredState {
    sink: Option<AudioSink>,
    speaker_streams: Vec<SpeakerStream>,
    echo_references: Vec<ReferenceWriter>,
    test_tone: bool,
    stopped: bool,
}

impl Default for Playout {
    fn default() -> Self {
        Self::new()
    }
}

impl Playout {
    /// A mixer without a sink.
    pub fn new() -> Self {
        let desired = Arc::<Mutex<DesiredState>>::default();
        let state = Latest::new();
        state.set(PlayoutState::Off);
        let stats = Arc::<Mutex<PlayoutStats>>::default();
        let mixer = Mixer {
            desired: Arc::clone(&desired),
            state: state.clone(),
            stats: Arc::clone(&stats),
            output: Output::nothing(),
            speaker_streams: Vec::new(),
            test_tone: None,
            echo_references: Vec::new(),
        };
        let mixer = Some(thread::spawn(move || mixer.run()));
        Self {
            owner: Arc::new(Owner {
                desired,
                state,
                stats,
                mixer,
            }),
        }
    }

    /// Chooses the sink. Returns at once; [`Playout::state`] tells what came of it.
    pub fn set_sink(&self, sink: AudioSink) {
        self.owner.change(|desired| desired.sink = Some(sink));
    }

    /// What the sink does.
    pub fn state(&self) -> Latest<PlayoutState> {
        self.owner.state.clone()
    }

    /// Counts so far.
    pub fn stats(&self) -> PlayoutStats {
        *lock(&self.owner.stats)
    }

    /// A new person in the mix.
    pub fn add(&self) -> AudioReceiver {
        let (receiver, speaker_stream) = SpeakerStream::new();
        self.owner
            .change(|desired| desired.speaker_streams.push(speaker_stream));
        receiver
    }

    /// The mix as it is played, for an echo canceller.
    pub(crate) fn echo_reference(&self) -> EchoReference {
        let (writer, reader) = echo_reference();
        self.owner
            .change(|desired| desired.echo_references.push(writer));
        reader
    }

    /// Plays a short tone, first on the left, then on the right: 1.5 s.
    pub fn play_test_tone(&self) {
        self.owner.change(|desired| desired.test_tone = true);
    }
}

impl Owner {
    fn change(&self, change: impl FnOnce(&mut DesiredState)) {
        change(&mut lock(&self.desired));
        if let Some(mixer) = &self.mixer {
            mixer.thread().unpark();
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.change(|desired| desired.stopped = true);
        // It ended by a panic or by itself: the same to us.
        let _ = self.mixer.take().map(JoinHandle::join);
    }
}

struct Mixer {
    desired: Arc<Mutex<DesiredState>>,
    state: Latest<PlayoutState>,
    stats: Arc<Mutex<PlayoutStats>>,
    output: Output,
    speaker_streams: Vec<SpeakerStream>,
    test_tone: Option<TestTone>,
    /// Far-end references of the microphones that cancel the echo of the mix.
    echo_references: Vec<ReferenceWriter>,
}

impl Mixer {
    fn run(mut self) {
        loop {
            let mut desired = std::mem::take(&mut *lock(&self.desired));
            if desired.stopped {
                return;
            }
            self.speaker_streams.append(&mut desired.speaker_streams);
            self.echo_references.append(&mut desired.echo_references);
            if desired.test_tone {
                self.test_tone = Some(TestTone::default());
            }
            if let Some(sink) = desired.sink {
                self.open(sink);
            }
            let now = Instant::now();
            match self.output.turn(now) {
                Turn::Mix => {
                    let stats = self.output.stats();
                    match stats {
                        Some(stats) => *lock(&self.stats) = stats,
                        None => lock(&self.stats).delay = Duration::ZERO,
                    }
                    let block = self.mix(now);
                    self.hand_out_reference(&block);
                    if let Err(error) = self.output.write(&block) {
                        self.output = Output::nothing();
                        self.fail(error);
                    }
                }
                Turn::Wait(wait) => thread::park_timeout(wait),
                Turn::Live => {
                    self.interrupt_reference();
                    self.state.set(PlayoutState::Live);
                }
                Turn::Failed(error) => self.fail(error),
            }
        }
    }

    fn hand_out_reference(&mut self, block: &Block) {
        let is_audible = self.output.is_audible();
        self.echo_references
            .retain(|reference| !reference.is_closed());
        for reference in &mut self.echo_references {
            reference.push(block, is_audible);
        }
    }

    fn interrupt_reference(&self) {
        self.echo_references
            .iter()
            .for_each(ReferenceWriter::interrupt);
    }

    fn open(&mut self, sink: AudioSink) {
        self.interrupt_reference();
        // The old sink goes first: some can be open only once.
        self.output = Output::nothing();
        let is_off = sink == AudioSink::None;
        match Output::open(sink) {
            Ok(output) => {
                self.state.set(match output.is_device() {
                    _ if is_off => PlayoutState::Off,
                    true => PlayoutState::Starting,
                    false => PlayoutState::Live,
                });
                self.output = output;
            }
            Err(error) => self.fail(error),
        }
    }

    fn fail(&self, error: DeviceError) {
        let state = PlayoutState::Failed(error);
        // A device that is not there is reported at each attempt.
        if self.state.get().as_ref() != Some(&state) {
            tracing::warn!(?state, "no sound is played");
            self.state.set(state);
        }
    }

    fn mix(&mut self, now: Instant) -> Block {
        let mut mono = [0.0; BLOCK_FRAMES];
        self.speaker_streams
            .retain_mut(|speaker_stream| speaker_stream.mix_into(&mut mono, now));
        let mut block = mono.map(|sample| [sample; 2]);
        if let Some(tone) = &mut self.test_tone
            && !tone.mix_into(&mut block)
        {
            self.test_tone = None;
        }
        block.map(|frame| frame.map(limit))
    }
}
