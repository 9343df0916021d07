//! The parameter sets of an H.264 stream.

use std::collections::BTreeMap;

use super::{IDR, NAL_TYPE, PPS, SPS, START_CODE, units};

/// Parameter sets that are kept; H.264 has up to 32 sequence and 256 picture parameter
/// sets, and encoders use one or two.
const MAX_SETS: usize = 64;
/// The longest that is kept, in bytes.
const MAX_SET_BYTES: usize = 1_024;

/// The newest parameter sets of a stream, from the session description (RFC 6184,
/// section 8.1) and from the stream itself.
#[derive(Debug, Default)]
pub struct ParameterSets {
    /// NAL units by type and identifier: sequence parameter sets are first.
    sets: BTreeMap<(u8, u32), Vec<u8>>,
    /// Whether some came since the last picture.
    are_new: bool,
}

/// A frame that may be decoded.
#[derive(Debug, PartialEq, Eq)]
pub struct H264Frame {
    /// The bit stream, with the parameter sets that it needs.
    pub data: Vec<u8>,
    /// Whether it is a whole IDR picture.
    pub is_idr: bool,
    /// Whether the frame itself had a sequence parameter set.
    pub has_sps: bool,
}

impl ParameterSets {
    /// Whether a frame without parameter sets can be decoded.
    pub fn are_known(&self) -> bool {
        let mut kinds = self.sets.keys().map(|(kind, _)| *kind);
        kinds.clone().any(|kind| kind == SPS) && kinds.any(|kind| kind == PPS)
    }

    /// Keeps a NAL unit, if it is a parameter set.
    pub fn learn(&mut self, unit: &[u8]) {
        let Some(key) = key(unit).filter(|_| unit.len() <= MAX_SET_BYTES) else {
            return;
        };
        if self.sets.get(&key).is_some_and(|known| known == unit) {
            return;
        }
        if self.sets.len() < MAX_SETS || self.sets.contains_key(&key) {
            self.sets.insert(key, unit.to_vec());
            self.are_new = true;
        }
    }

    /// Learns the parameter sets of an access unit made by [`frame`](super::frame).
    /// `None` where it has no picture; else it gets the sets that came without one, and
    /// an IDR picture without a set of its own gets all.
    pub fn complete(&mut self, data: Vec<u8>) -> Option<H264Frame> {
        let are_missing = self.are_new;
        let (mut has_sps, mut has_pps, mut first_slice) = (false, false, None);
        for unit in units(&data) {
            let kind = unit.first().map_or(0, |header| header & NAL_TYPE);
            match kind {
                1..=IDR => first_slice = first_slice.or(Some(unit)),
                SPS | PPS => {
                    has_sps |= kind == SPS;
                    has_pps |= kind == PPS;
                    self.learn(unit);
                }
                _ => {}
            }
        }
        let is_idr = is_first_slice_of_idr(first_slice?);
        self.are_new = false;
        let data = if are_missing || (is_idr && !(has_sps && has_pps)) {
            let sets = self.sets.values();
            let sets = sets.flat_map(|set| START_CODE.iter().chain(set)).copied();
            sets.chain(data).collect()
        } else {
            data
        };
        Some(H264Frame {
            data,
            is_idr,
            has_sps,
        })
    }
}

/// Whether this NAL unit, which a fragment may cut off, begins an IDR picture:
/// `first_mb_in_slice`, the first field of its slice, is 0.
pub(super) fn is_first_slice_of_idr(unit: &[u8]) -> bool {
    matches!(unit, [header, slice, ..] if header & NAL_TYPE == IDR && slice & 0x80 != 0)
}

/// The type and the identifier of a parameter set (ITU-T H.264, sections 7.3.2.1.1 and
/// 7.3.2.2).
fn key(unit: &[u8]) -> Option<(u8, u32)> {
    let kind = unit.first()? & NAL_TYPE;
    let identifier = match kind {
        // After the profile, its constraints and the level.
        SPS => unit.get(4..)?,
        PPS => unit.get(1..)?,
        _ => return None,
    };
    Some((kind, exp_golomb(identifier)?))
}

