//! A screen's pixels to I420.

use std::time::Instant;

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
    fn a_screen_that_is_too_large_or_a_buffer_that_is_too_short_is_refused() {
        for (width, height) in [(1, 4), (4, 1), (MAX_SIDE + 2, 2), (2, MAX_SIDE + 2)] {
            let error = bgrx(&[], width, height, Instant::now()).unwrap_err();
            assert!(error.to_string().contains("is not supported"), "{error}");
        }
        assert!(bgrx(&[0; 63], 4, 4, Instant::now()).is_err());
        assert!(bgrx(&[0; 64], 4, 4, Instant::now()).is_ok());
    }
}
