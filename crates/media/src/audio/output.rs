//! Where the mix goes, and whose clock asks for it.

mod margin;

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use hound::{SampleFormat, WavSpec, WavWriter};

use crate::audio::PlayoutStats;
use crate::audio::SAMPLE_RATE;
use crate::audio::device::Direction;
use crate::audio::resample::Resampler;
use crate::audio::stream::{self, PlaybackEnd};
use crate::audio::supervisor::{DeviceEvent, DeviceSupervisor};
use crate::audio::ticker::Ticker;
use crate::device::DeviceError;
use crate::source::AudioSink;
use margin::Margin;

/// Frames mixed at a time: 10 ms at 48 kHz.
pub(crate) const BLOCK_FRAMES: usize = 480;

/// 10 ms of stereo.
pub(crate) type Block = [[f32; 2]; BLOCK_FRAMES];

const BLOCK: Duration = Duration::from_millis(10);

/// The open sink. Whatever becomes of it, blocks are asked for in real time.
pub(crate) struct Output {
    ticker: Ticker,
    target: Target,
}

enum Target {
    Nothing,
    File(WavFile),
    Device(Box<Device>),
}

struct Device {
    supervisor: DeviceSupervisor<PlaybackEnd>,
    running: Option<Running>,
}

/// What is to be done now.
pub(crate) enum Turn {
    /// A block is wanted.
    Mix,
    /// Nothing for so long, unless this thread is woken.
    Wait(Duration),
    /// The device plays.
    Live,
    /// It does not; blocks are wanted all the same.
    Failed(DeviceError),
}

impl Output {
    /// Opens a sink; a device opens behind this, on a thread of its own.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(crate) fn open(sink: AudioSink) -> Result<Self, DeviceError> {
        let device = |id| {
            let supervisor = DeviceSupervisor::start(
                Direction::Playback,
                id,
                thread::current(),
                stream::playback,
            );
            Target::Device(Box::new(Device {
                supervisor,
                running: None,
            }))
        };
        let target = match sink {
            AudioSink::None => Target::Nothing,
            AudioSink::Wav(path) => Target::File(WavFile::create(&path)?),
            AudioSink::DefaultSpeaker => device(None),
            AudioSink::Speaker(id) => device(Some(id)),
        };
        Ok(Self {
            target,
            ..Self::nothing()
        })
    }

    /// Drops what it is given, in real time.
    pub(crate) fn nothing() -> Self {
        Self {
            ticker: Ticker::new(Instant::now(), BLOCK),
            target: Target::Nothing,
        }
    }

    /// Whether it opens behind the caller's back.
    pub(crate) fn is_device(&self) -> bool {
        matches!(self.target, Target::Device(_))
    }

    /// Counts of the device that plays.
    pub(crate) fn stats(&self) -> Option<PlayoutStats> {
        match &self.target {
            Target::Device(device) => device.running.as_ref().map(|running| PlayoutStats {
                underruns: running.underruns,
                margin_ms: running.margin.blocks() as u32 * BLOCK.as_millis() as u32,
                delay: running.delay(),
            }),
            Target::Nothing | Target::File(_) => None,
        }
    }

    /// Whether a device plays what is written.
    pub(crate) fn is_audible(&self) -> bool {
        match &self.target {
            Target::Device(device) => device
                .running
                .as_ref()
                .is_some_and(|running| !running.is_stuck),
            Target::Nothing | Target::File(_) => false,
        }
    }

    /// What to do now.
    pub(crate) fn turn(&mut self, now: Instant) -> Turn {
        if let Target::Device(device) = &mut self.target {
            let Device {
                supervisor,
                running,
            } = &mut **device;
            match supervisor.poll() {
                Some(DeviceEvent::Opened(end)) => {
                    return match Running::new(end, now) {
                        Ok(new) => {
                            *running = Some(new);
                            Turn::Live
                        }
                        Err(error) => Turn::Failed(error),
                    };
                }
                Some(DeviceEvent::Failed(error)) => {
                    *running = None;
                    return Turn::Failed(error);
                }
                None => {}
            }
            if let Some(running) = running {
                match running.demand(now) {
                    Demand::Block => {
                        // The ticker goes on from here should the device stop asking.
                        self.ticker = Ticker::new(now + BLOCK, BLOCK);
                        return Turn::Mix;
                    }
                    Demand::Nothing => return Turn::Wait(STUCK),
                    Demand::Stuck => {}
                }
            }
        }
        self.ticker.take(now).map_or_else(Turn::Wait, |_| Turn::Mix)
    }

    /// Plays a block, or drops it where nothing plays.
    ///
    /// # Errors
    /// When a file cannot be written any more.
    pub(crate) fn write(&mut self, block: &Block) -> Result<(), DeviceError> {
        match &mut self.target {
            Target::File(file) => file.write(block),
            Target::Device(device) => {
                if let Some(running) = &mut device.running {
                    running.write(block);
                }
                Ok(())
            }
            Target::Nothing => Ok(()),
        }
    }
}

/// A device that has not asked for so long has stopped without a word.
const STUCK: Duration = Duration::from_millis(500);

/// What a device holds before the speaker: PulseAudio's `tlength`, and so do others.
const DEVICE_PERIODS: f64 = 2.0;

