//! Which of a camera's formats to open.

use std::cmp::Reverse;

use nokhwa::utils::{CameraFormat, FrameFormat};

use super::PIXELS;
use crate::frame::MAX_SIDE;
use crate::source::VideoFormat;

/// The usable formats, the best first.
pub(super) fn ranked(offered: &[CameraFormat], wanted: VideoFormat) -> Vec<CameraFormat> {
    let mut ranked: Vec<_> = offered.iter().copied().filter(usable).collect();
    ranked.sort_by_key(|format| rank(format, wanted));
    ranked
}

fn usable(format: &CameraFormat) -> bool {
    let compressed = format.format() == FrameFormat::MJPEG;
    let side = |n: u32| (32..=MAX_SIDE).contains(&n) && (compressed || n.is_multiple_of(2));
    // Drivers list nonsense among their rates.
    let rate = (1..=240).contains(&format.frame_rate());
    PIXELS.contains(&format.format()) && side(format.width()) && side(format.height()) && rate
}

/// The smaller the better.
fn rank(format: &CameraFormat, wanted: VideoFormat) -> impl Ord + use<> {
    let pixels = format.width() * format.height();
    let below = format.width() < wanted.width || format.height() < wanted.height;
    // From above the nearest is the smallest, from below the largest.
    let distance = if below { u32::MAX - pixels } else { pixels };
    let rate = format.frame_rate();
    let compressed = format.format() == FrameFormat::MJPEG;
    (
        below,
        distance,
        Reverse(rate.min(wanted.frames_per_second)),
        compressed,
        rate,
    )
}

#[cfg(test)]
mod tests {
    use FrameFormat::{GRAY, MJPEG, NV12, YUYV};

    use super::*;

    fn best(offered: &[(u32, u32, FrameFormat, u32)], wanted: (u32, u32, u32)) -> Option<String> {
        let offered: Vec<_> = offered
            .iter()
            .map(|&(width, height, pixels, rate)| {
                CameraFormat::new_from(width, height, pixels, rate)
            })
            .collect();
        let wanted = VideoFormat {
            width: wanted.0,
            height: wanted.1,
            frames_per_second: wanted.2,
        };
        let first = ranked(&offered, wanted).first().copied()?;
        Some(format!(
            "{}x{} {} {}",
            first.width(),
            first.height(),
            first.format(),
            first.frame_rate()
        ))
    }

    #[test]
    fn a_usual_webcam_gives_what_is_wanted() {
        let webcam = [
            (640, 480, YUYV, 30),
            (640, 480, MJPEG, 30),
            (1280, 720, YUYV, 10),
            (1280, 720, MJPEG, 30),
            (1280, 720, MJPEG, 60),
            (1920, 1080, MJPEG, 30),
            (1280, 720, GRAY, 30),
            (1280, 720, YUYV, 30_000),
        ];
        for (wanted, expected) in [
            ((1280, 720, 30), "1280x720 MJPEG 30"),
            ((1280, 720, 10), "1280x720 YUYV 10"),
            ((1280, 720, 60), "1280x720 MJPEG 60"),
            ((640, 360, 30), "640x480 YUYV 30"),
            ((320, 180, 15), "640x480 YUYV 30"),
            ((3840, 2160, 30), "1920x1080 MJPEG 30"),
        ] {
            assert_eq!(
                best(&webcam, wanted).as_deref(),
                Some(expected),
                "{wanted:?}"
            );
        }
    }

    #[test]
    fn what_is_not_understood_is_not_chosen() {
        assert_eq!(
            best(
                &[
                    (1280, 720, GRAY, 30),
                    (1281, 720, YUYV, 30),
                    (0, 0, NV12, 30)
                ],
                (1280, 720, 30)
            ),
            None
        );
        assert_eq!(best(&[], (1280, 720, 30)), None);
    }
}
