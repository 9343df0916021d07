//! Retransmitted packets become what they repair before anybody counts.
//!
//! webrtc-rs unwraps RTX (RFC 4588) behind the interceptors, so that its NACK
//! generator never sees a repair and asks for the same packet again and again.

use std::collections::HashMap;

use rtc::interceptor::{Packet, StreamInfo, TaggedPacket};

use super::tap::Tap;

/// Length of the original sequence number in front of the payload (RFC 4588, section 4).
const OSN_BYTES: usize = 2;

/// Unwraps RTX.
#[derive(Default)]
pub(super) struct Unwrap {
    /// By the SSRC of the repair stream.
    repaired: HashMap<u32, Repaired>,
}

/// A stream that has a repair stream.
#[derive(Clone, Copy)]
struct Repaired {
    ssrc: u32,
    payload_type: u8,
    rtx_payload_type: u8,
}

impl Tap for Unwrap {
    fn bind(&mut self, info: &StreamInfo) {
        if let (Some(rtx_ssrc), Some(rtx_payload_type)) = (info.ssrc_rtx, info.payload_type_rtx) {
            let repaired = Repaired {
                ssrc: info.ssrc,
                payload_type: info.payload_type,
                rtx_payload_type,
            };
            self.repaired.insert(rtx_ssrc, repaired);
        }
    }

    fn unbind(&mut self, info: &StreamInfo) {
        if let Some(rtx_ssrc) = info.ssrc_rtx {
            self.repaired.remove(&rtx_ssrc);
        }
    }

    fn incoming(&mut self, mut packet: TaggedPacket) -> Option<TaggedPacket> {
        let Packet::Rtp(rtp) = &mut packet.message.packet else {
            return Some(packet);
        };
        let Some(repaired) = self.repaired.get(&rtp.header.ssrc) else {
            return Some(packet);
        };
        if rtp.header.payload_type != repaired.rtx_payload_type || rtp.payload.len() <= OSN_BYTES {
            // Padding, sent to probe the network, or another codec's repair.
            return None;
        }
        let number = rtp.payload.split_to(OSN_BYTES);
        rtp.header.ssrc = repaired.ssrc;
        rtp.header.payload_type = repaired.payload_type;
        rtp.header.sequence_number = u16::from_be_bytes([number[0], number[1]]);
        Some(packet)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use bytes::Bytes;
    use rtc::interceptor::AttributedPacket;
    use rtc::rtp;

    use super::*;

    fn incoming(ssrc: u32, payload_type: u8, payload: &'static [u8]) -> TaggedPacket {
        let header = rtp::header::Header {
            version: 2,
            ssrc,
            payload_type,
            sequence_number: 9,
            timestamp: 1_234,
            marker: true,
            ..Default::default()
        };
        TaggedPacket {
            now: Instant::now(),
            transport: Default::default(),
            message: AttributedPacket::new(Packet::Rtp(rtp::Packet {
                header,
                payload: Bytes::from_static(payload),
            })),
        }
    }

    fn unwrap(packet: TaggedPacket) -> Option<rtp::Packet> {
        let info = StreamInfo {
            ssrc: 1,
            ssrc_rtx: Some(2),
            payload_type: 96,
            payload_type_rtx: Some(97),
            ..Default::default()
        };
        let mut tap = Unwrap::default();
        tap.bind(&info);
        tap.incoming(packet)
            .map(|packet| match packet.message.packet {
                Packet::Rtp(packet) => packet,
                other => panic!("{other:?}"),
            })
    }

    #[test]
    fn a_repair_becomes_the_packet_that_it_repairs() {
        let packet = unwrap(incoming(2, 97, &[0x12, 0x34, 7, 8])).unwrap();
        assert_eq!((packet.header.ssrc, packet.header.payload_type), (1, 96));
        assert_eq!(packet.header.sequence_number, 0x1234);
        assert_eq!(
            (packet.header.timestamp, packet.header.marker),
            (1_234, true)
        );
        assert_eq!(&packet.payload[..], [7, 8]);
    }

    #[test]
    fn padding_is_dropped_and_media_passes_untouched() {
        assert!(unwrap(incoming(2, 97, &[])).is_none());
        assert!(unwrap(incoming(2, 97, &[1, 2])).is_none());
        assert!(unwrap(incoming(2, 99, &[1, 2, 3])).is_none());
        let media = unwrap(incoming(1, 96, &[1, 2, 3])).unwrap();
        assert_eq!((media.header.ssrc, media.header.sequence_number), (1, 9));
    }
}
