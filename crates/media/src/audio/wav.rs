//! WAV files (RIFF and RF64) as a stream of samples.
//!
//! Reads what programs really write: sizes that were never filled in because
//! the file came through a pipe (0, 0x7FFFF000, 0xFFFFFFFF), files that were cut
//! off, chunks of odd length with and without padding, `WAVE_FORMAT_EXTENSIBLE`,
//! RF64 (EBU Tech 3306), integers of 8 to 32 bits in containers of whole bytes,
//! 32 and 64 bit floats, A-law and u-law (ITU-T G.711).

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

/// Sample rates that are taken, in hertz.
const RATES: std::ops::RangeInclusive<u32> = 2_000..=384_000;
/// More channels than this are refused.
const MAX_CHANNELS: u16 = 64;
/// The samples must begin within this many bytes of the file's beginning.
const MAX_HEADER_BYTES: u64 = 16 << 20;
/// The part of a format chunk that is read, in bytes.
const FORMAT_BYTES: u64 = 40;
/// A size that the writer did not know.
const UNKNOWN: u32 = u32::MAX;
/// What SoX writes for a size that it does not know.
const UNKNOWN_OF_SOX: u32 = 0x7FFF_F000;

/// A WAV file that is open, with its samples next.
#[derive(Debug)]
pub struct WavReader<R> {
    input: BufReader<R>,
    format: Format,
    /// Bytes before the first sample.
    samples_at: u64,
    /// Bytes of samples; `None` when they go on to the end of the file.
    length: Option<u64>,
    /// Bytes of samples that were read since the first one.
    position: u64,
}

/// How the samples are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Format {
    encoding: Encoding,
    channels: u16,
    hertz: u32,
}

/// One sample's encoding; integers and floats are little endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    /// Unsigned, one byte.
    Unsigned8,
    /// Signed, in so many bytes, the most significant bits used first.
    Signed(u8),
    Float32,
    Float64,
    ALaw,
    MuLaw,
}

impl Encoding {
    fn of(tag: u16, bytes: u16, bits: u16) -> Result<Self, String> {
        Ok(match (tag, bytes) {
            (1, 1) => Self::Unsigned8,
            (1, 2..=4) => Self::Signed(bytes as u8),
            (3, 4) => Self::Float32,
            (3, 8) => Self::Float64,
            (6, 1) => Self::ALaw,
            (7, 1) => Self::MuLaw,
            (1 | 3 | 6 | 7, _) => return Err(format!("samples of {bits} bits are not supported")),
            _ => {
                return Err(format!(
                    "its encoding (format tag {tag:#06x}) is none of PCM, float, A-law and u-law"
                ));
            }
        })
    }

    fn bytes(self) -> usize {
        match self {
            Self::Unsigned8 | Self::ALaw | Self::MuLaw => 1,
            Self::Signed(bytes) => bytes.into(),
            Self::Float32 => 4,
            Self::Float64 => 8,
        }
    }

    /// One sample, from −1 to 1.
    fn decode(self, bytes: &[u8]) -> f32 {
        match (self, bytes) {
            (Self::Unsigned8, &[byte]) => (f32::from(byte) - 128.0) / 128.0,
            (Self::Signed(_), &[a, b]) => integer([0, 0, a, b]),
            (Self::Signed(_), &[a, b, c]) => integer([0, a, b, c]),
            (Self::Signed(_), &[a, b, c, d]) => integer([a, b, c, d]),
            (Self::Float32, &[a, b, c, d]) => bounded(f32::from_le_bytes([a, b, c, d])),
            (Self::Float64, bytes) => bytes
                .try_into()
                .map_or(0.0, |bytes| bounded(f64::from_le_bytes(bytes) as f32)),
            (Self::ALaw, &[byte]) => a_law(byte),
            (Self::MuLaw, &[byte]) => mu_law(byte),
            // `bytes` has the length of the encoding.
            _ => 0.0,
        }
    }
}

