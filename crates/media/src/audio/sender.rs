//! Capture, mute, one encoding, and everybody who gets it.

use std::sync::{Arc, Mutex};
use std::thread::{self, Thread};
use std::time::Instant;

use crate::audio::capture::{Capture, Frame, Step};
use crate::audio::process::{EchoReference, Processor, SoundProcessing, VoiceActivity};
use crate::audio::{FRAME_SAMPLES, Level, Playout, SAMPLE_RATE, lock};
use crate::codec::opus::{Encoder, MAX_DTX_BYTES};
use crate::device::DeviceError;
use crate::latest::Latest;
use crate::packet::EncodedAudio;
use crate::queue::{Queue, QueueWriter, queue};
use crate::source::AudioSource;

/// What the microphone does: `Off → Starting → Live`, and `Failed` from either
/// of the last two, from where a device that comes back is `Live` again.
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
    /// Bytes of Opus that came of it and were sent.
    pub bytes_encoded: u64,
    /// Samples that the device gave and there was no room for.
    pub overrun_samples: u64,
    /// Stages of the sound processing that panicked and were made again.
    pub processing_panics: u64,
}

/// Captures, encodes once and hands out. Clones share it; dropping the last
/// stops everything.
#[derive(Clone)]
pub struct AudioSender {
    owner: Arc<Owner>,
}

/// Stops the thread with the last clone.
struct Owner {
    shared: Arc<Shared>,
    worker: Thread,
}

struct Shared {
    desired: Mutex<DesiredState>,
    subscribers: Mutex<Vec<QueueWriter<EncodedAudio>>>,
    stats: Mutex<AudioSendStats>,
    state: Latest<AudioCaptureState>,
    level: Latest<Level>,
    speaking: Latest<bool>,
}

/// What the worker is to do; it takes what is new at each turn.
#[derive(Default)]
struct DesiredState {
    source: Option<AudioSource>,
    echo_reference: Option<EchoReference>,
    processing: SoundProcessing,
    dtx: bool,
    expected_loss_percent: Option<u8>,
    muted: bool,
    stopped: bool,
}

impl Default for AudioSender {
    fn default() -> Self {
        Self::new()
    }
}

impl AudioSender {
    /// A sender without a source.
    pub fn new() -> Self {
        let shared = Arc::new(Shared {
            desired: Mutex::new(DesiredState {
                processing: SoundProcessing::OFF,
                ..DesiredState::default()
            }),
            subscribers: Mutex::default(),
            stats: Mutex::default(),
            state: Latest::new(),
            level: Latest::new(),
            speaking: Latest::new(),
        });
        shared.speaking.set(false);
        shared.state.set(AudioCaptureState::Off);
        let theirs = Arc::clone(&shared);
        let worker = thread::spawn(move || match Encoder::new() {
            Ok(encoder) => Worker::new(theirs, encoder).run(),
            Err(error) => theirs
                .state
                .set(AudioCaptureState::Failed(DeviceError::Failed(
                    error.to_string(),
                ))),
        });
        let worker = worker.thread().clone();
        Self {
            owner: Arc::new(Owner { shared, worker }),
        }
    }

    /// Chooses the source. Returns at once; [`AudioSender::state`] tells what
    /// came of it. Subscribers stay.
    pub fn set_source(&self, source: AudioSource) {
        self.owner.change(|desired| desired.source = Some(source));
    }

    /// Muted sends no packets at all. The device stays open, so that unmuting
    /// is instant and the level still shows who speaks into a muted microphone.
    pub fn set_muted(&self, muted: bool) {
        self.owner.change(|desired| desired.muted = muted);
    }

    /// What the source does.
    pub fn state(&self) -> Latest<AudioCaptureState> {
        self.owner.shared.state.clone()
    }

    /// Chooses the stages that sound passes before it is encoded; at first none. Takes
    /// effect with the next frame, without a gap or a click. A tone is never processed.
    pub fn set_processing(&self, processing: SoundProcessing) {
        self.owner.change(|desired| desired.processing = processing);
    }

