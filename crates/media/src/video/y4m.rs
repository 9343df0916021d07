//! Y4M files (YUV4MPEG2, mjpegtools) as a source of frames.
//!
//! Reads 4:2:0, 4:2:2, 4:1:1, 4:4:4 with or without alpha, and mono, with 8 to 16
//! bits, in limited or full range. Frames become I420, 8 bit, limited range.

mod header;
mod planes;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Instant;

use self::header::Header;
use self::planes::Planes;
use crate::device::DeviceError;
use crate::frame::Frame;
use crate::source::VideoFormat;

/// The longest header line that is read, in bytes.
const MAX_LINE: u64 = 1_024;

/// A Y4M stream that is open, with its first frame next.
#[derive(Debug)]
pub struct Y4m<R> {
    input: BufReader<R>,
    header: Header,
    planes: Planes,
    /// Where the first frame begins; `None` in a pipe, which plays once.
    frames_at: Option<u64>,
    /// One frame as it is stored.
    buffer: Vec<u8>,
    /// Whether a whole frame was read since the beginning.
    has_frames: bool,
}

/// Opens a file and reads its header. A file plays over and over, a pipe once.
///
/// # Errors
/// [`DeviceError::File`] when it cannot be read or is of another format.
pub fn open(path: &Path) -> Result<Y4m<File>, DeviceError> {
    let about = |error: String| file_error(path, error);
    let file = File::open(path).map_err(|error| about(error.to_string()))?;
    let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
    Y4m::new(file, is_file).map_err(about)
}

/// What is wrong with a file.
pub(crate) fn file_error(path: &Path, reason: String) -> DeviceError {
    DeviceError::File {
        path: path.display().to_string(),
        reason,
    }
}

impl<R: Read + Seek> Y4m<R> {
    /// Reads the header. With `repeats` the input must be able to seek.
    ///
    /// # Errors
    /// In one sentence: why this cannot be played.
    pub fn new(input: R, repeats: bool) -> Result<Self, String> {
        let mut input = BufReader::new(input);
        let line = line(&mut input).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => String::from("it is empty"),
            _ => error.to_string(),
        })?;
        let header = Header::parse(&line)?;
        Ok(Self {
            input,
            planes: Planes::new(&header),
            header,
            frames_at: repeats.then_some(line.len() as u64 + 1),
            buffer: Vec::new(),
            has_frames: false,
        })
    }

    /// Size, even, and rate rounded to whole frames per second.
    pub fn format(&self) -> VideoFormat {
        let (frames, seconds) = self.header.rate;
        let frames_per_second = (f64::from(frames) / f64::from(seconds)).round().max(1.0) as u32;
        VideoFormat {
            width: self.header.width & !1,
            height: self.header.height & !1,
            frames_per_second,
        }
    }

    /// The exact rate: frames, and in how many seconds.
    pub fn rate(&self) -> (u32, u32) {
        self.header.rate
    }

    /// The next frame; the first comes after the last. A last frame that was cut
    /// off is left out. Of an odd side the last row or column is left out.
    ///
    /// # Errors
    /// In one sentence: why there is no frame.
    pub fn next_frame(&mut self, captured_at: Instant) -> Result<Frame, String> {
        let say = |error: io::Error| error.to_string();
        if !self.read().map_err(say)? {
            let Some(start) = self.frames_at else {
                return Err("the pipe has ended".into());
            };
            if !self.has_frames {
                return Err("it holds no whole frame".into());
            }
            self.input.seek(SeekFrom::Start(start)).map_err(say)?;
            if !self.read().map_err(say)? {
                return Err("it became shorter while it was played".into());
            }
        }
        self.planes
            .frame(&self.buffer, captured_at)
            .map_err(|error| error.to_string())
    }

    /// Reads a frame into the buffer, unless there is no whole one.
    fn read(&mut self) -> io::Result<bool> {
        match self.read_whole() {
            Ok(()) => {
                self.has_frames = true;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn read_whole(&mut self) -> io::Result<()> {
        if !line(&mut self.input)?.starts_with("FRAME") {
            return Err(io::Error::other("a frame does not begin where it should"));
        }
        // Grows with what is there: a header may claim anything.
        self.buffer.clear();
        let wanted = self.planes.stored_bytes();
        let mut frame = self.input.by_ref().take(wanted as u64);
        match frame.read_to_end(&mut self.buffer)? {
            read if read == wanted => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// A line without its end.
fn line(input: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    input.take(MAX_LINE).read_until(b'\n', &mut line)?;
    match line.pop() {
        Some(b'\n') => Ok(String::from_utf8_lossy(&line).into_owned()),
        // The end of the file, or a line that is too long.
        Some(_) if (line.len() as u64) < MAX_LINE - 1 => Err(io::ErrorKind::UnexpectedEof.into()),
        Some(_) => Err(io::Error::other("a header does not end")),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(test)]
mod tests;
