//! The time code in a picture: when it was drawn, readable after any codec.
//!
//! The top ninth of the picture is a row of 32 cells of equal width, black for
//! 0 and white for 1. From the left: the low 24 bits of Unix milliseconds,
//! least significant first, then a CRC-8 (polynomial 0x07, initial value 0, no
//! final inversion). The CRC's shift register takes the 24 bits in the order in
//! which they stand; its own eight bits follow, least significant first. So
//! the time 1 has the CRC 0x0B, and 0x80_0000 has 0x07.

use crate::frame::Frame;

const CELLS: usize = 32;
const TIME_BITS: usize = 24;
const BLACK: u8 = 16;
const WHITE: u8 = 235;
/// A cell is read as black below the one and as white above the other; what
/// lies between is no time code.
const BLACK_BELOW: u32 = 104;
const WHITE_ABOVE: u32 = 147;
/// Cells of fewer pixels than this are not read.
const MIN_CELL: usize = 4;

/// Rows that the code takes of a picture this high.
pub(crate) const fn rows(height: u32) -> usize {
    height as usize / 9
}

fn crc8(bits: u32) -> u8 {
    (0..TIME_BITS).fold(0, |crc: u8, place| {
        let feedback = (crc >> 7) ^ ((bits >> place) & 1) as u8;
        (crc << 1) ^ (feedback * 0x07)
    })
}

/// The 32 cells, the leftmost in the lowest bit.
fn cells(unix_ms: u64) -> u32 {
    let bits = (unix_ms & 0xFF_FFFF) as u32;
    bits | u32::from(crc8(bits)) << TIME_BITS
}

/// Draws the code of a time into the luma plane of a picture of this width:
/// `luma` begins at its top row. The rows' chroma should be neutral.
pub fn write(luma: &mut [u8], width: u32, height: u32, unix_ms: u64) {
    let cells = cells(unix_ms);
    let width = width as usize;
    let code = luma.get_mut(..width * rows(height)).unwrap_or_default();
    let (first, rest) = code.split_at_mut(width.min(code.len()));
    for (x, pixel) in first.iter_mut().enumerate() {
        let one = cells >> (x * CELLS / width) & 1 == 1;
        *pixel = if one { WHITE } else { BLACK };
    }
    for row in rest.chunks_exact_mut(width) {
        row.copy_from_slice(first);
    }
}

/// Reads the code of a picture: the low 24 bits of the Unix milliseconds at
/// which it was drawn. `None` where there is no code or it was damaged.
pub fn read(frame: &Frame) -> Option<u32> {
    let width = frame.width() as usize;
    let rows = rows(frame.height());
    if width < CELLS * MIN_CELL || rows < MIN_CELL {
        return None;
    }
    let mut cells = 0_u32;
    for cell in 0..CELLS {
        let left = (cell * width).div_ceil(CELLS);
        let right = ((cell + 1) * width).div_ceil(CELLS);
        // The middle half: what lies at the edges, the codec has mixed.
        let quarter = (right - left) / 4;
        let (left, right) = (left + quarter, right - quarter);
        let (top, bottom) = (rows / 4, rows - rows / 4);
        let sum: u32 = (top..bottom)
            .flat_map(|y| &frame.y()[y * width + left..y * width + right])
            .map(|&luma| u32::from(luma))
            .sum();
        let mean = sum / ((bottom - top) * (right - left)) as u32;
        match mean {
            ..BLACK_BELOW => {}
            WHITE_ABOVE.. => cells |= 1 << cell,
            _ => return None,
        }
    }
    let bits = cells & 0xFF_FFFF;
    // Zero has the CRC zero: a dark picture is not a time code.
    (bits != 0 && u32::from(crc8(bits)) == cells >> TIME_BITS).then_some(bits)
}

/// Milliseconds from the code to now, modulo 2²⁴ (4.6 hours).
pub fn delay_ms(code: u32, now_unix_ms: u64) -> u32 {
    (now_unix_ms as u32).wrapping_sub(code) & 0xFF_FFFF
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn frame(width: u32, height: u32, unix_ms: u64) -> Frame {
        let mut data = vec![128; Frame::len_of(width, height)];
        write(&mut data, width, height, unix_ms);
        Frame::new(width, height, data.into(), Instant::now()).unwrap()
    }

    #[test]
    fn the_code_has_its_documented_form() {
        // Bits 1 0 0 … 0: the one passes the register 24 times.
        assert_eq!(cells(0x00_0001), 0x0B00_0001);
        // Only the last of the 24 is set: the CRC is the polynomial itself.
        assert_eq!(cells(0x80_0000), 0x0780_0000);
        assert_eq!(cells(0x0123_4567_89AB_CDEF), 0x2FAB_CDEF);
    }

    #[test]
    fn what_is_written_reads_back_at_any_size() {
        for (width, height) in [
            (128, 72),
            (320, 180),
            (640, 360),
            (854, 480),
            (1280, 720),
            (1918, 1080),
        ] {
            for unix_ms in [1, 0xAA_AAAA, 0xFF_FFFF, 1_795_000_000_123] {
                let read = read(&frame(width, height, unix_ms));
                assert_eq!(read, Some((unix_ms & 0xFF_FFFF) as u32), "{width}x{height}");
            }
        }
    }

    #[test]
    fn a_picture_without_code_reads_as_none() {
        for luma in [0, 16, 125, 128, 235, 255] {
            let data = vec![luma; Frame::len_of(320, 180)];
            let plain = Frame::new(320, 180, data.into(), Instant::now()).unwrap();
            assert_eq!(read(&plain), None, "{luma}");
        }
        assert_eq!(read(&frame(2, 2, 1)), None);
    }

    #[test]
    fn one_wrong_cell_is_found_by_the_crc() {
        for cell in 0..CELLS {
            let mut data = vec![128; Frame::len_of(320, 180)];
            write(&mut data, 320, 180, 1_795_000_000_123);
            for row in data[..320 * 20].chunks_exact_mut(320) {
                for pixel in &mut row[cell * 10..(cell + 1) * 10] {
                    *pixel = BLACK + (WHITE - *pixel);
                }
            }
            let damaged = Frame::new(320, 180, data.into(), Instant::now()).unwrap();
            assert_eq!(read(&damaged), None, "cell {cell}");
        }
    }

    #[test]
    fn a_delay_survives_the_wrap() {
        assert_eq!(delay_ms(0xFF_FFFE, 0x0300_0001), 3);
        assert_eq!(delay_ms(5, 0x0500_0005), 0);
    }
}
