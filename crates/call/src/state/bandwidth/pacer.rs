//! Spreads the packets to one peer over time, and sends probes.
//!
//! An encoder delivers a frame at once. Sent at once, it would fill the queue of a slow
//! link, in which the sound waits behind it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::history::ProbeId;
use super::probe::Probe;

/// Rate of sending, as a multiple of the target: a key frame several times as large as
/// the others must not delay them for long.
const RATE: f64 = 2.5;
/// The same while a queue of the network drains: it drains no faster than we let it.
const DRAINING_RATE: f64 = 1.0;
/// With a longer queue there is no room for another frame. Frames wait with the encoder's
/// other frames instead, where those that are superseded by a key frame are left out.
const ROOM: Duration = Duration::from_millis(100);
/// Time that a late timer may catch up. A burst of this length is one group for the
/// estimator.
const CATCH_UP: Duration = Duration::from_millis(5);
/// The same within a probe, which measures the rate of sending.
const PROBE_CATCH_UP: Duration = Duration::from_millis(2);
/// Bytes queued: more than any frame. A packet beyond is dropped, and the receiver
/// requests it again.
const MAX_BYTES: usize = 4_000_000;
/// Packets queued.
const MAX_PACKETS: usize = 8_192;

/// The order of sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Priority {
    /// Never waits.
    Audio,
    /// Waits for its turn only behind other retransmissions: a frame is incomplete.
    Retransmission,
    /// Waits.
    Video,
}

/// What to send now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Paced<T> {
    /// A packet, which may be part of a probe.
    Packet(T, Option<ProbeId>),
    /// The padding packet that was offered.
    Padding(ProbeId),
}

/// A probe that is being sent.
#[derive(Debug)]
struct Running {
    probe: Probe,
    packets: usize,
    bytes: usize,
}

/// The pacer of one peer.
#[derive(Debug)]
pub(crate) struct Pacer<T> {
    target: f64,
    is_draining: bool,
    audio: VecDeque<(usize, T)>,
    retransmissions: VecDeque<(usize, T)>,
    video: VecDeque<(usize, T)>,
    /// Bytes of retransmissions and video.
    queued_bytes: usize,
    /// When the next packet that must wait may be sent.
    next_at: Option<Instant>,
    running: Option<Running>,
    probes: VecDeque<Probe>,
}

impl<T> Pacer<T> {
    /// An empty pacer for a target in bits per second.
    pub(crate) fn new(target: u64) -> Self {
        Self {
            target: target.max(1) as f64,
            is_draining: false,
            audio: VecDeque::new(),
            retransmissions: VecDeque::new(),
            video: VecDeque::new(),
            queued_bytes: 0,
            next_at: None,
            running: None,
            probes: VecDeque::new(),
        }
    }

    /// Changes the target in bits per second, and whether a queue of the network drains.
    pub(crate) fn set_target(&mut self, target: u64, is_draining: bool) {
        self.target = target.max(1) as f64;
        self.is_draining = is_draining;
    }

    /// Adds a probe. It waits for the one before.
    pub(crate) fn probe(&mut self, probe: Probe) {
        self.probes.push_back(probe);
    }

    /// Adds a packet with its size on the network. Returns whether there was room.
    pub(crate) fn push(&mut self, priority: Priority, bytes: usize, packet: T) -> bool {
        if priority == Priority::Audio {
            self.audio.push_back((bytes, packet));
            return true;
        }
        let packets = self.retransmissions.len() + self.video.len();
        if packets >= MAX_PACKETS || self.queued_bytes + bytes > MAX_BYTES {
            return false;
        }
        self.queued_bytes += bytes;
        if priority == Priority::Retransmission {
            self.retransmissions.push_back((bytes, packet));
        } else {
            self.video.push_back((bytes, packet));
        }
        true
    }

    /// How long the queue would take at the target.
    fn queue_time(&self) -> Duration {
        Duration::from_secs_f64(self.queued_bytes as f64 * 8.0 / self.target)
    }