    /// Switches discontinuous transmission on or off (DTX, RFC 7587, section 3.1.3): while
    /// nobody speaks a packet is sent every 400 ms. At first off; not for music.
    pub fn set_dtx(&self, dtx: bool) {
        self.owner.change(|desired| desired.dtx = dtx);
    }

    /// Names the playout whose echo the microphone hears: its mix is the far-end
    /// reference. Without one, or while it plays at no device, nothing is cancelled.
    pub fn cancel_echo_of(&self, playout: &Playout) {
        let reference = playout.echo_reference();
        self.owner
            .change(|desired| desired.echo_reference = Some(reference));
    }

    /// Whether somebody speaks into the microphone, muted or not: voice activity, without
    /// the echo and the noise that were removed. Changes at each beginning and end.
    pub fn speaking(&self) -> Latest<bool> {
        self.owner.shared.speaking.clone()
    }

    /// Loudness before mute, 25 times a second; empty without sound.
    pub fn level(&self) -> Latest<Level> {
        self.owner.shared.level.clone()
    }

    /// Every packet from now on, for one peer. Nothing is encoded while there
    /// is no subscriber.
    pub fn subscribe(&self) -> Queue<EncodedAudio> {
        let (writer, reader) = queue();
        lock(&self.owner.shared.subscribers).push(writer);
        reader
    }

    /// How much loss the receivers see, in percent: decides what FEC may cost.
    pub fn set_expected_loss(&self, percent: u8) {
        self.owner
            .change(|desired| desired.expected_loss_percent = Some(percent));
    }

    /// Counts so far.
    pub fn stats(&self) -> AudioSendStats {
        *lock(&self.owner.shared.stats)
    }
}

impl Owner {
    fn change(&self, change: impl FnOnce(&mut DesiredState)) {
        change(&mut lock(&self.shared.desired));
        self.worker.unpark();
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.change(|desired| desired.stopped = true);
    }
}

struct Worker {
    shared: Arc<Shared>,
    capture: Capture,
    encoder: Encoder,
    /// Where timestamps count from.
    epoch: Instant,
    /// The next frame's; runs on through mute, so that silence takes its time.
    timestamp: u32,
    /// Sound begins again: the timestamp catches up with the clock.
    restarted: bool,
    loudest: Level,
    /// The last packet was one without sound: those that follow are not sent.
    pauses: bool,
    processor: Processor,
    activity: VoiceActivity,
}

impl Worker {
    fn new(shared: Arc<Shared>, encoder: Encoder) -> Self {
        Self {
            shared,
            capture: Capture::Off,
            encoder,
            epoch: Instant::now(),
            timestamp: 0,
            restarted: true,
            loudest: Level::default(),
            pauses: false,
            processor: Processor::new(),
            activity: VoiceActivity::new(),
        }
    }

    fn run(mut self) {
        let mut frame = [0.0; FRAME_SAMPLES];
        loop {
            let (processing, muted, dtx) = {
                let mut desired = lock(&self.shared.desired);
                if desired.stopped {
                    return;
                }
                let (source, loss) = (desired.source.take(), desired.expected_loss_percent.take());
                let reference = desired.echo_reference.take();
                let settings = (desired.processing, desired.muted, desired.dtx);
                drop(desired);
                if let Some(reference) = reference {
                    self.processor.set_reference(reference);
                }
                if let Some(Err(error)) =
                    loss.map(|percent| self.encoder.set_expected_loss(percent))
                {
                    tracing::error!(%error, "the encoder does not take the expected loss");
                }
                if let Some(source) = source {
                    self.open(source);
                }
                settings
            };
            match self.capture.step(&mut frame) {
                Step::Frame(captured_at) => {
                    let processing = match self.capture {
                        // Any noise suppressor takes a steady tone for noise.
                        Capture::Tone(..) => SoundProcessing::OFF,
                        _ => processing,
                    };
                    self.processor.process(&mut frame, processing, muted);
                    self.take(&frame, captured_at, muted, dtx);
                }
                Step::Live => self.live(),
                Step::Failed(error) => self.fail(error),
                Step::Wait(None) => thread::park(),
                Step::Wait(Some(wait)) => thread::park_timeout(wait),
            }
        }
    }

