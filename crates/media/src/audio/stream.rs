//! Device callbacks: they copy between the device's buffer and a ring, and
//! wake the thread at the ring's other end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{
    BufferSize, ErrorKind, FromSample, Sample, SampleFormat, SizedSample, StreamConfig,
    SupportedBufferSize, SupportedStreamConfig, SupportedStreamConfigRange,
};
use rtrb::{Consumer, Producer, RingBuffer};

use crate::audio::SAMPLE_RATE;
use crate::audio::device::open_error;
use crate::audio::supervisor::Alarm;
use crate::device::DeviceError;

/// A microphone's ring: 500 ms; when it is full what comes is counted and dropped.
const CAPTURE_MILLISECONDS: usize = 500;

/// A speaker's ring: room for 200 ms, of which the mixer fills what is needed.
const PLAYBACK_MILLISECONDS: usize = 200;

/// What a device's callback moves at a time, where the device takes a size. PulseAudio
/// holds twice that before the speaker. Some systems' own choice is two seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Period {
    milliseconds: u32,
}

impl Period {
    /// The shortest: 10 ms.
    pub(crate) const SHORTEST: Self = Self { milliseconds: 10 };
    const LONGEST: Self = Self { milliseconds: 40 };

    /// The next longer one, for a machine that does not keep up with this one.
    pub(crate) fn longer(self) -> Option<Self> {
        (self != Self::LONGEST).then_some(Self {
            milliseconds: self.milliseconds * 2,
        })
    }
}

/// The worker's end of a microphone.
pub(crate) struct CaptureEnd {
    /// Interleaved samples.
    pub(crate) ring: Consumer<f32>,
    /// Their rate.
    pub(crate) hertz: u32,
    /// Channels in a frame.
    pub(crate) channels: usize,
    /// Samples for which there was no room.
    pub(crate) overruns: Arc<AtomicU64>,
}

/// The worker's end of a speaker.
pub(crate) struct PlaybackEnd {
    /// Takes interleaved samples.
    pub(crate) ring: Producer<f32>,
    /// Their rate.
    pub(crate) hertz: u32,
    /// Channels in a frame.
    pub(crate) channels: usize,
    /// What the device does with it.
    pub(crate) requests: Arc<Requests>,
}

/// What a speaker's callback reports to the mixer.
#[derive(Default)]
pub(crate) struct Requests {
    /// Callbacks so far.
    pub(crate) count: AtomicU64,
    /// Most samples that the device asked for at a time of late.
    pub(crate) recent: AtomicU64,
    /// Callbacks that found fewer samples than they asked for.
    pub(crate) underruns: AtomicU64,
    /// Fewest samples left behind by a callback since this was last taken; `u64::MAX`
    /// without a callback.
    pub(crate) spare: AtomicU64,
}

/// Opens a microphone.
///
/// # Errors
/// Whatever the system says, or [`DeviceError::Unsupported`].
pub(crate) fn capture(
    device: &cpal::Device,
    period: Period,
    alarm: Alarm,
) -> Result<(cpal::Stream, CaptureEnd), DeviceError> {
    let ranges = device.supported_input_configs().map_err(open_error)?;
    let config = choose(device.default_input_config().map_err(open_error)?, ranges)?;
    let overruns = Arc::new(AtomicU64::new(0));
    let (stream, ring) = play(&config, period, |stream_config| {
        let (producer, consumer) = ring(&config, CAPTURE_MILLISECONDS);
        let (alarm, overruns) = (alarm.clone(), Arc::clone(&overruns));
        let stream = match config.sample_format() {
            SampleFormat::F32 => {
                capture_as::<f32>(device, stream_config, producer, alarm, overruns)
            }
            SampleFormat::I16 => {
                capture_as::<i16>(device, stream_config, producer, alarm, overruns)
            }
            SampleFormat::U16 => {
                capture_as::<u16>(device, stream_config, producer, alarm, overruns)
            }
            SampleFormat::I24 => {
                capture_as::<cpal::I24>(device, stream_config, producer, alarm, overruns)
            }
            SampleFormat::I32 => {
                capture_as::<i32>(device, stream_config, producer, alarm, overruns)
            }
            SampleFormat::U8 => capture_as::<u8>(device, stream_config, producer, alarm, overruns),
            _ => Err(ErrorKind::UnsupportedConfig.into()),
        };
        Ok((stream?, consumer))
    })?;
    Ok((
        stream,
        CaptureEnd {
            ring,
            hertz: config.sample_rate(),
            channels: config.channels().into(),
            overruns,
        },
    ))
}

