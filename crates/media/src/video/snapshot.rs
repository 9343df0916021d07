//! A picture as a file.

use std::io::{self, Write};
use std::path::Path;

use crate::frame::Frame;
use crate::video::convert;

/// Writes a picture as an RGB PNG file, replacing what was there. The file
/// appears whole or not at all.
///
/// # Errors
/// When the file cannot be written.
pub fn save_png(frame: &Frame, path: &Path) -> io::Result<()> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, frame.width(), frame.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().map_err(io::Error::other)?;
    writer
        .write_image_data(&convert::rgb(frame))
        .map_err(io::Error::other)?;
    writer.finish().map_err(io::Error::other)?;
    let unfinished = path.with_extension("png.part");
    let mut file = std::fs::File::create(&unfinished)?;
    file.write_all(&bytes)?;
    std::fs::rename(unfinished, path)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_picture_reads_back_from_its_file() {
        let mut data = vec![235; 64 * 32];
        data.extend([128; 64 * 32 / 2]);
        let frame = Frame::new(64, 32, data.into(), Instant::now()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        save_png(&frame, &path).unwrap();
        let file = io::BufReader::new(std::fs::File::open(&path).unwrap());
        let mut reader = png::Decoder::new(file).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height), (64, 32));
        assert!(pixels.iter().all(|&value| value >= 254));
        assert!(save_png(&frame, &folder.path().join("missing/a.png")).is_err());
    }
}
