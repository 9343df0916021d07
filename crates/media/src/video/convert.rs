//! Between camera formats, I420 and RGB, and from one size to another.

mod bgrx;
mod raw;

use std::time::Instant;

use bytes::Bytes;
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use yuv::{
    BufferStoreMut, YuvConversionMode, YuvPlanarImage, YuvPlanarImageMut, YuvRange,
    YuvStandardMatrix,
};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

pub(crate) use self::bgrx::{bgrx, thumbnail};
pub use self::raw::{Layout, Pixels, from_camera};
use crate::frame::{Frame, FrameError, MAX_SIDE};

/// Why a camera's buffer did not become a picture.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The size or the length is wrong.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The compressed or packed data is damaged.
    #[error("the picture is damaged: {0}")]
    Damaged(String),
}

/// An even size that a picture of this size is cropped to, if there is any.
pub(crate) fn even(width: u32, height: u32) -> Result<(u32, u32), FrameError> {
    let side = |n: u32| (2..=MAX_SIDE + 1).contains(&n);
    if side(width) && side(height) {
        Ok((width & !1, height & !1))
    } else {
        Err(FrameError::Size(width, height))
    }
}

fn planes(data: &mut [u8], width: u32, height: u32) -> YuvPlanarImageMut<'_, u8> {
    let luma = width as usize * height as usize;
    let (y, chroma) = data.split_at_mut(luma);
    let (u, v) = chroma.split_at_mut(luma / 4);
    YuvPlanarImageMut {
        y_plane: BufferStoreMut::Borrowed(y),
        y_stride: width,
        u_plane: BufferStoreMut::Borrowed(u),
        u_stride: width / 2,
        v_plane: BufferStoreMut::Borrowed(v),
        v_stride: width / 2,
        width,
        height,
    }
}

fn needs(data: &[u8], wanted: usize) -> Result<(), FrameError> {
    if data.len() < wanted {
        return Err(FrameError::Length {
            wanted,
            got: data.len(),
        });
    }
    Ok(())
}

/// The first bytes of a JPEG: SOI, and an APP0 segment that says "AVI1". It makes
/// the decoder use the tables of ITU-T T.81, annex K.3, where a camera leaves the
/// Huffman tables out, as the USB video class allows.
const MJPEG_START: [u8; 11] = *b"\xFF\xD8\xFF\xE0\0\x07AVI1\0";

/// One JPEG frame, as an MJPEG camera sends it, to I420; an odd side is cropped by
/// a pixel.
///
/// # Errors
/// When it is too large, cut off or cannot be decoded.
pub fn mjpeg(data: &[u8], captured_at: Instant) -> Result<Frame, ConvertError> {
    let cut = || ConvertError::Damaged("it has no beginning or no end".into());
    let body = data.strip_prefix(&MJPEG_START[..2]).ok_or_else(cut)?;
    // Cameras pad after the end. Without an end the frame was cut off.
    let end = body.windows(2).rposition(|marker| marker == [0xFF, 0xD9]);
    let body = &body[..end.ok_or_else(cut)? + 2];
    let data = [&MJPEG_START, body].concat();
    // Through RGB: JPEG is full range and may be 4:2:2, 4:2:0 or 4:4:4.
    let options = DecoderOptions::default()
        .jpeg_set_out_colorspace(ColorSpace::RGB)
        .set_max_width(MAX_SIDE as usize)
        .set_max_height(MAX_SIDE as usize);
    let damaged = |error: &dyn std::fmt::Display| ConvertError::Damaged(error.to_string());
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&data), options);
    let rgb = decoder.decode().map_err(|error| damaged(&error))?;
    let info = decoder.info().ok_or_else(|| damaged(&"no header"))?;
    let stride = u32::from(info.width) * 3;
    let (width, height) = even(info.width.into(), info.height.into())?;
    from_rgb(&rgb, stride, (width, height), captured_at)
}

/// RGB in rows of `stride` bytes to I420; the sides are even.
pub(crate) fn from_rgb(
    rgb: &[u8],
    stride: u32,
    (width, height): (u32, u32),
    captured_at: Instant,
) -> Result<Frame, ConvertError> {
    needs(rgb, stride as usize * height as usize)?;
    let mut out = vec![0; Frame::len_of(width, height)];
    yuv::rgb_to_yuv420(
        &mut planes(&mut out, width, height),
        rgb,
        stride,
        YuvRange::Limited,
        YuvStandardMatrix::Bt601,
        YuvConversionMode::Balanced,
    )
    .map_err(|error| ConvertError::Damaged(error.to_string()))?;
    Ok(Frame::new(width, height, out.into(), captured_at)?)
}

