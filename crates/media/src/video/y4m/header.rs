//! The first line of a Y4M stream.

use crate::frame::MAX_SIDE;

/// The largest frame, in pixels: 8K (8192 × 4320).
const MAX_PIXELS: u64 = 8_192 * 4_320;
/// The rate where the stream says that it is not known, as FFmpeg assumes it.
const UNKNOWN_RATE: (u32, u32) = (25, 1);

/// What the first line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub width: u32,
    pub height: u32,
    /// Frames, and in how many seconds; neither is 0.
    pub rate: (u32, u32),
    pub colour: Colour,
    /// Values use all codes (JPEG) instead of the limited range of BT.601.
    pub full_range: bool,
}

/// How samples are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Colour {
    /// Luma columns and rows for each chroma sample; `None` without chroma.
    pub subsampling: Option<(u32, u32)>,
    /// Whether an alpha plane of the size of luma follows.
    pub alpha: bool,
    /// Bits of a sample, 8 to 16; above 8 it has two bytes, little endian.
    pub bits: u32,
}

impl Colour {
    fn parse(text: &str) -> Option<Self> {
        let eight = |subsampling| Self {
            subsampling,
            alpha: false,
            bits: 8,
        };
        Some(match text {
            "420" | "420jpeg" | "420mpeg2" | "420paldv" => eight(Some((2, 2))),
            "422" => eight(Some((2, 1))),
            "411" => eight(Some((4, 1))),
            "444" => eight(Some((1, 1))),
            "444alpha" => Self {
                alpha: true,
                ..eight(Some((1, 1)))
            },
            "mono" => eight(None),
            deep => {
                let (subsampling, bits) = [
                    ("420p", Some((2, 2))),
                    ("422p", Some((2, 1))),
                    ("444p", Some((1, 1))),
                    ("mono", None),
                ]
                .into_iter()
                .find_map(|(name, subsampling)| Some((subsampling, deep.strip_prefix(name)?)))?;
                let bits = bits.parse().ok().filter(|bits| (9..=16).contains(bits))?;
                Self {
                    bits,
                    ..eight(subsampling)
                }
            }
        })
    }
}

impl Header {
    pub fn parse(line: &str) -> Result<Self, String> {
        let mut words = line.split_ascii_whitespace();
        if words.next() != Some("YUV4MPEG2") {
            return Err("it is not a Y4M file".into());
        }
        let mut header = Self {
            width: 0,
            height: 0,
            rate: UNKNOWN_RATE,
            colour: Colour {
                subsampling: Some((2, 2)),
                alpha: false,
                bits: 8,
            },
            full_range: false,
        };
        for word in words {
            let Some((kind, value)) = word.split_at_checked(1) else {
                continue;
            };
            let side = || value.parse().map_err(|_| format!("{word:?} is not a size"));
            match kind {
                "W" => header.width = side()?,
                "H" => header.height = side()?,
                "F" => {
                    header.rate =
                        rate(value).ok_or_else(|| format!("{word:?} is not a frame rate"))?;
                }
                "C" => {
                    header.colour = Colour::parse(value)
                        .ok_or_else(|| format!("the colour format {value:?} is not supported"))?;
                }
                "X" if value.eq_ignore_ascii_case("COLORRANGE=FULL") => header.full_range = true,
                _ => {}
            }
        }
        let (width, height) = (header.width, header.height);
        let side = |n: u32| (2..=MAX_SIDE).contains(&n);
        if !side(width) || !side(height) || u64::from(width) * u64::from(height) > MAX_PIXELS {
            return Err(format!(
                "its size is {width}x{height}; sides from 2 to {MAX_SIDE} and frames up to 8K are supported"
            ));
        }
        Ok(header)
    }
}

/// A rate from 1 frame a minute to 240 a second. `0:0` says that it is not known,
/// and so does every other rate with a zero.
fn rate(text: &str) -> Option<(u32, u32)> {
    let (frames, seconds) = text.split_once(':')?;
    let (frames, seconds): (u32, u32) = (frames.parse().ok()?, seconds.parse().ok()?);
    if frames == 0 || seconds == 0 {
        return Some(UNKNOWN_RATE);
    }
    (frames / seconds <= 240 && seconds / frames <= 60).then_some((frames, seconds))
}
