//! VP8, through libvpx.

use std::ffi::{CStr, c_int, c_uint};
use std::mem::MaybeUninit;
use std::ptr;
use std::time::Instant;

use bytes::Bytes;
use vpx_sys::*;

use super::{
    CodecError, EncodedPicture, EncoderSettings, FrameKind, MAX_DECODED_PIXELS, VideoDecoder,
    VideoEncoder,
};
use crate::frame::{Frame, MAX_SIDE};
use crate::video::convert;

/// Speed of the encoder, from -1 (best) to -16 (fastest). Small pictures lose
/// too much at the fast one when they move, and cost little at the other.
const FAST: c_int = -8;
const CAREFUL: c_int = -4;
/// What is added where the processor does not keep up.
const FASTER: c_int = -4;
const CAREFUL_UP_TO_HEIGHT: u32 = 180;
/// Quantisers, of 0 to 63. Finer than the first (45 dB) nobody sees, and a
/// picture as fine as that costs many times its share when it moves.
const FINEST: c_uint = 10;
const COARSEST: c_uint = 56;
/// A key frame may take this share of the average frame's bits, in percent:
/// it has to go through the same network in about the same time.
const MAX_KEY_FRAME_PERCENT: c_uint = 900;
/// Leaves no trace in the decoder: no buffer and no probabilities are updated.
const DISCARDABLE: u32 =
    VP8_EFLAG_NO_UPD_LAST | VP8_EFLAG_NO_UPD_GF | VP8_EFLAG_NO_UPD_ARF | VP8_EFLAG_NO_UPD_ENTROPY;
/// The encoder's clock: ticks per second.
const CLOCK: i32 = 90_000;

fn error(reason: impl ToString) -> CodecError {
    CodecError {
        codec: "VP8",
        reason: reason.to_string(),
    }
}

/// A libvpx context, initialised, destroyed when dropped. Boxed, so that the
/// library may keep its address.
struct Context(Box<vpx_codec_ctx_t>);

impl Context {
    /// Takes a context that `init` initialises, given its address.
    fn new(init: impl FnOnce(*mut vpx_codec_ctx_t) -> vpx_codec_err_t) -> Result<Self, CodecError> {
        // SAFETY: all zero is a valid value of every field: null pointers,
        // integers, and an error code whose zero is `VPX_CODEC_OK`.
        let mut context: Box<vpx_codec_ctx_t> =
            Box::new(unsafe { MaybeUninit::zeroed().assume_init() });
        match init(&raw mut *context) {
            VPX_CODEC_OK => Ok(Self(context)),
            code => Err(error(format!("{code:?}"))),
        }
    }

    fn check(&mut self, code: vpx_codec_err_t) -> Result<(), CodecError> {
        if code == VPX_CODEC_OK {
            return Ok(());
        }
        // SAFETY: the context is initialised; the text is static or the
        // context's own, and is copied before anything else touches it.
        let text = unsafe {
            let text = vpx_codec_error(&raw mut *self.0);
            if text.is_null() {
                None
            } else {
                Some(CStr::from_ptr(text).to_string_lossy().into_owned())
            }
        };
        Err(error(text.unwrap_or_else(|| format!("{code:?}"))))
    }

    fn control(&mut self, id: vp8e_enc_control_id, value: c_int) -> Result<(), CodecError> {
        // SAFETY: the context is an encoder's, and each control used in this
        // file reads one `int` or `unsigned int` from its arguments.
        let code = unsafe { vpx_codec_control_(&raw mut *self.0, id as c_int, value) };
        self.check(code)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the context was initialised and is destroyed once.
        unsafe { vpx_codec_destroy(&raw mut *self.0) };
    }
}

/// A VP8 encoder.
pub struct Encoder {
    context: Context,
    config: vpx_codec_enc_cfg_t,
    settings: EncoderSettings,
    started: Option<Instant>,
    last_tick: i64,
}