    /// Whether the queue has room for a frame.
    pub(crate) fn has_room(&self) -> bool {
        self.queue_time() <= ROOM
    }

    /// What to send now. To be called until there is nothing. `padding` returns the size
    /// of the padding packet to use where one of the given size is wanted; none ends the
    /// probe.
    pub(crate) fn poll(
        &mut self,
        now: Instant,
        padding: impl Fn(usize) -> Option<usize>,
    ) -> Option<Paced<T>> {
        if self.running.is_none()
            && let Some(probe) = self.probes.pop_front()
        {
            self.running = Some(Running {
                probe,
                packets: 0,
                bytes: 0,
            });
            // A cluster starts at once and on its own.
            self.next_at = Some(now);
        }
        let id = self.running.as_ref().map(|running| running.probe.id);
        if let Some((bytes, packet)) = self.audio.pop_front() {
            // It counts in a probe, and does not delay it.
            if id.is_some() {
                self.paid(now, bytes);
            }
            return Some(Paced::Packet(packet, id));
        }
        if self.next_at.is_some_and(|at| at > now) {
            return None;
        }
        let waiting = self.retransmissions.pop_front();
        if let Some((bytes, packet)) = waiting.or_else(|| self.video.pop_front()) {
            self.queued_bytes -= bytes;
            self.paid(now, bytes);
            return Some(Paced::Packet(packet, id));
        }
        let running = self.running.as_ref()?;
        let id = running.probe.id;
        let Some(bytes) = padding(running.probe.packet_bytes) else {
            self.running = None;
            return None;
        };
        self.paid(now, bytes);
        Some(Paced::Padding(id))
    }