/// The number at the beginning (ITU-T H.264, section 9.1), of up to 16 bits.
fn exp_golomb(bytes: &[u8]) -> Option<u32> {
    let bit = |at: usize| bytes.get(at / 8).map(|byte| byte >> (7 - at % 8) & 1);
    let zeros = (0..16).find(|&at| bit(at) == Some(1))?;
    let mut number = 0;
    for at in zeros..=2 * zeros {
        number = number << 1 | u32::from(bit(at)?);
    }
    Some(number - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPS_0: [u8; 6] = [0x67, 0x42, 0xE0, 0x1F, 0x80, 1];
    const SPS_1: [u8; 6] = [0x67, 0x42, 0xE0, 0x1F, 0x40, 1];
    const PPS_0: [u8; 2] = [0x68, 0xC0];
    const IDR_SLICE: [u8; 3] = [0x65, 0x88, 7];
    const SLICE: [u8; 3] = [0x41, 0x9A, 7];

    fn joined(units: &[&[u8]]) -> Vec<u8> {
        let with_start = units.iter().flat_map(|unit| [&START_CODE, *unit]);
        with_start.collect::<Vec<_>>().concat()
    }

    #[test]
    fn identifiers_are_read() {
        assert_eq!(exp_golomb(&[0x80]), Some(0));
        assert_eq!(exp_golomb(&[0x40]), Some(1));
        assert_eq!(exp_golomb(&[0x08, 0x80]), Some(16));
        assert_eq!(exp_golomb(&[0x00, 0x00, 0x00]), None);
        assert_eq!(exp_golomb(&[0x01]), None);
        assert_eq!((key(&SPS_1), key(&PPS_0)), (Some((7, 1)), Some((8, 0))));
    }

    #[test]
    fn an_idr_picture_without_parameter_sets_gets_those_that_are_known() {
        let mut sets = ParameterSets::default();
        let alone = sets.complete(joined(&[&IDR_SLICE])).unwrap();
        assert_eq!(alone.data, joined(&[&IDR_SLICE]));
        assert_eq!(sets.complete(joined(&[&SPS_0, &PPS_0])), None);
        assert!(sets.are_known());
        for _ in 0..2 {
            let frame = sets.complete(joined(&[&IDR_SLICE])).unwrap();
            assert_eq!(frame.data, joined(&[&SPS_0, &PPS_0, &IDR_SLICE]));
            assert!(frame.is_idr && !frame.has_sps);
        }
        let delta = sets.complete(joined(&[&SLICE])).unwrap();
        assert_eq!((delta.data, delta.is_idr), (joined(&[&SLICE]), false));
    }

    #[test]
    fn a_newer_set_replaces_the_one_with_its_identifier() {
        let mut sets = ParameterSets::default();
        let newer = [0x67, 0x42, 0xE0, 0x28, 0x80, 2];
        assert_eq!(
            sets.complete(joined(&[&SPS_0, &SPS_1, &PPS_0, &newer])),
            None
        );
        let frame = sets.complete(joined(&[&SLICE])).unwrap();
        assert_eq!(frame.data, joined(&[&newer, &SPS_1, &PPS_0, &SLICE]));
    }

    #[test]
    fn the_rest_of_an_idr_picture_is_not_one() {
        let mut sets = ParameterSets::default();
        let rest = sets.complete(joined(&[&[0x65, 0x08, 7]])).unwrap();
        assert!(!rest.is_idr);
    }

    #[test]
    fn the_number_and_the_length_of_sets_are_bounded() {
        let mut sets = ParameterSets::default();
        for identifier in 0..=255_u8 {
            // Of 256 numbers in 17 bits each.
            let code = (u32::from(identifier) + 256) << 15;
            let [a, b, c, _] = code.to_be_bytes();
            sets.learn(&[0x68, a, b, c]);
        }
        assert_eq!(sets.sets.len(), MAX_SETS);
        let long = [&SPS_0[..], &[1; MAX_SET_BYTES]].concat();
        sets.learn(&long);
        assert!(!sets.sets.contains_key(&(SPS, 0)));
    }
}
