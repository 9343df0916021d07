//! Frames of 20 ms from whatever the source is.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crate::audio::device::Direction;
use crate::audio::downmix::Downmix;
use crate::audio::file::FileCapture;
use crate::audio::resample::Resampler;
use crate::audio::stream::{self, CaptureEnd};
use crate::audio::supervisor::{DeviceEvent, DeviceSupervisor};
use crate::audio::ticker::Ticker;
use crate::audio::tone::Tone;
use crate::audio::{FRAME_SAMPLES, SAMPLE_RATE};
use crate::device::DeviceError;
use crate::source::AudioSource;

/// 20 ms of mono sound at 48 kHz.
pub(crate) type Frame = [f32; FRAME_SAMPLES];

/// The open source.
pub(crate) enum Capture {
    /// Gives nothing.
    Off,
    /// Gives a tone by the clock.
    Tone(Tone, Ticker),
    /// Gives a file by the clock.
    File(FileCapture),
    /// Gives what the device gives.
    Device(Box<DeviceCapture>),
}

/// What came of asking.
pub(crate) enum Step {
    /// The frame was filled; its first sample was taken then.
    Frame(Instant),
    /// Sound begins here, after none or another's.
    Live,
    /// There is no sound for now.
    Failed(DeviceError),
    /// Nothing before then, unless this thread is woken.
    Wait(Option<Duration>),
}

impl Capture {
    /// Opens a source. Files and devices are opened by threads of their own: the
    /// first step after that is [`Step::Live`] or [`Step::Failed`].
    pub(crate) fn open(source: AudioSource) -> Self {
        let device = |id| Self::Device(Box::new(DeviceCapture::new(id)));
        match source {
            AudioSource::None => Self::Off,
            AudioSource::Tone(hertz) => {
                let ticker = Ticker::new(Instant::now(), Duration::from_millis(20));
                Self::Tone(Tone::new(hertz), ticker)
            }
            AudioSource::Wav(path) => Self::File(FileCapture::open(path)),
            AudioSource::DefaultMicrophone => device(None),
            AudioSource::Microphone(id) => device(Some(id)),
        }
    }

    /// Advances the source by one step.
    pub(crate) fn step(&mut self, frame: &mut Frame) -> Step {
        match self {
            Self::Off => Step::Wait(None),
            Self::Tone(tone, ticker) => match ticker.take(Instant::now()) {
                Ok(due) => {
                    tone.fill(frame);
                    Step::Frame(due)
                }
                Err(wait) => Step::Wait(Some(wait)),
            },
            Self::File(file) => file.step(frame),
            Self::Device(device) => device.step(frame),
        }
    }

    /// Samples that a device gave since this was last asked and there was no room for.
    pub(crate) fn take_overruns(&self) -> u64 {
        match self {
            Self::Device(device) => device.take_overruns(),
            Self::Off | Self::Tone(..) | Self::File(_) => 0,
        }
    }
}

/// A microphone.
pub(crate) struct DeviceCapture {
    supervisor: DeviceSupervisor<CaptureEnd>,
    running: Option<Running>,
}

struct Running {
    downmix: Downmix,
    resampler: Resampler,
    mono: VecDeque<f32>,
    end: CaptureEnd,
}

impl DeviceCapture {
    fn new(id: Option<String>) -> Self {
        let supervisor =
            DeviceSupervisor::start(Direction::Capture, id, thread::current(), stream::capture);
        Self {
            supervisor,
            running: None,
        }
    }

    fn take_overruns(&self) -> u64 {
        self.running
            .as_ref()
            .map_or(0, |running| running.end.overruns.swap(0, Ordering::Relaxed))
    }

    fn step(&mut self, frame: &mut Frame) -> Step {
        match self.supervisor.poll() {
            Some(DeviceEvent::Opened(end)) => {
                return match Resampler::new(end.hertz, SAMPLE_RATE, 1) {
                    Ok(resampler) => {
                        self.running = Some(Running {
                            downmix: Downmix::new(end.channels, end.hertz),
                            resampler,
                            mono: VecDeque::new(),
                            end,
                        });
                        Step::Live
                    }
                    Err(reason) => Step::Failed(DeviceError::Unsupported(reason)),
                };
            }
            Some(DeviceEvent::Failed(error)) => {
                self.running = None;
                return Step::Failed(error);
            }
            None => {}
        }
        match &mut self.running {
            Some(running) => running.step(frame),
            None => Step::Wait(None),
        }
    }
}

impl Running {
    fn step(&mut self, frame: &mut Frame) -> Step {
        let channels = self.end.channels;
        let whole = self.end.ring.slots() / channels * channels;
        if let Ok(chunk) = self.end.ring.read_chunk(whole) {
            let interleaved: Vec<f32> = chunk.into_iter().collect();
            let mut mono = Vec::with_capacity(interleaved.len() / channels);
            self.downmix.push(&interleaved, &mut mono);
            self.resampler.push(&mono, &mut self.mono);
        }
        if self.mono.len() < FRAME_SAMPLES {
            return Step::Wait(None);
        }
        let age = Duration::from_secs_f64(self.mono.len() as f64 / f64::from(SAMPLE_RATE));
        let now = Instant::now();
        frame
            .iter_mut()
            .zip(self.mono.drain(..FRAME_SAMPLES))
            .for_each(|(to, from)| *to = from);
        Step::Frame(now.checked_sub(age).unwrap_or(now))
    }
}
