//! From a video source to encoded frames for every subscriber.

mod bitrate;
mod encoder;
mod key_frames;
mod layer;
mod overload;
mod target;

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

pub use self::bitrate::bitrate_for;
use self::encoder::EncoderTask;
use self::overload::{Overload, Reduction, Sample};
use self::target::Targets;
pub use self::target::{EncoderTarget, FrameRates, HALF_RATE_SHARE};
use crate::codec::EncodedPicture;
use crate::device::DeviceError;
use crate::frame::Frame;
use crate::latest::Latest;
use crate::packet::{EncodedVideo, VideoCodec, VideoLayer};
use crate::queue::Queue;
use crate::source::{VideoFormat, VideoSource};
use crate::video::CLOCK;
use crate::video::background::{Background, BackgroundState};
use crate::video::capture::{self, Capture, CaptureState};

/// Where a subscription begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// As soon as possible: at the last key frame, with the frames since then, for 150 ms
    /// after it; otherwise at one that is made at once.
    Soonest,
    /// At a key frame that is yet to be made: after a switch from another layer,
    /// whose newer frames have been sent.
    NextKeyFrame,
}

/// What a [`VideoSender`] has done since it was made. All values only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct VideoSendStats {
    /// Pictures that the source delivered while at least one subscriber took
    /// pictures, so that `frames_encoded / frames_captured` says how often
    /// each was encoded.
    pub frames_captured: u64,
    /// Pictures encoded; each encoding counts once however many take it.
    pub frames_encoded: u64,
    /// Key frames among them.
    pub key_frames: u64,
    /// Bytes of bit stream, before packets.
    pub bytes_encoded: u64,
    /// Sum of the times that the encodings took (W3C `totalEncodeTime`).
    pub total_encode_time: Duration,
}

/// Captures frames and encodes each once for each codec and layer in use: a capture
/// thread, and an encoder thread for each codec and layer while it has subscribers.
/// When an encoder is slower than the source, the newest frame wins.
///
/// Clones share everything; when the last is dropped, the source is released
/// and every subscription ends.
#[derive(Clone)]
pub struct VideoSender {
    owner: Arc<Owner>,
}

/// Stops the threads, which share the pipeline, when the last sender goes.
struct Owner {
    pipeline: Arc<Pipeline>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.pipeline
            .capture
            .change(|wish| !std::mem::replace(&mut wish.ended, true));
        // Wakes the encoder threads.
        self.pipeline.capture.preview.clear();
        self.pipeline.encoders.iter().for_each(EncoderTask::end);
    }
}

/// What the threads share.
struct Pipeline {
    capture: Capture,
    /// One of each codec and layer.
    encoders: Vec<EncoderTask>,
    /// The target of each layer.
    targets: Targets,
    overload: Mutex<Overload>,
    /// When the RTP clock stood at 0.
    clock_start: Instant,
    frames_captured: AtomicU64,
    frames_encoded: AtomicU64,
    key_frames: AtomicU64,
    bytes_encoded: AtomicU64,
    /// In nanoseconds.
    encode_time: AtomicU64,
}

/// A colour for a synthetic picture, in degrees: by chance in each process, and
/// within one the golden angle apart, so that participants are told apart.
fn next_hue() -> f32 {
    static FIRST: OnceLock<u64> = OnceLock::new();
    static SENDERS: AtomicU64 = AtomicU64::new(0);
    let first = FIRST.get_or_init(|| RandomState::new().hash_one(0) % 360);
    let number = SENDERS.fetch_add(1, Ordering::Relaxed) % 360;
    (*first as f32 + 137.5 * number as f32) % 360.0
}