/// The picture as RGB, three bytes a pixel.
pub fn rgb(frame: &Frame) -> Vec<u8> {
    let (width, height) = (frame.width(), frame.height());
    let planar = YuvPlanarImage {
        y_plane: frame.y(),
        y_stride: width,
        u_plane: frame.u(),
        u_stride: width / 2,
        v_plane: frame.v(),
        v_stride: width / 2,
        width,
        height,
    };
    let mut out = vec![0; width as usize * height as usize * 3];
    yuv::yuv420_to_rgb(
        &planar,
        &mut out,
        width * 3,
        YuvRange::Limited,
        YuvStandardMatrix::Bt601,
    )
    .expect("a frame's planes have the sizes of its width and height");
    out
}

/// Copies the top left of three planes with strides into a picture.
///
/// # Errors
/// When a side is below 2 or too large, or a plane is too short.
pub(crate) fn crop(
    planes: [&[u8]; 3],
    strides: [usize; 3],
    width: u32,
    height: u32,
    captured_at: Instant,
) -> Result<Frame, FrameError> {
    let (width, height) = even(width, height)?;
    let mut out = Vec::with_capacity(Frame::len_of(width, height));
    let half = (width / 2, height / 2);
    for (n, (columns, rows)) in [(width, height), half, half].into_iter().enumerate() {
        let (plane, stride, columns) = (planes[n], strides[n], columns as usize);
        for row in 0..rows as usize {
            let start = row * stride;
            let line = plane
                .get(start..start + columns)
                .ok_or(FrameError::Length {
                    wanted: start + columns,
                    got: plane.len(),
                })?;
            out.extend_from_slice(line);
        }
    }
    Frame::new(width, height, out.into(), captured_at)
}

/// The picture at another size, smoothly; odd sides are rounded down and kept
/// within 2 to [`MAX_SIDE`]. The same size costs nothing.
pub fn scale(frame: &Frame, width: u32, height: u32) -> Frame {
    let (width, height) = (
        width.clamp(2, MAX_SIDE) & !1,
        height.clamp(2, MAX_SIDE) & !1,
    );
    if (width, height) == (frame.width(), frame.height()) {
        return frame.clone();
    }
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    let mut resizer = Resizer::new();
    let mut plane = |from: &[u8], from_size: (u32, u32), to: &mut [u8], to_size: (u32, u32)| {
        let from = TypedImageRef::<U8>::from_buffer(from_size.0, from_size.1, from)?;
        let mut to = TypedImage::<U8>::from_buffer(to_size.0, to_size.1, to)?;
        resizer.resize_typed(&from, &mut to, &options).ok();
        Ok::<_, fast_image_resize::ImageBufferError>(())
    };
    let mut out = vec![0; Frame::len_of(width, height)];
    let luma = width as usize * height as usize;
    let (y, chroma) = out.split_at_mut(luma);
    let (u, v) = chroma.split_at_mut(luma / 4);
    let from = (frame.width(), frame.height());
    let half = |(width, height): (u32, u32)| (width / 2, height / 2);
    plane(frame.y(), from, y, (width, height))
        .and_then(|()| plane(frame.u(), half(from), u, half((width, height))))
        .and_then(|()| plane(frame.v(), half(from), v, half((width, height))))
        .expect("the planes have the sizes of their width and height");
    Frame::new(width, height, Bytes::from(out), frame.captured_at())
        .expect("the sides are even and in range")
}

