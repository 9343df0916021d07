//! H.264 constrained baseline, through OpenH264.

use std::time::Instant;

use openh264::encoder::{
    BitRate, Complexity, EncoderConfig, FrameRate, FrameType, IntraFramePeriod, Profile, QpRange,
    RateControlMode, SpsPpsStrategy, UsageType,
};
use openh264::formats::YUVSource;
use openh264::{OpenH264API, decoder, encoder};
use openh264_sys2::{
    ENCODER_OPTION_BITRATE, ENCODER_OPTION_FRAME_RATE, ENCODER_OPTION_TRACE_LEVEL, SBitrateInfo,
    SPATIAL_LAYER_ALL, WELS_LOG_QUIET,
};

use super::{
    CodecError, EncodedPicture, EncoderSettings, FrameKind, MAX_DECODED_PIXELS, VideoDecoder,
    VideoEncoder,
};
use crate::frame::Frame;
use crate::video::convert;

/// OpenH264 takes rates of 1 to 60.
const MAX_RATE: u32 = 60;

/// Quantisers of a screen, of 0 to 51. With the library's own coarsest one for screens
/// (35), text that scrolls exceeds the rate; beyond 42 it is hard to read, and is hardly
/// smaller.
const SCREEN_QUANTISERS: QpRange = QpRange::new(20, 42);

fn error(reason: impl ToString) -> CodecError {
    CodecError {
        codec: "H.264",
        reason: reason.to_string(),
    }
}

/// An H.264 encoder. Every key frame carries its parameter sets.
pub struct Encoder {
    inner: encoder::Encoder,
    settings: EncoderSettings,
    is_screen: bool,
    fresh: bool,
}

impl Encoder {
    /// A new encoder.
    ///
    /// # Errors
    /// When the library cannot start.
    pub fn new(settings: EncoderSettings) -> Result<Self, CodecError> {
        Self::new_for(settings, false)
    }

    fn new_for(settings: EncoderSettings, is_screen: bool) -> Result<Self, CodecError> {
        let rate = settings.frames_per_second.clamp(1, MAX_RATE);
        let config = EncoderConfig::new()
            .profile(Profile::Baseline)
            .complexity(Complexity::Low)
            .num_threads(1)
            .max_frame_rate(FrameRate::from_hz(rate as f32))
            .bitrate(BitRate::from_bps(settings.bits_per_second))
            // Keeps the rate without skipping, by the quantiser alone; the other
            // modes exceed it when much moves.
            .rate_control_mode(RateControlMode::Bitrate)
            // A skipped frame would be a captured one that nobody sees.
            .skip_frames(false)
            .intra_frame_period(IntraFramePeriod::from_num_frames(0))
            .sps_pps_strategy(SpsPpsStrategy::ConstantId);
        let config = if is_screen {
            config
                .usage_type(UsageType::ScreenContentRealTime)
                .qp(SCREEN_QUANTISERS)
                // A new page becomes a key frame: it is smaller than the difference.
                .scene_change_detect(true)
                // The library has neither for screens.
                .background_detection(false)
                .adaptive_quantization(false)
        } else {
            config
                .usage_type(UsageType::CameraVideoRealTime)
                // It makes a key frame of every quick movement.
                .scene_change_detect(false)
        };
        let mut inner =
            encoder::Encoder::with_api_config(OpenH264API::from_source(), config).map_err(error)?;
        let mut quiet = WELS_LOG_QUIET;
        // SAFETY: this option may be set before the encoder is started, and
        // reads an `int`, during the call only. The wrapper sets it too, but
        // only after the library has written its warnings to standard error.
        unsafe {
            inner
                .raw_api()
                .set_option(ENCODER_OPTION_TRACE_LEVEL, (&raw mut quiet).cast())
        };
        Ok(Self {
            inner,
            settings,
            is_screen,
            fresh: true,
        })
    }
}