impl Encoder {
    /// A new encoder.
    ///
    /// # Errors
    /// When the library refuses the settings.
    pub fn new(settings: EncoderSettings) -> Result<Self, CodecError> {
        let mut config = MaybeUninit::<vpx_codec_enc_cfg_t>::uninit();
        // SAFETY: the library writes the whole structure when it returns OK,
        // and it is read only then.
        let mut config = unsafe {
            match vpx_codec_enc_config_default(vpx_codec_vp8_cx(), config.as_mut_ptr(), 0) {
                VPX_CODEC_OK => config.assume_init(),
                code => return Err(error(format!("{code:?}"))),
            }
        };
        config.g_w = settings.width;
        config.g_h = settings.height;
        config.g_timebase = vpx_rational { num: 1, den: CLOCK };
        config.g_threads = 1;
        config.g_error_resilient = 0;
        config.g_pass = vpx_enc_pass::VPX_RC_ONE_PASS;
        config.g_lag_in_frames = 0;
        config.kf_mode = vpx_kf_mode::VPX_KF_FIXED;
        config.kf_min_dist = 0;
        config.kf_max_dist = u32::MAX >> 1;
        config.rc_end_usage = vpx_rc_mode::VPX_CBR;
        config.rc_target_bitrate = kilobits(settings.bits_per_second);
        config.rc_dropframe_thresh = 0;
        config.rc_resize_allowed = 0;
        config.rc_min_quantizer = FINEST;
        config.rc_max_quantizer = COARSEST;
        config.rc_undershoot_pct = 100;
        config.rc_overshoot_pct = 15;
        config.rc_buf_initial_sz = 500;
        config.rc_buf_optimal_sz = 600;
        config.rc_buf_sz = 1_000;
        // SAFETY: the configuration is whole and outlives the call, which copies it.
        let mut context = Context::new(|context| unsafe {
            vpx_codec_enc_init_ver(
                context,
                vpx_codec_vp8_cx(),
                &raw const config,
                0,
                VPX_ENCODER_ABI_VERSION as c_int,
            )
        })?;
        context.control(vp8e_enc_control_id::VP8E_SET_CPUUSED, speed(settings))?;
        context.control(vp8e_enc_control_id::VP8E_SET_STATIC_THRESHOLD, 1)?;
        context.control(
            vp8e_enc_control_id::VP8E_SET_MAX_INTRA_BITRATE_PCT,
            MAX_KEY_FRAME_PERCENT as c_int,
        )?;
        Ok(Self {
            context,
            config,
            settings,
            started: None,
            last_tick: -1,
        })
    }
}

fn speed(settings: EncoderSettings) -> c_int {
    if settings.height <= CAREFUL_UP_TO_HEIGHT {
        CAREFUL
    } else {
        FAST
    }
}

fn kilobits(bits_per_second: u32) -> u32 {
    (bits_per_second / 1_000).max(1)
}

impl VideoEncoder for Encoder {
    fn encode(&mut self, frame: &Frame, kind: FrameKind) -> Result<EncodedPicture, CodecError> {
        if (frame.width(), frame.height()) != (self.settings.width, self.settings.height) {
            return Err(error("the picture's size is not the encoder's"));
        }
        let started = *self.started.get_or_insert(frame.captured_at());
        let elapsed = frame.captured_at().saturating_duration_since(started);
        let tick = ((elapsed.as_secs_f64() * f64::from(CLOCK)) as i64).max(self.last_tick + 1);
        self.last_tick = tick;
        let duration = CLOCK as u32 / self.settings.frames_per_second.max(1);
        let flags = match kind {
            FrameKind::Key => VPX_EFLAG_FORCE_KF,
            FrameKind::Reference => 0,
            FrameKind::Discardable => DISCARDABLE,
        };
        let context = &raw mut *self.context.0;
        // SAFETY: the image wraps the frame's own buffer, whose layout is the
        // library's for I420 with rows aligned to 1 and even sides; the encoder
        // only reads it, and copies what it keeps.
        let code = unsafe {
            let mut image = MaybeUninit::<vpx_image_t>::uninit();
            let buffer = frame.data().as_ptr().cast_mut();
            let wrapped = vpx_img_wrap(
                image.as_mut_ptr(),
                vpx_img_fmt::VPX_IMG_FMT_I420,
                frame.width(),
                frame.height(),
                1,
                buffer,
            );
            if wrapped.is_null() {
                return Err(error("the picture cannot be wrapped"));
            }
            vpx_codec_encode(
                context,
                wrapped,
                tick,
                duration as _,
                flags as _,
                VPX_DL_REALTIME as _,
            )
        };
        self.context.check(code)?;
        let mut iterator = ptr::null();
        loop {
            // SAFETY: the context is initialised, the iterator starts at null
            // and belongs to this loop; a packet stays valid until the next
            // call to encode, and its union holds a frame when its kind says so.
            let packet = unsafe { vpx_codec_get_cx_data(context, &raw mut iterator).as_ref() };
            let Some(packet) = packet else {
                return Err(error("the picture was dropped"));
            };
            if packet.kind != vpx_codec_cx_pkt_kind::VPX_CODEC_CX_FRAME_PKT {
                continue;
            }
            // SAFETY: as above.
            let (data, flags) = unsafe {
                let frame = packet.data.frame;
                (
                    std::slice::from_raw_parts(frame.buf.cast::<u8>(), frame.sz),
                    frame.flags,
                )
            };
            return Ok(EncodedPicture {
                data: Bytes::copy_from_slice(data),
                key_frame: flags & VPX_FRAME_IS_KEY != 0,
                is_discardable: kind == FrameKind::Discardable && flags & VPX_FRAME_IS_KEY == 0,
            });
        }
    }

