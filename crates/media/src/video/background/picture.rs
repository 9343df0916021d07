//! A picture file as what is behind the person.

mod orientation;

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::time::Instant;

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use self::orientation::Orientation;
use super::BackgroundError;
use super::planes::Size;
use crate::frame::Frame;
use crate::video::convert;

/// The longest file, in bytes.
const MAX_BYTES: u64 = 64 << 20;
/// The longest side, in pixels.
const MAX_SIDE: u32 = 20_000;
/// The most pixels: those of a camera with 50 megapixels. Decoding takes up to eight
/// bytes for each.
const MAX_PIXELS: u64 = 51_000_000;

/// Pixels of three bytes.
struct Picture {
    size: Size,
    pixels: Vec<u8>,
    orientation: Orientation,
}

/// Reads a PNG or JPEG file as a frame of this size: as much of its middle as has the
/// frame's shape.
pub(super) fn read(path: &Path, size: Size) -> Result<Frame, BackgroundError> {
    decode(path)
        .and_then(|picture| cover(&picture, size))
        .map_err(|reason| BackgroundError::Picture {
            path: path.display().to_string(),
            reason,
        })
}

fn decode(path: &Path) -> Result<Picture, String> {
    let bytes = contents(path).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("it is larger than {} MiB", MAX_BYTES >> 20));
    }
    if bytes.starts_with(b"\x89PNG") {
        png(&bytes)
    } else if bytes.starts_with(b"\xFF\xD8") {
        jpeg(&bytes)
    } else {
        Err("it is neither a PNG nor a JPEG file".into())
    }
}

/// The contents, one byte longer than the limit where there is more.
fn contents(path: &Path) -> io::Result<Vec<u8>> {
    // Not a device or a pipe, which might never end.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn check(size: Size) -> Result<Size, String> {
    let pixels = u64::from(size.0) * u64::from(size.1);
    let is_side = |side| (1..=MAX_SIDE).contains(&side);
    if !is_side(size.0) || !is_side(size.1) || pixels > MAX_PIXELS {
        return Err(format!("{} x {} pixels are too many", size.0, size.1));
    }
    Ok(size)
}

fn damaged(error: impl std::fmt::Display) -> String {
    format!("it is damaged: {error}")
}

fn png(bytes: &[u8]) -> Result<Picture, String> {
    let limits = png::Limits { bytes: 64 << 20 };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let info = decoder.read_header_info().map_err(damaged)?;
    let size = check((info.width, info.height))?;
    let mut reader = decoder.read_info().map_err(damaged)?;
    let length = reader.output_buffer_size();
    let mut data = vec![0; length.ok_or("it is too large")?];
    let info = reader.next_frame(&mut data).map_err(damaged)?;
    let pixels = match info.color_type {
        png::ColorType::Rgb => data,
        png::ColorType::Rgba => {
            let pixels = data.as_chunks().0.iter();
            pixels
                .flat_map(|&[r, g, b, a]| opaque([r, g, b], a))
                .collect()
        }
        png::ColorType::Grayscale => data.iter().flat_map(|&grey| [grey; 3]).collect(),
        png::ColorType::GrayscaleAlpha => {
            let pixels = data.as_chunks().0.iter();
            pixels.flat_map(|&[grey, a]| opaque([grey; 3], a)).collect()
        }
        png::ColorType::Indexed => return Err("its colours cannot be read".into()),
    };
    Ok(Picture {
        size,
        pixels,
        orientation: Orientation::UPRIGHT,
    })
}

/// A pixel on black.
fn opaque(pixel: [u8; 3], alpha: u8) -> [u8; 3] {
    pixel.map(|value| (u16::from(value) * u16::from(alpha) / 255) as u8)
}

fn jpeg(bytes: &[u8]) -> Result<Picture, String> {
    let options = DecoderOptions::default()
        .jpeg_set_out_colorspace(ColorSpace::RGB)
        .set_max_width(MAX_SIDE as usize)
        .set_max_height(MAX_SIDE as usize);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(damaged)?;
    let info = decoder.info().ok_or("it has no header")?;
    let size = check((info.width.into(), info.height.into()))?;
    let pixels = decoder.decode().map_err(damaged)?;
    let exif = decoder.exif();
    Ok(Picture {
        size,
        pixels,
        orientation: exif.map_or(Orientation::UPRIGHT, |exif| Orientation::read(exif)),
    })
}