impl VideoEncoder for Encoder {
    fn encode(&mut self, frame: &Frame, kind: FrameKind) -> Result<EncodedPicture, CodecError> {
        if (frame.width(), frame.height()) != (self.settings.width, self.settings.height) {
            return Err(error("the picture's size is not the encoder's"));
        }
        // The library starts itself at the first picture, a key frame anyway.
        if kind == FrameKind::Key && !self.fresh {
            self.inner.force_intra_frame();
        }
        let stream = self.inner.encode(&Picture(frame)).map_err(error)?;
        let key_frame = stream.frame_type() == FrameType::IDR;
        let data = stream.to_vec();
        self.fresh = false;
        if data.is_empty() {
            return Err(error("the picture was skipped"));
        }
        Ok(EncodedPicture {
            data: data.into(),
            key_frame,
            is_discardable: false,
        })
    }

    fn set_rates(
        &mut self,
        bits_per_second: u32,
        frames_per_second: u32,
    ) -> Result<(), CodecError> {
        if self.fresh {
            let settings = EncoderSettings {
                bits_per_second,
                frames_per_second,
                ..self.settings
            };
            *self = Self::new_for(settings, self.is_screen)?;
            return Ok(());
        }
        let mut rate = SBitrateInfo {
            iLayer: SPATIAL_LAYER_ALL,
            iBitrate: i32::try_from(bits_per_second).unwrap_or(i32::MAX),
        };
        let mut frame_rate = frames_per_second.clamp(1, MAX_RATE) as f32;
        // SAFETY: the encoder was started by its first picture (not `fresh`),
        // and these options read an `SBitrateInfo` and a `float`, during the call
        // only. The wrapper keeps no copies of the rates that it relies on, except
        // for a change of size, which this type refuses.
        let results = unsafe {
            let api = self.inner.raw_api();
            [
                api.set_option(ENCODER_OPTION_FRAME_RATE, (&raw mut frame_rate).cast()),
                api.set_option(ENCODER_OPTION_BITRATE, (&raw mut rate).cast()),
            ]
        };
        if results == [0; 2] {
            Ok(())
        } else {
            Err(error(format!("the rates were refused with {results:?}")))
        }
    }

    fn expect_screen(&mut self) -> Result<(), CodecError> {
        *self = Self::new_for(self.settings, true)?;
        Ok(())
    }
}

struct Picture<'a>(&'a Frame);

impl YUVSource for Picture<'_> {
    fn dimensions(&self) -> (usize, usize) {
        (self.0.width() as usize, self.0.height() as usize)
    }

    fn strides(&self) -> (usize, usize, usize) {
        let width = self.0.width() as usize;
        (width, width / 2, width / 2)
    }

    fn y(&self) -> &[u8] {
        self.0.y()
    }

    fn u(&self) -> &[u8] {
        self.0.u()
    }

    fn v(&self) -> &[u8] {
        self.0.v()
    }
}

/// An H.264 decoder. OpenH264 itself refuses pictures of more than
/// [`MAX_DECODED_PIXELS`].
pub struct Decoder {
    inner: decoder::Decoder,
}

impl Decoder {
    /// A new decoder.
    ///
    /// # Errors
    /// When the library cannot start.
    pub fn new() -> Result<Self, CodecError> {
        let inner = decoder::Decoder::new().map_err(error)?;
        Ok(Self { inner })
    }
}

impl VideoDecoder for Decoder {
    fn decode(&mut self, data: &[u8], decoded_at: Instant) -> Result<Option<Frame>, CodecError> {
        let Some(picture) = self.inner.decode(data).map_err(error)? else {
            return Ok(None);
        };
        let (width, height) = picture.dimensions();
        if width as u64 * height as u64 > MAX_DECODED_PIXELS {
            return Err(error(format!("a picture of {width}x{height} is too large")));
        }
        let (y, u, v) = picture.strides();
        let planes = [picture.y(), picture.u(), picture.v()];
        convert::crop(planes, [y, u, v], width as u32, height as u32, decoded_at)
            .map(Some)
            .map_err(error)
    }
}