    fn set_fast(&mut self, is_fast: bool) -> Result<(), CodecError> {
        let speed = speed(self.settings) + if is_fast { FASTER } else { 0 };
        self.context
            .control(vp8e_enc_control_id::VP8E_SET_CPUUSED, speed)
    }

    fn set_rates(
        &mut self,
        bits_per_second: u32,
        frames_per_second: u32,
    ) -> Result<(), CodecError> {
        // The library takes the frame rate from the times of the frames.
        self.settings.frames_per_second = frames_per_second;
        self.config.rc_target_bitrate = kilobits(bits_per_second);
        // SAFETY: the context is an encoder's; the configuration is whole and copied.
        let code =
            unsafe { vpx_codec_enc_config_set(&raw mut *self.context.0, &raw const self.config) };
        self.context.check(code)
    }

    fn expect_screen(&mut self) -> Result<(), CodecError> {
        // 1: on. 2 would drop frames that take too many bits.
        self.context
            .control(vp8e_enc_control_id::VP8E_SET_SCREEN_CONTENT_MODE, 1)
    }
}

/// A VP8 decoder.
pub struct Decoder {
    context: Context,
}

impl Decoder {
    /// A new decoder.
    ///
    /// # Errors
    /// When the library cannot start.
    pub fn new() -> Result<Self, CodecError> {
        let config = vpx_codec_dec_cfg_t {
            threads: 1,
            w: 0,
            h: 0,
        };
        // SAFETY: the configuration is whole and outlives the call, which copies it.
        let context = Context::new(|context| unsafe {
            vpx_codec_dec_init_ver(
                context,
                vpx_codec_vp8_dx(),
                &raw const config,
                0,
                VPX_DECODER_ABI_VERSION as c_int,
            )
        })?;
        Ok(Self { context })
    }
}

/// The size in a key frame's header (RFC 6386, section 9.1); `None` in others.
fn key_frame_size(data: &[u8]) -> Option<(u32, u32)> {
    let &[
        tag,
        _,
        _,
        0x9D,
        0x01,
        0x2A,
        width_low,
        width_high,
        height_low,
        height_high,
        ..,
    ] = data
    else {
        return None;
    };
    let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3FFF);
    (tag & 1 == 0).then(|| (side(width_low, width_high), side(height_low, height_high)))
}

impl VideoDecoder for Decoder {
    fn decode(&mut self, data: &[u8], decoded_at: Instant) -> Result<Option<Frame>, CodecError> {
        // An empty buffer would mean a lost frame to the library.
        let length = c_uint::try_from(data.len()).map_err(error)?;
        if length == 0 {
            return Err(error("an empty frame"));
        }
        if let Some((width, height)) = key_frame_size(data)
            && (width.max(height) > MAX_SIDE
                || u64::from(width) * u64::from(height) > MAX_DECODED_PIXELS)
        {
            return Err(error(format!("a picture of {width}x{height} is too large")));
        }
        let context = &raw mut *self.context.0;
        // SAFETY: the context is a decoder's; the data is only read, within its length.
        let code = unsafe { vpx_codec_decode(context, data.as_ptr(), length, ptr::null_mut(), 0) };
        self.context.check(code)?;
        let mut iterator = ptr::null();
        // SAFETY: the iterator starts at null; the image and its planes stay
        // valid until the next call to decode, which needs `&mut self`.
        let Some(image) = (unsafe { vpx_codec_get_frame(context, &raw mut iterator).as_ref() })
        else {
            return Ok(None);
        };
        let (width, height) = (image.d_w, image.d_h);
        let plane = |n: usize| {
            let rows = if n == 0 { height } else { height.div_ceil(2) } as usize;
            let columns = if n == 0 { width } else { width.div_ceil(2) } as usize;
            let stride = usize::try_from(image.stride[n]).unwrap_or(0).max(columns);
            // SAFETY: a decoded I420 picture has this many rows of `stride`
            // bytes in each plane, of which the last has at least its columns.
            let bytes = unsafe {
                std::slice::from_raw_parts(
                    image.planes[n],
                    stride * rows.saturating_sub(1) + columns,
                )
            };
            (bytes, stride)
        };
        let [(y, y_stride), (u, u_stride), (v, v_stride)] = [plane(0), plane(1), plane(2)];
        convert::crop(
            [y, u, v],
            [y_stride, u_stride, v_stride],
            width,
            height,
            decoded_at,
        )
        .map(Some)
        .map_err(error)
    }
}
