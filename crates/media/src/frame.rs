//! Raw pictures.

use std::time::Instant;

use bytes::Bytes;

/// One picture in I420 (YUV 4:2:0 planar, BT.601 limited range), rows tightly
/// packed: `width × height` bytes of Y, then a quarter as many of U and of V.
/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Frame {
    width: u32,
    height: u32,
    data: Bytes,
    captured_at: Instant,
}

/// The largest side of a picture that is accepted, in pixels.
pub const MAX_SIDE: u32 = 8192;

/// Why a buffer is not a picture.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FrameError {
    /// A side is zero, odd or beyond [`MAX_SIDE`].
    #[error("a picture of {0}x{1} is not supported: sides are even and at most 8192")]
    Size(u32, u32),
    /// The buffer's length does not fit the size.
    #[error("a picture needs {wanted} bytes, got {got}")]
    Length {
        /// Bytes that the size asks for.
        wanted: usize,
        /// Bytes that were there.
        got: usize,
    },
}

impl Frame {
    /// Bytes of an I420 picture of this size.
    pub const fn len_of(width: u32, height: u32) -> usize {
        let luma = width as usize * height as usize;
        luma + luma / 2
    }

    /// Wraps a buffer of I420.
    ///
    /// # Errors
    /// When a side is zero, odd or too large, or the length does not fit.
    pub fn new(
        width: u32,
        height: u32,
        data: Bytes,
        captured_at: Instant,
    ) -> Result<Self, FrameError> {
        let side = |n: u32| n > 0 && n.is_multiple_of(2) && n <= MAX_SIDE;
        if !side(width) || !side(height) {
            return Err(FrameError::Size(width, height));
        }
        let wanted = Self::len_of(width, height);
        if data.len() != wanted {
            return Err(FrameError::Length {
                wanted,
                got: data.len(),
            });
        }
        Ok(Self {
            width,
            height,
            data,
            captured_at,
        })
    }

    /// Width in pixels, even.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels, even.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// When the picture was taken, or for a received one when it was decoded.
    pub fn captured_at(&self) -> Instant {
        self.captured_at
    }

    /// The three planes, one after the other.
    pub fn data(&self) -> &Bytes {
        &self.data
    }

    /// Luma, one byte a pixel.
    pub fn y(&self) -> &[u8] {
        &self.data[..self.luma_len()]
    }

    /// Blue difference, one byte for each two by two pixels.
    pub fn u(&self) -> &[u8] {
        let luma = self.luma_len();
        &self.data[luma..luma + luma / 4]
    }

    /// Red difference, one byte for each two by two pixels.
    pub fn v(&self) -> &[u8] {
        let luma = self.luma_len();
        &self.data[luma + luma / 4..]
    }

    fn luma_len(&self) -> usize {
        self.width as usize * self.height as usize
    }
}
