//! One codec's encoder, and who takes its pictures.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::key_frames::KeyFrames;
use super::{Pipeline, bitrate_for};
use crate::codec::{CodecError, EncodedPicture, EncoderSettings, VideoEncoder, video_encoder};
use crate::frame::Frame;
use crate::packet::{EncodedVideo, VideoCodec};
use crate::queue::{Pushed, QueueWriter};

/// While no picture comes, subscribers that left are looked for so often.
const IDLE: Duration = Duration::from_millis(500);

/// The subscribers of one codec. Its encoder thread runs while there are any.
pub(super) struct Lane {
    pub codec: VideoCodec,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    subscribers: Vec<QueueWriter<EncodedVideo>>,
    key_frames: KeyFrames,
    running: bool,
}

impl Lane {
    pub(super) fn new(codec: VideoCodec) -> Self {
        Self {
            codec,
            state: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a subscriber; whether the encoder thread has to be started.
    #[must_use]
    pub(super) fn add(&self, subscriber: QueueWriter<EncodedVideo>) -> bool {
        let mut state = self.lock();
        state.subscribers.push(subscriber);
        state.key_frames.request();
        !std::mem::replace(&mut state.running, true)
    }

    /// Ends every subscription.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.subscribers.clear();
        state.running = false;
    }

    pub(super) fn has_subscribers(&self) -> bool {
        !self.lock().subscribers.is_empty()
    }

    pub(super) fn request_key_frame(&self) {
        self.lock().key_frames.request();
    }

    /// The encoder thread: until nobody takes its pictures any more.
    pub(super) fn run(&self, pipeline: &Pipeline) {
        let preview = &pipeline.capture.preview;
        let mut encoding = None;
        let (mut seen, _) = preview.versioned();
        while self.goes_on(pipeline.capture.has_ended()) {
            let Some((version, frame)) = preview.wait_newer(seen, IDLE) else {
                continue;
            };
            seen = version;
            if let Some(frame) = frame
                && let Err(error) = self.encode(pipeline, &mut encoding, &frame)
            {
                tracing::warn!(%error, "a picture was not encoded");
                encoding = None;
            }
        }
    }

    /// Lets go of subscribers that left; false when that was the last.
    fn goes_on(&self, ended: bool) -> bool {
        let mut state = self.lock();
        state
            .subscribers
            .retain(|subscriber| !ended && !subscriber.is_closed());
        state.running = !state.subscribers.is_empty();
        state.running
    }

    fn encode(
        &self,
        pipeline: &Pipeline,
        encoding: &mut Option<Encoding>,
        frame: &Frame,
    ) -> Result<(), CodecError> {
        let wanted = EncoderSettings {
            width: frame.width(),
            height: frame.height(),
            frames_per_second: pipeline.frames_per_second(),
            bits_per_second: (bitrate_for(frame.width(), frame.height()) as f32
                * pipeline.bitrate_scale()) as u32,
        };
        let encoding = match encoding {
            Some(encoding) if encoding.fits(wanted) => {
                encoding.set_bits_per_second(wanted.bits_per_second)?;
                encoding
            }
            other => other.insert(Encoding {
                encoder: video_encoder(self.codec, wanted)?,
                settings: wanted,
            }),
        };
        let key_frame = self.lock().key_frames.due(Instant::now());
        let picture = encoding.encoder.encode(frame, key_frame)?;
        pipeline.count_encoded(&picture);
        self.deliver(frame, pipeline.timestamp(frame.captured_at()), picture);
        Ok(())
    }

    fn deliver(&self, frame: &Frame, timestamp: u32, picture: EncodedPicture) {
        let mut state = self.lock();
        if picture.key_frame {
            state.key_frames.made(Instant::now());
        }
        let video = EncodedVideo {
            codec: self.codec,
            data: picture.data,
            timestamp,
            key_frame: picture.key_frame,
            width: frame.width(),
            height: frame.height(),
            captured_at: frame.captured_at(),
        };
        let mut overflowed = false;
        state.subscribers.retain(|subscriber| {
            let pushed = subscriber.push(video.clone());
            overflowed |= pushed == Pushed::Overflowed;
            pushed != Pushed::Closed
        });
        if overflowed {
            state.key_frames.request();
        }
    }
}

struct Encoding {
    encoder: Box<dyn VideoEncoder>,
    settings: EncoderSettings,
}

impl Encoding {
    /// Whether only the bit rate differs.
    fn fits(&self, wanted: EncoderSettings) -> bool {
        EncoderSettings {
            bits_per_second: self.settings.bits_per_second,
            ..wanted
        } == self.settings
    }

    fn set_bits_per_second(&mut self, bits_per_second: u32) -> Result<(), CodecError> {
        if bits_per_second != self.settings.bits_per_second {
            self.encoder.set_bits_per_second(bits_per_second)?;
            self.settings.bits_per_second = bits_per_second;
        }
        Ok(())
    }
}
