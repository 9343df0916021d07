//! Encoders and decoders: the only place where codec libraries are named.

pub mod h264;
pub mod opus;
pub mod vp8;

use std::time::Instant;

use bytes::Bytes;

use crate::frame::Frame;
use crate::packet::VideoCodec;

/// The most pixels that are decoded, as in H.264 level 5.2 (36,864
/// macroblocks): what is larger would only cost memory.
pub const MAX_DECODED_PIXELS: u64 = 36_864 * 256;

/// A codec library refused its input or its settings.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("{codec}: {reason}")]
pub struct CodecError {
    /// The codec.
    pub codec: &'static str,
    /// What the library said.
    pub reason: String,
}

/// What a picture encoder is made for. Another size needs another encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncoderSettings {
    /// Width in pixels, even.
    pub width: u32,
    /// Height in pixels, even.
    pub height: u32,
    /// The rate at which pictures will come.
    pub frames_per_second: u32,
    /// The bit rate to keep on the average.
    pub bits_per_second: u32,
}

/// One encoded picture.
#[derive(Debug, Clone)]
pub struct EncodedPicture {
    /// The bit stream: an H.264 access unit in Annex B form, or a VP8 frame.
    pub data: Bytes,
    /// Whether a decoder can start here.
    pub key_frame: bool,
    /// Whether no later picture is predicted from it.
    pub is_discardable: bool,
}

/// What is asked of the next encoded picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    /// A decoder can start at it.
    Key,
    /// The usual: predicted from those before, and later ones from it.
    Reference,
    /// No later picture is predicted from it. Only where [`can_discard`] says so;
    /// otherwise as `Reference`.
    Discardable,
}

impl FrameKind {
    /// A key frame, or a usual one.
    pub fn key_or_reference(is_key: bool) -> Self {
        if is_key { Self::Key } else { Self::Reference }
    }
}

/// Whether the codec's encoder makes discardable pictures.
pub fn can_discard(codec: VideoCodec) -> bool {
    codec == VideoCodec::Vp8
}

/// Encodes pictures of one size for real-time use: no picture is skipped, none
/// waits for a later one, and key frames come first and when asked for. Of a screen,
/// H.264 also makes one when most of it changes.
pub trait VideoEncoder {
    /// Encodes the next picture.
    ///
    /// # Errors
    /// When the size is not the encoder's or the library fails.
    fn encode(&mut self, frame: &Frame, kind: FrameKind) -> Result<EncodedPicture, CodecError>;

    /// Trades quality for speed, or back, where the codec can.
    ///
    /// # Errors
    /// When the library refuses it.
    fn set_fast(&mut self, _is_fast: bool) -> Result<(), CodecError> {
        Ok(())
    }

    /// Changes the bit rate and the frame rate, without a key frame.
    ///
    /// # Errors
    /// When the library refuses it.
    fn set_rates(&mut self, bits_per_second: u32, frames_per_second: u32)
    -> Result<(), CodecError>;

    /// Prepares it for text and flat areas, before the first picture.
    ///
    /// # Errors
    /// When the library refuses it.
    fn expect_screen(&mut self) -> Result<(), CodecError>;
}

/// Decodes pictures, each from one whole frame of bit stream.
pub trait VideoDecoder {
    /// Decodes the next picture; `None` where the frame is not for showing.
    /// Its time is `decoded_at`; a picture of odd size is cropped to even.
    ///
    /// # Errors
    /// When the data is damaged, needs a picture that is missing, or is larger
    /// than [`MAX_DECODED_PIXELS`]. A new key frame is needed then.
    fn decode(&mut self, data: &[u8], decoded_at: Instant) -> Result<Option<Frame>, CodecError>;
}

/// A new encoder.
///
/// # Errors
/// When the library refuses the settings.
pub fn video_encoder(
    codec: VideoCodec,
    settings: EncoderSettings,
) -> Result<Box<dyn VideoEncoder>, CodecError> {
    Ok(match codec {
        VideoCodec::H264 => Box::new(h264::Encoder::new(settings)?),
        VideoCodec::Vp8 => Box::new(vp8::Encoder::new(settings)?),
    })
}

/// A new decoder.
///
/// # Errors
/// When the library cannot start.
pub fn video_decoder(codec: VideoCodec) -> Result<Box<dyn VideoDecoder>, CodecError> {
    Ok(match codec {
        VideoCodec::H264 => Box::new(h264::Decoder::new()?),
        VideoCodec::Vp8 => Box::new(vp8::Decoder::new()?),
    })
}

#[cfg(test)]
mod tests;
