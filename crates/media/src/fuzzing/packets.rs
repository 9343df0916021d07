//! What is made of RTP payloads and packets.

use std::time::{Duration, Instant};

use super::Script;
use crate::audio::jitter;
use crate::packet::{RtpPacket, VideoCodec};
use crate::video::assembly;
use crate::video::depacketize::{self as payloads, ParameterSets};

/// Puts the payloads of one frame together. The first byte is the codec; then each
/// payload follows its length in a byte.
pub fn depacketize(input: &[u8]) {
    let mut script = Script(input);
    let codec = codec(script.byte().unwrap_or_default());
    let mut parts = Vec::new();
    while !script.0.is_empty() {
        parts.push(script.bytes());
    }
    let starts: Vec<_> = parts
        .iter()
        .map(|payload| payloads::key_frame_start(codec, payload))
        .collect();
    let Ok(frame) = payloads::frame(codec, parts.iter().copied()) else {
        return;
    };
    let length: usize = parts.iter().map(|payload| payload.len()).sum();
    match codec {
        VideoCodec::Vp8 => {
            assert!(frame.len() < length);
            assert_eq!(starts[0].is_some(), frame[0] & 1 == 0);
        }
        // Of a unit of one byte in an aggregation packet, three bytes become five.
        VideoCodec::H264 => {
            let length = 2 * length + 4 * parts.len();
            assert!(frame.len() <= length);
            let mut sets = ParameterSets::default();
            let first = sets.complete(frame.clone());
            // What it learned makes a later frame longer by no more than its own length.
            if let Some(again) = sets.complete(frame) {
                assert!(first.is_some_and(|first| first.is_idr == again.is_idr));
                assert!(again.data.len() <= 2 * length);
            }
        }
    }
}

fn codec(byte: u8) -> VideoCodec {
    if byte & 1 == 0 {
        VideoCodec::Vp8
    } else {
        VideoCodec::H264
    }
}

/// Plays a script of packets, time steps and reads to the frame assembler or to the
/// audio jitter buffer. The first byte says to which.
pub fn assembly(input: &[u8]) {
    let mut script = Script(input);
    match script.byte() {
        Some(byte) if byte & 2 != 0 => jitter::fuzz(&mut Packets::new(script)),
        Some(byte) => assembly::fuzz(codec(byte), &mut Packets::new(script)),
        None => {}
    }
}

/// What a script does next.
pub(crate) enum Step {
    /// A packet arrives.
    Push(RtpPacket),
    /// Reads what can be read.
    Read,
    /// Another call; which one is up to the target.
    Other(u8),
}

/// The packets of a script. Near the newest number the timestamp of a packet is its
/// extended sequence number divided by `PACKETS_PER_FRAME`, so that order can be checked.
pub(crate) struct Packets<'a> {
    script: Script<'a>,
    /// The extended number of the packet before.
    pub(crate) last: i64,
    /// The first and the highest so far.
    ends: Option<(i64, i64)>,
    pub(crate) now: Instant,
    /// Whether all packets so far belong to one stream, in an order that a network
    /// may bring them in.
    pub(crate) is_one_stream: bool,
}

/// Packets of each frame of a script.
const PACKETS_PER_FRAME: i64 = 3;
/// Ticks between two frames of a script.
const TICKS: i64 = 960;
/// How late a packet of the same stream may be, in packets.
const MAX_LATE: i64 = 90;

impl<'a> Packets<'a> {
    fn new(mut script: Script<'a>) -> Self {
        Self {
            last: i64::from(script.number()),
            script,
            ends: None,
            now: Instant::now(),
            is_one_stream: true,
        }
    }

    /// The next step, or `None` at the end.
    pub(crate) fn step(&mut self) -> Option<Step> {
        let how = self.script.byte()?;
        Some(match how & 7 {
            0..=3 => Step::Push(self.packet(how)),
            4 | 5 => {
                let ms = u64::from(self.script.byte().unwrap_or_default());
                self.now += Duration::from_millis(ms);
                Step::Read
            }
            6 => Step::Read,
            _ => Step::Other(how >> 3),
        })
    }

    /// How many packets one stream had from the first that came to the newest: no more
    /// can be lost.
    pub(crate) fn span(&self) -> Option<u64> {
        let (first, newest) = self.ends.filter(|_| self.is_one_stream)?;
        Some(first.abs_diff(newest))
    }

    fn packet(&mut self, how: u8) -> RtpPacket {
        let step = match how & 3 {
            0 | 1 => 1,
            2 => i64::from(self.script.byte().unwrap_or_default() as i8),
            _ => {
                self.is_one_stream = false;
                i64::from(self.script.number() as i16)
            }
        };
        self.last += step;
        let (first, newest) = self.ends.unwrap_or((self.last, self.last));
        self.is_one_stream &= (newest - MAX_LATE..newest + MAX_LATE).contains(&self.last);
        self.ends = Some((first, newest.max(self.last)));
        let frame = self.last.div_euclid(PACKETS_PER_FRAME);
        let mut timestamp = (frame * TICKS) as u32;
        if how & 0x40 != 0 {
            self.is_one_stream = false;
            timestamp = u32::from(self.script.number()) << 16;
        }
        RtpPacket {
            sequence: self.last as u16,
            timestamp,
            marker: (how & 0x80 != 0)
                || self.last.rem_euclid(PACKETS_PER_FRAME) == PACKETS_PER_FRAME - 1,
            payload: bytes::Bytes::copy_from_slice(self.script.bytes()),
            arrived_at: self.now,
        }
    }
}