/// The largest part of the middle that has this shape, in this size.
fn cover(picture: &Picture, size: Size) -> Result<Frame, String> {
    let damaged = |error: &dyn std::fmt::Display| damaged(error);
    let from = TypedImageRef::<U8x3>::from_buffer(picture.size.0, picture.size.1, &picture.pixels)
        .map_err(|error| damaged(&error))?;
    let stored = picture.orientation.stored(size);
    let mut pixels = vec![0; size.0 as usize * size.1 as usize * 3];
    let mut to = TypedImage::<U8x3>::from_buffer(stored.0, stored.1, &mut pixels)
        .map_err(|error| damaged(&error))?;
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom))
        .fit_into_destination(None);
    Resizer::new()
        .resize_typed(&from, &mut to, &options)
        .map_err(|error| damaged(&error))?;
    let pixels = picture.orientation.turn(pixels, size);
    convert::from_rgb(&pixels, size.0 * 3, size, Instant::now()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(name: &str, bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    /// A PNG whose left half has one value and whose right half another.
    fn halves(size: Size, kind: png::ColorType, left: &[u8], right: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, size.0, size.1);
        encoder.set_color(kind);
        if kind == png::ColorType::Indexed {
            encoder.set_palette(vec![0, 0, 0, 255, 255, 255]);
        }
        let half = size.0 as usize / 2;
        let row = [left.repeat(half), right.repeat(size.0 as usize - half)].concat();
        let mut writer = encoder.write_header().unwrap();
        writer
            .write_image_data(&row.repeat(size.1 as usize))
            .unwrap();
        writer.finish().unwrap();
        bytes
    }

    #[test]
    fn every_kind_of_png_is_black_left_and_white_right_in_any_size() {
        use png::ColorType::{Grayscale, GrayscaleAlpha, Indexed, Rgb, Rgba};
        for (kind, left, right) in [
            (Rgb, &[0, 0, 0][..], &[255, 255, 255][..]),
            // Transparent white is on black.
            (Rgba, &[255, 255, 255, 0], &[255, 255, 255, 255]),
            (Grayscale, &[0], &[255]),
            (GrayscaleAlpha, &[255, 0], &[255, 255]),
            (Indexed, &[0], &[1]),
        ] {
            for size in [(640, 360), (2, 1), (31, 977), (2001, 13)] {
                let (_folder, path) = write("wall", &halves(size, kind, left, right));
                let frame = read(&path, (320, 180)).unwrap();
                assert_eq!((frame.width(), frame.height()), (320, 180));
                let row = &frame.y()[90 * 320..][..320];
                assert!(row[10] <= 17 && row[309] >= 234, "{kind:?} {size:?}");
                assert!(frame.u().iter().all(|value| value.abs_diff(128) <= 1));
            }
        }
    }

    #[test]
    fn a_jpeg_covers_the_frame_and_its_middle_stays_in_the_middle() {
        let jpeg = include_bytes!("../testdata/red444-32x16.jpg");
        let (_folder, path) = write("wall.jpg", jpeg);
        for size in [(1280, 720), (90, 160), (2, 2), (8192, 2)] {
            let frame = read(&path, size).unwrap();
            assert_eq!((frame.width(), frame.height()), size);
            // BT.601, limited range, of (200, 60, 40).
            let middle = |plane: &[u8]| plane[plane.len() / 2];
            let got = [middle(frame.y()), middle(frame.u()), middle(frame.v())];
            let close = got.iter().zip([102_u8, 98, 191]);
            assert!(
                close.into_iter().all(|(a, b)| a.abs_diff(b) <= 3),
                "{got:?}"
            );
        }
    }

    /// The header of a PNG of this size, without pixels.
    fn header(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = halves((2, 2), png::ColorType::Rgb, &[0; 3], &[0; 3]);
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        let mut sum = u32::MAX;
        for byte in &bytes[12..29] {
            sum ^= u32::from(*byte);
            for _ in 0..8 {
                sum = sum >> 1 ^ (0xEDB8_8320 * (sum & 1));
            }
        }
        bytes[29..33].copy_from_slice(&(!sum).to_be_bytes());
        bytes
    }

    #[test]
    fn what_is_no_picture_says_so_and_names_the_file() {
        let png = halves((64, 64), png::ColorType::Rgb, &[0; 3], &[9; 3]);
        let jpeg = &include_bytes!("../testdata/red444-32x16.jpg")[..];
        let mut wide = jpeg.to_vec();
        let frame = wide.windows(2).position(|two| two == [0xFF, 0xC0]).unwrap();
        wide[frame + 5..frame + 9].fill(0xFF);
        for (name, bytes, reason) in [
            ("empty", &[][..], "neither a PNG nor a JPEG"),
            ("text", b"hello", "neither a PNG nor a JPEG"),
            ("cut.png", &png[..png.len() / 2], "damaged"),
            ("start.png", &png[..20], "damaged"),
            ("start.jpg", &jpeg[..30], "damaged"),
            ("huge.png", &header(60_000, 60_000), "too many"),
            ("large.png", &header(10_000, 10_000), "too many"),
            ("huge.jpg", &wide, ""),
        ] {
            let (_folder, path) = write(name, bytes);
            let error = read(&path, (64, 64)).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(reason), "{error}");
        }
        let (folder, _) = write("a", b"");
        for path in [folder.path(), &folder.path().join("missing")] {
            assert!(read(path, (64, 64)).is_err());
        }
    }
}
