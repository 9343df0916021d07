//! The jitter buffer: packets in as the network brings them, out as the
//! playout clock asks for them. Pure: time is an argument.

mod arrivals;
mod concealment;
#[cfg(any(test, fuzzing))]
mod fuzzing;
mod opus_packet;
mod playout_delay;
mod repair;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::audio::{FRAME_SAMPLES, SAMPLE_RATE};
use crate::codec::opus::packet_samples;
use crate::packet::RtpPacket;
use crate::video::playout::sync::PlayoutTiming;
use arrivals::Arrivals;
use concealment::Concealment;
pub(crate) use concealment::ConcealmentCounts;
#[cfg(any(test, fuzzing))]
pub(crate) use fuzzing::fuzz;
use playout_delay::PlayoutDelay;
pub(crate) use playout_delay::Speed;
use repair::Repair;

/// What to play next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Decode this packet.
    Packet(Bytes),
    /// A packet of so many samples is lost; the one after it may carry it too.
    Recover {
        /// The packet after the lost one. It comes again as [`Outcome::Packet`].
        following: Bytes,
        /// Samples that are missing.
        samples: usize,
        /// Whether the packet does carry them.
        has_fec: bool,
    },
    /// Go on as if the sound continued, for so many samples.
    Conceal(usize),
    /// The sender pauses between its packets (DTX): go on with the noise of the room.
    Noise(usize),
    /// Nothing is to be heard, for so many samples.
    Silence(usize),
}

/// Counts since the buffer was made.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct JitterStats {
    /// Packets that came, late ones and duplicates too.
    pub(crate) received: u64,
    /// Bytes of their payload.
    pub(crate) bytes: u64,
    /// Packets whose turn passed without them.
    pub(crate) lost: u64,
    /// Samples of packets that were pulled (W3C `jitterBufferEmittedCount`).
    pub(crate) emitted_samples: u64,
    /// Seconds that each of these samples waited, in all (`jitterBufferDelay`).
    pub(crate) delay_seconds: f64,
    /// Target at each of these samples, in all (`jitterBufferTargetDelay`).
    pub(crate) target_seconds: f64,
    /// Packets that carry the one before them, too (W3C `fecPacketsReceived`).
    pub(crate) fec_packets: u64,
}

/// Packets of one sender in order, and when to play them.
///
/// ```text
///          push            held for the target delay
/// Waiting ──────► Waiting ─────────────────────────► Playing
///    ▲                                                 │
///    └───── 100 ms concealed, or nothing expected ─────┘
/// ```
///
/// After a pause of the sender packets are held again, so that the first words are
/// played at the same delay as those before.
#[derive(Debug)]
pub(crate) struct JitterBuffer {
    packets: BTreeMap<i64, Held>,
    /// Sum over `packets`.
    held_samples: usize,
    /// The extended sequence number whose turn it is; `None` before the first packet.
    next: Option<i64>,
    playing: bool,
    /// The sender said that it pauses: what is missing is silence.
    paused: bool,
    /// Samples in the last packet: how much a lost one is taken to hold.
    packet_samples: usize,
    /// The last packet that was played.
    last: Option<Last>,
    /// The first that came, or came after a pause: one before it that does not come is
    /// not lost (RFC 3550, appendix A.3).
    first: Option<i64>,
    /// Whether the next packet is the first after a pause.
    resumes: bool,
    /// Concealed since the last packet. Lost packets found later were heard as this.
    concealed_samples: usize,
    /// Passed over since the last packet, in a gap whose end is known.
    missing_samples: usize,
    playout: PlayoutDelay,
    /// The packet that was pulled last: its timestamp, and when it would have come with
    /// the quickest transit of late.
    newest: Option<(u32, Instant)>,
    /// What lip sync adds to the target.
    extra: Duration,
    repair: Repair,
    /// Where a sender that jumped would go on: believed the second time.
    suspect: Option<u16>,
    arrivals: Arrivals,
    concealment: Concealment,
    stats: JitterStats,
}

#[derive(Debug)]
struct Held {
    payload: Bytes,
    samples: usize,
    timestamp: u32,
    arrived_at: Instant,
    transit_ms: f64,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    /// The timestamp after its last sample.
    end: u32,
    /// Whether it begins a pause (DTX).
    is_dtx: bool,
}

/// Longest concealment before silence.
const MAX_CONCEALED: usize = SAMPLE_RATE as usize / 10;

/// Longest pause of a sender that is filled with noise, in samples: in a pause it sends
/// a packet every 400 ms.
const MAX_NOISE: usize = SAMPLE_RATE as usize;

