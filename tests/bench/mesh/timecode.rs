//! The code in a frame: 24 bits that can be read after any codec, the same as in
//! `crates/media/src/video/timecode.rs` and `tests/call/page/timecode.js`.
//!
//! The top ninth of the frame is a row of 32 cells of equal width, black for 0 and
//! white for 1: 24 bits, least significant first, then their CRC-8 (polynomial 0x07). In
//! a frame of a timed source they are the low bits of Unix milliseconds; in the files
//! that the sources read they are the number of the frame, counted from 1.

use crate::luma::Luma;

const CELLS: usize = 32;
const BITS: usize = 24;
const BLACK: u8 = 16;
const WHITE: u8 = 235;
/// Between the two, a cell is neither black nor white.
const BLACK_BELOW: u32 = 104;
const WHITE_ABOVE: u32 = 147;

/// The rows of a frame of this height that hold the code.
pub fn rows(height: usize) -> usize {
    height / 9
}

fn crc8(bits: u32) -> u32 {
    (0..BITS).fold(0, |crc, place| {
        let feedback = (crc >> 7) ^ ((bits >> place) & 1);
        ((crc << 1) & 0xFF) ^ (feedback * 0x07)
    })
}

/// Writes the low 24 bits of `value` into a plane of luma.
pub fn write(luma: &mut [u8], width: usize, height: usize, value: u64) {
    let bits = (value & 0xFF_FFFF) as u32;
    let cells = bits | crc8(bits) << BITS;
    let row: Vec<u8> = (0..width)
        .map(|x| match cells >> (x * CELLS / width) & 1 {
            1 => WHITE,
            _ => BLACK,
        })
        .collect();
    for to in luma.chunks_exact_mut(width).take(rows(height)) {
        to.copy_from_slice(&row);
    }
}

/// The bits of a frame; `None` where there is no code or it was damaged.
pub fn read(frame: &Luma) -> Option<u32> {
    let (width, rows) = (frame.width, rows(frame.height));
    let mut cells = 0_u32;
    for cell in 0..CELLS {
        let left = (cell * width).div_ceil(CELLS);
        let right = ((cell + 1) * width).div_ceil(CELLS);
        // The middle half: the codec has mixed what lies at the edges.
        let quarter = (right - left) / 4;
        let columns = left + quarter..right - quarter;
        let pixels = (rows / 4..rows - rows / 4)
            .flat_map(|y| frame.pixels.get(y * width..)?.get(columns.clone()))
            .flatten();
        let (sum, count) = pixels.fold((0, 0), |(sum, count), luma| {
            (sum + u32::from(*luma), count + 1)
        });
        match sum / u32::max(count, 1) {
            ..BLACK_BELOW => {}
            WHITE_ABOVE.. => cells |= 1 << cell,
            _ => return None,
        }
    }
    let bits = cells & 0xFF_FFFF;
    // Zero has the CRC zero: a black frame has no code.
    (bits != 0 && crc8(bits) == cells >> BITS).then_some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(width: usize, height: usize, value: u64) -> Luma {
        let mut pixels = vec![128; width * height];
        write(&mut pixels, width, height, value);
        Luma {
            width,
            height,
            pixels,
        }
    }

    #[test]
    fn the_code_is_read_at_the_size_it_was_written_in_and_at_a_smaller_one() {
        for (width, height) in [(640, 360), (1280, 720), (320, 180)] {
            let written = frame(width, height, 0x1_2345_6789);
            assert_eq!(read(&written), Some(0x45_6789));
            assert_eq!(read(&written.scaled(320, 180)), Some(0x45_6789));
        }
    }

    #[test]
    fn the_crc_is_that_of_the_participants() {
        assert_eq!(crc8(0x00_0001), 0x0B);
        assert_eq!(crc8(0x80_0000), 0x07);
    }

    #[test]
    fn a_damaged_code_and_a_black_or_grey_frame_are_not_read() {
        let mut damaged = frame(640, 360, 5);
        damaged
            .pixels
            .chunks_exact_mut(640)
            .for_each(|row| row[..20].fill(BLACK));
        assert_eq!(read(&damaged), None);
        for luma in [16, 128] {
            let pixels = vec![luma; 640 * 360];
            let plain = Luma {
                width: 640,
                height: 360,
                pixels,
            };
            assert_eq!(read(&plain), None);
        }
    }
}