/// The picture made smaller, with its proportions kept, until it is neither
/// wider nor higher than this; never made larger.
pub fn fit_within(frame: &Frame, max_width: u32, max_height: u32) -> Frame {
    let (width, height) = (u64::from(frame.width()), u64::from(frame.height()));
    let (max_width, max_height) = (u64::from(max_width), u64::from(max_height));
    if width <= max_width && height <= max_height {
        return frame.clone();
    }
    let (width, height) = if width * max_height > height * max_width {
        (max_width, height * max_width / width)
    } else {
        (width * max_height / height, max_height)
    };
    scale(frame, width as u32, height as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(width: u32, height: u32, yuv: [u8; 3]) -> Frame {
        let luma = (width * height) as usize;
        let mut data = vec![yuv[0]; luma];
        data.extend(std::iter::repeat_n(yuv[1], luma / 4));
        data.extend(std::iter::repeat_n(yuv[2], luma / 4));
        Frame::new(width, height, data.into(), Instant::now()).unwrap()
    }

    fn samples(frame: &Frame) -> [u8; 3] {
        let middle = |plane: &[u8]| plane[plane.len() / 2];
        [middle(frame.y()), middle(frame.u()), middle(frame.v())]
    }

    #[test]
    fn a_jpeg_becomes_limited_range_and_even() {
        // 17x9, one grey of 200, quality 90.
        let jpeg = include_bytes!("testdata/grey200-17x9.jpg");
        let frame = mjpeg(jpeg, Instant::now()).unwrap();
        assert_eq!((frame.width(), frame.height()), (16, 8));
        let [y, u, v] = samples(&frame);
        // 16 + 200 × 219 / 255 = 187.8
        assert!(
            y.abs_diff(188) <= 1 && u.abs_diff(128) <= 1 && v.abs_diff(128) <= 1,
            "{y} {u} {v}"
        );
    }

    /// A JPEG's segments before its scan, with their markers, and the scan.
    fn segments(jpeg: &[u8]) -> (Vec<&[u8]>, &[u8]) {
        let (mut segments, mut rest) = (Vec::new(), &jpeg[2..]);
        loop {
            let length = 2 + usize::from(u16::from_be_bytes([rest[2], rest[3]]));
            let (segment, after) = rest.split_at(length);
            segments.push(segment);
            rest = after;
            if segment[1] == 0xDA {
                return (segments, rest);
            }
        }
    }

    fn is_red(frame: &Frame) -> bool {
        // BT.601, limited range, of (200, 60, 40).
        let expected = [102, 98, 191];
        let close = |(got, expected): (u8, u8)| got.abs_diff(expected) <= 3;
        let pairs = samples(frame).into_iter().zip(expected);
        pairs.into_iter().all(close)
    }

    #[test]
    fn the_jpegs_of_real_cameras_are_read() {
        let now = Instant::now();
        let jpeg = &include_bytes!("testdata/red420-16x16.jpg")[..];
        let (parts, scan) = segments(jpeg);
        let build =
            |parts: &[Vec<u8>], scan: &[u8]| [&b"\xFF\xD8"[..], &parts.concat(), scan].concat();
        let owned = |part: &&[u8]| part.to_vec();
        let read = |jpeg: &[u8]| mjpeg(jpeg, now).unwrap();
        assert!(is_red(&read(jpeg)));
        let full = include_bytes!("testdata/red444-32x16.jpg");
        assert!(is_red(&read(full)));
        let usual = include_bytes!("testdata/red422-32x16.jpg");
        assert!(is_red(&read(usual)));

        // Without Huffman tables.
        let tables = |part: &&&[u8]| part[1] != 0xC4;
        let bare: Vec<_> = parts.iter().filter(tables).map(owned).collect();
        assert!(bare.len() < parts.len());
        assert!(is_red(&read(&build(&bare, scan))));

        // Twice as wide, as two restart intervals of one unit each.
        let mut wide: Vec<_> = parts.iter().map(owned).collect();
        let frame = wide.iter_mut().find(|part| part[1] == 0xC0).unwrap();
        frame[8] = 32;
        wide.insert(0, b"\xFF\xDD\0\x04\0\x01".to_vec());
        let unit = &scan[..scan.len() - 2];
        let scans = [unit, b"\xFF\xD0", unit, b"\xFF\xD9"].concat();
        let frame = read(&build(&wide, &scans));
        assert_eq!((frame.width(), frame.height()), (32, 16));
        assert!(is_red(&frame) && frame.y()[0].abs_diff(frame.y()[31]) <= 1);

        // Padded after its end.
        assert!(is_red(&read(&[jpeg, &[0; 100]].concat())));
    }

    #[test]
    fn a_jpeg_that_is_cut_off_is_an_error() {
        let jpeg = include_bytes!("testdata/red444-32x16.jpg");
        for length in 0..jpeg.len() - 1 {
            assert!(mjpeg(&jpeg[..length], Instant::now()).is_err(), "{length}");
        }
    }

    #[test]
    fn scaling_keeps_colours_and_fitting_keeps_proportions() {
        let frame = plain(640, 360, [90, 100, 150]);
        let small = scale(&frame, 161, 91);
        assert_eq!(
            (small.width(), small.height(), samples(&small)),
            (160, 90, [90, 100, 150])
        );
        let size = |frame: &Frame| (frame.width(), frame.height());
        assert_eq!(size(&fit_within(&frame, 320, 320)), (320, 180));
        assert_eq!(size(&fit_within(&frame, 1000, 90)), (160, 90));
        assert_eq!(size(&fit_within(&frame, 1280, 720)), (640, 360));
        assert_eq!(size(&fit_within(&frame, 0, 0)), (2, 2));
    }

    #[test]
    fn colours_become_rgb() {
        let white = rgb(&plain(4, 2, [235, 128, 128]));
        assert!(white.iter().all(|&value| value >= 254));
        let red = rgb(&plain(4, 2, [81, 90, 240]));
        assert!(red[0] > 250 && red[1] < 5 && red[2] < 5, "{:?}", &red[..3]);
    }

    #[test]
    fn planes_with_strides_are_cropped_to_an_even_size() {
        let y: Vec<u8> = (0..8 * 3).collect();
        let chroma = [7; 4 * 2];
        let frame = crop([&y, &chroma, &chroma], [8, 4, 4], 5, 3, Instant::now()).unwrap();
        assert_eq!((frame.width(), frame.height()), (4, 2));
        assert_eq!(frame.y(), [0, 1, 2, 3, 8, 9, 10, 11]);
        assert!(crop([&y, &chroma, &[]], [8, 4, 4], 4, 2, Instant::now()).is_err());
    }
}
