//! Properties of an Opus packet (RFC 6716, sections 3 and 4.2).

use crate::codec::opus::MAX_DTX_BYTES;

/// Whether the packet begins a pause of the sender.
pub(super) fn is_dtx(packet: &[u8]) -> bool {
    packet.len() <= MAX_DTX_BYTES
}

/// Whether the packet carries the one before it, too (LBRR, RFC 6716, section 4.2.4).
/// Packets of three or more frames, which no sender of speech makes, are taken not to.
pub(super) fn has_fec(packet: &[u8]) -> bool {
    let Some(&toc) = packet.first() else {
        return false;
    };
    let first_frame = match (toc & 3, packet.get(1)) {
        (0 | 1, _) => 1,
        // The length of the first frame precedes it.
        (2, Some(252..)) => 3,
        (2, _) => 2,
        _ => return false,
    };
    let silk_frames = match toc >> 3 {
        config @ 0..12 => [1, 1, 2, 3][usize::from(config % 4)],
        12..16 => 1,
        // CELT has none.
        _ => return false,
    };
    let is_stereo = toc & 4 != 0;
    packet.get(first_frame).is_some_and(|flags| {
        // A bit for the voice activity of each frame, then the LBRR flag; the same for
        // the side channel.
        let mid = flags >> (7 - silk_frames) & 1;
        let side = flags >> (6 - 2 * silk_frames) & 1;
        mid == 1 || (is_stereo && side == 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::FRAME_SAMPLES;
    use crate::codec::opus::Encoder;

    #[test]
    fn the_fec_data_of_real_packets_is_found() {
        for (loss, expected) in [(30, true), (0, false)] {
            let mut encoder = Encoder::new().unwrap();
            encoder.set_expected_loss(loss).unwrap();
            let packets = (0..100).map(|n| {
                let frame: [f32; FRAME_SAMPLES] = std::array::from_fn(|at| {
                    let time = (n * FRAME_SAMPLES + at) as f32;
                    (time * 0.03).sin() * (time * 0.001).sin() * 0.3
                });
                encoder.encode(&frame).unwrap()
            });
            let with_fec = packets.filter(|packet| has_fec(packet)).count();
            assert_eq!(with_fec > 10, expected, "{with_fec}");
        }
    }

    #[test]
    fn packets_without_sound_and_of_celt_have_none() {
        for packet in [
            &[][..],
            &[0x78],
            &[0xF8, 0xFF],
            &[0x7B, 0x01, 0xFF],
            &[0x0A],
        ] {
            assert!(!has_fec(packet), "{packet:?}");
        }
        assert!(has_fec(&[0x08, 0x40]) && has_fec(&[0x18, 0x10]) && has_fec(&[0x0C, 0x10]));
        assert!(is_dtx(&[0x78]) && !is_dtx(&[0x78, 1, 2]));
    }
}
