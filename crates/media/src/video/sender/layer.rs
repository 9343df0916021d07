//! Sizes in which a source is encoded.

use crate::frame::Frame;
use crate::packet::VideoLayer;
use crate::video::convert;

/// The largest sides that are encoded, in pixels: OpenH264 takes no larger frames,
/// and the decoders here refuse those above H.264 level 5.2.
const LONGER_SIDE: u32 = 3_840;
const SHORTER_SIDE: u32 = 2_160;

/// A frame with a shorter side of fewer pixels is not halved: that would save little, and
/// nobody would be recognised.
const SHORTEST_HALVED: u32 = 360;

/// The frame in the size of a layer, or half of it where that shows enough, within the
/// largest one that is encoded.
pub(super) fn scaled(frame: &Frame, layer: VideoLayer, is_halved: bool) -> Frame {
    let divisor = layer.divisor();
    let (mut width, mut height) = (frame.width() / divisor, frame.height() / divisor);
    if is_halved && width.min(height) >= SHORTEST_HALVED {
        (width, height) = (width / 2, height / 2);
    }
    let (max_width, max_height) = if width >= height {
        (LONGER_SIDE, SHORTER_SIDE)
    } else {
        (SHORTER_SIDE, LONGER_SIDE)
    };
    convert::fit_within(frame, width.min(max_width), height.min(max_height))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_layer_divides_the_sides_and_no_size_is_larger_than_the_codecs_take() {
        use VideoLayer::{Full, Half, Quarter};
        for (from, layer, to) in [
            ((1280, 720), Full, (1280, 720)),
            ((1280, 720), Half, (640, 360)),
            ((1280, 720), Quarter, (320, 180)),
            // Even sides.
            ((640, 360), Quarter, (160, 90)),
            ((320, 180), Quarter, (80, 44)),
            ((8, 2), Quarter, (2, 2)),
            ((4096, 2304), Full, (3840, 2160)),
            ((2160, 4096), Full, (2024, 3840)),
            ((8192, 8192), Full, (2160, 2160)),
            ((8192, 4320), Half, (3840, 2024)),
            ((8192, 2), Full, (3840, 2)),
        ] {
            let data = vec![0; Frame::len_of(from.0, from.1)];
            let frame = Frame::new(from.0, from.1, data.into(), Instant::now()).unwrap();
            let scaled = scaled(&frame, layer, false);
            assert_eq!((scaled.width(), scaled.height()), to, "{from:?} {layer:?}");
        }
    }

    #[test]
    fn a_frame_is_halved_where_that_shows_enough() {
        for (from, layer, to) in [
            ((1280, 720), VideoLayer::Full, (640, 360)),
            ((1280, 720), VideoLayer::Half, (320, 180)),
            ((1280, 720), VideoLayer::Quarter, (320, 180)),
            ((640, 360), VideoLayer::Quarter, (160, 90)),
        ] {
            let data = vec![0; Frame::len_of(from.0, from.1)];
            let frame = Frame::new(from.0, from.1, data.into(), Instant::now()).unwrap();
            let scaled = scaled(&frame, layer, true);
            assert_eq!((scaled.width(), scaled.height()), to, "{from:?} {layer:?}");
        }
    }
}
