//! A buffer of PipeWire to tightly packed pixels.

/// How the pixels of a buffer lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    pub width: u32,
    pub height: u32,
    /// Bytes from one row to the next.
    pub stride: usize,
    /// Red comes first in a pixel.
    pub is_rgb: bool,
}

/// A part of a buffer, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Crop {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
}

impl Crop {
    /// The part that is within the buffer; all of it when there is none.
    fn within(crop: Option<Self>, layout: Layout) -> Self {
        let whole = Self {
            x: 0,
            y: 0,
            width: layout.width,
            height: layout.height,
        };
        let Some(crop) = crop else {
            return whole;
        };
        let fits = |from: u32, length: u32, whole: u32| {
            length > 0 && from.checked_add(length).is_some_and(|end| end <= whole)
        };
        let is_within =
            fits(crop.x, crop.width, layout.width) && fits(crop.y, crop.height, layout.height);
        if is_within { crop } else { whole }
    }
}

/// Copies the pixels into `out`, blue first. Returns width and height; `None` when the
/// buffer is too short for them.
pub(super) fn pack(
    data: &[u8],
    layout: Layout,
    crop: Option<Crop>,
    out: &mut Vec<u8>,
) -> Option<(u32, u32)> {
    let crop = Crop::within(crop, layout);
    let row = crop.width as usize * 4;
    if row == 0 || crop.height == 0 || layout.stride < layout.width as usize * 4 {
        return None;
    }
    let start = (crop.y as usize).checked_mul(layout.stride)? + crop.x as usize * 4;
    let end = (crop.height as usize - 1)
        .checked_mul(layout.stride)?
        .checked_add(start + row)?;
    let data = data.get(start..end)?;
    out.clear();
    for line in data.chunks(layout.stride) {
        out.extend_from_slice(&line[..row]);
    }
    if layout.is_rgb {
        for pixel in out.chunks_exact_mut(4) {
            pixel.swap(0, 2);
        }
    }
    Some((crop.width, crop.height))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout = Layout {
        width: 3,
        height: 2,
        stride: 16,
        is_rgb: false,
    };

    /// Pixels numbered by row and column, with a padding of 99.
    fn data() -> Vec<u8> {
        let row = |row: u8| (0..3).flat_map(move |column| [row, column, 7, 0]);
        let padded = |number: u8| row(number).chain([99; 4]);
        padded(0).chain(padded(1)).collect()
    }

    #[test]
    fn rows_lose_their_padding_and_red_and_blue_change_places() {
        let mut out = vec![1; 100];
        assert_eq!(pack(&data(), LAYOUT, None, &mut out), Some((3, 2)));
        assert_eq!(out[..4], [0, 0, 7, 0]);
        assert_eq!(out[20..], [1, 2, 7, 0]);
        let layout = Layout {
            is_rgb: true,
            ..LAYOUT
        };
        assert_eq!(pack(&data(), layout, None, &mut out), Some((3, 2)));
        assert_eq!(out[20..], [7, 2, 1, 0]);
        // The last row may have no padding.
        assert_eq!(pack(&data()[..28], LAYOUT, None, &mut out), Some((3, 2)));
    }

    #[test]
    fn only_the_part_of_a_window_is_taken() {
        let mut out = Vec::new();
        let crop = |x, y, width, height| {
            Some(Crop {
                x,
                y,
                width,
                height,
            })
        };
        assert_eq!(
            pack(&data(), LAYOUT, crop(1, 1, 2, 1), &mut out),
            Some((2, 1))
        );
        assert_eq!(out, [1, 1, 7, 0, 1, 2, 7, 0]);
        // What is not within the buffer is no part of it.
        for wrong in [crop(2, 0, 2, 1), crop(0, 0, 0, 0), crop(u32::MAX, 0, 2, 1)] {
            assert_eq!(pack(&data(), LAYOUT, wrong, &mut out), Some((3, 2)));
        }
    }

    #[test]
    fn a_buffer_that_is_too_short_gives_nothing() {
        let mut out = Vec::new();
        assert_eq!(pack(&data()[..27], LAYOUT, None, &mut out), None);
        assert_eq!(pack(&[], LAYOUT, None, &mut out), None);
        let layouts = [
            Layout {
                stride: 0,
                ..LAYOUT
            },
            Layout {
                stride: usize::MAX,
                ..LAYOUT
            },
            Layout {
                height: 0,
                ..LAYOUT
            },
        ];
        for layout in layouts {
            assert_eq!(pack(&data(), layout, None, &mut out), None, "{layout:?}");
        }
    }
}