    fn open(&mut self, source: AudioSource) {
        // The old device goes first: some can be open only once.
        self.capture = Capture::Off;
        self.shared.level.clear();
        self.note_speaking(false);
        self.shared.state.set(if source == AudioSource::None {
            AudioCaptureState::Off
        } else {
            AudioCaptureState::Starting
        });
        self.capture = Capture::open(source);
        if matches!(self.capture, Capture::Tone(..)) {
            self.live();
        }
    }

    fn live(&mut self) {
        self.processor.restart();
        self.restarted = true;
        self.shared.state.set(AudioCaptureState::Live);
    }

    fn fail(&mut self, error: DeviceError) {
        let state = AudioCaptureState::Failed(error);
        // A device that is not there is reported at each attempt.
        if self.shared.state.get().as_ref() != Some(&state) {
            tracing::warn!(?state, "no sound to send");
            self.shared.level.clear();
            self.note_speaking(false);
            self.shared.state.set(state);
        }
    }

    fn take(&mut self, frame: &Frame, captured_at: Instant, muted: bool, dtx: bool) {
        if std::mem::take(&mut self.restarted) {
            let since = captured_at.saturating_duration_since(self.epoch);
            let wall = (since.as_micros() * u128::from(SAMPLE_RATE) / 1_000_000) as u32;
            if wall.wrapping_sub(self.timestamp) < u32::MAX / 2 {
                self.timestamp = wall;
            }
        }
        let delay = self.processor.delay();
        let captured_at = captured_at.checked_sub(delay).unwrap_or(captured_at);
        let timestamp = self.timestamp;
        self.timestamp = timestamp.wrapping_add(FRAME_SAMPLES as u32);
        let frames_captured = {
            let mut stats = lock(&self.shared.stats);
            stats.frames_captured += 1;
            stats.overrun_samples += self.capture.take_overruns();
            stats.processing_panics += self.processor.take_panics();
            stats.frames_captured
        };
        self.measure(frame, frames_captured);
        let is_speaking = self.activity.hear(frame);
        self.note_speaking(is_speaking);
        let mut subscribers = lock(&self.shared.subscribers);
        subscribers.retain(|subscriber| !subscriber.is_closed());
        if muted || subscribers.is_empty() {
            self.pauses = false;
            return;
        }
        // The first frames of a word must not wait for the encoder to notice it.
        if let Err(error) = self.encoder.set_dtx(dtx && !is_speaking) {
            tracing::error!(%error, "the encoder does not take DTX");
        }
        match self.encoder.encode(frame) {
            Ok(data) => {
                let mut stats = lock(&self.shared.stats);
                stats.frames_encoded += 1;
                let has_sound = data.len() > MAX_DTX_BYTES;
                // The first without sound tells receivers that a pause begins.
                if std::mem::replace(&mut self.pauses, !has_sound) && !has_sound {
                    return;
                }
                stats.bytes_encoded += data.len() as u64;
                let packet = EncodedAudio {
                    data: data.into(),
                    timestamp,
                    samples: FRAME_SAMPLES as u32,
                    captured_at,
                };
                for subscriber in subscribers.iter() {
                    subscriber.push(packet.clone());
                }
            }
            Err(error) => tracing::error!(%error, "a frame could not be encoded"),
        }
    }

    fn note_speaking(&self, is_speaking: bool) {
        if self.shared.speaking.get() != Some(is_speaking) {
            self.shared.speaking.set(is_speaking);
        }
    }

    /// Publishes the louder of each two frames.
    fn measure(&mut self, frame: &Frame, frames_captured: u64) {
        let level = Level::of(frame);
        self.loudest = if level.rms > self.loudest.rms {
            level
        } else {
            self.loudest
        };
        if frames_captured.is_multiple_of(2) {
            self.shared.level.set(std::mem::take(&mut self.loudest));
        }
    }
}