fn integer(bytes: [u8; 4]) -> f32 {
    i32::from_le_bytes(bytes) as f32 / 2_147_483_648.0
}

/// Floats beyond full scale are clipped; what is no number is silence.
fn bounded(sample: f32) -> f32 {
    if sample.is_nan() {
        0.0
    } else {
        sample.clamp(-1.0, 1.0)
    }
}

/// ITU-T G.711, A-law.
fn a_law(byte: u8) -> f32 {
    let bits = byte ^ 0x55;
    let (exponent, mantissa) = ((bits >> 4) & 7, i16::from(bits & 0x0F) << 4);
    let magnitude = match exponent {
        0 => mantissa + 8,
        _ => (mantissa + 0x108) << (exponent - 1),
    };
    let positive = bits & 0x80 != 0;
    f32::from(if positive { magnitude } else { -magnitude }) / 32_768.0
}

/// ITU-T G.711, u-law.
fn mu_law(byte: u8) -> f32 {
    let bits = !byte;
    let (exponent, mantissa) = ((bits >> 4) & 7, i16::from(bits & 0x0F) << 3);
    let magnitude = ((mantissa + 0x84) << exponent) - 0x84;
    let negative = bits & 0x80 != 0;
    f32::from(if negative { -magnitude } else { magnitude }) / 32_768.0
}

impl<R: Read> WavReader<R> {
    /// Reads up to the first sample. `file_bytes` is the length of the file; a
    /// pipe has none.
    ///
    /// # Errors
    /// In one sentence: why this file cannot be played.
    pub fn new(input: R, file_bytes: Option<u64>) -> Result<Self, String> {
        let mut chunks = Chunks {
            input: BufReader::new(input),
            read: 0,
        };
        let [kind, size, form] = chunks.words()?;
        if !matches!(&kind, b"RIFF" | b"RF64" | b"BW64") || form != *b"WAVE" {
            return Err("it is not a WAV file".into());
        }
        let riff_bytes = u32::from_le_bytes(size);
        let (mut format, mut long_length) = (None, None);
        loop {
            let [id, size] = chunks
                .words()
                .map_err(|_| String::from("it holds no samples"))?;
            let size = u32::from_le_bytes(size);
            match &id {
                b"data" => {
                    let format = format.ok_or("its samples come before their format")?;
                    let is_empty = size == 0 && file_bytes == Some(u64::from(riff_bytes) + 8);
                    let length = match size {
                        UNKNOWN => long_length,
                        UNKNOWN_OF_SOX => None,
                        0 if !is_empty => None,
                        _ => Some(size.into()),
                    };
                    return Ok(Self {
                        input: chunks.input,
                        format,
                        samples_at: chunks.read,
                        length,
                        position: 0,
                    });
                }
                b"fmt " => format = Some(Format::parse(&chunks.body(size, FORMAT_BYTES)?)?),
                b"ds64" => {
                    let body = chunks.body(size, 16)?;
                    long_length = body
                        .get(8..16)
                        .and_then(|bytes| Some(u64::from_le_bytes(bytes.try_into().ok()?)));
                }
                _ => {
                    chunks.body(size, 0)?;
                }
            }
        }
    }

    /// Samples a second, of each channel.
    pub fn hertz(&self) -> u32 {
        self.format.hertz
    }

    /// Channels of a frame.
    pub fn channels(&self) -> usize {
        self.format.channels.into()
    }

    /// Appends up to `frames` frames of interleaved samples, from −1 to 1.
    /// Appends nothing at the end; a frame that was cut off is left out.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&mut self, frames: usize, samples: &mut Vec<f32>) -> io::Result<()> {
        let encoding = self.format.encoding;
        let frame_bytes = encoding.bytes() * self.channels();
        let mut frame = vec![0; frame_bytes];
        for _ in 0..frames {
            let end = self.position + frame_bytes as u64;
            if self.length.is_some_and(|length| length < end) {
                return Ok(());
            }
            match self.input.read_exact(&mut frame) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    // Where the file really ends.
                    self.length = Some(self.position);
                    return Ok(());
                }
                result => result?,
            }
            self.position = end;
            let decoded = frame.chunks_exact(encoding.bytes());
            samples.extend(decoded.map(|bytes| encoding.decode(bytes)));
        }
        Ok(())
    }
}

