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
}

impl Scaler {
    pub(super) fn new() -> Self {
        // To make a plane much smaller, only every so many pixels of it are read.
        let filter = ResizeAlg::SuperSampling(FilterType::Bilinear, 2);
        Self {
            resizer: Resizer::new(),
            options: ResizeOptions::new().resize_alg(filter),
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
