//! Entry points of the fuzz targets in `tests/fuzz`, built for fuzzing and for the
//! tests, which replay the corpora.
//!
//! They are here because they check private state, such as the packets that a buffer
//! holds. Each takes arbitrary bytes and panics where an invariant is broken.

mod files;
mod packets;
#[cfg(test)]
mod tests;

pub use files::{mjpeg, wav, y4m};
pub(crate) use packets::{Packets, Step};
pub use packets::{assembly, depacketize};

/// Reads a fuzz input from its beginning.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    /// The next byte, or `None` at the end.
    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    /// The next two bytes, big-endian; 0 where the input ends.
    fn number(&mut self) -> u16 {
        let high = self.byte().unwrap_or_default();
        u16::from_be_bytes([high, self.byte().unwrap_or_default()])
    }

    /// The next byte is the length of what is returned, which the end may cut off.
    fn bytes(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte().unwrap_or_default());
        let (bytes, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        bytes
    }
}
