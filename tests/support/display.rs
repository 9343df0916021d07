//! A screen without hardware, and what is to be seen on it.

use std::collections::HashSet;
use std::io::Cursor;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::process::Process;
use crate::programs;
use crate::webdriver::Rectangle;

const START_LIMIT: Duration = Duration::from_secs(20);

/// A running Xvfb.
pub struct Display {
    _server: Process,
    name: String,
}

impl Display {
    /// Starts one under a name that is free.
    ///
    /// # Errors
    /// When it is not installed or does not come up.
    pub async fn start() -> Result<Self> {
        let mut command = Command::new(programs::installed("Xvfb")?);
        command.args([
            "-displayfd",
            "1",
            "-nolisten",
            "tcp",
            "-screen",
            "0",
            "1280x800x24",
        ]);
        let mut server = Process::start("Xvfb", &mut command)?;
        let number = server
            .wait_for_line("its display", START_LIMIT, |line| line.parse::<u32>().ok())
            .await?;
        Ok(Self {
            _server: server,
            name: format!(":{number}"),
        })
    }

    /// For the environment variable `DISPLAY`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is on it now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn picture(&self) -> Result<Picture> {
        let output = Command::new(programs::installed("import")?)
            .args(["-display", &self.name, "-window", "root", "png24:-"])
            .kill_on_drop(true)
            .output()
            .await?;
        ensure!(
            output.status.success(),
            "import: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Picture::read(&output.stdout)
    }
}

/// Pixels of three bytes each, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    rgb: Vec<u8>,
}

impl Picture {
    fn read(file: &[u8]) -> Result<Self> {
        let mut reader = png::Decoder::new(Cursor::new(file)).read_info()?;
        let size = reader.output_buffer_size().context("a picture too large")?;
        let mut rgb = vec![0; size];
        let info = reader.next_frame(&mut rgb)?;
        ensure!(
            (info.color_type, info.bit_depth) == (png::ColorType::Rgb, png::BitDepth::Eight),
            "a picture in {:?}",
            info.color_type
        );
        Ok(Self {
            width: info.width as usize,
            rgb,
        })
    }

    /// The middle of a part of it: half its width and half its height, away
    /// from what is drawn at a tile's edges.
    pub fn middle_of(&self, part: Rectangle) -> Self {
        let [left, top] = [part.x + part.width / 4.0, part.y + part.height / 4.0];
        let [left, top] = [left as usize, top as usize];
        let [width, height] = [part.width as usize / 2, part.height as usize / 2];
        let rows = self.rgb.chunks_exact(self.width * 3).skip(top).take(height);
        let pixels = |row: &[u8]| row.iter().skip(left * 3).take(width * 3).copied().collect();
        Self {
            width,
            rgb: rows.flat_map(|row| -> Vec<u8> { pixels(row) }).collect(),
        }
    }

    /// The mean difference of two pictures of one size, of 255.
    pub fn difference(&self, other: &Self) -> f64 {
        let pairs = self.rgb.iter().zip(&other.rgb);
        let sum: u64 = pairs
            .map(|(one, other)| u64::from(one.abs_diff(*other)))
            .sum();
        sum as f64 / self.rgb.len().max(1) as f64
    }

    /// How many different colours are in it, of 512: three bits a channel.
    pub fn colours(&self) -> usize {
        let coarse = |pixel: &[u8]| pixel.iter().map(|channel| channel >> 5).collect::<Vec<_>>();
        self.rgb
            .chunks_exact(3)
            .map(coarse)
            .collect::<HashSet<_>>()
            .len()
    }
}
