//! Which formats a V4L2 driver offers.

use std::io;

use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::{FrameSizeEnum, Stepwise};
use v4l::video::Capture as _;
use v4l::{Device, FourCC};

use super::pixels;
use crate::source::VideoFormat;
use crate::video::camera::Offer;

/// Everything that is understood.
pub(super) fn offers(device: &Device, wanted: VideoFormat) -> io::Result<Vec<Offer>> {
    let mut offers = Vec::new();
    for format in device.enum_formats()? {
        let Some(pixels) = pixels(format.fourcc) else {
            continue;
        };
        for (width, height) in sizes(device, format.fourcc, wanted) {
            for interval in intervals(device, format.fourcc, (width, height), wanted) {
                offers.push(Offer {
                    pixels,
                    width,
                    height,
                    interval,
                });
            }
        }
    }
    Ok(offers)
}

/// The sizes; the one in use where the driver lists none.
fn sizes(device: &Device, code: FourCC, wanted: VideoFormat) -> Vec<(u32, u32)> {
    let listed = device.enum_framesizes(code).unwrap_or_default();
    let sizes: Vec<_> = listed
        .into_iter()
        .map(|listed| match listed.size {
            FrameSizeEnum::Discrete(size) => (size.width, size.height),
            FrameSizeEnum::Stepwise(range) => within(&range, wanted),
        })
        .collect();
    if sizes.is_empty() {
        let current = device.format().ok();
        return current
            .map(|format| (format.width, format.height))
            .into_iter()
            .collect();
    }
    sizes
}

/// The smallest size of a range that is not below what is wanted, or its largest.
fn within(range: &Stepwise, wanted: VideoFormat) -> (u32, u32) {
    let side = |wanted: u32, min: u32, max: u32, step: u32| {
        let steps = wanted.saturating_sub(min).div_ceil(step.max(1));
        min.saturating_add(steps.saturating_mul(step.max(1)))
            .min(max.max(min))
    };
    (
        side(
            wanted.width,
            range.min_width,
            range.max_width,
            range.step_width,
        ),
        side(
            wanted.height,
            range.min_height,
            range.max_height,
            range.step_height,
        ),
    )
}

/// Seconds of a frame as fractions; one `None` where the driver lists none.
fn intervals(
    device: &Device,
    code: FourCC,
    (width, height): (u32, u32),
    wanted: VideoFormat,
) -> Vec<Option<(u32, u32)>> {
    let listed = device
        .enum_frameintervals(code, width, height)
        .unwrap_or_default();
    let intervals: Vec<_> = listed
        .into_iter()
        .map(|listed| match listed.interval {
            FrameIntervalEnum::Discrete(one) => Some((one.numerator, one.denominator)),
            FrameIntervalEnum::Stepwise(range) => {
                let fraction = |one: v4l::Fraction| (one.numerator, one.denominator);
                Some(between(fraction(range.min), fraction(range.max), wanted))
            }
        })
        .collect();
    if intervals.is_empty() {
        vec![None]
    } else {
        intervals
    }
}

/// The wanted rate, or the nearest that is between the shortest and the longest
/// interval.
fn between(shortest: (u32, u32), longest: (u32, u32), wanted: VideoFormat) -> (u32, u32) {
    let is_shorter = |(a, b): (u32, u32), (c, d): (u32, u32)| {
        u64::from(a) * u64::from(d) < u64::from(c) * u64::from(b)
    };
    let wanted = (1, wanted.frames_per_second.max(1));
    if is_shorter(wanted, shortest) {
        shortest
    } else if is_shorter(longest, wanted) {
        longest
    } else {
        wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HD: VideoFormat = VideoFormat {
        width: 1280,
        height: 720,
        frames_per_second: 30,
    };

    #[test]
    fn a_range_of_sizes_has_one_that_is_not_below_what_is_wanted() {
        let range = |min: (u32, u32), max: (u32, u32), step: (u32, u32)| Stepwise {
            min_width: min.0,
            min_height: min.1,
            max_width: max.0,
            max_height: max.1,
            step_width: step.0,
            step_height: step.1,
        };
        // v4l2loopback without a writer, a continuous range, vivid's HDMI input.
        assert_eq!(
            within(&range((2, 1), (8192, 8192), (1, 1)), HD),
            (1280, 720)
        );
        assert_eq!(within(&range((1, 1), (640, 480), (0, 0)), HD), (640, 480));
        assert_eq!(
            within(&range((16, 16), (4096, 2160), (12, 10)), HD),
            (1288, 726)
        );
        assert_eq!(
            within(&range((1920, 1080), (1920, 1080), (2, 2)), HD),
            (1920, 1080)
        );
        // A driver's nonsense stays a size.
        assert_eq!(
            within(&range((640, 480), (0, 0), (u32::MAX, 8)), HD),
            (640, 480)
        );
    }

    #[test]
    fn a_range_of_intervals_has_the_wanted_rate_or_the_nearest() {
        assert_eq!(between((1, 1_000), (1, 1), HD), (1, 30));
        assert_eq!(between((1001, 15_000), (1, 1), HD), (1001, 15_000));
        assert_eq!(between((1, 120), (1, 60), HD), (1, 60));
        assert_eq!(between((0, 0), (0, 0), HD), (1, 30));
    }
}
