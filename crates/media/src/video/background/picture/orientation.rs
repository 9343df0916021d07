//! Which way up a photograph is: phones store it as their sensor lies, with a note.

use super::super::planes::Size;

/// How the stored picture becomes the one that was seen, by the numbers of Exif.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Orientation(u16);

impl Orientation {
    /// As it is stored.
    pub(super) const UPRIGHT: Self = Self(1);
    const TAG: u16 = 0x0112;

    /// Reads the first directory of Exif's data (TIFF). What cannot be read is upright.
    pub(super) fn read(exif: &[u8]) -> Self {
        Self::find(exif).unwrap_or(Self::UPRIGHT)
    }

    fn find(exif: &[u8]) -> Option<Self> {
        let is_little = match exif.get(..2)? {
            b"II" => true,
            b"MM" => false,
            _ => return None,
        };
        let short = |at: usize| {
            let bytes = exif.get(at..at.checked_add(2)?)?.try_into().ok()?;
            Some(if is_little {
                u16::from_le_bytes(bytes)
            } else {
                u16::from_be_bytes(bytes)
            })
        };
        let (one, other) = (usize::from(short(4)?), usize::from(short(6)?));
        let directory = if is_little {
            other << 16 | one
        } else {
            one << 16 | other
        };
        let count = usize::from(short(directory)?);
        let entries = (0..count).map_while(|n| directory.checked_add(2 + 12 * n));
        for entry in entries {
            if short(entry)? == Self::TAG {
                let number = short(entry + 8)?;
                return (1..=8).contains(&number).then_some(Self(number));
            }
        }
        None
    }

    /// The stored size of a picture that is seen in this one.
    pub(super) fn stored(self, (width, height): Size) -> Size {
        if self.0 >= 5 {
            (height, width)
        } else {
            (width, height)
        }
    }

    /// Turns pixels of three bytes; the size is that in which the picture is seen.
    pub(super) fn turn(self, pixels: Vec<u8>, size: Size) -> Vec<u8> {
        if self == Self::UPRIGHT {
            return pixels;
        }
        let (width, height) = (size.0 as usize, size.1 as usize);
        let stored_width = self.stored(size).0 as usize;
        let mut turned = Vec::with_capacity(pixels.len());
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            let (left, up) = (width - 1 - x, height - 1 - y);
            let (from_x, from_y) = match self.0 {
                2 => (left, y),
                3 => (left, up),
                4 => (x, up),
                5 => (y, x),
                6 => (y, left),
                7 => (up, left),
                _ => (up, x),
            };
            let at = (from_y * stored_width + from_x) * 3;
            turned.extend_from_slice(&pixels[at..at + 3]);
        }
        turned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exif(order: &[u8; 2], number: u16) -> Vec<u8> {
        let is_little = order == b"II";
        let mut bytes = order.to_vec();
        let fields: [(u32, usize); 8] = [
            (42, 2),
            (8, 4),
            (2, 2),
            (0x0100, 2),
            (3, 2),
            (1, 4),
            (99, 4),
            (0x0112, 2),
        ];
        let last = [(3, 2), (1, 4), (u32::from(number), 2), (0, 2)];
        for (value, length) in fields.into_iter().chain(last) {
            match (is_little, length) {
                (true, 2) => bytes.extend((value as u16).to_le_bytes()),
                (true, _) => bytes.extend(value.to_le_bytes()),
                (false, 2) => bytes.extend((value as u16).to_be_bytes()),
                (false, _) => bytes.extend(value.to_be_bytes()),
            }
        }
        bytes
    }

    #[test]
    fn the_note_is_read_in_both_byte_orders_and_nonsense_is_upright() {
        for order in [b"II", b"MM"] {
            for number in 1..=8 {
                let exif = exif(order, number);
                assert_eq!(Orientation::read(&exif), Orientation(number));
                for length in 0..exif.len() - 2 {
                    let read = Orientation::read(&exif[..length]);
                    assert_eq!(read, Orientation::UPRIGHT, "{length} bytes");
                }
            }
            for number in [0, 9, 0xFFFF] {
                let read = Orientation::read(&exif(order, number));
                assert_eq!(read, Orientation::UPRIGHT);
            }
        }
        assert_eq!(Orientation::read(&[0xFF; 64]), Orientation::UPRIGHT);
    }

    /// The stored pixels of two rows: 1 2 3 and 4 5 6.
    #[test]
    fn each_orientation_shows_its_corner_at_the_top_left() {
        let stored: Vec<u8> = (1..=6).flat_map(|value| [value; 3]).collect();
        for (number, seen) in [
            (1, [1, 2, 3, 4, 5, 6]),
            (2, [3, 2, 1, 6, 5, 4]),
            (3, [6, 5, 4, 3, 2, 1]),
            (4, [4, 5, 6, 1, 2, 3]),
            (5, [1, 4, 2, 5, 3, 6]),
            (6, [4, 1, 5, 2, 6, 3]),
            (7, [6, 3, 5, 2, 4, 1]),
            (8, [3, 6, 2, 5, 1, 4]),
        ] {
            let orientation = Orientation(number);
            let size = orientation.stored((3, 2));
            let turned = orientation.turn(stored.clone(), size);
            let turned: Vec<u8> = turned.into_iter().step_by(3).collect();
            assert_eq!(turned, seen, "{number}");
        }
    }
}