/// A device's first request may be for two seconds.
const MAX_DELAY: Duration = Duration::from_millis(500);

/// A speaker that plays.
struct Running {
    end: PlaybackEnd,
    resampler: Resampler,
    margin: Margin,
    underruns: u64,
    /// Callbacks so far, and when the last was seen.
    seen: (u64, Instant),
    is_stuck: bool,
}

/// What a speaker asks for.
enum Demand {
    /// The ring has room for a block.
    Block,
    /// It holds enough until the next callback.
    Nothing,
    /// There has been no callback for [`STUCK`].
    Stuck,
}

impl Running {
    fn new(end: PlaybackEnd, now: Instant) -> Result<Self, DeviceError> {
        let resampler =
            Resampler::new(SAMPLE_RATE, end.hertz, 2).map_err(DeviceError::Unsupported)?;
        Ok(Self {
            end,
            resampler,
            margin: Margin::new(now),
            underruns: 0,
            seen: (0, now),
            is_stuck: false,
        })
    }

    fn demand(&mut self, now: Instant) -> Demand {
        let requests = &self.end.requests;
        let count = requests.count.load(Ordering::Relaxed);
        if count != self.seen.0 {
            self.seen = (count, now);
        }
        self.is_stuck = now.saturating_duration_since(self.seen.1) >= STUCK;
        if self.is_stuck {
            return Demand::Stuck;
        }
        let block = self.end.hertz as usize / 100 * self.end.channels;
        if self.margin.is_due(now) {
            let spare = requests.spare.swap(u64::MAX, Ordering::Relaxed);
            let underruns = requests.underruns.swap(0, Ordering::Relaxed);
            let counted = self.margin.adapt(now, underruns, spare >= block as u64);
            self.underruns += counted;
        }
        // The device's next request, and some blocks for a mixer that wakes up late.
        let recent = requests.recent.load(Ordering::Relaxed) as usize;
        let wanted = recent + self.margin.blocks() * block;
        let capacity = self.end.ring.buffer().capacity();
        let waiting = capacity - self.end.ring.slots();
        if waiting < wanted.min(capacity - 2 * block) {
            Demand::Block
        } else {
            Demand::Nothing
        }
    }

    /// From now until what is written next is heard: what waits in the ring, and the
    /// device's two periods.
    fn delay(&self) -> Duration {
        let waiting = self.end.ring.buffer().capacity() - self.end.ring.slots();
        let period = self.end.requests.recent.load(Ordering::Relaxed);
        let samples = waiting as f64 + DEVICE_PERIODS * period as f64;
        let a_second = f64::from(self.end.hertz) * self.end.channels as f64;
        Duration::from_secs_f64(samples / a_second).min(MAX_DELAY)
    }

    fn write(&mut self, block: &Block) {
        if self.is_stuck {
            // A device that does not take it would play it late, and all that follows.
            return;
        }
        let mut stereo = Vec::with_capacity(4 * BLOCK_FRAMES);
        self.resampler.push(block.as_flattened(), &mut stereo);
        let channels = self.end.channels;
        let frames = (stereo.len() / 2).min(self.end.ring.slots() / channels);
        // One commit of whole frames: the callback never sees half of one.
        if let Ok(chunk) = self.end.ring.write_chunk_uninit(frames * channels) {
            let frames = stereo.chunks_exact(2).take(frames);
            chunk.fill_from_iter(frames.flat_map(|frame| {
                (0..channels).map(move |channel| {
                    if channels == 1 {
                        (frame[0] + frame[1]) / 2.0
                    } else {
                        frame[channel % 2]
                    }
                })
            }));
        }
    }
}

/// A recording of the mix, 48 kHz, mono, 16 bit.
struct WavFile {
    path: PathBuf,
    writer: WavWriter<BufWriter<File>>,
    blocks_since_flush: u32,
}

/// Half a second is lost at the most when the process is killed.
const FLUSH_BLOCKS: u32 = 50;

impl WavFile {
    fn create(path: &Path) -> Result<Self, DeviceError> {
        let spec = WavSpec {
            channels: 1,
            sample_rate: SAMPLE_RATE,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let writer = WavWriter::create(path, spec).map_err(|error| file_error(path, &error))?;
        Ok(Self {
            path: path.to_owned(),
            writer,
            blocks_since_flush: 0,
        })
    }

    fn write(&mut self, block: &Block) -> Result<(), DeviceError> {
        self.try_write(block)
            .map_err(|error| file_error(&self.path, &error))
    }

    fn try_write(&mut self, block: &Block) -> Result<(), hound::Error> {
        // The format counts its bytes in 32 bits.
        if self.writer.duration() > u32::MAX / 2 - BLOCK_FRAMES as u32 * 2 {
            return Err(hound::Error::TooWide);
        }
        for [left, right] in block {
            self.writer
                .write_sample(((left + right) / 2.0 * f32::from(i16::MAX)) as i16)?;
        }
        self.blocks_since_flush += 1;
        if self.blocks_since_flush == FLUSH_BLOCKS {
            self.blocks_since_flush = 0;
            self.writer.flush()?;
        }
        Ok(())
    }
}

fn file_error(path: &Path, error: &hound::Error) -> DeviceError {
    DeviceError::File {
        path: path.display().to_string(),
        reason: error.to_string(),
    }
}