    /// When to poll again, given no further packets.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let has_work = self.running.is_some()
            || !self.probes.is_empty()
            || !self.retransmissions.is_empty()
            || !self.video.is_empty();
        self.next_at.filter(|_| has_work)
    }

    /// Takes a packet out of the allowance, and ends a probe that is complete.
    fn paid(&mut self, now: Instant, bytes: usize) {
        let (rate, catch_up) = match &mut self.running {
            None if self.is_draining => (DRAINING_RATE * self.target, CATCH_UP),
            None => (RATE * self.target, CATCH_UP),
            Some(running) => {
                running.packets += 1;
                running.bytes += bytes;
                (running.probe.bits_per_second.max(1) as f64, PROBE_CATCH_UP)
            }
        };
        let earliest = now.checked_sub(catch_up).unwrap_or(now);
        let from = self.next_at.map_or(now, |at| at.max(earliest));
        self.next_at = Some(from + Duration::from_secs_f64(bytes as f64 * 8.0 / rate));
        let is_complete = |running: &mut Running| {
            let probe = running.probe;
            running.packets >= probe.packets && running.bytes >= probe.packets * probe.packet_bytes
        };
        self.running.take_if(is_complete);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When packets leave, in milliseconds.
    fn drain(pacer: &mut Pacer<u32>, start: Instant) -> Vec<(u64, Paced<u32>)> {
        let mut sent = Vec::new();
        for millis in 0..2_000 {
            let now = start + Duration::from_millis(millis);
            while let Some(paced) = pacer.poll(now, Some) {
                sent.push((millis, paced));
            }
        }
        sent
    }

    #[test]
    fn video_leaves_at_two_and_a_half_times_the_target() {
        let mut pacer = Pacer::new(800_000);
        for number in 0..50 {
            assert!(pacer.push(Priority::Video, 1_000, number));
        }
        assert_eq!(pacer.queue_time(), Duration::from_millis(500));
        let sent = drain(&mut pacer, Instant::now());
        let (last, _) = sent.last().unwrap();
        assert!((190..=200).contains(last), "{last}");
        assert_eq!(sent.len(), 50);
        assert_eq!(
            (pacer.queue_time(), pacer.next_deadline()),
            (Duration::ZERO, None)
        );
    }

    #[test]
    fn while_the_network_drains_video_leaves_at_the_target() {
        let mut pacer = Pacer::new(800_000);
        for number in 0..50 {
            assert!(pacer.push(Priority::Video, 1_000, number));
        }
        pacer.set_target(800_000, true);
        let (last, _) = *drain(&mut pacer, Instant::now()).last().unwrap();
        assert!((480..=500).contains(&last), "{last}");
    }

    #[test]
    fn there_is_room_again_once_the_queue_is_short() {
        let mut pacer = Pacer::new(800_000);
        let start = Instant::now();
        for number in 0..11 {
            assert!(pacer.has_room());
            pacer.push(Priority::Video, 1_000, number);
        }
        assert!(!pacer.has_room());
        pacer.set_target(1_600_000, false);
        assert!(pacer.has_room());
        pacer.set_target(800_000, false);
        pacer.poll(start, Some);
        assert!(pacer.has_room());
    }

    #[test]
    fn audio_never_waits_and_retransmissions_precede_video() {
        let mut pacer = Pacer::new(80_000);
        let start = Instant::now();
        for (priority, number) in [
            (Priority::Video, 1),
            (Priority::Video, 2),
            (Priority::Retransmission, 3),
            (Priority::Audio, 4),
        ] {
            pacer.push(priority, 1_000, number);
        }
        let order = |sent: Vec<(u64, Paced<u32>)>| {
            let numbers = sent.into_iter().map(|(_, paced)| match paced {
                Paced::Packet(number, None) => number,
                other => panic!("{other:?}"),
            });
            numbers.collect::<Vec<_>>()
        };
        assert_eq!(pacer.poll(start, Some), Some(Paced::Packet(4, None)));
        assert_eq!(pacer.poll(start, Some), Some(Paced::Packet(3, None)));
        assert_eq!(pacer.poll(start, Some), None);
        pacer.push(Priority::Audio, 100, 5);
        assert_eq!(pacer.poll(start, Some), Some(Paced::Packet(5, None)));
        assert_eq!(
            pacer.next_deadline(),
            Some(start + Duration::from_millis(40))
        );
        assert_eq!(order(drain(&mut pacer, start)), [1, 2]);
    }

    #[test]
    fn a_probe_is_media_and_padding_at_its_rate() {
        let mut pacer = Pacer::new(300_000);
        pacer.push(Priority::Video, 1_000, 1);
        let probe = Probe {
            id: ProbeId(7),
            bits_per_second: 1_600_000,
            packets: 6,
            packet_bytes: 500,
        };
        pacer.probe(probe);
        let sent = drain(&mut pacer, Instant::now());
        assert_eq!(sent[0].1, Paced::Packet(1, Some(ProbeId(7))));
        let padding = &sent[1..];
        assert_eq!(padding.len(), 5);
        assert!(
            padding
                .iter()
                .all(|(_, paced)| *paced == Paced::Padding(ProbeId(7)))
        );
        let (last, _) = sent.last().unwrap();
        assert!((14..=16).contains(last), "{last}");
    }

    #[test]
    fn without_padding_a_probe_ends_with_the_media() {
        let mut pacer = Pacer::new(300_000);
        pacer.push(Priority::Video, 1_000, 1);
        pacer.probe(Probe {
            id: ProbeId(7),
            bits_per_second: 1_600_000,
            packets: 6,
            packet_bytes: 500,
        });
        let now = Instant::now();
        let sent = pacer.poll(now, |_| None);
        assert_eq!(sent, Some(Paced::Packet(1, Some(ProbeId(7)))));
        assert_eq!(pacer.poll(now + Duration::from_millis(20), |_| None), None);
        assert_eq!(pacer.next_deadline(), None);
    }

    #[test]
    fn the_queue_is_bounded() {
        let mut pacer = Pacer::new(300_000);
        let accepted = (0..20_000).filter(|number| pacer.push(Priority::Video, 1_000, *number));
        assert_eq!(accepted.count(), MAX_BYTES / 1_000);
        let mut pacer = Pacer::new(300_000);
        let accepted = (0..20_000).filter(|number| pacer.push(Priority::Video, 10, *number));
        assert_eq!(accepted.count(), MAX_PACKETS);
    }
}
