//! Uncompressed camera formats to I420.

use std::time::Instant;

use yuv::{YuvConversionMode, YuvPackedImage, YuvRange, YuvStandardMatrix};

use super::{ConvertError, even, needs, planes};
use crate::frame::{Frame, FrameError};

/// A pixel format, named as V4L2 names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pixels {
    /// 4:2:2 packed: Y U Y V.
    Yuyv,
    /// 4:2:2 packed: U Y V Y.
    Uyvy,
    /// 4:2:2 packed: Y V Y U.
    Yvyu,
    /// 4:2:0: a plane of Y, then one of U and V in turn.
    Nv12,
    /// 4:2:0: a plane of Y, then one of V and U in turn.
    Nv21,
    /// 4:2:0: planes of Y, U and V; also called I420.
    Yu12,
    /// 4:2:0: planes of Y, V and U.
    Yv12,
    /// Luma only.
    Grey,
    /// 3 bytes a pixel.
    Rgb,
    /// 3 bytes a pixel.
    Bgr,
    /// One JPEG a frame.
    Mjpeg,
}

/// How the pixels of a frame lie in a camera's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The format.
    pub pixels: Pixels,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Bytes from one row of the first plane to the next, at least a row; a
    /// smaller number means that rows are tightly packed.
    pub stride: u32,
    /// Whether Y'CbCr uses all values from 0 to 255, as JPEG does, and not 16 to
    /// 235 and 16 to 240. RGB always uses all.
    pub full_range: bool,
}

impl Layout {
    /// Tightly packed rows, in the range that is usual for the format.
    pub fn tight(pixels: Pixels, width: u32, height: u32) -> Self {
        Self {
            pixels,
            width,
            height,
            stride: 0,
            full_range: false,
        }
    }

    /// Bytes from one row of the first plane to the next.
    fn stride(&self) -> usize {
        let width = self.width as usize;
        let row = match self.pixels {
            // Two pixels share their chroma: an odd width has half a pair more.
            Pixels::Yuyv | Pixels::Uyvy | Pixels::Yvyu => width.next_multiple_of(2) * 2,
            Pixels::Rgb | Pixels::Bgr => width * 3,
            _ => width,
        };
        row.max(self.stride as usize)
    }
}

/// A camera's buffer to I420; odd sides are cropped by a pixel.
///
/// # Errors
/// When a side is too large, the buffer is shorter than its layout says, or
/// compressed data is damaged.
pub fn from_camera(
    layout: &Layout,
    data: &[u8],
    captured_at: Instant,
) -> Result<Frame, ConvertError> {
    if layout.pixels == Pixels::Mjpeg {
        return super::mjpeg(data, captured_at);
    }
    // Sides are at most `MAX_SIDE` from here on, so no product below overflows.
    let (width, height) = even(layout.width, layout.height)?;
    let stride = layout.stride();
    if stride > u32::MAX as usize / 16 {
        return Err(FrameError::Size(layout.width, layout.height).into());
    }
    let mut out = vec![0; Frame::len_of(width, height)];
    match layout.pixels {
        Pixels::Yuyv | Pixels::Uyvy | Pixels::Yvyu | Pixels::Rgb | Pixels::Bgr => {
            needs(data, stride * layout.height as usize)?;
            packed(
                layout.pixels,
                data,
                stride as u32,
                &mut out,
                (width, height),
            )?;
        }
        _ => planar(layout, data, &mut out, (width, height))?,
    }
    let is_rgb = matches!(layout.pixels, Pixels::Rgb | Pixels::Bgr);
    if layout.full_range && !is_rgb {
        limit_range(&mut out, width as usize * height as usize);
    }
    Ok(Frame::new(width, height, out.into(), captured_at)?)
}

