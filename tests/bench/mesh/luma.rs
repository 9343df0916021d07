//! Planes of luma, and how much two of them differ.

use anyhow::{Context, Result};

/// The luma of a frame, rows tightly packed.
#[derive(Debug, Clone, PartialEq)]
pub struct Luma {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<u8>,
}

impl Luma {
    /// Reads the first frame of a y4m file with 8 bits a sample.
    ///
    /// # Errors
    /// When it is none.
    pub fn of_y4m(file: &[u8]) -> Result<Self> {
        let mut lines = file.splitn(3, |byte| *byte == b'\n');
        let header = lines.next().context("the file is empty")?;
        let header = std::str::from_utf8(header)?;
        let side = |letter: char| {
            let mut fields = header.split(' ').skip(1);
            fields.find_map(|field| field.strip_prefix(letter)?.parse::<usize>().ok())
        };
        let (width, height) = side('W').zip(side('H')).context("no size")?;
        lines.next().context("no frame")?;
        let pixels = lines.next().and_then(|data| data.get(..width * height));
        Ok(Self {
            width,
            height,
            pixels: pixels.context("a frame was cut off")?.to_vec(),
        })
    }

    /// The frame in another size, bilinearly interpolated.
    pub fn scaled(&self, width: usize, height: usize) -> Self {
        if (width, height) == (self.width, self.height) {
            return self.clone();
        }
        let columns: Vec<_> = (0..width).map(|x| place(x, width, self.width)).collect();
        let mut pixels = Vec::with_capacity(width * height);
        for y in 0..height {
            let (top, bottom, down) = place(y, height, self.height);
            let row = |y: usize| &self.pixels[y * self.width..][..self.width];
            let (top, bottom) = (row(top), row(bottom));
            pixels.extend(columns.iter().map(|&(left, right, across)| {
                let mix = |row: &[u8]| {
                    f64::from(row[left]) * (1.0 - across) + f64::from(row[right]) * across
                };
                (mix(top) * (1.0 - down) + mix(bottom) * down).round() as u8
            }));
        }
        Self {
            width,
            height,
            pixels,
        }
    }

    /// Peak signal-to-noise ratio of `other` against this one, in dB, without the top
    /// `rows`; another size is scaled to this one first. At most 99.
    pub fn psnr(&self, other: &Self, rows: usize) -> f64 {
        let other = other.scaled(self.width, self.height);
        let start = rows * self.width;
        let pairs = self.pixels[start..].iter().zip(&other.pixels[start..]);
        let sum: u64 = pairs
            .map(|(one, other)| u64::from(one.abs_diff(*other)).pow(2))
            .sum();
        let mean = sum as f64 / (self.pixels.len() - start).max(1) as f64;
        (10.0 * (255.0 * 255.0 / mean).log10()).min(99.0)
    }
}

/// Which two samples of `from` a sample of `to` lies between, and how near the second.
fn place(at: usize, to: usize, from: usize) -> (usize, usize, f64) {
    let place = ((at as f64 + 0.5) * from as f64 / to as f64 - 0.5).max(0.0);
    let first = (place as usize).min(from - 1);
    (first, (first + 1).min(from - 1), place - first as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(width: usize, height: usize) -> Luma {
        let pixels = (0..width * height).map(|at| (at % width * 2) as u8);
        Luma {
            width,
            height,
            pixels: pixels.collect(),
        }
    }

    #[test]
    fn psnr_follows_the_mean_squared_difference() {
        let one = ramp(64, 36);
        assert_eq!(one.psnr(&one, 4), 99.0);
        let mut other = one.clone();
        other.pixels.iter_mut().for_each(|luma| *luma += 5);
        // 10 log₁₀(255² / 25)
        assert!((one.psnr(&other, 4) - 34.151).abs() < 0.001);
    }

    #[test]
    fn what_differs_in_the_left_out_rows_does_not_count() {
        let one = ramp(64, 36);
        let mut other = one.clone();
        other.pixels[..64 * 4].fill(255);
        assert_eq!(one.psnr(&other, 4), 99.0);
        assert!(one.psnr(&other, 3) < 30.0);
    }

    #[test]
    fn a_smaller_frame_is_scaled_before_it_is_compared() {
        let one = ramp(64, 36);
        let half = one.scaled(32, 18);
        assert_eq!((half.width, half.height), (32, 18));
        assert!(one.psnr(&half, 0) > 45.0, "{}", one.psnr(&half, 0));
    }

    #[test]
    fn a_y4m_file_gives_its_luma_and_a_cut_off_one_an_error() {
        let mut file = b"YUV4MPEG2 W4 H2 F30:1 C420\nFRAME\n".to_vec();
        file.extend(1..=12);
        let luma = Luma::of_y4m(&file).unwrap();
        assert_eq!((luma.width, luma.height), (4, 2));
        assert_eq!(luma.pixels, (1..=8).collect::<Vec<u8>>());
        for length in [0, 10, 30, file.len() - 5] {
            assert!(Luma::of_y4m(&file[..length]).is_err(), "{length}");
        }
    }
}