fn capture_as<T>(
    device: &cpal::Device,
    config: StreamConfig,
    mut ring: Producer<f32>,
    alarm: Alarm,
    overruns: Arc<AtomicU64>,
) -> Result<cpal::Stream, cpal::Error>
where
    T: SizedSample,
    f32: FromSample<T>,
{
    let channels = usize::from(config.channels);
    let reporter = alarm.clone();
    let callback = move |samples: &[T], _: &_| {
        // Whole frames only, or the channels would change places.
        let room = samples.len().min(ring.slots() / channels * channels);
        if let Ok(chunk) = ring.write_chunk_uninit(room) {
            chunk.fill_from_iter(samples.iter().map(|&sample| f32::from_sample(sample)));
        }
        overruns.fetch_add((samples.len() - room) as u64, Ordering::Relaxed);
        alarm.wake();
    };
    device.build_input_stream(config, callback, move |error| reporter.report(error), None)
}

/// Opens a speaker.
///
/// # Errors
/// Whatever the system says, or [`DeviceError::Unsupported`].
pub(crate) fn playback(
    device: &cpal::Device,
    period: Period,
    alarm: Alarm,
) -> Result<(cpal::Stream, PlaybackEnd), DeviceError> {
    let ranges = device.supported_output_configs().map_err(open_error)?;
    let config = choose(device.default_output_config().map_err(open_error)?, ranges)?;
    let requests = Arc::new(Requests::default());
    requests.spare.store(u64::MAX, Ordering::Relaxed);
    let (stream, ring) = play(&config, period, |stream_config| {
        let (producer, consumer) = ring(&config, PLAYBACK_MILLISECONDS);
        let (alarm, recent) = (alarm.clone(), Arc::clone(&requests));
        let stream = match config.sample_format() {
            SampleFormat::F32 => playback_as::<f32>(device, stream_config, consumer, alarm, recent),
            SampleFormat::I16 => playback_as::<i16>(device, stream_config, consumer, alarm, recent),
            SampleFormat::U16 => playback_as::<u16>(device, stream_config, consumer, alarm, recent),
            SampleFormat::I24 => {
                playback_as::<cpal::I24>(device, stream_config, consumer, alarm, recent)
            }
            SampleFormat::I32 => playback_as::<i32>(device, stream_config, consumer, alarm, recent),
            SampleFormat::U8 => playback_as::<u8>(device, stream_config, consumer, alarm, recent),
            _ => Err(ErrorKind::UnsupportedConfig.into()),
        };
        Ok((stream?, producer))
    })?;
    Ok((
        stream,
        PlaybackEnd {
            ring,
            hertz: config.sample_rate(),
            channels: config.channels().into(),
            requests,
        },
    ))
}