/// Formats of one plane, of an even size.
fn packed(
    pixels: Pixels,
    data: &[u8],
    stride: u32,
    out: &mut [u8],
    (width, height): (u32, u32),
) -> Result<(), ConvertError> {
    let mut out = planes(out, width, height);
    let data = &data[..stride as usize * height as usize];
    let image = YuvPackedImage {
        yuy: data,
        yuy_stride: stride,
        width,
        height,
    };
    let (range, matrix) = (YuvRange::Limited, YuvStandardMatrix::Bt601);
    let mode = YuvConversionMode::Balanced;
    let converted = match pixels {
        Pixels::Uyvy => yuv::uyvy422_to_yuv420(&mut out, &image),
        Pixels::Yvyu => yuv::yvyu422_to_yuv420(&mut out, &image),
        Pixels::Rgb => yuv::rgb_to_yuv420(&mut out, data, stride, range, matrix, mode),
        Pixels::Bgr => yuv::bgr_to_yuv420(&mut out, data, stride, range, matrix, mode),
        _ => yuv::yuyv422_to_yuv420(&mut out, &image),
    };
    converted.map_err(|error| ConvertError::Damaged(error.to_string()))
}

/// Formats whose luma is a plane of its own.
fn planar(
    layout: &Layout,
    data: &[u8],
    out: &mut [u8],
    (width, height): (u32, u32),
) -> Result<(), ConvertError> {
    let stride = layout.stride();
    let luma = stride * layout.height as usize;
    // An odd side has a chroma sample more than its half.
    let rows = layout.height.div_ceil(2) as usize;
    let (width, height) = (width as usize, height as usize);
    let (y, chroma) = out.split_at_mut(width * height);
    let (u, v) = chroma.split_at_mut(width * height / 4);
    let interleaved = |first: &mut [u8], second: &mut [u8]| {
        needs(data, luma + stride.next_multiple_of(2) * rows)?;
        let stride = stride.next_multiple_of(2);
        copy(&data[luma..], stride, 2, first, width / 2);
        copy(&data[luma + 1..], stride, 2, second, width / 2);
        Ok::<_, FrameError>(())
    };
    let apart = |first: &mut [u8], second: &mut [u8]| {
        let stride = stride.div_ceil(2);
        let plane = stride * rows;
        needs(data, luma + plane * 2)?;
        copy(&data[luma..], stride, 1, first, width / 2);
        copy(&data[luma + plane..], stride, 1, second, width / 2);
        Ok::<_, FrameError>(())
    };
    match layout.pixels {
        Pixels::Nv12 => interleaved(u, v)?,
        Pixels::Nv21 => interleaved(v, u)?,
        Pixels::Yu12 => apart(u, v)?,
        Pixels::Yv12 => apart(v, u)?,
        _ => {
            needs(data, luma)?;
            chroma.fill(128);
        }
    }
    copy(data, stride, 1, y, width);
    Ok(())
}

/// Copies rows of `columns` samples, which stand `step` bytes apart.
fn copy(from: &[u8], stride: usize, step: usize, to: &mut [u8], columns: usize) {
    for (row, to) in from.chunks(stride).zip(to.chunks_exact_mut(columns)) {
        if step == 1 {
            to.copy_from_slice(&row[..columns]);
        } else {
            let samples = row.iter().step_by(step);
            to.iter_mut()
                .zip(samples)
                .for_each(|(to, from)| *to = *from);
        }
    }
}

/// From the full range of I420 to the limited one.
fn limit_range(data: &mut [u8], luma: usize) {
    let scale = |from: usize, range: usize, offset: usize| (from * range + 127) / 255 + offset;
    let table = |range, offset| std::array::from_fn(|from| scale(from, range, offset) as u8);
    let (y_table, c_table): ([u8; 256], [u8; 256]) = (table(219, 16), table(224, 16));
    let (y, chroma) = data.split_at_mut(luma);
    y.iter_mut()
        .for_each(|value| *value = y_table[usize::from(*value)]);
    chroma
        .iter_mut()
        .for_each(|value| *value = c_table[usize::from(*value)]);
}

#[cfg(test)]
mod tests;
