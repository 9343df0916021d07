//! A picture as it travels to the page.

use std::num::NonZeroU8;

use bytes::{BufMut, Bytes, BytesMut};
use visavis_media::Frame;
use visavis_media::video::convert::fit_within;

const HEADER_BYTES: usize = 16;
const MIRRORED: u32 = 1;
const NO_PICTURE: u32 = 2;

/// Tile, width, height and flags, little endian, and the planes of the
/// picture, made smaller to fit the tile. Takes milliseconds.
pub(super) fn pack(
    tile: NonZeroU8,
    frame: &Frame,
    max_width: u32,
    max_height: u32,
    mirrored: bool,
) -> Bytes {
    let frame = fit_within(frame, max_width, max_height);
    let flags = if mirrored { MIRRORED } else { 0 };
    let mut packet = header(
        tile,
        frame.width(),
        frame.height(),
        flags,
        frame.data().len(),
    );
    packet.put_slice(frame.data());
    packet.freeze()
}

/// Says that the tile's source has no picture now.
pub(super) fn no_picture(tile: NonZeroU8) -> Bytes {
    header(tile, 0, 0, NO_PICTURE, 0).freeze()
}

fn header(tile: NonZeroU8, width: u32, height: u32, flags: u32, body: usize) -> BytesMut {
    let mut packet = BytesMut::with_capacity(HEADER_BYTES + body);
    packet.put_u32_le(tile.get().into());
    packet.put_u32_le(width);
    packet.put_u32_le(height);
    packet.put_u32_le(flags);
    packet
}
