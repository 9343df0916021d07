//! Which of a camera's formats to open.

use std::cmp::Reverse;

use crate::frame::MAX_SIDE;
use crate::source::VideoFormat;
use crate::video::convert::Pixels;

/// A format that a camera offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// How it lays out its pixels.
    pub pixels: Pixels,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Time from one frame to the next, as a fraction of seconds, where the
    /// camera tells it.
    pub interval: Option<(u32, u32)>,
}

/// Of a camera that does not tell its rate.
const USUAL_RATE: u32 = 30;

impl Offer {
    /// Its rate, rounded.
    pub fn frames_per_second(&self) -> u32 {
        Self::rate_of(self.interval).unwrap_or(USUAL_RATE)
    }

    /// Frames per second of an interval, rounded, at least 1.
    pub(crate) fn rate_of(interval: Option<(u32, u32)>) -> Option<u32> {
        let (numerator, denominator) = interval?;
        let (numerator, denominator) = (u64::from(numerator), u64::from(denominator));
        if numerator == 0 || denominator == 0 {
            return None;
        }
        let rounded = (denominator + numerator / 2) / numerator;
        Some(rounded.clamp(1, u64::from(u32::MAX)) as u32)
    }
}

/// The usable formats, the best first.
pub(super) fn ranked(mut offered: Vec<Offer>, wanted: VideoFormat) -> Vec<Offer> {
    offered.retain(usable);
    offered.sort_by_key(|offer| rank(offer, wanted));
    offered
}

fn usable(offer: &Offer) -> bool {
    let side = |n: u32| (32..=MAX_SIDE).contains(&n);
    // Drivers list nonsense among their rates.
    let rate = (1..=240).contains(&offer.frames_per_second());
    side(offer.width) && side(offer.height) && rate
}

/// The smaller the better.
fn rank(offer: &Offer, wanted: VideoFormat) -> impl Ord + use<> {
    let pixels = offer.width * offer.height;
    let below = offer.width < wanted.width || offer.height < wanted.height;
    // From above the nearest is the smallest, from below the largest.
    let distance = if below { u32::MAX - pixels } else { pixels };
    let rate = offer.frames_per_second();
    // What converting costs.
    let cost = match offer.pixels {
        Pixels::Mjpeg => 2,
        Pixels::Rgb | Pixels::Bgr => 1,
        _ => 0,
    };
    (
        // Without colour only where there is nothing else.
        offer.pixels == Pixels::Grey,
        below,
        distance,
        Reverse(rate.min(wanted.frames_per_second)),
        cost,
        rate,
    )
}

#[cfg(test)]
mod tests {
    use Pixels::{Bgr, Grey, Mjpeg, Nv12, Yu12, Yuyv};

    use super::*;

    fn best(offered: &[(u32, u32, Pixels, u32)], wanted: (u32, u32, u32)) -> Option<String> {
        let offered = offered
            .iter()
            .map(|&(width, height, pixels, rate)| Offer {
                pixels,
                width,
                height,
                interval: Some((1, rate)),
            })
            .collect();
        let wanted = VideoFormat {
            width: wanted.0,
            height: wanted.1,
            frames_per_second: wanted.2,
        };
        let first = ranked(offered, wanted).first().copied()?;
        Some(format!(
            "{}x{} {:?} {}",
            first.width,
            first.height,
            first.pixels,
            first.frames_per_second()
        ))
    }

    #[test]
    fn a_usual_webcam_gives_what_is_wanted() {
        let webcam = [
            (640, 480, Yuyv, 30),
            (640, 480, Mjpeg, 30),
            (1280, 720, Yuyv, 10),
            (1280, 720, Mjpeg, 30),
            (1280, 720, Mjpeg, 60),
            (1920, 1080, Mjpeg, 30),
            (1280, 720, Grey, 30),
            (1280, 720, Yuyv, 30_000),
        ];
        for (wanted, expected) in [
            ((1280, 720, 30), "1280x720 Mjpeg 30"),
            ((1280, 720, 10), "1280x720 Yuyv 10"),
            ((1280, 720, 60), "1280x720 Mjpeg 60"),
            ((640, 360, 30), "640x480 Yuyv 30"),
            ((320, 180, 15), "640x480 Yuyv 30"),
            ((3840, 2160, 30), "1920x1080 Mjpeg 30"),
        ] {
            assert_eq!(
                best(&webcam, wanted).as_deref(),
                Some(expected),
                "{wanted:?}"
            );
        }
    }

    #[test]
    fn grey_is_chosen_only_where_there_is_no_colour_and_rgb_before_what_is_compressed() {
        let hd = (1280, 720, 30);
        let first = |offered: &[_]| best(offered, hd).unwrap();
        assert_eq!(
            first(&[(1280, 720, Grey, 30), (640, 360, Yu12, 15)]),
            "640x360 Yu12 15"
        );
        assert_eq!(first(&[(1281, 721, Grey, 30)]), "1281x721 Grey 30");
        assert_eq!(
            first(&[(1280, 720, Mjpeg, 30), (1280, 720, Bgr, 30)]),
            "1280x720 Bgr 30"
        );
    }

    #[test]
    fn what_no_frame_can_be_is_not_chosen() {
        assert_eq!(
            best(
                &[
                    (16_384, 720, Yuyv, 30),
                    (0, 0, Nv12, 30),
                    (1280, 720, Nv12, 1_000)
                ],
                (1280, 720, 30)
            ),
            None
        );
        assert_eq!(best(&[], (1280, 720, 30)), None);
    }

    #[test]
    fn rates_of_any_fraction_are_rounded_and_unknown_ones_are_usual() {
        for (interval, expected) in [
            ((1001, 30_000), Some(30)),
            ((33_333, 1_000_000), Some(30)),
            ((2, 25), Some(13)),
            ((10, 1), Some(1)),
            ((0, 30), None),
            ((1, 0), None),
        ] {
            assert_eq!(Offer::rate_of(Some(interval)), expected, "{interval:?}");
        }
        let offer = |interval| Offer {
            pixels: Yuyv,
            width: 640,
            height: 480,
            interval,
        };
        assert_eq!(offer(None).frames_per_second(), 30);
        let odd = vec![offer(Some((1001, 30_000))), offer(None)];
        assert_eq!(ranked(odd.clone(), VideoFormat::default()), odd);
    }
}