impl<R: Read + Seek> WavReader<R> {
    /// Goes back to the first sample.
    ///
    /// # Errors
    /// When the input cannot seek, as a pipe.
    pub fn rewind(&mut self) -> io::Result<()> {
        self.input.seek(SeekFrom::Start(self.samples_at))?;
        self.position = 0;
        Ok(())
    }
}

impl Format {
    /// A format chunk (Microsoft's `WAVEFORMATEX` or `WAVEFORMATEXTENSIBLE`).
    fn parse(body: &[u8]) -> Result<Self, String> {
        let word = |at: usize| {
            let bytes = body.get(at..at + 2)?;
            Some(u16::from_le_bytes([bytes[0], bytes[1]]))
        };
        let short = || String::from("its format chunk is too short");
        let tag = word(0).ok_or_else(short)?;
        let channels = word(2).ok_or_else(short)?;
        let hertz = body.get(4..8).and_then(|bytes| bytes.try_into().ok());
        let hertz = u32::from_le_bytes(hertz.ok_or_else(short)?);
        let (block, bits) = (word(12).ok_or_else(short)?, word(14).ok_or_else(short)?);
        let tag = match tag {
            0xFFFE => word(24).ok_or_else(short)?,
            tag => tag,
        };
        if !(1..=MAX_CHANNELS).contains(&channels) {
            return Err(format!(
                "it has {channels} channels; 1 to {MAX_CHANNELS} are supported"
            ));
        }
        if !RATES.contains(&hertz) {
            return Err(format!(
                "its sample rate is {hertz} Hz; {} to {} Hz are supported",
                RATES.start(),
                RATES.end()
            ));
        }
        // 20 bits stand in 3 bytes: the block says so. Some writers leave it 0.
        let bytes = match block {
            0 => bits.div_ceil(8),
            block if block % channels == 0 => block / channels,
            _ => return Err("its format chunk contradicts itself".into()),
        };
        Ok(Self {
            encoding: Encoding::of(tag, bytes, bits)?,
            channels,
            hertz,
        })
    }
}

/// The chunks of a file, up to its samples.
struct Chunks<R> {
    input: BufReader<R>,
    read: u64,
}

impl<R: Read> Chunks<R> {
    fn words<const N: usize>(&mut self) -> Result<[[u8; 4]; N], String> {
        let mut words = [[0; 4]; N];
        for word in &mut words {
            self.input.read_exact(word).map_err(ended)?;
        }
        self.advance(4 * N as u64)?;
        Ok(words)
    }

    /// The first `wanted` bytes of a chunk; skips the rest and the padding.
    fn body(&mut self, size: u32, wanted: u64) -> Result<Vec<u8>, String> {
        let size = u64::from(size);
        self.advance(size)?;
        let mut body = Vec::new();
        let mut chunk = self.input.by_ref().take(size);
        chunk
            .by_ref()
            .take(wanted)
            .read_to_end(&mut body)
            .map_err(ended)?;
        io::copy(&mut chunk, &mut io::sink()).map_err(ended)?;
        let is_odd = size % 2 == 1;
        // The padding is 0. Some writers leave it out: then the next id begins here.
        if is_odd && self.input.fill_buf().map_err(ended)?.first() == Some(&0) {
            self.input.consume(1);
            self.read += 1;
        }
        Ok(body)
    }

    fn advance(&mut self, bytes: u64) -> Result<(), String> {
        self.read += bytes;
        if self.read > MAX_HEADER_BYTES {
            return Err(format!(
                "its samples do not begin within {} MiB",
                MAX_HEADER_BYTES >> 20
            ));
        }
        Ok(())
    }
}

fn ended(error: io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "it is not a WAV file".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
#[path = "wav_tests.rs"]
mod tests;