/// Without a packet for so long and with a clock that stood still, the sender was
/// stopped; else the packets were late.
const MAX_LATE: usize = 2 * SAMPLE_RATE as usize;

/// Packets at the most, 2 s of 20 ms; beyond, the oldest go.
const MAX_PACKETS: usize = 100;

/// A step in sequence numbers beyond this, forward or back, is another stream
/// (RFC 3550, appendix A.1), if the next packet follows it.
const MAX_STEP: i64 = 100;

/// Above the target by so much, all that is too much goes at once.
const MAX_SURPLUS: Duration = Duration::from_millis(300);

impl JitterBuffer {
    /// An empty buffer.
    pub(crate) fn new() -> Self {
        Self {
            packets: BTreeMap::new(),
            held_samples: 0,
            next: None,
            playing: false,
            paused: false,
            packet_samples: FRAME_SAMPLES,
            last: None,
            first: None,
            resumes: false,
            concealed_samples: 0,
            missing_samples: 0,
            playout: PlayoutDelay::default(),
            newest: None,
            extra: Duration::ZERO,
            repair: Repair::default(),
            suspect: None,
            arrivals: Arrivals::default(),
            concealment: Concealment::default(),
            stats: JitterStats::default(),
        }
    }

    /// Takes a packet; what is no Opus, late, twice there or astray is counted and dropped.
    pub(crate) fn push(&mut self, packet: RtpPacket) {
        self.stats.received += 1;
        self.stats.bytes += packet.payload.len() as u64;
        let Some(samples) = packet_samples(&packet.payload) else {
            return;
        };
        let Some(sequence) = self.place(packet.sequence) else {
            return;
        };
        self.paused = false;
        let is_newest = match self.packets.last_key_value() {
            Some((&newest, _)) => sequence > newest,
            None => self.next.is_none_or(|next| sequence >= next),
        };
        if self.first.is_none() || (self.resumes && is_newest) {
            self.first = Some(sequence);
            self.resumes = false;
        }
        let transit_ms = self.arrivals.note(packet.arrived_at, packet.timestamp);
        if self.packets.contains_key(&sequence) || self.next.is_some_and(|next| sequence < next) {
            return;
        }
        let has_fec = opus_packet::has_fec(&packet.payload);
        self.repair.note_packet(has_fec);
        self.stats.fec_packets += u64::from(has_fec);
        let samples = samples as usize;
        self.held_samples += samples;
        self.packets.insert(
            sequence,
            Held {
                payload: packet.payload,
                samples,
                timestamp: packet.timestamp,
                arrived_at: packet.arrived_at,
                transit_ms,
            },
        );
        if self.packets.len() > MAX_PACKETS {
            self.skip_first();
        }
    }

    /// The sender pauses: play what is there, then silence, without concealment. What is
    /// passed over until the next packet is not lost.
    pub(crate) fn pause(&mut self) {
        self.paused = true;
        self.resumes = true;
        self.concealment.decide(0);
    }

    /// What to play now.
    pub(crate) fn pull(&mut self, now: Instant) -> Outcome {
        if !self.playing {
            if !self.is_ready(now) {
                return self.idle();
            }
            self.begin();
        }
        if self.delay() > self.target() + MAX_SURPLUS {
            while self.delay() > self.target() && self.packets.len() > 1 {
                self.skip_first();
            }
        }
        let Some((&first, _)) = self.packets.first_key_value() else {
            return self.underrun();
        };
        let mut next = self.next.unwrap_or(first);
        self.decide(self.lost_among(&(next..first)));
        if next < first && self.waits_for_late(first - next, now) {
            self.concealed_samples += self.packet_samples;
            self.concealment.conceal(self.packet_samples, false);
            return Outcome::Conceal(self.packet_samples);
        }
        // What was concealed while nothing was there stood for what is now known to be lost.
        while next < first && self.concealed_samples >= self.packet_samples {
            self.concealed_samples -= self.packet_samples;
            self.count_lost(next..next + 1);
            next += 1;
        }
        if next < first {
            self.next = Some(next + 1);
            self.count_lost(next..next + 1);
            return self.missing(next + 1 == first);
        }
        self.concealed_samples = 0;
        self.missing_samples = 0;
        self.concealment.end();
        self.note_emitted(now);
        let payload = self.take_first().unwrap_or_default();
        Outcome::Packet(payload)
    }

    /// A packet that was just pulled could not be decoded: something else is played.
    pub(crate) fn conceal_undecodable(&mut self, samples: usize) {
        self.concealment.conceal(samples, false);
    }

    /// Whether the packet that was just pulled is to be played faster or slower.
    pub(crate) fn advise(&mut self) -> Speed {
        self.playout.advise(self.target())
    }

