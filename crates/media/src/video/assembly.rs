//! Packets back to frames, in order. Pure: the time is an argument.

#[cfg(any(test, fuzzing))]
mod fuzzing;
mod window;

use std::time::{Duration, Instant};

use crate::packet::{RtpPacket, VideoCodec};
use crate::video::depacketize::{self, KeyFrameStart, ParameterSets};
#[cfg(any(test, fuzzing))]
pub(crate) use fuzzing::fuzz;
use window::{Place, Window};

/// How long a gap may wait for its repair (NACK and RTX) before the frames
/// behind it are given up: a round trip to another continent.
pub const REPAIR_LIMIT: Duration = Duration::from_millis(200);

/// Packets that are held at the most; a power of two. A key frame of 1080p has
/// under 200.
const CAPACITY: u64 = 1_024;
/// Packets outside of the window are another run of the sequence numbers when so many
/// follow one another without a gap (RFC 3550, appendix A.1: `MIN_SEQUENTIAL`).
const RESTART_RUN: u32 = 2;
/// The same for packets that may be late retransmissions, which can follow one another
/// too.
const LATE_RUN: u32 = 16;
/// A retransmission does not come so long after the last packet of the window.
const LATE_LIMIT: Duration = Duration::from_secs(2);
/// A step ahead of up to so many packets is loss (RFC 3550, appendix A.1: `MAX_DROPOUT`).
const MAX_DROPOUT: u16 = 3_000;

/// One whole frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssembledFrame {
    /// The bit stream.
    pub data: Vec<u8>,
    /// Whether a decoder can start here.
    pub key_frame: bool,
    /// Its RTP timestamp.
    pub timestamp: u32,
    /// When the first of its packets arrived.
    pub first_arrival: Instant,
    /// When the packet arrived that completed it.
    pub last_arrival: Instant,
    /// Whether one of its packets arrived after a later packet of the stream: it was
    /// sent again, or overtaken.
    pub is_repaired: bool,
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// It is held.
    New,
    /// It was there already.
    Duplicate,
    /// It is too late, or far from all others.
    Outside,
}

/// Counts since the beginning; all only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AssemblyCounts {
    /// Packets that had not come when they were given up.
    pub packets_lost: u64,
    /// Frames given up: incomplete, malformed, or not decodable without one
    /// that was. Of a frame without any packet nothing is known.
    pub frames_dropped: u64,
}

/// Puts one stream's packets in order and joins them to frames.
///
/// A frame is given out when it is whole and every frame before it was: packets
/// of one timestamp, from where the last frame ended up to the marker bit. A
/// gap waits [`REPAIR_LIMIT`]; then everything up to the next key frame is
/// given up, and [`key_frame_needed`](Self::key_frame_needed) says so.
pub struct Assembler {
    codec: VideoCodec,
    /// A ring; the place of a packet is its extended number modulo its length.
    slots: Vec<Option<RtpPacket>>,
    window: Option<Window>,
    /// Since when the front waits for a packet while later ones are here.
    gap_since: Option<Instant>,
    /// No frame but a key frame can be decoded.
    awaits_key_frame: bool,
    key_frame_needed: bool,
    stray: Option<Stray>,
    /// The timestamp of the newest packet of the window, and when its last one came.
    newest_timestamp: Option<u32>,
    last_arrival: Option<Instant>,
    parameter_sets: ParameterSets,
    /// Whether the front is the beginning of a frame.
    at_frame: bool,
    /// The frame last given up, which may go in several parts.
    last_dropped: Option<u32>,
    counts: AssemblyCounts,
}

/// The newest packet outside of the window.
struct Stray {
    packet: RtpPacket,
    /// Packets up to it that followed one another.
    run: u32,
}

enum Front {
    /// Whole, up to this number (exclusive).
    Whole(u64),
    /// This packet is missing, and later ones are here.
    Gap(u64),
    /// The rest has yet to come.
    Unfinished,
}

impl Assembler {
    /// An assembler that waits for the first key frame.
    pub fn new(codec: VideoCodec) -> Self {
        Self {
            codec,
            slots: vec![None; CAPACITY as usize],
            window: None,
            gap_since: None,
            awaits_key_frame: true,
            key_frame_needed: false,
            stray: None,
            newest_timestamp: None,
            last_arrival: None,
            parameter_sets: ParameterSets::default(),
            at_frame: true,
            last_dropped: None,
            counts: AssemblyCounts::default(),
        }
    }

    /// What was given up so far.
    pub fn counts(&self) -> AssemblyCounts {
        self.counts
    }