impl VideoSender {
    /// A sender without a source.
    pub fn new() -> Self {
        let pipeline = Arc::new(Pipeline {
            capture: Capture::new(next_hue()),
            encoders: encoders().collect(),
            targets: Targets::default(),
            overload: Mutex::new(Overload::new(cores())),
            clock_start: Instant::now(),
            frames_captured: AtomicU64::new(0),
            frames_encoded: AtomicU64::new(0),
            key_frames: AtomicU64::new(0),
            bytes_encoded: AtomicU64::new(0),
            encode_time: AtomicU64::new(0),
        });
        let shared = Arc::clone(&pipeline);
        let capturing = move || Capture::run(&shared);
        if let Err(error) = thread::Builder::new()
            .name("video capture".into())
            .spawn(capturing)
        {
            pipeline
                .capture
                .state
                .set(CaptureState::Failed(DeviceError::Failed(error.to_string())));
        }
        Self {
            owner: Arc::new(Owner { pipeline }),
        }
    }

    fn pipeline(&self) -> &Arc<Pipeline> {
        &self.owner.pipeline
    }

    /// Changes the source and returns at once: what comes of it shows in
    /// [`state`](Self::state). Subscribers stay and get a key frame. `wanted`
    /// is what a camera is asked for; the synthetic picture and files have
    /// their own format. Setting the same source again reopens it.
    pub fn set_source(&self, source: VideoSource, wanted: VideoFormat) {
        self.pipeline().capture.change(|wish| {
            wish.source = source;
            wish.wanted = wanted;
            true
        });
    }

    /// Muted, nothing is sent, the preview is empty and the device is
    /// released; unmuting opens it again.
    pub fn set_muted(&self, muted: bool) {
        self.pipeline()
            .capture
            .change(|wish| std::mem::replace(&mut wish.muted, muted) != muted);
    }

    /// Changes what is behind the person in captured frames, from the next one on. How it
    /// went shows in [`background`](Self::background). Choosing the same again tries it
    /// again. A shared screen has no background to change.
    pub fn set_background(&self, background: Background) {
        self.pipeline().capture.background.set(background);
    }

    /// Whether the chosen background is shown; never empty.
    pub fn background(&self) -> Latest<BackgroundState> {
        self.pipeline().capture.background.state.clone()
    }

    /// What the source is doing; never empty.
    pub fn state(&self) -> Latest<CaptureState> {
        self.pipeline().capture.state.clone()
    }

    /// The newest captured picture; empty while nothing is captured.
    pub fn preview(&self) -> Latest<Frame> {
        self.pipeline().capture.preview.clone()
    }

    /// Pictures per second that the source delivered over the last second or
    /// so; 0 when none came.
    pub fn measured_rate(&self) -> f32 {
        self.pipeline().capture.rate()
    }

    /// Encoded frames of a codec and layer, the first one a key frame. Each is encoded
    /// once, however many subscribe; dropping the queue unsubscribes.
    pub fn subscribe(
        &self,
        codec: VideoCodec,
        layer: VideoLayer,
        start: Start,
    ) -> Queue<EncodedVideo> {
        let encoder = self.pipeline().encoder(codec, layer);
        let (reader, has_to_start) = encoder.add(start);
        if has_to_start {
            let pipeline = Arc::clone(self.pipeline());
            let encoding = move || pipeline.encoder(codec, layer).run(&pipeline);
            if let Err(error) = thread::Builder::new()
                .name(format!("{codec:?} encoder"))
                .spawn(encoding)
            {
                tracing::error!(%error, "starting an encoder's thread failed");
                encoder.end();
            }
        }
        reader
    }

    /// Asks for a key frame for a receiver that lost a frame. At most one is made in
    /// 500 ms; a request within that time is answered at its end.
    pub fn request_key_frame(&self, codec: VideoCodec, layer: VideoLayer) {
        self.pipeline().encoder(codec, layer).request_key_frame();
    }

    /// Asks for a key frame for a receiver that has no picture yet. At most one is made
    /// in 150 ms.
    pub fn request_first_key_frame(&self, codec: VideoCodec, layer: VideoLayer) {
        self.pipeline()
            .encoder(codec, layer)
            .request_first_key_frame();
    }