    /// The packet that was just pulled was made so many samples longer, or shorter.
    pub(crate) fn note_stretched(&mut self, samples: isize) {
        self.playout.note_stretched(samples);
    }

    /// How long sound is to wait for packets that are late and, where some are lost, for
    /// those that carry them.
    pub(crate) fn target(&self) -> Duration {
        let repair = if self.repair.is_worth_waiting() {
            self.packet_samples
        } else {
            0
        };
        self.arrivals.target() + duration_of(repair) + self.extra
    }

    /// Lets all sound wait for so much longer.
    pub(crate) fn set_extra_delay(&mut self, extra: Duration) {
        self.extra = extra;
    }

    /// When what was pulled last is played. It is that of the target: the delay follows it
    /// by stretching, and lip sync must not add more meanwhile.
    pub(crate) fn timing(&self) -> Option<PlayoutTiming> {
        let (timestamp, arrived_at) = self.newest?;
        Some(PlayoutTiming {
            timestamp,
            arrived_at,
            delay: self.target(),
        })
    }

    /// From when a packet would have come with the quickest transit of late until now.
    fn playout_delay(&self, packet: &Held, now: Instant) -> Duration {
        now.saturating_duration_since(packet.arrived_at) + self.arrivals.lateness(packet.transit_ms)
    }

    fn note_emitted(&mut self, now: Instant) {
        let Some((_, first)) = self.packets.first_key_value() else {
            return;
        };
        let delay = self.playout_delay(first, now);
        let quickest = now.checked_sub(delay).unwrap_or(now);
        self.newest = Some((first.timestamp, quickest));
        let waited = now.saturating_duration_since(first.arrived_at);
        let samples = first.samples as f64;
        self.stats.emitted_samples += first.samples as u64;
        self.stats.delay_seconds += waited.as_secs_f64() * samples;
        self.stats.target_seconds += self.target().as_secs_f64() * samples;
        self.playout.note(delay);
        self.repair.note_turn(false);
    }

    /// How much sound waits.
    pub(crate) fn delay(&self) -> Duration {
        duration_of(self.held_samples)
    }

    /// Inter-arrival jitter (RFC 3550, section 6.4.1).
    pub(crate) fn jitter(&self) -> Duration {
        self.arrivals.jitter()
    }

    /// Counts so far.
    pub(crate) fn stats(&self) -> JitterStats {
        self.stats
    }

    /// What was played in place of packets so far.
    pub(crate) fn concealed(&self) -> ConcealmentCounts {
        self.concealment.counts()
    }

    /// The extended sequence number, or `None` for a packet that is not believed yet.
    fn place(&mut self, sequence: u16) -> Option<i64> {
        let Some(newest) = self
            .packets
            .last_key_value()
            .map(|(&newest, _)| newest)
            .or(self.next)
        else {
            return Some(i64::from(sequence));
        };
        let step = i64::from(sequence.wrapping_sub(newest as u16) as i16);
        if step.abs() <= MAX_STEP {
            self.suspect = None;
            return Some(newest + step);
        }
        if self.suspect == Some(sequence) {
            self.restart();
            return Some(i64::from(sequence));
        }
        self.suspect = Some(sequence.wrapping_add(1));
        None
    }

    /// Another stream begins.
    fn restart(&mut self) {
        self.concealment.decide(0);
        *self = Self {
            stats: self.stats,
            concealment: std::mem::take(&mut self.concealment),
            packet_samples: self.packet_samples,
            extra: self.extra,
            ..Self::new()
        };
    }

    /// Whether the first packet has waited long enough to begin with.
    fn is_ready(&self, now: Instant) -> bool {
        let first = self.packets.values().next();
        first.is_some_and(|first| self.playout_delay(first, now) >= self.target())
    }

    /// Whether a missing packet is rather late than lost: waiting for it makes the delay
    /// longer.
    fn waits_for_late(&self, missing: i64, now: Instant) -> bool {
        let Some((_, first)) = self.packets.first_key_value() else {
            return false;
        };
        let missing = usize::try_from(missing).unwrap_or(usize::MAX);
        let before_first = duration_of(missing.saturating_mul(self.packet_samples));
        self.playout_delay(first, now).saturating_add(before_first) < self.arrivals.latest()
            && self.concealed_samples + self.packet_samples <= MAX_CONCEALED
    }