    /// Whether nothing will be given out until a key frame comes that has to
    /// be asked for.
    pub fn key_frame_needed(&self) -> bool {
        self.key_frame_needed
    }

    /// When [`pop`](Self::pop) has something to do though no packet comes.
    pub fn deadline(&self) -> Option<Instant> {
        self.gap_since.map(|since| since + REPAIR_LIMIT)
    }

    /// The decoder lost its way: only a key frame helps.
    pub fn require_key_frame(&mut self) {
        self.awaits_key_frame = true;
        self.key_frame_needed = true;
    }

    /// Keeps an H.264 parameter set that was signalled outside of the stream.
    pub fn learn_parameter_set(&mut self, unit: &[u8]) {
        self.parameter_sets.learn(unit);
    }

    /// Forgets the packets, without asking for a key frame; what follows is of this
    /// codec. The stream continues: a late packet of before is still late.
    pub fn reset(&mut self, codec: VideoCodec) {
        let mut window = self.window;
        if let Some(window) = &mut window {
            window.clear();
        }
        *self = Self {
            counts: self.counts,
            window,
            newest_timestamp: self.newest_timestamp,
            last_arrival: self.last_arrival,
            parameter_sets: std::mem::take(&mut self.parameter_sets),
            ..Self::new(codec)
        };
    }

    /// Takes a packet.
    pub fn push(&mut self, packet: RtpPacket) -> Inserted {
        let sequence = packet.sequence;
        let window = self
            .window
            .get_or_insert_with(|| Window::starting_at(sequence));
        let number = match window.place(sequence) {
            Place::Within(number) => number,
            Place::Late => return self.stray(packet, true),
            Place::Far => return self.stray(packet, false),
        };
        self.stray = None;
        self.last_arrival = Some(packet.arrived_at);
        if number >= window.end {
            self.newest_timestamp = Some(packet.timestamp);
        }
        let slot = &mut self.slots[(number % CAPACITY) as usize];
        if slot.is_some() {
            return Inserted::Duplicate;
        }
        window.note(number);
        *slot = Some(packet);
        Inserted::New
    }

    /// Takes a packet outside of the window, and starts again where such packets follow
    /// one another. Those of a late retransmission do too: it has an old timestamp, and
    /// comes soon after other packets.
    fn stray(&mut self, packet: RtpPacket, is_late: bool) -> Inserted {
        let before = self.stray.take();
        let before =
            before.filter(|stray| stray.packet.sequence.wrapping_add(1) == packet.sequence);
        let run = before.as_ref().map_or(1, |stray| stray.run + 1);
        let is_newer = |newest: u32| packet.timestamp.wrapping_sub(newest) as i32 > 0;
        let is_restart = if is_late && !self.newest_timestamp.is_some_and(is_newer) {
            let since = self.last_arrival.unwrap_or(packet.arrived_at);
            let pause = packet.arrived_at.saturating_duration_since(since);
            run >= LATE_RUN && pause >= LATE_LIMIT
        } else {
            run >= RESTART_RUN
        };
        if let Some(before) = before.filter(|_| is_restart) {
            self.restart(before.packet.sequence);
            self.push(before.packet);
            return self.push(packet);
        }
        self.stray = Some(Stray { packet, run });
        Inserted::Outside
    }

    /// Gives up all packets: the sequence numbers go on elsewhere.
    fn restart(&mut self, sequence: u16) {
        if let Some(window) = self.window {
            self.give_up(window.end);
            let ahead = sequence.wrapping_sub(window.end as u16);
            if ahead <= MAX_DROPOUT {
                self.counts.packets_lost += u64::from(ahead);
            }
        }
        self.reset(self.codec);
        self.window = None;
        self.newest_timestamp = None;
        self.require_key_frame();
    }

    /// The next frame to decode, if there is one now.
    pub fn pop(&mut self, now: Instant) -> Option<AssembledFrame> {
        loop {
            let window = self.window?;
            if self.awaits_key_frame
                && let Some(start) =
                    (window.front..window.end).find(|&number| self.starts_key_frame(number))
                && start > window.front
            {
                self.give_up(start);
                self.at_frame = true;
            }
            match self.front()? {
                Front::Unfinished => {
                    self.gap_since = None;
                    return None;
                }
                Front::Whole(end) => {
                    let frame = self.take(end);
                    if frame.is_some() {
                        return frame;
                    }
                }
                Front::Gap(missing) => {
                    if now.saturating_duration_since(*self.gap_since.get_or_insert(now))
                        < REPAIR_LIMIT
                    {
                        return None;
                    }
                    // The packet behind the gap may be in the middle of a frame.
                    let behind = (missing..window.end).find(|&number| self.slot(number).is_some());
                    self.give_up(behind.unwrap_or(window.end));
                    self.require_key_frame();
                }
            }
        }
    }

