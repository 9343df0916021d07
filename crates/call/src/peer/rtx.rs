//! Turns RTX packets (RFC 4588) back into the original packets.
//!
//! webrtc-rs does this after the interceptors. Its NACK generator, an
//! interceptor, would therefore never see a retransmission arrive and would
//! request the same packet until its limit.

use std::collections::HashMap;

use rtc::interceptor::{Packet, StreamInfo, TaggedPacket};

use super::interceptor::IncomingInterceptor;
use crate::rtp::{PayloadType, SequenceNumber, Ssrc};

/// Length of the original sequence number that precedes the payload, in bytes
/// (RFC 4588, section 4).
pub(super) const OSN_BYTES: usize = 2;

/// Restores original packets from RTX packets.
#[derive(Default)]
pub(super) struct RtxUnwrapper {
    /// By the SSRC of the RTX stream.
    originals: HashMap<Ssrc, OriginalStream>,
}

/// The stream that an RTX stream retransmits.
#[derive(Clone, Copy)]
struct OriginalStream {
    ssrc: Ssrc,
    payload_type: PayloadType,
    rtx_payload_type: PayloadType,
}

impl IncomingInterceptor for RtxUnwrapper {
    fn bind_remote_stream(&mut self, info: &StreamInfo) {
        if let (Some(rtx_ssrc), Some(rtx_payload_type)) = (info.ssrc_rtx, info.payload_type_rtx) {
            let original = OriginalStream {
                ssrc: Ssrc(info.ssrc),
                payload_type: PayloadType(info.payload_type),
                rtx_payload_type: PayloadType(rtx_payload_type),
            };
            self.originals.insert(Ssrc(rtx_ssrc), original);
        }
    }

    fn unbind_remote_stream(&mut self, info: &StreamInfo) {
        if let Some(rtx_ssrc) = info.ssrc_rtx {
            self.originals.remove(&Ssrc(rtx_ssrc));
        }
    }

    fn handle_incoming(&mut self, mut packet: TaggedPacket) -> Option<TaggedPacket> {
        let Packet::Rtp(rtp) = &mut packet.message.packet else {
            return Some(packet);
        };
        let Some(original) = self.originals.get(&Ssrc(rtp.header.ssrc)) else {
            return Some(packet);
        };
        let payload_type = PayloadType(rtp.header.payload_type);
        if payload_type != original.rtx_payload_type || rtp.payload.len() <= OSN_BYTES {
            // Padding of a bandwidth probe, or RTX of another codec.
            return None;
        }
        let osn = rtp.payload.split_to(OSN_BYTES);
        let osn = SequenceNumber(u16::from_be_bytes([osn[0], osn[1]]));
        rtp.header.ssrc = original.ssrc.0;
        rtp.header.payload_type = original.payload_type.0;
        rtp.header.sequence_number = osn.0;
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
        let mut unwrapper = RtxUnwrapper::default();
        unwrapper.bind_remote_stream(&info);
        unwrapper
            .handle_incoming(packet)
            .map(|packet| match packet.message.packet {
                Packet::Rtp(packet) => packet,
                other => panic!("{other:?}"),
            })
    }

    #[test]
    fn an_rtx_packet_becomes_the_original_packet() {
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
    fn rtx_padding_is_dropped_and_media_passes_unchanged() {
        assert!(unwrap(incoming(2, 97, &[])).is_none());
        assert!(unwrap(incoming(2, 97, &[1, 2])).is_none());
        assert!(unwrap(incoming(2, 99, &[1, 2, 3])).is_none());
        let media = unwrap(incoming(1, 96, &[1, 2, 3])).unwrap();
        assert_eq!((media.header.ssrc, media.header.sequence_number), (1, 9));
    }
}
