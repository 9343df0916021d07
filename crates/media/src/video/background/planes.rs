//! One plane of a frame or a mask: another size, and two of them blended.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

/// Width and height.
pub(super) type Size = (u32, u32);

pub(super) fn len(size: Size) -> usize {
    size.0 as usize * size.1 as usize
}

/// The size of the planes of colour of a frame, whose sides are even.
pub(super) fn half(size: Size) -> Size {
    (size.0 / 2, size.1 / 2)
}

/// Changes the size of planes, with buffers that are used again.
pub(super) struct Scaler {
    resizer: Resizer,
    options: ResizeOptions,
    /// Rows of the wanted width, before they become more.
    wide: Vec<u8>,
}

impl Scaler {
    pub(super) fn new() -> Self {
        // To make a plane much smaller, only every so many pixels of it are read.
        let filter = ResizeAlg::SuperSampling(FilterType::Bilinear, 2);
        Self {
            resizer: Resizer::new(),
            options: ResizeOptions::new().resize_alg(filter),
            wide: Vec::new(),
        }
    }

    /// Smoothly, from one size to another. The planes have the length of their size.
    pub(super) fn scale(&mut self, from: &[u8], from_size: Size, to: &mut [u8], to_size: Size) {
        let outcome =
            TypedImageRef::<U8>::from_buffer(from_size.0, from_size.1, from).and_then(|from| {
                let to = TypedImage::<U8>::from_buffer(to_size.0, to_size.1, to)?;
                Ok((from, to))
            });
        let (from, mut to) = outcome.expect("a plane has the length of its size");
        self.resizer
            .resize_typed(&from, &mut to, &self.options)
            .expect("neither side is 0");
    }
}

impl Scaler {
    /// To a size that is not smaller, linearly between the centres of pixels: first in
    /// width, while there are few rows. The library makes the rows first.
    pub(super) fn enlarge(&mut self, from: &[u8], from_size: Size, to: &mut [u8], to_size: Size) {
        let (width, height) = (to_size.0 as usize, from_size.1 as usize);
        self.wide.resize(width * height, 0);
        let columns: Vec<_> = (0..to_size.0)
            .map(|at| between(at, to_size.0, from_size.0))
            .collect();
        let rows = from.chunks_exact(from_size.0 as usize);
        for (row, wide) in rows.zip(self.wide.chunks_exact_mut(width)) {
            for ((left, right, share), value) in columns.iter().zip(wide) {
                *value = mix(row[*left], row[*right], *share);
            }
        }
        for (at, row) in to.chunks_exact_mut(width).enumerate() {
            let (upper, lower, share) = between(at as u32, to_size.1, from_size.1);
            let upper = &self.wide[upper * width..][..width];
            let lower = &self.wide[lower * width..][..width];
            for ((value, upper), lower) in row.iter_mut().zip(upper).zip(lower) {
                *value = mix(*upper, *lower, share);
            }
        }
    }
}

/// The two neighbours of a place in the larger side, and the share of the second of 256.
fn between(at: u32, to: u32, from: u32) -> (usize, usize, u16) {
    let place = (at as f32 + 0.5) * from as f32 / to as f32 - 0.5;
    let place = place.clamp(0.0, (from - 1) as f32);
    let first = place as usize;
    let share = (place - first as f32) * 256.0;
    (first, (first + 1).min(from as usize - 1), share as u16)
}

#[inline(always)]
fn mix(one: u8, other: u8, share: u16) -> u8 {
    let sum = u16::from(one) * (256 - share) + u16::from(other) * share;
    ((sum + 128) >> 8) as u8
}

/// Puts what is behind the person into a plane: where the mask is 255 the plane stays.
pub(super) fn blend(plane: &mut [u8], behind: &[u8], mask: &[u8]) {
    for ((value, behind), share) in plane.iter_mut().zip(behind).zip(mask) {
        // From 0 to 256, so that both ends are exact.
        let share = u16::from(*share) + u16::from(*share >> 7);
        let sum = u16::from(*value) * share + u16::from(*behind) * (256 - share);
        *value = (sum >> 8) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_the_mask_are_exact_and_the_middle_is_between() {
        let mut plane = [255, 255, 255, 16, 0];
        blend(&mut plane, &[0, 0, 0, 235, 0], &[255, 0, 128, 128, 128]);
        assert_eq!(plane[..2], [255, 0]);
        assert!(
            plane[2].abs_diff(128) <= 1 && plane[3].abs_diff(125) <= 1,
            "{plane:?}"
        );
        assert_eq!(plane[4], 0);
    }
}
