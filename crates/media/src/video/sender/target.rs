//! The bit rate and the frame rate that the encoders of a layer are set to.

use std::sync::{Mutex, PoisonError};

use super::bitrate_for;
use super::overload::Reduction;
use crate::packet::VideoLayer;

/// The lowest bit rate of an encoder, in bits per second.
const MIN_BITRATE: u32 = 30_000;
/// Share of an encoder's bits that the frames of half the frame rate have: each is
/// predicted from one that is twice as far away.
pub const HALF_RATE_SHARE: f64 = 0.6;

/// The frame rates that the receivers of a layer take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameRates {
    /// All take every frame.
    Full,
    /// All take every second frame. No other is encoded.
    Half,
    /// Some take every second frame: the others are discardable where the codec can do
    /// that. Where it cannot, they are not encoded.
    Both,
}

/// What the encoders of a layer are set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncoderTarget {
    /// The most bits per second at the full frame rate; 30,000 where it is less. An
    /// encoder uses at most [`bitrate_for`] its size, and [`HALF_RATE_SHARE`] of it where
    /// it encodes every second frame only.
    pub max_bits_per_second: u32,
    /// The frame rates that are taken.
    pub frame_rates: FrameRates,
}

impl EncoderTarget {
    /// The bit rate of frames of this size.
    pub(super) fn bits_per_second(self, width: u32, height: u32, can_discard: bool) -> u32 {
        let bits = bitrate_for(width, height).min(self.max_bits_per_second);
        if self.is_halved(can_discard) {
            (f64::from(bits) * HALF_RATE_SHARE) as u32
        } else {
            bits
        }
    }

    /// Whether every second frame only is encoded.
    fn is_halved(self, can_discard: bool) -> bool {
        match self.frame_rates {
            FrameRates::Full => false,
            FrameRates::Half => true,
            FrameRates::Both => !can_discard,
        }
    }

    /// The target under a load of the processor.
    pub(super) fn reduced(self, reduction: Reduction) -> Self {
        let frame_rates = match self.frame_rates {
            FrameRates::Full | FrameRates::Both if reduction >= Reduction::FrameRate => {
                FrameRates::Half
            }
            rates => rates,
        };
        Self {
            frame_rates,
            ..self
        }
    }

    /// The rate at which an encoder gets the frames of a source.
    pub(super) fn frames_per_second(self, source: u32, can_discard: bool) -> u32 {
        if self.is_halved(can_discard) {
            source.div_ceil(2)
        } else {
            source
        }
    }
}

/// The target of each layer; at first without a limit.
#[derive(Debug)]
pub(super) struct Targets([Mutex<EncoderTarget>; VideoLayer::ALL.len()]);

impl Default for Targets {
    fn default() -> Self {
        let first = EncoderTarget {
            max_bits_per_second: u32::MAX,
            frame_rates: FrameRates::Full,
        };
        Self(std::array::from_fn(|_| Mutex::new(first)))
    }
}

impl Targets {
    pub(super) fn set(&self, layer: VideoLayer, target: EncoderTarget) {
        let max = target.max_bits_per_second.max(MIN_BITRATE);
        *self.0[layer as usize]
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = EncoderTarget {
            max_bits_per_second: max,
            ..target
        };
    }

    pub(super) fn get(&self, layer: VideoLayer) -> EncoderTarget {
        *self.0[layer as usize]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of the next captured frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// It is encoded.
    Encode,
    /// It is encoded, and no other frame is predicted from it.
    EncodeDiscardable,
    /// It is left out.
    Skip,
}

/// Every second frame.
#[derive(Debug, Default)]
pub(super) struct Alternation {
    is_second: bool,
}

impl Alternation {
    /// The use of the next frame, by an encoder that can make discardable frames or not.
    pub(super) fn next(&mut self, rates: FrameRates, can_discard: bool) -> Use {
        let is_second = self.is_second && rates != FrameRates::Full;
        self.is_second = !is_second;
        match (is_second, rates) {
            (false, _) => Use::Encode,
            (true, FrameRates::Both) if can_discard => Use::EncodeDiscardable,
            (true, _) => Use::Skip,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_frames_have_more_than_half_of_the_bits() {
        for (frame_rates, can_discard, bits, frames) in [
            (FrameRates::Full, true, 300_000, 30),
            (FrameRates::Both, true, 300_000, 30),
            (FrameRates::Both, false, 180_000, 15),
            (FrameRates::Half, true, 180_000, 15),
        ] {
            let target = EncoderTarget {
                max_bits_per_second: 300_000,
                frame_rates,
            };
            assert_eq!(target.bits_per_second(640, 360, can_discard), bits);
            assert_eq!(target.frames_per_second(30, can_discard), frames);
        }
    }

    #[test]
    fn every_second_frame_is_left_out_or_discardable_where_half_of_them_are_taken() {
        use Use::{Encode, EncodeDiscardable, Skip};
        for (rates, can_discard, second) in [
            (FrameRates::Full, true, Encode),
            (FrameRates::Half, true, Skip),
            (FrameRates::Both, true, EncodeDiscardable),
            (FrameRates::Both, false, Skip),
        ] {
            let mut alternation = Alternation::default();
            let uses: Vec<_> = (0..4)
                .map(|_| alternation.next(rates, can_discard))
                .collect();
            assert_eq!(uses, [Encode, second, Encode, second], "{rates:?}");
        }
    }
}
