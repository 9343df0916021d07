//! Y4M files (YUV4MPEG2) as a picture source: 4:2:0 or grey, 8 bit.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::device::DeviceError;
use crate::frame::{Frame, MAX_SIDE};
use crate::source::VideoFormat;
use crate::video::convert;

/// The longest header line that is read, in bytes.
const MAX_LINE: u64 = 1_024;
const GREY: u8 = 128;

/// An open file, read over and over.
#[derive(Debug)]
pub struct Y4m {
    path: PathBuf,
    file: BufReader<File>,
    header: Header,
    /// Where the first frame begins.
    frames_at: u64,
    frame: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    width: u32,
    height: u32,
    /// Frames, and in how many seconds.
    rate: (u32, u32),
    grey: bool,
}

impl Header {
    fn parse(line: &str) -> Result<Self, String> {
        let mut words = line.split_ascii_whitespace();
        if words.next() != Some("YUV4MPEG2") {
            return Err("it is not a Y4M file".into());
        }
        let (mut width, mut height, mut rate, mut colour) = (0, 0, (30, 1), "420");
        for word in words {
            let Some((kind, value)) = word.split_at_checked(1) else {
                continue;
            };
            let side = || value.parse().map_err(|_| format!("{word:?} is not a size"));
            match kind {
                "W" => width = side()?,
                "H" => height = side()?,
                "F" => {
                    rate =
                        Self::rate(value).ok_or_else(|| format!("{word:?} is not a frame rate"))?
                }
                "C" => colour = value,
                _ => {}
            }
        }
        let grey = match colour {
            "420" | "420jpeg" | "420mpeg2" | "420paldv" => false,
            "mono" => true,
            other => {
                return Err(format!(
                    "the colour format {other:?} is none of 420 and mono with 8 bit"
                ));
            }
        };
        let fits = |n: u32| (2..=MAX_SIDE).contains(&n);
        if !fits(width) || !fits(height) {
            return Err(format!(
                "{width}x{height} is not a size from 2 to {MAX_SIDE}"
            ));
        }
        Ok(Self {
            width,
            height,
            rate,
            grey,
        })
    }

    /// A rate from 1 frame a minute to 240 a second.
    fn rate(text: &str) -> Option<(u32, u32)> {
        let (frames, seconds) = text.split_once(':')?;
        let (frames, seconds): (u32, u32) = (frames.parse().ok()?, seconds.parse().ok()?);
        let sane = frames > 0 && seconds > 0 && frames / seconds <= 240 && seconds / frames <= 60;
        sane.then_some((frames, seconds))
    }

    fn chroma(&self) -> (usize, usize) {
        (
            self.width.div_ceil(2) as usize,
            self.height.div_ceil(2) as usize,
        )
    }

    fn frame_len(&self) -> usize {
        let (width, height) = self.chroma();
        let chroma = if self.grey { 0 } else { 2 * width * height };
        self.width as usize * self.height as usize + chroma
    }
}

impl Y4m {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// [`DeviceError::File`] when it cannot be read or is of another format.
    pub fn open(path: &Path) -> Result<Self, DeviceError> {
        let wrong = |reason: String| DeviceError::File {
            path: path.display().to_string(),
            reason,
        };
        let mut file = BufReader::new(File::open(path).map_err(|error| wrong(error.to_string()))?);
        let line = line(&mut file).map_err(|error| wrong(error.to_string()))?;
        let header = Header::parse(&line).map_err(wrong)?;
        let frame = vec![0; header.frame_len()];
        Ok(Self {
            path: path.into(),
            file,
            header,
            frames_at: line.len() as u64 + 1,
            frame,
        })
    }

    /// Size, and rate rounded to whole frames per second.
    pub fn format(&self) -> VideoFormat {
        let Header {
            width,
            height,
            rate: (frames, seconds),
            ..
        } = self.header;
        let frames_per_second = (f64::from(frames) / f64::from(seconds)).round().max(1.0) as u32;
        VideoFormat {
            width: width & !1,
            height: height & !1,
            frames_per_second,
        }
    }

    /// The exact rate: frames, and in how many seconds.
    pub fn rate(&self) -> (u32, u32) {
        self.header.rate
    }

    /// The next picture; after the last comes the first again. An odd side is
    /// cropped by a pixel.
    ///
    /// # Errors
    /// [`DeviceError::File`] when a frame is damaged or cut off, or there is none.
    pub fn next_frame(&mut self, captured_at: Instant) -> Result<Frame, DeviceError> {
        self.read(captured_at).map_err(|error| DeviceError::File {
            path: self.path.display().to_string(),
            reason: match error.kind() {
                io::ErrorKind::UnexpectedEof => "its last frame is cut off, or it has none".into(),
                _ => error.to_string(),
            },
        })
    }

