//! RTP payloads back to bit stream: VP8 (RFC 7741) and H.264 (RFC 6184,
//! packetization mode 1: single NAL units, STAP-A, FU-A).

mod parameter_sets;

use crate::packet::VideoCodec;
pub use parameter_sets::{H264Frame, ParameterSets};

const START_CODE: [u8; 4] = [0, 0, 0, 1];
const IDR: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
const NAL_TYPE: u8 = 0x1F;

/// The payload is not what the codec's payload format allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the payload does not have the form of its codec")]
pub struct Malformed;

/// How a key frame begins with a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFrameStart {
    /// A decoder can start here.
    Complete,
    /// With an H.264 IDR picture: a decoder can start here, if this is the beginning of
    /// the frame and its parameter sets are known.
    NeedsParameterSets,
}

/// How a key frame begins with this payload, if one does.
pub fn key_frame_start(codec: VideoCodec, payload: &[u8]) -> Option<KeyFrameStart> {
    match codec {
        VideoCodec::Vp8 => matches!(vp8(payload), Ok((true, [tag, ..])) if tag & 1 == 0)
            .then_some(KeyFrameStart::Complete),
        VideoCodec::H264 => match (payload.first()? & NAL_TYPE, payload) {
            (STAP_A, _) => aggregated(payload)
                .filter_map(|unit| start_of_unit(unit.ok()?))
                .next(),
            (FU_A, [header, fragment, rest @ ..]) if fragment & 0x80 != 0 => {
                let beginning = [header & 0x60 | fragment & NAL_TYPE, *rest.first()?];
                start_of_unit(&beginning)
            }
            _ => start_of_unit(payload),
        },
    }
}

fn start_of_unit(unit: &[u8]) -> Option<KeyFrameStart> {
    if unit.first()? & NAL_TYPE == SPS {
        return Some(KeyFrameStart::Complete);
    }
    parameter_sets::is_first_slice_of_idr(unit).then_some(KeyFrameStart::NeedsParameterSets)
}

/// The NAL units of bit stream made by [`frame`].
fn units(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = data.strip_prefix(&START_CODE);
    std::iter::from_fn(move || {
        let from = rest?;
        let next = from.windows(4).position(|bytes| bytes == START_CODE);
        rest = next.map(|at| &from[at + 4..]);
        Some(&from[..next.unwrap_or(from.len())])
    })
}

/// Puts one frame's bit stream together from its payloads, in their order.
///
/// # Errors
/// When a payload is malformed, or the first is not the beginning of a frame.
pub fn frame<'a>(
    codec: VideoCodec,
    payloads: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, Malformed> {
    let mut data = Vec::new();
    match codec {
        VideoCodec::Vp8 => {
            for (place, payload) in payloads.enumerate() {
                let (starts, bytes) = vp8(payload)?;
                if starts != (place == 0) {
                    return Err(Malformed);
                }
                data.extend_from_slice(bytes);
            }
        }
        VideoCodec::H264 => {
            // The type of the unit whose fragments are being joined.
            let mut joining = None;
            for payload in payloads {
                joining = h264(payload, joining, &mut data)?;
            }
            if joining.is_some() {
                return Err(Malformed);
            }
        }
    }
    if data.is_empty() {
        Err(Malformed)
    } else {
        Ok(data)
    }
}

/// Takes the payload descriptor off (RFC 7741, section 4.2); also whether the
/// payload is the first of its frame.
fn vp8(payload: &[u8]) -> Result<(bool, &[u8]), Malformed> {
    let (&first, mut rest) = payload.split_first().ok_or(Malformed)?;
    let mut skip = |count: usize| -> Result<u8, Malformed> {
        let (skipped, left) = rest.split_at_checked(count).ok_or(Malformed)?;
        rest = left;
        skipped.first().copied().ok_or(Malformed)
    };
    if first & 0x80 != 0 {
        let extension = skip(1)?;
        if extension & 0x80 != 0 && skip(1)? & 0x80 != 0 {
            skip(1)?;
        }
        if extension & 0x40 != 0 {
            skip(1)?;
        }
        if extension & 0x30 != 0 {
            skip(1)?;
        }
    }
    if rest.is_empty() {
        return Err(Malformed);
    }
    // S, the start of a partition, of partition 0.
    Ok((first & 0x10 != 0 && first & 0x0F == 0, rest))
}

/// Appends what one payload carries; takes and gives back the type of the NAL
/// unit whose fragments are being joined.
fn h264(payload: &[u8], joining: Option<u8>, data: &mut Vec<u8>) -> Result<Option<u8>, Malformed> {
    let &header = payload.first().ok_or(Malformed)?;
    if header & 0x80 != 0 || (joining.is_some() && header & NAL_TYPE != FU_A) {
        return Err(Malformed);
    }
    match header & NAL_TYPE {
        1..STAP_A => {
            data.extend(START_CODE);
            data.extend_from_slice(payload);
            Ok(None)
        }
        STAP_A => {
            for unit in aggregated(payload) {
                data.extend(START_CODE);
                data.extend_from_slice(unit?);
            }
            Ok(None)
        }
        FU_A => {
            let &[_, fragment, ref bytes @ ..] = payload else {
                return Err(Malformed);
            };
            let (starts, ends, kind) = (
                fragment & 0x80 != 0,
                fragment & 0x40 != 0,
                fragment & NAL_TYPE,
            );
            match (starts, joining) {
                (true, None) => {
                    data.extend(START_CODE);
                    data.push(header & 0x60 | kind);
                }
                (false, Some(joined)) if joined == kind => {}
                _ => return Err(Malformed),
            }
            data.extend_from_slice(bytes);
            Ok((!ends).then_some(kind))
        }
        _ => Err(Malformed),
    }
}