    fn slot(&self, number: u64) -> Option<&RtpPacket> {
        self.slots[(number % CAPACITY) as usize].as_ref()
    }

    fn starts_key_frame(&self, number: u64) -> bool {
        let start = |packet: &RtpPacket| depacketize::key_frame_start(self.codec, &packet.payload);
        match self.slot(number).and_then(start) {
            Some(KeyFrameStart::Complete) => true,
            Some(KeyFrameStart::NeedsParameterSets) => {
                self.parameter_sets.are_known() && self.begins_frame(number)
            }
            None => false,
        }
    }

    /// Whether the packet with this number, which is here, is the first of a frame.
    fn begins_frame(&self, number: u64) -> bool {
        match self.window {
            Some(window) if window.front == number => self.at_frame,
            _ => {
                let timestamp = self.slot(number).map(|packet| packet.timestamp);
                self.slot(number - 1)
                    .is_some_and(|before| before.marker || Some(before.timestamp) != timestamp)
            }
        }
    }

    fn front(&self) -> Option<Front> {
        let Window { front, end, .. } = self.window?;
        let mut timestamp = None;
        for number in front..end {
            let Some(packet) = self.slot(number) else {
                return Some(Front::Gap(number));
            };
            // A new timestamp ends a frame too: not every sender marks the last.
            if *timestamp.get_or_insert(packet.timestamp) != packet.timestamp {
                return Some(Front::Whole(number));
            }
            if packet.marker {
                return Some(Front::Whole(number + 1));
            }
        }
        Some(Front::Unfinished)
    }

    /// Takes the whole frame at the front, if it can be decoded.
    fn take(&mut self, end: u64) -> Option<AssembledFrame> {
        let at_frame = std::mem::replace(&mut self.at_frame, true);
        let packets = self.advance(end);
        let timestamp = packets.first()?.timestamp;
        let arrivals = || packets.iter().map(|packet| packet.arrived_at);
        let (first_arrival, last_arrival) = (arrivals().min()?, arrivals().max()?);
        let after = self.slot(end).map(|packet| packet.arrived_at);
        let is_repaired = !arrivals().chain(after).is_sorted();
        let payloads = packets
            .iter()
            .map(|packet| &packet.payload[..])
            .filter(|payload| !payload.is_empty());
        let data = match depacketize::frame(self.codec, payloads) {
            Ok(data) => data,
            // Packets without payload only probe the bandwidth.
            Err(_) if packets.iter().all(|packet| packet.payload.is_empty()) => return None,
            Err(_) => {
                self.count_dropped(timestamp);
                self.require_key_frame();
                return None;
            }
        };
        let (data, key_frame) = match self.codec {
            VideoCodec::Vp8 => {
                let key_frame = data.first().is_some_and(|tag| tag & 1 == 0);
                (data, key_frame)
            }
            VideoCodec::H264 => {
                let frame = self.parameter_sets.complete(data)?;
                // Without its beginning, new parameter sets may be lost.
                let has_sets = frame.has_sps || (at_frame && self.parameter_sets.are_known());
                (frame.data, frame.is_idr && has_sets)
            }
        };
        if self.awaits_key_frame && !key_frame {
            self.count_dropped(timestamp);
            self.key_frame_needed = true;
            return None;
        }
        self.awaits_key_frame &= !key_frame;
        self.key_frame_needed &= !key_frame;
        Some(AssembledFrame {
            data,
            key_frame,
            timestamp,
            first_arrival,
            last_arrival,
            is_repaired,
        })
    }

    /// Gives up everything before `to`.
    fn give_up(&mut self, to: u64) {
        let Some(window) = self.window else {
            return;
        };
        let passed = window.front..to;
        let expected = window.expected(&passed);
        let packets = self.advance(to);
        self.at_frame = false;
        self.counts.packets_lost += expected.saturating_sub(packets.len() as u64);
        for packet in packets {
            self.count_dropped(packet.timestamp);
        }
    }

    fn count_dropped(&mut self, timestamp: u32) {
        if self.last_dropped.replace(timestamp) != Some(timestamp) {
            self.counts.frames_dropped += 1;
        }
    }

    /// Moves the front and gives back the packets before it.
    fn advance(&mut self, to: u64) -> Vec<RtpPacket> {
        let Some(window) = self.window.as_mut() else {
            return Vec::new();
        };
        self.gap_since = None;
        window
            .advance(to)
            .filter_map(|number| self.slots[(number % CAPACITY) as usize].take())
            .collect()
    }
}

#[cfg(test)]
mod tests;
