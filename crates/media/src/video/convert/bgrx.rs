//! A screen's pixels to I420.

use std::time::Instant;

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x4;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use yuv::{YuvConversionMode, YuvRange, YuvStandardMatrix};

use super::{ConvertError, even, needs, planes};
use crate::frame::Frame;

/// Pixels of four bytes, blue, green, red and one that is ignored, to I420; odd
/// sides are cropped by a pixel. Rows are tightly packed.
///
/// # Errors
/// When a side is below 2 or too large, or the buffer is too short.
pub(crate) fn bgrx(
    data: &[u8],
    width: u32,
    height: u32,
    captured_at: Instant,
) -> Result<Frame, ConvertError> {
    let (even_width, even_height) = even(width, height)?;
    // Sides are at most `MAX_SIDE + 1`: no product below overflows.
    let stride = width * 4;
    let length = stride as usize * even_height as usize;
    needs(data, length)?;
    let mut out = vec![0; Frame::len_of(even_width, even_height)];
    yuv::bgra_to_yuv420(
        &mut planes(&mut out, even_width, even_height),
        &data[..length],
        stride,
        YuvRange::Limited,
        YuvStandardMatrix::Bt601,
        YuvConversionMode::Balanced,
    )
    .map_err(|error| ConvertError::Damaged(error.to_string()))?;
    Ok(Frame::new(
        even_width,
        even_height,
        out.into(),
        captured_at,
    )?)
}

/// The same pixels made smaller, with their proportions kept, until they are neither
/// wider nor higher than `most`; never made larger. Returns width, height, and red,
/// green, blue and 255 for each pixel.
///
/// # Errors
/// When a side is below 2 or too large, or the buffer is too short.
pub(crate) fn thumbnail(
    data: &[u8],
    (width, height): (u32, u32),
    most: (u32, u32),
) -> Result<(u32, u32, Vec<u8>), ConvertError> {
    even(width, height)?;
    let length = width as usize * height as usize * 4;
    needs(data, length)?;
    // Sides are at most `MAX_SIDE + 1`: no product below overflows.
    let (new_width, new_height) = if width <= most.0 && height <= most.1 {
        (width, height)
    } else if width * most.1 > height * most.0 {
        (most.0, (height * most.0 / width).max(1))
    } else {
        ((width * most.1 / height).max(1), most.1)
    };
    let damaged = |error: &dyn std::fmt::Display| ConvertError::Damaged(error.to_string());
    let from = TypedImageRef::<U8x4>::from_buffer(width, height, &data[..length])
        .map_err(|error| damaged(&error))?;
    let mut out = vec![0; new_width as usize * new_height as usize * 4];
    let mut to = TypedImage::<U8x4>::from_buffer(new_width, new_height, &mut out)
        .map_err(|error| damaged(&error))?;
    // The fourth byte has no meaning: it must not weigh the colours.
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .use_alpha(false);
    Resizer::new()
        .resize_typed(&from, &mut to, &options)
        .map_err(|error| damaged(&error))?;
    for pixel in out.chunks_exact_mut(4) {
        pixel.swap(0, 2);
        pixel[3] = 255;
    }
    Ok((new_width, new_height, out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::MAX_SIDE;
    use crate::video::convert::rgb;

    #[test]
    fn colours_stay_and_odd_sides_lose_their_last_row_and_column() {
        let mut data = [10, 200, 30, 0].repeat(7 * 5);
        // What is cropped has another colour.
        for row in 0..5 {
            data[(row * 7 + 6) * 4..][..4].fill(255);
        }
        data[4 * 7 * 4..].fill(255);
        let frame = bgrx(&data, 7, 5, Instant::now()).unwrap();
        assert_eq!((frame.width(), frame.height()), (6, 4));
        for pixel in rgb(&frame).chunks(3) {
            for (value, expected) in pixel.iter().zip([30_u8, 200, 10]) {
                assert!(value.abs_diff(expected) <= 3, "{pixel:?}");
            }
        }
    }

    #[test]
    fn a_thumbnail_keeps_colours_and_proportions_and_is_opaque() {
        let most = (320, 180);
        for (size, expected) in [
            ((1920, 1080), (320, 180)),
            ((1000, 2000), (90, 180)),
            ((8192, 2), (320, 1)),
            ((64, 48), (64, 48)),
        ] {
            let data = [10, 200, 30, 0].repeat(size.0 as usize * size.1 as usize);
            let (width, height, rgba) = thumbnail(&data, size, most).unwrap();
            assert_eq!((width, height), expected);
            assert_eq!(rgba, [30, 200, 10, 255].repeat((width * height) as usize));
        }
        assert!(thumbnail(&[0; 63], (4, 4), most).is_err());
        assert!(thumbnail(&[], (MAX_SIDE + 2, 2), most).is_err());
    }

    #[test]
    fn a_screen_that_is_too_large_or_a_buffer_that_is_too_short_is_refused() {
        for (width, height) in [(1, 4), (4, 1), (MAX_SIDE + 2, 2), (2, MAX_SIDE + 2)] {
            let error = bgrx(&[], width, height, Instant::now()).unwrap_err();
            assert!(error.to_string().contains("is not supported"), "{error}");
        }
        assert!(bgrx(&[0; 63], 4, 4, Instant::now()).is_err());
        assert!(bgrx(&[0; 64], 4, 4, Instant::now()).is_ok());
    }
}