    fn read(&mut self, captured_at: Instant) -> io::Result<Frame> {
        if self.file.fill_buf()?.is_empty() {
            self.file.seek(SeekFrom::Start(self.frames_at))?;
        }
        if !line(&mut self.file)?.starts_with("FRAME") {
            return Err(io::Error::other("a frame does not begin where it should"));
        }
        self.file.read_exact(&mut self.frame)?;
        let Header {
            width,
            height,
            grey,
            ..
        } = self.header;
        let (chroma_width, chroma_height) = self.header.chroma();
        let (luma, chroma) = self.frame.split_at(width as usize * height as usize);
        let neutral;
        let (u, v) = if grey {
            neutral = vec![GREY; chroma_width * chroma_height];
            (&neutral[..], &neutral[..])
        } else {
            chroma.split_at(chroma_width * chroma_height)
        };
        let strides = [width as usize, chroma_width, chroma_width];
        convert::crop([luma, u, v], strides, width, height, captured_at).map_err(io::Error::other)
    }
}

/// A line without its end.
fn line(file: &mut BufReader<File>) -> io::Result<String> {
    let mut line = Vec::new();
    file.take(MAX_LINE).read_until(b'\n', &mut line)?;
    match line.pop() {
        Some(b'\n') => Ok(String::from_utf8_lossy(&line).into_owned()),
        Some(_) => Err(io::Error::other("a header does not end")),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(header: &str, frames: &[&[u8]]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "{header}").unwrap();
        for frame in frames {
            file.write_all(b"FRAME Ip\n").unwrap();
            file.write_all(frame).unwrap();
        }
        file.flush().unwrap();
        file
    }

    fn reason(error: DeviceError) -> String {
        let DeviceError::File { reason, .. } = error else {
            panic!("{error:?}")
        };
        reason
    }

    #[test]
    fn a_file_plays_over_and_over() {
        let frames = [[10; 24], [20; 24], [30; 24]];
        let file = file(
            "YUV4MPEG2 W4 H4 F30000:1001 Ip A1:1 C420jpeg XNOTE",
            &frames.each_ref().map(|frame| &frame[..]),
        );
        let mut y4m = Y4m::open(file.path()).unwrap();
        assert_eq!(
            y4m.format(),
            VideoFormat {
                width: 4,
                height: 4,
                frames_per_second: 30
            }
        );
        assert_eq!(y4m.rate(), (30_000, 1_001));
        let lumas: Vec<u8> = (0..7)
            .map(|_| y4m.next_frame(Instant::now()).unwrap().y()[0])
            .collect();
        assert_eq!(lumas, [10, 20, 30, 10, 20, 30, 10]);
    }

    #[test]
    fn odd_and_grey_files_play_too() {
        let odd = file("YUV4MPEG2 W5 H3 F25:1", &[&[9; 15 + 2 * 6]]);
        let frame = Y4m::open(odd.path())
            .unwrap()
            .next_frame(Instant::now())
            .unwrap();
        assert_eq!((frame.width(), frame.height()), (4, 2));
        let grey = file("YUV4MPEG2 W4 H2 F25:1 Cmono", &[&[9; 8]]);
        let frame = Y4m::open(grey.path())
            .unwrap()
            .next_frame(Instant::now())
            .unwrap();
        assert_eq!((frame.y()[0], frame.u()[0], frame.v()[0]), (9, 128, 128));
    }

    #[test]
    fn what_cannot_be_played_says_why() {
        let missing = Y4m::open(Path::new("missing.y4m")).unwrap_err();
        assert!(
            matches!(missing, DeviceError::File { ref path, .. } if path == "missing.y4m"),
            "{missing:?}"
        );
        for (header, why) in [
            ("RIFF", "not a Y4M"),
            ("YUV4MPEG2 W4 H4 F30:1 C444", "\"444\""),
            ("YUV4MPEG2 W4 H4 F30:1 C420p10", "\"420p10\""),
            ("YUV4MPEG2 W4 F30:1", "4x0"),
            ("YUV4MPEG2 W99999 H4 F30:1", "99999x4"),
            ("YUV4MPEG2 W4 H4 F0:0", "frame rate"),
        ] {
            let reason = reason(Y4m::open(file(header, &[]).path()).unwrap_err());
            assert!(reason.contains(why), "{header}: {reason}");
        }
        let empty = file("YUV4MPEG2 W4 H4 F30:1", &[]);
        assert!(
            reason(
                Y4m::open(empty.path())
                    .unwrap()
                    .next_frame(Instant::now())
                    .unwrap_err()
            )
            .contains("none")
        );
        let cut = file("YUV4MPEG2 W4 H4 F30:1", &[&[1; 24], &[2; 20]]);
        let mut y4m = Y4m::open(cut.path()).unwrap();
        y4m.next_frame(Instant::now()).unwrap();
        assert!(reason(y4m.next_frame(Instant::now()).unwrap_err()).contains("cut off"));
    }
}