/// The NAL units of a STAP-A payload; ends with an error where one is cut off.
fn aggregated(payload: &[u8]) -> impl Iterator<Item = Result<&[u8], Malformed>> {
    let mut rest = payload.get(1..).unwrap_or_default();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let unit = match *rest {
            [high, low, ref after @ ..] => {
                after.split_at_checked(u16::from_be_bytes([high, low]).into())
            }
            _ => None,
        };
        let unit = unit.filter(|(unit, _)| !unit.is_empty());
        rest = unit.map_or(&[], |(_, left)| left);
        Some(unit.map(|(unit, _)| unit).ok_or(Malformed))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use KeyFrameStart::{Complete, NeedsParameterSets};
    use VideoCodec::{H264, Vp8};

    fn joined(codec: VideoCodec, payloads: &[&[u8]]) -> Result<Vec<u8>, Malformed> {
        frame(codec, payloads.iter().copied())
    }

    #[test]
    fn vp8_descriptors_of_every_length_are_taken_off() {
        let descriptors: [&[u8]; 6] = [
            &[0x10],
            &[0x90, 0x80, 0x11],
            &[0x90, 0x80, 0x81, 0x22],
            &[0x90, 0xC0, 0x11, 0x05],
            &[0x90, 0x20, 0x40],
            &[0x90, 0xF0, 0x81, 0x22, 0x05, 0x40],
        ];
        for descriptor in descriptors {
            let payload = [descriptor, &[0x10, 1, 2]].concat();
            assert_eq!(joined(Vp8, &[&payload, &[0, 3]]), Ok(vec![0x10, 1, 2, 3]));
            assert_eq!(key_frame_start(Vp8, &payload), Some(Complete));
            assert_eq!(joined(Vp8, &[descriptor]), Err(Malformed));
        }
        assert_eq!(key_frame_start(Vp8, &[0x10, 0x11]), None);
        assert_eq!(key_frame_start(Vp8, &[0x00, 0x10]), None);
        assert_eq!(joined(Vp8, &[&[0, 3]]), Err(Malformed));
        assert_eq!(joined(Vp8, &[&[0x10, 1], &[0x10, 2]]), Err(Malformed));
        // The start of a later partition is not the start of the frame.
        assert_eq!(joined(Vp8, &[&[0x10, 1], &[0x11, 2]]), Ok(vec![1, 2]));
    }

    #[test]
    fn h264_units_come_single_aggregated_and_in_fragments() {
        let parameters: &[u8] = &[24, 0, 2, 0x67, 1, 0, 2, 0x68, 2];
        let fragments: [&[u8]; 3] = [&[0x7C, 0x85, 1], &[0x7C, 0x05, 2], &[0x7C, 0x45, 3]];
        let data = joined(
            H264,
            &[parameters, fragments[0], fragments[1], fragments[2]],
        )
        .unwrap();
        assert_eq!(
            data,
            [
                0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 2, 0, 0, 0, 1, 0x65, 1, 2, 3
            ]
        );
        assert_eq!(key_frame_start(H264, parameters), Some(Complete));
        assert_eq!(key_frame_start(H264, &[0x67, 1]), Some(Complete));
        assert_eq!(key_frame_start(H264, fragments[0]), None);
        assert_eq!(joined(H264, &[&[0x41, 9]]), Ok(vec![0, 0, 0, 1, 0x41, 9]));
    }

    #[test]
    fn an_idr_picture_begins_where_its_first_slice_does() {
        let idr: [&[u8]; 3] = [
            &[0x65, 0x88, 1],
            &[0x7C, 0x85, 0x88],
            &[24, 0, 2, 0x65, 0x88],
        ];
        for payload in idr {
            let start = key_frame_start(H264, payload);
            assert_eq!(start, Some(NeedsParameterSets), "{payload:?}");
        }
        // A later slice, a later fragment, a picture that is no IDR, cut off.
        let others: [&[u8]; 5] = [
            &[0x65, 0x08],
            &[0x7C, 0x05, 0x88],
            &[0x41, 0x88],
            &[0x65],
            &[0x7C, 0x85],
        ];
        for payload in others {
            assert_eq!(key_frame_start(H264, payload), None, "{payload:?}");
        }
    }

    #[test]
    fn broken_h264_is_malformed() {
        let cases: [&[&[u8]]; 7] = [
            &[],
            &[&[0x7C, 0x05, 2]],
            &[&[0x7C, 0x85, 1]],
            &[&[0x7C, 0x85, 1], &[0x41, 2]],
            &[&[0x7C, 0x85, 1], &[0x7C, 0x41, 2]],
            &[&[24, 0, 9, 1]],
            &[&[0x5D, 1, 2, 3]],
        ];
        for case in cases {
            assert_eq!(joined(H264, case), Err(Malformed), "{case:?}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_payloads_never_panic(payloads: Vec<Vec<u8>>) {
            for codec in [H264, Vp8] {
                for payload in &payloads {
                    key_frame_start(codec, payload);
                }
                if let Ok(data) = frame(codec, payloads.iter().map(Vec::as_slice)) {
                    ParameterSets::default().complete(data);
                }
            }
        }
    }
}