fn playback_as<T>(
    device: &cpal::Device,
    config: StreamConfig,
    mut ring: Consumer<f32>,
    alarm: Alarm,
    requests: Arc<Requests>,
) -> Result<cpal::Stream, cpal::Error>
where
    T: SizedSample + FromSample<f32>,
{
    let reporter = alarm.clone();
    let frames_a_second = f64::from(config.sample_rate) * f64::from(config.channels);
    let mut late = LateCallbacks::default();
    let callback = move |samples: &mut [T], _: &_| {
        let duration = Duration::from_secs_f64(samples.len() as f64 / frames_a_second);
        if late.is_late(Instant::now(), duration) {
            alarm.late();
        }
        // The first request fills the device's whole buffer: it is forgotten over a second or so.
        let before = requests.recent.load(Ordering::Relaxed);
        requests.recent.store(
            (before - before / 32).max(samples.len() as u64),
            Ordering::Relaxed,
        );
        let waiting = ring.slots();
        let ready = samples.len().min(waiting);
        let (filled, missing) = samples.split_at_mut(ready);
        if let Ok(chunk) = ring.read_chunk(ready) {
            filled
                .iter_mut()
                .zip(chunk)
                .for_each(|(to, from)| *to = T::from_sample(from));
        }
        if !missing.is_empty() {
            requests.underruns.fetch_add(1, Ordering::Relaxed);
        }
        missing.fill(T::EQUILIBRIUM);
        let spare = (waiting - ready) as u64;
        requests.spare.fetch_min(spare, Ordering::Relaxed);
        requests.count.fetch_add(1, Ordering::Relaxed);
        alarm.wake();
    };
    device.build_output_stream(config, callback, move |error| reporter.report(error), None)
}

/// Tells callbacks so late that the device has run out of sound.
#[derive(Default)]
struct LateCallbacks {
    last: Option<(Instant, Duration)>,
}

impl LateCallbacks {
    /// Whether this callback, for so much sound, comes later than what the two before it
    /// brought lasts: a device holds two periods.
    fn is_late(&mut self, now: Instant, duration: Duration) -> bool {
        let last = self.last.replace((now, duration));
        last.is_some_and(|(at, before)| {
            now.saturating_duration_since(at) > 2 * before.max(duration)
        })
    }
}

fn ring(config: &SupportedStreamConfig, milliseconds: usize) -> (Producer<f32>, Consumer<f32>) {
    RingBuffer::new(
        config.sample_rate() as usize * milliseconds / 1000 * usize::from(config.channels()),
    )
}

/// Builds a stream with callbacks of this period, or if the device refuses it of the next
/// longer ones, or with its own, and starts it.
fn play<Ring>(
    config: &SupportedStreamConfig,
    period: Period,
    build: impl Fn(StreamConfig) -> Result<(cpal::Stream, Ring), cpal::Error>,
) -> Result<(cpal::Stream, Ring), DeviceError> {
    let refused = |error: &cpal::Error| {
        matches!(
            error.kind(),
            ErrorKind::UnsupportedConfig | ErrorKind::InvalidInput
        )
    };
    let with_size = |buffer_size| StreamConfig {
        buffer_size,
        ..config.config()
    };
    let sizes = buffer_sizes(config, period);
    let mut built = build(with_size(sizes[0]));
    for &size in &sizes[1..] {
        match built {
            Err(error) if refused(&error) => built = build(with_size(size)),
            _ => break,
        }
    }
    let (stream, ring) = built.map_err(open_error)?;
    stream.play().map_err(open_error)?;
    Ok((stream, ring))
}

/// What to ask a device for, in this order.
fn buffer_sizes(config: &SupportedStreamConfig, period: Period) -> Vec<BufferSize> {
    let periods = std::iter::successors(Some(period), |period| period.longer());
    let mut sizes: Vec<BufferSize> = match *config.buffer_size() {
        SupportedBufferSize::Range { min, max } if min <= max => periods
            .map(|period| config.sample_rate() * period.milliseconds / 1000)
            .map(|frames| BufferSize::Fixed(frames.clamp(min, max)))
            .collect(),
        _ => Vec::new(),
    };
    sizes.dedup();
    sizes.push(BufferSize::Default);
    sizes
}