    /// Begins with the first packet there is: what is missing before it had its
    /// time while there was silence.
    fn begin(&mut self) {
        self.playing = true;
        self.playout = PlayoutDelay::default();
        self.concealed_samples = 0;
        if self.next.is_none() {
            self.leave_out_unconnected();
        }
        let first = self.packets.first_key_value().map(|(&first, _)| first);
        if let (Some(first), Some(next)) = (first, self.next) {
            self.decide(self.lost_among(&(next..first)));
            self.count_lost(next..first);
        }
        self.next = first;
    }

    /// Leaves out packets that the first one overtook, where others are missing between
    /// them: they would not be asked for again.
    fn leave_out_unconnected(&mut self) {
        let Some(mut start) = self.first else {
            return;
        };
        while self.packets.contains_key(&(start - 1)) {
            start -= 1;
        }
        while let Some(packet) = self
            .packets
            .first_entry()
            .filter(|entry| *entry.key() < start)
        {
            self.held_samples -= packet.remove().samples;
        }
    }

    /// Decides what the samples stood for that were played since the last packet, now
    /// that the next one is here and so many are missing before it.
    fn decide(&mut self, missing: u64) {
        let undecided = self.concealment.undecided();
        let (Some(last), Some((_, first))) = (self.last, self.packets.first_key_value()) else {
            self.concealment.decide(0);
            return;
        };
        let missing = usize::try_from(missing).unwrap_or(usize::MAX);
        let pause = first.timestamp.wrapping_sub(last.end) as i32;
        let concealed = match missing {
            // The sender sent nothing, by its clock or for too long to be late.
            0 if pause > 0 || undecided > MAX_LATE => 0,
            0 => undecided,
            missing => missing.saturating_mul(self.packet_samples),
        };
        self.concealment.decide(concealed);
    }

    /// How many of these packets, which did not come, are lost.
    fn lost_among(&self, numbers: &std::ops::Range<i64>) -> u64 {
        let first = self.first.unwrap_or(numbers.start);
        let lost = numbers.end - numbers.start.max(first);
        u64::try_from(lost).unwrap_or(0)
    }

    fn count_lost(&mut self, numbers: std::ops::Range<i64>) {
        let lost = self.lost_among(&numbers);
        self.stats.lost += lost;
        (0..lost).for_each(|_| self.repair.note_turn(true));
    }

    fn take_first(&mut self) -> Option<Bytes> {
        let (sequence, held) = self.packets.pop_first()?;
        self.held_samples -= held.samples;
        self.packet_samples = held.samples;
        self.next = Some(sequence + 1);
        self.last = Some(Last {
            end: held.timestamp.wrapping_add(held.samples as u32),
            is_dtx: opus_packet::is_dtx(&held.payload),
        });
        Some(held.payload)
    }

    /// Passes over the first packet and over what was missing before it.
    fn skip_first(&mut self) {
        let before = self.next;
        self.take_first();
        if let (Some(before), Some(after)) = (before, self.next) {
            self.count_lost(before..after - 1);
        }
    }

    fn missing(&mut self, is_last: bool) -> Outcome {
        let samples = self.packet_samples;
        if is_last && let Some((_, first)) = self.packets.first_key_value() {
            let following = first.payload.clone();
            let has_fec = opus_packet::has_fec(&following);
            if has_fec {
                self.concealment.end();
            } else {
                self.concealment.conceal(samples, false);
            }
            return Outcome::Recover {
                following,
                samples,
                has_fec,
            };
        }
        self.missing_samples += samples;
        let is_silent = self.missing_samples > MAX_CONCEALED;
        self.concealment.conceal(samples, is_silent);
        if is_silent {
            Outcome::Silence(samples)
        } else {
            Outcome::Conceal(samples)
        }
    }

    fn underrun(&mut self) -> Outcome {
        let samples = self.packet_samples;
        let is_pause = self.paused || self.last.is_some_and(|last| last.is_dtx);
        if is_pause || self.concealed_samples + samples > MAX_CONCEALED {
            self.playing = false;
            return self.idle();
        }
        self.concealed_samples += samples;
        self.concealment.wait(samples, false);
        Outcome::Conceal(samples)
    }

    /// What is played while nothing is, or while what came is held.
    fn idle(&mut self) -> Outcome {
        let samples = self.packet_samples;
        if self.paused || self.last.is_none() {
            return Outcome::Silence(samples);
        }
        let is_dtx = self.last.is_some_and(|last| last.is_dtx);
        if is_dtx && self.concealment.undecided() < MAX_NOISE {
            self.concealment.wait(samples, false);
            return Outcome::Noise(samples);
        }
        self.concealment.wait(samples, true);
        Outcome::Silence(samples)
    }
}

fn duration_of(samples: usize) -> Duration {
    Duration::from_micros((samples as u64).saturating_mul(1_000_000) / u64::from(SAMPLE_RATE))
}
