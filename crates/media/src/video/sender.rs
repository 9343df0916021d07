//! From a picture source to encoded pictures for every subscriber.

use crate::frame::Frame;
use crate::latest::Latest;
use crate::packet::{EncodedVideo, VideoCodec};
use crate::queue::{Queue, queue};
use crate::source::{VideoFormat, VideoSource};
use crate::video::capture::CaptureState;

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
}

/// Captures pictures and encodes each once per codec in use.
#[derive(Clone)]
pub struct VideoSender {
    state: Latest<CaptureState>,
    preview: Latest<Frame>,
}

impl VideoSender {
    /// A sender without a source.
    pub fn new() -> Self {
        let state = Latest::new();
        state.set(CaptureState::Off);
        Self { state, preview: Latest::new() }
    }

    /// Changes the source, keeping the subscribers.
    pub fn set_source(&self, _source: VideoSource, _wanted: VideoFormat) {}

    /// Muted, nothing is sent and the device is released.
    pub fn set_muted(&self, _muted: bool) {}

    /// What the source is doing; never empty.
    pub fn state(&self) -> Latest<CaptureState> {
        self.state.clone()
    }

    /// The newest captured picture; empty while nothing is captured.
    pub fn preview(&self) -> Latest<Frame> {
        self.preview.clone()
    }

    /// Pictures per second that the source delivered lately.
    pub fn measured_rate(&self) -> f32 {
        0.0
    }

    /// Encoded pictures from the next key frame on.
    pub fn subscribe(&self, _codec: VideoCodec) -> Queue<EncodedVideo> {
        queue().1
    }

    /// Asks for a key frame.
    pub fn request_key_frame(&self, _codec: VideoCodec) {}

    /// Sets the share of the size's bit rate that is used, 0.05 to 1.
    pub fn set_bitrate_scale(&self, _scale: f32) {}

    /// What was done so far.
    pub fn stats(&self) -> VideoSendStats {
        VideoSendStats::default()
    }
}

impl Default for VideoSender {
    fn default() -> Self {
        Self::new()
    }
}
