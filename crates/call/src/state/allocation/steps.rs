//! The steps in which a track is sent with fewer bits: first with half the frame rate,
//! then in a smaller size, and so on down to the smallest.

use visavis_media::video::{HALF_RATE_SHARE, bitrate_for};
use visavis_media::{FrameRate, VideoLayer};
use visavis_protocol::TrackSource;

use super::{MIN_VIDEO, SentLayer};
use crate::command::VideoSize;

/// Share of the rate at which a layer looks well that it needs at least. With less, the
/// next step looks better.
const LEAST_CAMERA: f64 = 0.5;
/// The text of a screen has to stay sharp, and most of the time little of it moves.
const LEAST_SCREEN: f64 = 0.15;
/// A frame with a shorter side of fewer pixels shows too little.
const SHORTEST_SIDE: u32 = 90;

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub sent: SentLayer,
    /// The bits per second to the peer that it needs.
    pub least: u64,
    /// The most bits per second of its encoder.
    pub most: u64,
}

/// The steps of a track, the best first; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ladder {
    pub steps: Vec<Step>,
    /// The most bits per second of the best step.
    pub most: u64,
}

impl Ladder {
    /// The steps of a source from this layer on down.
    pub(super) fn new(source: TrackSource, size: VideoSize, top: VideoLayer) -> Self {
        let least = match source {
            TrackSource::ScreenShare => LEAST_SCREEN,
            _ => LEAST_CAMERA,
        };
        let is_useful = |layer: &VideoLayer| {
            let shorter = size.width.min(size.height) / layer.divisor();
            *layer == top || (*layer < top && shorter >= SHORTEST_SIDE)
        };
        let layers = VideoLayer::ALL.into_iter().rev().filter(is_useful);
        let steps = layers.flat_map(|layer| {
            [FrameRate::Full, FrameRate::Half].map(|frame_rate| {
                let most = most(size, layer);
                let needed = most as f64 * least * share(frame_rate);
                Step {
                    sent: SentLayer { layer, frame_rate },
                    least: (needed as u64).max(MIN_VIDEO),
                    most,
                }
            })
        });
        Self {
            steps: steps.collect(),
            most: most(size, top),
        }
    }

    pub(super) fn position(&self, sent: SentLayer) -> Option<usize> {
        self.steps.iter().position(|step| step.sent == sent)
    }
}

/// The most bits per second of a layer.
pub(super) fn most(source: VideoSize, layer: VideoLayer) -> u64 {
    let divisor = layer.divisor();
    let bits = bitrate_for(source.width / divisor, source.height / divisor);
    u64::from(bits).max(MIN_VIDEO)
}

/// The share of an encoder's bits that a peer gets.
pub(super) fn share(frame_rate: FrameRate) -> f64 {
    match frame_rate {
        FrameRate::Full => 1.0,
        FrameRate::Half => HALF_RATE_SHARE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_rate_goes_down_before_the_size_and_each_step_needs_less() {
        use FrameRate::{Full, Half};
        let size = VideoSize {
            width: 1280,
            height: 720,
        };
        let ladder = Ladder::new(TrackSource::Camera, size, VideoLayer::Full);
        let steps = ladder.steps.iter();
        let steps = steps.map(|step| {
            (
                step.sent.layer.divisor(),
                step.sent.frame_rate,
                step.least / 1_000,
            )
        });
        assert_eq!(
            steps.collect::<Vec<_>>(),
            [
                (1, Full, 750),
                (1, Half, 450),
                (2, Full, 300),
                (2, Half, 180),
                (4, Full, 120),
                (4, Half, 72),
            ]
        );
        let small = VideoSize {
            width: 320,
            height: 180,
        };
        let ladder = Ladder::new(TrackSource::Camera, small, VideoLayer::Full);
        assert_eq!(ladder.steps.len(), 4, "80x45 shows too little");
        let ladder = Ladder::new(TrackSource::Camera, small, VideoLayer::Quarter);
        assert_eq!(ladder.steps.len(), 2, "unless it is demanded");
    }
}