/// The device's own configuration, but at 48 kHz if it can, and in the best
/// format that is understood.
fn choose(
    own: SupportedStreamConfig,
    ranges: impl Iterator<Item = SupportedStreamConfigRange>,
) -> Result<SupportedStreamConfig, DeviceError> {
    let rank = |format| {
        [
            SampleFormat::F32,
            SampleFormat::I32,
            SampleFormat::I24,
            SampleFormat::I16,
            SampleFormat::U16,
            SampleFormat::U8,
        ]
        .iter()
        .position(|&known| known == format)
    };
    let at_our_rate = ranges
        .filter(|range| range.channels() == own.channels() && rank(range.sample_format()).is_some())
        .filter_map(|range| range.try_with_sample_rate(SAMPLE_RATE))
        .min_by_key(|config| rank(config.sample_format()));
    let is_usable =
        own.channels() > 0 && own.sample_rate() > 0 && rank(own.sample_format()).is_some();
    at_our_rate.or(is_usable.then_some(own)).ok_or_else(|| {
        DeviceError::Unsupported(format!(
            "{} at {} Hz",
            own.sample_format(),
            own.sample_rate()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(
        channels: u16,
        format: SampleFormat,
        hertz: std::ops::RangeInclusive<u32>,
    ) -> SupportedStreamConfigRange {
        SupportedStreamConfigRange::new(
            channels,
            *hertz.start(),
            *hertz.end(),
            SupportedBufferSize::Unknown,
            format,
        )
    }

    #[test]
    fn a_device_is_asked_for_48_khz_in_its_own_channels_and_the_best_format() {
        let own =
            SupportedStreamConfig::new(2, 44_100, SupportedBufferSize::Unknown, SampleFormat::I16);
        let ranges = [
            range(2, SampleFormat::I16, 8_000..=96_000),
            range(2, SampleFormat::F32, 44_100..=48_000),
            range(1, SampleFormat::F32, 1..=48_000),
        ];
        let chosen = choose(own, ranges.into_iter()).unwrap();
        assert_eq!(
            (
                chosen.channels(),
                chosen.sample_rate(),
                chosen.sample_format()
            ),
            (2, 48_000, SampleFormat::F32)
        );
    }

    #[test]
    fn a_device_is_asked_for_10_ms_then_for_longer_buffers_then_for_its_own() {
        let sizes = |buffer_size, period| {
            let config = SupportedStreamConfig::new(2, 48_000, buffer_size, SampleFormat::F32);
            buffer_sizes(&config, period)
        };
        let any = SupportedBufferSize::Range { min: 1, max: 9_999 };
        let fixed = [480, 960, 1_920].map(BufferSize::Fixed);
        let all = sizes(any, Period::SHORTEST);
        assert_eq!((&all[..3], all[3]), (&fixed[..], BufferSize::Default));
        let longer = Period::SHORTEST.longer().unwrap();
        assert_eq!(sizes(any, longer)[..2], fixed[1..]);
        let coarse = SupportedBufferSize::Range {
            min: 1_024,
            max: 1_024,
        };
        assert_eq!(
            sizes(coarse, Period::SHORTEST),
            [BufferSize::Fixed(1_024), BufferSize::Default]
        );
        assert_eq!(
            sizes(SupportedBufferSize::Unknown, Period::SHORTEST),
            [BufferSize::Default]
        );
    }

    #[test]
    fn a_callback_is_late_when_two_periods_have_run_out() {
        let (mut late, start) = (LateCallbacks::default(), Instant::now());
        let period = Duration::from_millis(10);
        let at = [0, 10, 20, 39, 49, 71, 81].map(Duration::from_millis);
        let found = at.map(|at| late.is_late(start + at, period));
        assert_eq!(found, [false, false, false, false, false, true, false]);
    }

    #[test]
    fn a_device_without_48_khz_keeps_its_rate_and_one_without_a_known_format_is_refused() {
        let own =
            SupportedStreamConfig::new(2, 44_100, SupportedBufferSize::Unknown, SampleFormat::I16);
        assert_eq!(
            choose(
                own,
                [range(2, SampleFormat::I16, 44_100..=44_100)].into_iter()
            )
            .unwrap(),
            own
        );
        let own = SupportedStreamConfig::new(
            2,
            44_100,
            SupportedBufferSize::Unknown,
            SampleFormat::DsdU8,
        );
        assert!(matches!(
            choose(own, [].into_iter()),
            Err(DeviceError::Unsupported(_))
        ));
    }
}
