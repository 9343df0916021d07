//! The encoder of one codec and layer, and its subscribers.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::key_frames::{FIRST_INTERVAL, KeyFrames};
use super::overload::{Reduction, Sample};
use super::target::{Alternation, EncoderTarget, Use};
use super::{Pipeline, Start, layer};
use crate::codec::{
    CodecError, EncodedPicture, EncoderSettings, FrameKind, VideoEncoder, can_discard,
    video_encoder,
};
use crate::frame::Frame;
use crate::packet::{EncodedVideo, VideoCodec, VideoLayer};
use crate::queue::{Pushed, Queue, QueueWriter, queue, queue_of};

/// How often subscribers that left are looked for while no frame comes.
const IDLE: Duration = Duration::from_millis(500);

/// An encoder. Its thread runs while it has subscribers.
pub(super) struct EncoderTask {
    pub codec: VideoCodec,
    pub layer: VideoLayer,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    subscribers: Vec<QueueWriter<EncodedVideo>>,
    key_frames: KeyFrames,
    /// The last key frame and those after it, while no other may be made for a first
    /// picture.
    recent: Vec<EncodedVideo>,
    running: bool,
}

impl EncoderTask {
    pub(super) fn new(codec: VideoCodec, layer: VideoLayer) -> Self {
        Self {
            codec,
            layer,
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a subscriber. Returns its queue, and whether the encoder's thread has to
    /// be started.
    pub(super) fn add(&self, start: Start) -> (Queue<EncodedVideo>, bool) {
        let mut state = self.lock();
        state.forget_old(Instant::now());
        let (writer, reader) = match start {
            Start::Soonest if !state.recent.is_empty() => queue_of(state.recent.iter().cloned()),
            Start::Soonest => {
                state.key_frames.request_first();
                queue()
            }
            Start::NextKeyFrame => {
                state.key_frames.request();
                queue()
            }
        };
        state.subscribers.push(writer);
        let has_to_start = !std::mem::replace(&mut state.running, true);
        (reader, has_to_start)
    }

    /// Ends every subscription.
    pub(super) fn end(&self) {
        *self.lock() = State::default();
    }

    pub(super) fn has_subscribers(&self) -> bool {
        !self.lock().subscribers.is_empty()
    }

    pub(super) fn request_key_frame(&self) {
        self.lock().key_frames.request();
    }

    pub(super) fn request_first_key_frame(&self) {
        self.lock().key_frames.request_first();
    }

    /// Another source was opened: what it shows has nothing to do with the frames
    /// before.
    pub(super) fn source_changed(&self) {
        let mut state = self.lock();
        state.recent.clear();
        state.key_frames.request();
    }

    /// The encoder's thread: until there is no subscriber.
    pub(super) fn run(&self, pipeline: &Pipeline) {
        let preview = &pipeline.capture.preview;
        let mut active = None;
        let mut fails = false;
        let mut alternation = Alternation::default();
        let mut dropped = 0;
        let (mut seen, _) = preview.versioned();
        while self.has_to_run(pipeline.capture.has_ended()) {
            let Some((version, frame)) = preview.wait_newer(seen, IDLE) else {
                continue;
            };
            let missed = version.saturating_sub(seen + 1);
            seen = version;
            let Some(frame) = frame else {
                continue;
            };
            dropped += missed;
            let reduction = pipeline.reduction();
            let target = pipeline.targets.get(self.layer).reduced(reduction);
            let can_discard = can_discard(self.codec);
            let next = alternation.next(target.frame_rates, can_discard);
            if next == Use::Skip {
                continue;
            }
            let plan = Plan {
                target,
                reduction,
                is_discardable: next == Use::EncodeDiscardable,
            };
            let started = Instant::now();
            match self.encode(pipeline, &mut active, &frame, plan) {
                Ok(frames_per_second) => {
                    fails = false;
                    pipeline.encoded(Sample {
                        encoder: self.codec as usize * VideoLayer::ALL.len() + self.layer as usize,
                        interval: Duration::from_secs(1) / frames_per_second.max(1),
                        took: started.elapsed(),
                        dropped: std::mem::take(&mut dropped),
                    });
                }
                Err(error) => {
                    if !std::mem::replace(&mut fails, true) {
                        tracing::warn!(%error, "encoding fails");
                    }
                    active = None;
                }
            }
        }
    }

    /// Removes subscribers that left. Returns false when that was the last.
    fn has_to_run(&self, has_ended: bool) -> bool {
        let mut state = self.lock();
        state
            .subscribers
            .retain(|subscriber| !has_ended && !subscriber.is_closed());
        state.running = !state.subscribers.is_empty();
        if !state.running {
            state.recent.clear();
        }
        state.running
    }

    /// Encodes a frame; returns the frame rate of the encoder.
    fn encode(
        &self,
        pipeline: &Pipeline,
        active: &mut Option<ActiveEncoder>,
        frame: &Frame,
        plan: Plan,
    ) -> Result<u32, CodecError> {
        let Plan {
            target, reduction, ..
        } = plan;
        let is_halved = reduction == Reduction::Size;
        let frame = &layer::scaled(frame, self.layer, is_halved);
        let can_discard = can_discard(self.codec);
        let wanted = EncoderSettings {
            width: frame.width(),
            height: frame.height(),
            frames_per_second: target.frames_per_second(pipeline.frames_per_second(), can_discard),
            bits_per_second: target.bits_per_second(frame.width(), frame.height(), can_discard),
        };
        let is_screen = pipeline.capture.is_screen();
        let active = match active {
            Some(active) if active.fits(wanted) && active.is_screen == is_screen => {
                active.set_rates(wanted)?;
                active
            }
            other => {
                let mut encoder = video_encoder(self.codec, wanted)?;
                if is_screen {
                    encoder.expect_screen()?;
                }
                let (codec, layer) = (self.codec, self.layer);
                tracing::info!(?codec, ?layer, settings = ?wanted, "encoding");
                other.insert(ActiveEncoder {
                    encoder,
                    settings: wanted,
                    is_screen,
                    is_fast: false,
                })
            }
        };
        active.set_fast(reduction >= Reduction::Complexity)?;
        let key_frame = self.lock().key_frames.due(Instant::now());
        let kind = match (key_frame, plan.is_discardable) {
            (true, _) => FrameKind::Key,
            (false, true) => FrameKind::Discardable,
            (false, false) => FrameKind::Reference,
        };
        let started_at = Instant::now();
        let encoded = active.encoder.encode(frame, kind)?;
        let times = (started_at, Instant::now());
        pipeline.count_encoded(&encoded, times.1 - times.0);
        self.deliver(
            frame,
            pipeline.timestamp(frame.captured_at()),
            times,
            encoded,
        );
        Ok(wanted.frames_per_second)
    }

    /// `times` are those at which the encoding began and ended.
    fn deliver(
        &self,
        frame: &Frame,
        timestamp: u32,
        times: (Instant, Instant),
        encoded: EncodedPicture,
    ) {
        let now = Instant::now();
        let mut state = self.lock();
        if encoded.key_frame {
            state.key_frames.made(now);
            state.recent.clear();
        }
        let video = EncodedVideo {
            codec: self.codec,
            layer: self.layer,
            data: encoded.data,
            timestamp,
            key_frame: encoded.key_frame,
            is_discardable: encoded.is_discardable,
            width: frame.width(),
            height: frame.height(),
            captured_at: frame.captured_at(),
            encode_started_at: times.0,
            encoded_at: times.1,
        };
        state.forget_old(now);
        if encoded.key_frame || !state.recent.is_empty() {
            state.recent.push(video.clone());
        }
        // One that overflows asks for a key frame once it is read again.
        let subscribers = &mut state.subscribers;
        subscribers.retain(|subscriber| subscriber.push(video.clone()) != Pushed::Closed);
    }
}

impl State {
    /// A new subscriber gets a key frame of its own once one may be made.
    fn forget_old(&mut self, now: Instant) {
        if self.key_frames.may_be_first(now) || self.recent.len() >= MAX_RECENT {
            self.recent.clear();
        }
    }
}

/// The most frames that are kept: those of a camera at 60 frames a second.
const MAX_RECENT: usize = (FIRST_INTERVAL.as_millis() as usize * 60).div_ceil(1_000);

struct ActiveEncoder {
    encoder: Box<dyn VideoEncoder>,
    settings: EncoderSettings,
    is_screen: bool,
    is_fast: bool,
}

/// How the next frame is encoded.
struct Plan {
    target: EncoderTarget,
    reduction: Reduction,
    is_discardable: bool,
}

impl ActiveEncoder {
    /// Whether only the rates differ.
    fn fits(&self, wanted: EncoderSettings) -> bool {
        (self.settings.width, self.settings.height) == (wanted.width, wanted.height)
    }

    fn set_fast(&mut self, is_fast: bool) -> Result<(), CodecError> {
        if std::mem::replace(&mut self.is_fast, is_fast) != is_fast {
            self.encoder.set_fast(is_fast)?;
        }
        Ok(())
    }

    fn set_rates(&mut self, wanted: EncoderSettings) -> Result<(), CodecError> {
        if wanted != self.settings {
            self.encoder
                .set_rates(wanted.bits_per_second, wanted.frames_per_second)?;
            self.settings = wanted;
        }
        Ok(())
    }
}
