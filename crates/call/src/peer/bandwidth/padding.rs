//! Packets that fill up a probe: retransmissions of what was just sent (RFC 4588), which
//! the receiver drops as duplicates.
//!
//! webrtc-rs cannot write more than four bytes of RTP padding, so that padding alone is
//! used only before any video was sent.

use std::collections::{HashMap, VecDeque};

use bytes::{BufMut, Bytes, BytesMut};
use rtc::interceptor::StreamInfo;
use rtc::rtp;

use crate::rtp::{PayloadType, SequenceNumber, Ssrc};

/// Packets kept to choose a size from.
const KEPT: usize = 8;
/// The original sequence number before the payload (RFC 4588, section 4).
const OSN_BYTES: usize = 2;
/// Header of a packet with the transport-wide sequence number.
const HEADER_BYTES: usize = 20;
/// Size of a packet with padding alone.
const EMPTY_BYTES: usize = HEADER_BYTES + 4;

/// An RTX stream of ours.
#[derive(Debug, Clone, Copy)]
struct RtxStream {
    payload_type: PayloadType,
    /// Retransmissions and padding share the sequence.
    next: SequenceNumber,
}

/// Makes packets that fill up probes, and numbers those of the RTX streams.
#[derive(Debug, Default)]
pub(super) struct Padding {
    streams: HashMap<Ssrc, RtxStream>,
    /// RTX streams by their media.
    rtx: HashMap<Ssrc, Ssrc>,
    /// The newest video packets, with the SSRC of their RTX stream.
    kept: VecDeque<(Ssrc, rtp::Packet)>,
}

/// A packet that [`Padding::choose`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    /// Of the packets kept; none for padding alone.
    index: Option<usize>,
    /// Size of the RTP packet.
    pub(super) bytes: usize,
}

impl Padding {
    /// The stream of a retransmission, and the number of the packet that it repeats: in an
    /// RTX stream before the payload (RFC 4588, section 4), else its own.
    pub(super) fn original_of(&self, packet: &rtp::Packet) -> (Ssrc, SequenceNumber) {
        let ssrc = Ssrc(packet.header.ssrc);
        let number = match packet.payload.first_chunk::<OSN_BYTES>() {
            Some(osn) if self.streams.contains_key(&ssrc) => u16::from_be_bytes(*osn),
            _ => packet.header.sequence_number,
        };
        (ssrc, SequenceNumber(number))
    }

    /// The media stream of an RTX stream; any other stream itself.
    pub(super) fn media_of(&self, ssrc: Ssrc) -> Ssrc {
        let mut streams = self.rtx.iter();
        let found = streams.find(|(_, rtx)| **rtx == ssrc);
        found.map_or(ssrc, |(media, _)| *media)
    }

    pub(super) fn bind(&mut self, info: &StreamInfo) {
        let (Some(rtx), Some(payload_type)) = (info.ssrc_rtx, info.payload_type_rtx) else {
            return;
        };
        self.rtx.insert(Ssrc(info.ssrc), Ssrc(rtx));
        let stream = self.streams.entry(Ssrc(rtx)).or_insert(RtxStream {
            payload_type: PayloadType(payload_type),
            next: SequenceNumber(rand::random()),
        });
        stream.payload_type = PayloadType(payload_type);
        // What was sent in another format is not sent again.
        self.kept.retain(|(ssrc, _)| *ssrc != Ssrc(rtx));
    }

    pub(super) fn unbind(&mut self, info: &StreamInfo) {
        if let Some(rtx) = self.rtx.remove(&Ssrc(info.ssrc)) {
            // The stream's sequence continues when it is bound again.
            self.kept.retain(|(ssrc, _)| *ssrc != rtx);
        }
    }

    /// Keeps a video packet, and numbers a packet of an RTX stream.
    pub(super) fn sent(&mut self, packet: &mut rtp::Packet) {
        let ssrc = Ssrc(packet.header.ssrc);
        if let Some(stream) = self.streams.get_mut(&ssrc) {
            packet.header.sequence_number = stream.next.0;
            stream.next = SequenceNumber(stream.next.0.wrapping_add(1));
        } else if let Some(rtx) = self.rtx.get(&ssrc) {
            if self.kept.len() == KEPT {
                self.kept.pop_front();
            }
            self.kept.push_back((*rtx, packet.clone()));
        }
    }

    /// The packet that comes closest to a wanted size; none without an RTX stream.
    pub(super) fn choose(&self, wanted: usize) -> Option<Choice> {
        let sizes = self.kept.iter().enumerate().map(|(index, (_, packet))| {
            let size = HEADER_BYTES + OSN_BYTES + packet.payload.len();
            (size.abs_diff(wanted), index, size)
        });
        match sizes.min() {
            Some((_, index, bytes)) => Some(Choice {
                index: Some(index),
                bytes,
            }),
            None => (!self.rtx.is_empty()).then_some(Choice {
                index: None,
                bytes: EMPTY_BYTES,
            }),
        }
    }

    /// Makes the packet.
    pub(super) fn make(&self, choice: Choice) -> Option<rtp::Packet> {
        let (ssrc, original) = match choice.index {
            Some(index) => {
                let (ssrc, packet) = self.kept.get(index)?;
                (*ssrc, Some(packet))
            }
            None => (*self.rtx.values().next()?, None),
        };
        let stream = self.streams.get(&ssrc)?;
        let header = rtp::header::Header {
            version: 2,
            padding: original.is_none(),
            payload_type: stream.payload_type.0,
            timestamp: original.map_or(0, |packet| packet.header.timestamp),
            marker: original.is_some_and(|packet| packet.header.marker),
            ssrc: ssrc.0,
            ..Default::default()
        };
        let payload = original.map_or_else(Bytes::new, |packet| {
            let mut payload = BytesMut::with_capacity(OSN_BYTES + packet.payload.len());
            payload.put_u16(packet.header.sequence_number);
            payload.put_slice(&packet.payload);
            payload.freeze()
        });
        Some(rtp::Packet { header, payload })
    }
}