    /// Sets the target of the encoders of a layer.
    pub fn set_target(&self, layer: VideoLayer, target: EncoderTarget) {
        self.pipeline().targets.set(layer, target);
    }

    /// Whether less is encoded because the processor does not keep up.
    pub fn is_limited_by_processor(&self) -> bool {
        self.pipeline().reduction() != Reduction::None
    }

    /// What was done so far.
    pub fn stats(&self) -> VideoSendStats {
        let pipeline = self.pipeline();
        VideoSendStats {
            // Before the captured ones, so as not to exceed them.
            frames_encoded: pipeline.frames_encoded.load(Ordering::SeqCst),
            frames_captured: pipeline.frames_captured.load(Ordering::SeqCst),
            key_frames: pipeline.key_frames.load(Ordering::Relaxed),
            bytes_encoded: pipeline.bytes_encoded.load(Ordering::Relaxed),
            total_encode_time: Duration::from_nanos(pipeline.encode_time.load(Ordering::Relaxed)),
        }
    }
}

impl Default for VideoSender {
    fn default() -> Self {
        Self::new()
    }
}

/// The cores that the encoders share with everything else.
fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// An encoder of each codec and layer.
fn encoders() -> impl Iterator<Item = EncoderTask> {
    let codecs = [VideoCodec::H264, VideoCodec::Vp8].into_iter();
    codecs.flat_map(|codec| VideoLayer::ALL.map(|layer| EncoderTask::new(codec, layer)))
}

impl Pipeline {
    fn encoder(&self, codec: VideoCodec, layer: VideoLayer) -> &EncoderTask {
        let mut encoders = self.encoders.iter();
        encoders
            .find(|encoder| (encoder.codec, encoder.layer) == (codec, layer))
            .expect("there is one of each codec and layer")
    }

    fn count_encoded(&self, picture: &EncodedPicture, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.encode_time.fetch_add(nanos, Ordering::Relaxed);
        self.frames_encoded.fetch_add(1, Ordering::SeqCst);
        self.key_frames
            .fetch_add(picture.key_frame.into(), Ordering::Relaxed);
        self.bytes_encoded
            .fetch_add(picture.data.len() as u64, Ordering::Relaxed);
    }

    fn frames_per_second(&self) -> u32 {
        match self.capture.state.get() {
            Some(CaptureState::Live(format)) => format.frames_per_second,
            _ => VideoFormat::default().frames_per_second,
        }
    }

    fn overload(&self) -> MutexGuard<'_, Overload> {
        self.overload.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reduction(&self) -> Reduction {
        self.overload().reduction()
    }

    /// A frame was encoded.
    fn encoded(&self, sample: Sample) {
        // The text of a screen has to stay sharp.
        let most = if self.capture.is_screen() {
            Reduction::FrameRate
        } else {
            Reduction::Size
        };
        let background = &self.capture.background;
        let mut overload = self.overload();
        let changed = overload.encoded(Instant::now(), sample, most, background);
        if let Some(reduction) = changed {
            tracing::info!(?reduction, "the load of the encoders changed");
        }
    }

    /// Ticks of 90 kHz at a time.
    fn timestamp(&self, at: Instant) -> u32 {
        let nanos = at.saturating_duration_since(self.clock_start).as_nanos();
        (nanos * u128::from(CLOCK) / 1_000_000_000) as u32
    }
}

impl capture::Owner for Pipeline {
    fn capture(&self) -> &Capture {
        &self.capture
    }

    /// Receivers need a key frame: the new source may have another size.
    fn opened(&self) {
        self.overload().reset();
        self.encoders.iter().for_each(EncoderTask::source_changed);
    }

    fn captured(&self) {
        if self.encoders.iter().any(EncoderTask::has_subscribers) {
            self.frames_captured.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests;
