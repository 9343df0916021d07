//! The readers of files and of camera pictures.

use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::time::Instant;

use crate::audio::SAMPLE_RATE;
use crate::audio::downmix::Downmix;
use crate::audio::resample::Resampler;
use crate::audio::wav::WavReader;
use crate::video::convert;
use crate::video::y4m::Y4m;

/// Sample frames read from a WAV file, and frames from a Y4M file.
const MAX_SAMPLE_FRAMES: usize = 1 << 14;
const MAX_FRAMES: usize = 4;

/// The largest side of a JPEG that is decoded: a larger one only takes time.
const MAX_JPEG_SIDE: u16 = 512;

/// A file that is read in pieces: a read returns from 1 byte to `pieces`, in turn.
struct Pieces<'a> {
    file: Cursor<&'a [u8]>,
    pieces: usize,
    reads: usize,
}

impl<'a> Pieces<'a> {
    fn new(file: &'a [u8], pieces: u8) -> Self {
        Self {
            file: Cursor::new(file),
            pieces: usize::from(pieces),
            reads: 0,
        }
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reads += 1;
        let length = match self.pieces {
            0 => buffer.len(),
            pieces => (1 + self.reads % pieces).min(buffer.len()),
        };
        self.file.read(&mut buffer[..length])
    }
}

impl Seek for Pieces<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// Reads a WAV file as the capture of a file does. The first byte says how it is read
/// in pieces and whether its length is known, the second how many sample frames are
/// read at a time; the rest is the file.
pub fn wav(input: &[u8]) {
    let &[how, frames, ref file @ ..] = input else {
        return;
    };
    let length = (how & 0x80 != 0).then_some(file.len() as u64);
    let Ok(mut wav) = WavReader::new(Pieces::new(file, how & 0x7F), length) else {
        return;
    };
    let channels = wav.channels();
    let mut downmix = Downmix::new(channels, wav.hertz());
    // Other rates need long transforms, which only take time.
    let mut resampler = if wav.hertz().is_multiple_of(100) {
        Resampler::new(wav.hertz(), SAMPLE_RATE, 1).ok()
    } else {
        None
    };
    let frames = usize::from(frames) + 1;
    let (mut first, mut mono, mut ready) = (Vec::new(), Vec::new(), Vec::new());
    while first.len() < MAX_SAMPLE_FRAMES * channels {
        let before = first.len();
        if wav.read(frames, &mut first).is_err() {
            return;
        }
        let read = &first[before..];
        if read.is_empty() {
            break;
        }
        assert!(read.len() <= frames * channels && read.len().is_multiple_of(channels));
        assert!(read.iter().all(|sample| (-1.0..=1.0).contains(sample)));
        mono.clear();
        downmix.push(read, &mut mono);
        assert_eq!(mono.len() * channels, read.len());
        if let Some(resampler) = &mut resampler {
            resampler.push(&mono, &mut ready);
        }
    }
    assert!(first.len() <= file.len());
    assert!(ready.iter().all(|sample| sample.is_finite()));
    // A second time it is the same.
    assert!(wav.rewind().is_ok());
    let mut second = Vec::new();
    while second.len() < first.len() {
        let before = second.len();
        assert!(wav.read(frames, &mut second).is_ok() && second.len() > before);
    }
    assert!(first == second, "it reads otherwise the second time");
}

/// Reads frames of a Y4M file. The first byte says how it is read in pieces and whether
/// it plays over and over; the rest is the file.
pub fn y4m(input: &[u8]) {
    let Some((&how, file)) = input.split_first() else {
        return;
    };
    let repeats = how & 0x80 != 0;
    let Ok(mut y4m) = Y4m::new(Pieces::new(file, how & 0x7F), repeats) else {
        return;
    };
    let (format, (frames, seconds)) = (y4m.format(), y4m.rate());
    assert!(frames > 0 && seconds > 0 && format.frames_per_second > 0);
    for _ in 0..MAX_FRAMES {
        let Ok(frame) = y4m.next_frame(Instant::now()) else {
            return;
        };
        assert_eq!(
            (frame.width(), frame.height()),
            (format.width, format.height)
        );
        // Memory grows with what is there, not with what the header claims.
        assert!(frame.data().len() <= 2 * file.len());
    }
}

/// Decodes a frame of an MJPEG camera.
pub fn mjpeg(input: &[u8]) {
    let is_large = input.windows(9).any(|bytes| {
        let [0xFF, 0xC0..=0xCF, _, _, _, sides @ ..] = bytes else {
            return false;
        };
        let is_large =
            |side: &[u8]| matches!(*side, [a, b] if u16::from_be_bytes([a, b]) > MAX_JPEG_SIDE);
        sides.chunks(2).any(is_large)
    });
    if is_large {
        return;
    }
    if let Ok(frame) = convert::mjpeg(input, Instant::now()) {
        let side = u32::from(MAX_JPEG_SIDE);
        assert!(frame.width() <= side && frame.height() <= side);
        assert!(frame.data().iter().all(|value| (1..255).contains(value)));
    }
}
