//! The simplest packetizers of RFC 7741 and RFC 6184: what the receiver is
//! tested against.

use std::time::Instant;

use bytes::Bytes;

use crate::packet::{EncodedVideo, RtpPacket, VideoCodec};

const MAX_PAYLOAD: usize = 500;

pub struct Packetizer {
    codec: VideoCodec,
    sequence: u16,
}

impl Packetizer {
    pub fn new(codec: VideoCodec, sequence: u16) -> Self {
        Self { codec, sequence }
    }

    pub fn packets(&mut self, video: &EncodedVideo) -> Vec<RtpPacket> {
        let payloads = match self.codec {
            VideoCodec::Vp8 => vp8(&video.data),
            VideoCodec::H264 => h264(units(&video.data)),
        };
        self.numbered(payloads, video.timestamp)
    }

    /// The packets of one access unit of H.264.
    pub fn unit_packets(&mut self, units: &[Vec<u8>], timestamp: u32) -> Vec<RtpPacket> {
        let payloads = h264(units.iter().map(Vec::as_slice));
        self.numbered(payloads, timestamp)
    }

    fn numbered(&mut self, payloads: Vec<Vec<u8>>, timestamp: u32) -> Vec<RtpPacket> {
        let last = payloads.len() - 1;
        let packet = |(place, payload): (usize, Vec<u8>)| {
            self.sequence = self.sequence.wrapping_add(1);
            RtpPacket {
                sequence: self.sequence,
                timestamp,
                marker: place == last,
                payload: Bytes::from(payload),
                arrived_at: Instant::now(),
            }
        };
        payloads.into_iter().enumerate().map(packet).collect()
    }
}

fn vp8(data: &[u8]) -> Vec<Vec<u8>> {
    let chunks = data.chunks(MAX_PAYLOAD).enumerate();
    chunks
        .map(|(place, chunk)| [&[if place == 0 { 0x10 } else { 0 }], chunk].concat())
        .collect()
}

fn h264<'a>(units: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    for unit in units {
        if unit.len() <= MAX_PAYLOAD {
            payloads.push(unit.to_vec());
            continue;
        }
        let chunks: Vec<&[u8]> = unit[1..].chunks(MAX_PAYLOAD).collect();
        for (place, chunk) in chunks.iter().enumerate() {
            let start = if place == 0 { 0x80 } else { 0 };
            let end = if place + 1 == chunks.len() { 0x40 } else { 0 };
            payloads.push([&[unit[0] & 0x60 | 28, start | end | unit[0] & 0x1F], *chunk].concat());
        }
    }
    payloads
}

/// The NAL units of an Annex B stream.
pub fn units(data: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<usize> = (0..data.len().saturating_sub(3))
        .filter(|&at| data[at..at + 3] == [0, 0, 1])
        .collect();
    let ends = starts.iter().skip(1).copied().chain([data.len() + 1]);
    let unit = |(start, end): (&usize, usize)| {
        let unit = &data[start + 3..end.min(data.len())];
        let zeros = unit.iter().rev().take_while(|&&byte| byte == 0).count();
        &unit[..unit.len() - zeros]
    };
    starts.iter().zip(ends).map(unit).collect()
}
