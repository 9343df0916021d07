//! From planes as they are stored to I420.

use std::time::Instant;

use super::header::Header;
use crate::frame::{Frame, FrameError};
use crate::video::convert;

const GREY: u8 = 128;

/// Where the planes of a frame are, and what their values mean.
#[derive(Debug)]
pub(super) struct Planes {
    width: usize,
    height: usize,
    /// Size of a chroma plane; `None` without chroma.
    chroma: Option<(usize, usize)>,
    /// Luma columns and rows for each stored chroma sample.
    subsampling: (usize, usize),
    alpha: bool,
    bits: u32,
    /// From 8 bit as stored to limited range.
    luma_levels: [u8; 256],
    chroma_levels: [u8; 256],
    /// Stored as the result is: rows are copied.
    is_i420: bool,
}

impl Planes {
    pub fn new(header: &Header) -> Self {
        let colour = header.colour;
        let levels = |of: fn(f32) -> f32| {
            std::array::from_fn(|value| {
                if header.full_range {
                    of(value as f32).round() as u8
                } else {
                    value as u8
                }
            })
        };
        let chroma = colour.subsampling.map(|(columns, rows)| {
            (
                header.width.div_ceil(columns) as usize,
                header.height.div_ceil(rows) as usize,
            )
        });
        Self {
            width: header.width as usize,
            height: header.height as usize,
            chroma,
            subsampling: colour
                .subsampling
                .map_or((1, 1), |(columns, rows)| (columns as usize, rows as usize)),
            alpha: colour.alpha,
            bits: colour.bits,
            luma_levels: levels(|value| 16.0 + value * 219.0 / 255.0),
            chroma_levels: levels(|value| 128.0 + (value - 128.0) * 224.0 / 255.0),
            is_i420: colour.subsampling == Some((2, 2)) && colour.bits == 8 && !header.full_range,
        }
    }

    fn sample_bytes(&self) -> usize {
        if self.bits > 8 { 2 } else { 1 }
    }

    /// Bytes of a frame as it is stored.
    pub fn stored_bytes(&self) -> usize {
        let luma = self.width * self.height;
        let chroma = self.chroma.map_or(0, |(width, height)| 2 * width * height);
        let alpha = if self.alpha { luma } else { 0 };
        (luma + chroma + alpha) * self.sample_bytes()
    }

    /// `stored` has [`stored_bytes`](Self::stored_bytes).
    pub fn frame(&self, stored: &[u8], captured_at: Instant) -> Result<Frame, FrameError> {
        let (luma, rest) = stored.split_at(self.width * self.height * self.sample_bytes());
        let Some((chroma_width, chroma_height)) = self.chroma else {
            return self.build(luma, None, captured_at);
        };
        let plane = chroma_width * chroma_height * self.sample_bytes();
        let (u, rest) = rest.split_at(plane);
        let v = &rest[..plane];
        if self.is_i420 {
            let strides = [self.width, chroma_width, chroma_width];
            let (width, height) = (self.width as u32, self.height as u32);
            return convert::crop([luma, u, v], strides, width, height, captured_at);
        }
        self.build(luma, Some([u, v]), captured_at)
    }

    fn build(
        &self,
        luma: &[u8],
        chroma: Option<[&[u8]; 2]>,
        captured_at: Instant,
    ) -> Result<Frame, FrameError> {
        let (width, height) = (self.width & !1, self.height & !1);
        let mut data = Vec::with_capacity(Frame::len_of(width as u32, height as u32));
        for row in 0..height {
            let values = (0..width).map(|column| self.sample(luma, row * self.width + column));
            data.extend(values.map(|value| self.luma_levels[usize::from(value)]));
        }
        match (chroma, self.chroma) {
            (Some(planes), Some((stored_width, _))) => {
                for plane in planes {
                    self.chroma_plane(plane, stored_width, (width / 2, height / 2), &mut data);
                }
            }
            _ => data.resize(Frame::len_of(width as u32, height as u32), GREY),
        }
        Frame::new(width as u32, height as u32, data.into(), captured_at)
    }

    /// Each sample of the result is the mean of the stored ones that it covers.
    fn chroma_plane(
        &self,
        plane: &[u8],
        stored_width: usize,
        (width, height): (usize, usize),
        data: &mut Vec<u8>,
    ) {
        let columns = covered(width, self.subsampling.0);
        let rows = covered(height, self.subsampling.1);
        for &(top, bottom) in &rows {
            for &(left, right) in &columns {
                let mut sum = 0;
                for row in top..bottom {
                    for column in left..right {
                        sum += u32::from(self.sample(plane, row * stored_width + column));
                    }
                }
                let count = ((bottom - top) * (right - left)) as u32;
                let mean = (sum + count / 2) / count;
                data.push(self.chroma_levels[mean as usize & 0xFF]);
            }
        }
    }

    fn sample(&self, plane: &[u8], place: usize) -> u8 {
        if self.bits == 8 {
            return plane[place];
        }
        let value = u16::from_le_bytes([plane[place * 2], plane[place * 2 + 1]]);
        (value >> (self.bits - 8)).min(255) as u8
    }
}

/// For each of `size` samples of I420 chroma: which stored ones lie under its two
/// luma columns or rows.
fn covered(size: usize, subsampling: usize) -> Vec<(usize, usize)> {
    (0..size)
        .map(|n| (2 * n / subsampling, (2 * n + 2).div_ceil(subsampling)))
        .collect()
}
