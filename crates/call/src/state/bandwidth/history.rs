//! The packets that were sent, until feedback says what became of them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::feedback::{PacketStatus, ReceiverClock, TransportFeedback, delta_micros};

/// Packets remembered. At 10 Mbit/s these are the last 8 s; the count stays below half
/// the range of the sequence numbers, so that each names one packet.
const MAX_PACKETS: usize = 8_192;
/// How long a packet is remembered. Later feedback about it says nothing about the
/// present.
const MAX_AGE: Duration = Duration::from_secs(10);

/// Names a probe, a cluster of packets that are sent to measure the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ProbeId(pub u32);

/// A packet at the moment at which it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SentPacket {
    /// Its transport-wide sequence number. The numbers of a connection start anywhere
    /// and increase.
    pub sequence: u16,
    /// Its size on the network, with all headers.
    pub bytes: usize,
    /// The probe that it is part of.
    pub probe: Option<ProbeId>,
    /// Whether it carries audio.
    pub is_audio: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    InFlight,
    /// Feedback that reported it was lost itself.
    Unknown,
    Lost,
    Received,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    sequence: u64,
    sent_at: Instant,
    bytes: usize,
    probe: Option<ProbeId>,
    fate: Fate,
}

/// A packet that the receiver has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Acknowledged {
    pub(super) sent_at: Instant,
    /// Microseconds on the receiver's clock.
    pub(super) arrived_at: i64,
    pub(super) bytes: usize,
    pub(super) probe: Option<ProbeId>,
    /// Bytes to count as delivered by this packet: without those counted before because
    /// feedback about the packet was lost, and with those of packets about which feedback
    /// was lost just before.
    pub(super) delivered_bytes: usize,
    /// An earlier feedback reported it missing.
    pub(super) was_lost: bool,
}

/// What one feedback packet says that was not known.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// In the order of their arrival.
    pub(super) received: Vec<Acknowledged>,
    /// When each missing packet was sent.
    pub(super) lost: Vec<Instant>,
}

/// A bounded history of sent packets.
#[derive(Debug, Default)]
pub(super) struct History {
    /// By unwrapped sequence number.
    packets: VecDeque<Entry>,
    newest: Option<u64>,
    /// The first sequence number that no feedback has covered.
    unreported: u64,
    clock: ReceiverClock,
}

impl History {
    /// Adds a packet. One whose number is not above all before is ignored.
    pub(super) fn sent(&mut self, now: Instant, packet: SentPacket) {
        let sequence = match self.newest {
            // Numbers below the first one can be named without underflow.
            None => u64::from(packet.sequence) + (1 << 16),
            Some(newest) => {
                let ahead = packet.sequence.wrapping_sub(newest as u16);
                if ahead == 0 || ahead >= 1 << 15 {
                    return;
                }
                newest + u64::from(ahead)
            }
        };
        if self.newest.is_none() {
            self.unreported = sequence;
        }
        self.newest = Some(sequence);
        self.forget(now);
        if self.packets.len() == MAX_PACKETS {
            self.packets.pop_front();
        }
        self.packets.push_back(Entry {
            sequence,
            sent_at: now,
            bytes: packet.bytes,
            probe: packet.probe,
            fate: Fate::InFlight,
        });
    }

    /// When the oldest packet was sent that no feedback has covered.
    pub(super) fn unreported_since(&self) -> Option<Instant> {
        let at = self.position(self.unreported);
        self.packets.get(at).map(|packet| packet.sent_at)
    }

    /// Bytes of the packets that no feedback has covered.
    pub(super) fn in_flight(&self) -> usize {
        let from = self.position(self.unreported);
        self.packets.range(from..).map(|packet| packet.bytes).sum()
    }

    /// Takes in a feedback packet. Costs the length of the feedback, plus one step for
    /// each sent packet in all.
    pub(super) fn report(&mut self, now: Instant, feedback: &TransportFeedback) -> Report {
        self.forget(now);
        let mut report = Report::default();
        let Some(newest) = self.newest else {
            return report;
        };
        let mut arrived_at = self.clock.unwrap(feedback.reference_time);
        let behind = (newest as u16).wrapping_sub(feedback.base_sequence);
        let mut sequence = newest - u64::from(behind);
        let mut skipped_bytes = self.skip_to(sequence);
        for status in &feedback.statuses {
            let count = match status {
                PacketStatus::Missing(count) => {
                    self.missing(sequence, sequence + u64::from(*count), &mut report.lost);
                    u64::from(*count)
                }
                PacketStatus::Received(delta) => {
                    arrived_at += delta_micros(*delta);
                    let packet = self.received(sequence, arrived_at, &mut skipped_bytes);
                    report.received.extend(packet);
                    1
                }
                PacketStatus::ReceivedUntimed(count) => {
                    let next = sequence + u64::from(*count);
                    skipped_bytes += self.skip_to(next.min(newest + 1));
                    u64::from(*count)
                }
            };
            sequence += count;
            self.unreported = self.unreported.max(sequence.min(newest + 1));
        }
        report.received.sort_by_key(|packet| packet.arrived_at);
        report
    }

    fn position(&self, sequence: u64) -> usize {
        self.packets
            .partition_point(|packet| packet.sequence < sequence)
    }

    fn forget(&mut self, now: Instant) {
        while let Some(oldest) = self.packets.front()
            && now.saturating_duration_since(oldest.sent_at) > MAX_AGE
        {
            self.packets.pop_front();
        }
    }

    /// When the packets before this one arrived is not reported. They count as delivered, so
    /// that the acknowledged rate does not fall with lost feedback. Returns their bytes.
    fn skip_to(&mut self, sequence: u64) -> usize {
        let mut bytes = 0;
        let first = self.position(self.unreported);
        for packet in self.packets.range_mut(first..) {
            if packet.sequence >= sequence {
                break;
            }
            packet.fate = Fate::Unknown;
            bytes += packet.bytes;
        }
        self.unreported = self.unreported.max(sequence);
        bytes
    }

    fn missing(&mut self, from: u64, to: u64, lost: &mut Vec<Instant>) {
        let first = self.position(from.max(self.unreported));
        for packet in self.packets.range_mut(first..) {
            if packet.sequence >= to {
                break;
            }
            packet.fate = Fate::Lost;
            lost.push(packet.sent_at);
        }
    }

    fn received(
        &mut self,
        sequence: u64,
        arrived_at: i64,
        skipped_bytes: &mut usize,
    ) -> Option<Acknowledged> {
        let at = self.position(sequence);
        let packet = self.packets.get_mut(at)?;
        if packet.sequence != sequence || packet.fate == Fate::Received {
            return None;
        }
        let before = std::mem::replace(&mut packet.fate, Fate::Received);
        let own_bytes = if before == Fate::Unknown {
            0
        } else {
            packet.bytes
        };
        Some(Acknowledged {
            sent_at: packet.sent_at,
            arrived_at,
            bytes: packet.bytes,
            probe: packet.probe,
            delivered_bytes: own_bytes + std::mem::take(skipped_bytes),
            was_lost: before == Fate::Lost,
        })
    }
}

#[cfg(test)]
mod tests {
    use PacketStatus::{Missing, Received, ReceivedUntimed};

    use super::*;

    /// A history in which packets of 100 bytes were sent, one each 10 ms.
    fn sent(start: Instant, numbers: impl IntoIterator<Item = u16>) -> History {
        let mut history = History::default();
        for (at, sequence) in (0..).zip(numbers) {
            let packet = SentPacket {
                sequence,
                bytes: 100,
                probe: None,
                is_audio: false,
            };
            history.sent(start + Duration::from_millis(10) * at, packet);
        }
        history
    }

    fn feedback(base_sequence: u16, statuses: &[PacketStatus]) -> TransportFeedback {
        TransportFeedback {
            base_sequence,
            reference_time: 10,
            statuses: statuses.to_vec(),
        }
    }

    /// Milliseconds of sending, and of arrival after the reference time.
    fn times(start: Instant, report: &Report) -> Vec<(u128, i64)> {
        let received = report.received.iter().map(|packet| {
            let sent = packet.sent_at.duration_since(start).as_millis();
            (sent, packet.arrived_at / 1_000 - 640)
        });
        received.collect()
    }

    #[test]
    fn numbers_may_start_anywhere_and_wrap() {
        let start = Instant::now();
        for first in [0_u16, 1, 32_767, 32_768, 40_000, 65_533, 65_535] {
            let number = |offset: u16| first.wrapping_add(offset);
            let mut history = sent(start, (0..6).map(number));
            let report = history.report(start, &feedback(first, &[Received(4), Missing(1)]));
            assert_eq!(times(start, &report), [(0, 1)], "{first}");
            assert_eq!(report.lost, [start + Duration::from_millis(10)]);
            let statuses = [Received(8), Received(4)];
            let report = history.report(start, &feedback(number(2), &statuses));
            assert_eq!(times(start, &report), [(20, 2), (30, 3)]);
        }
    }

    #[test]
    fn duplicate_and_reordered_feedback_counts_once() {
        let start = Instant::now();
        let mut history = sent(start, 100..110);
        let second = feedback(103, &[Received(0), Received(4)]);
        let first = feedback(100, &[Received(0), Missing(1), Received(4)]);
        assert_eq!(history.report(start, &second).received.len(), 2);
        assert_eq!(history.report(start, &first).received.len(), 2);
        for again in [&first, &second] {
            let report = history.report(start, again);
            assert!(report.received.is_empty() && report.lost.is_empty());
        }
    }

    #[test]
    fn negative_deltas_are_earlier_arrivals_and_received_is_in_their_order() {
        let start = Instant::now();
        let mut history = sent(start, 0..4);
        let statuses = [Received(40), Received(-20), Received(100)];
        let report = history.report(start, &feedback(0, &statuses));
        let expected = [(10, 5), (0, 10), (20, 30)];
        assert_eq!(times(start, &report), expected);
    }

    #[test]
    fn a_packet_reported_missing_may_arrive_later() {
        let start = Instant::now();
        let mut history = sent(start, 0..4);
        let statuses = [Received(0), Missing(2), Received(0)];
        assert_eq!(history.report(start, &feedback(0, &statuses)).lost.len(), 2);
        let report = history.report(start, &feedback(1, &[Received(0)]));
        assert!(report.received[0].was_lost);
        assert!(report.lost.is_empty());
    }

    #[test]
    fn packets_without_a_time_count_as_delivered_and_not_as_lost() {
        let start = Instant::now();
        let mut history = sent(start, 0..6);
        let statuses = [ReceivedUntimed(2), Received(0), ReceivedUntimed(u16::MAX)];
        let report = history.report(start, &feedback(0, &statuses));
        assert_eq!(report.received.len(), 1);
        assert_eq!(report.received[0].delivered_bytes, 300);
        assert!(report.lost.is_empty() && history.unreported_since().is_none());
    }

    #[test]
    fn packets_of_lost_feedback_count_as_delivered_once_and_not_as_lost() {
        let start = Instant::now();
        let mut history = sent(start, 0..6);
        let report = history.report(start, &feedback(3, &[Received(0), Received(0)]));
        assert!(report.lost.is_empty());
        let delivered = |report: &Report| {
            let bytes = report.received.iter().map(|packet| packet.delivered_bytes);
            bytes.collect::<Vec<_>>()
        };
        assert_eq!(delivered(&report), [400, 100]);
        let report = history.report(start, &feedback(2, &[Received(0)]));
        assert_eq!(delivered(&report), [0]);
    }

    #[test]
    fn unknown_numbers_and_huge_counts_are_harmless() {
        let start = Instant::now();
        let mut history = sent(start, 1_000..1_010);
        assert_eq!(history.unreported_since(), Some(start));
        for base in [0, 999, 1_010, 30_000, 65_535] {
            let report = history.report(start, &feedback(base, &[Received(0)]));
            assert!(report.received.is_empty(), "{base}");
        }
        let mut history = sent(start, 1_000..1_010);
        let report = history.report(start, &feedback(1_000, &[Missing(u16::MAX); 100]));
        assert_eq!(report.lost.len(), 10);
        assert_eq!(history.unreported_since(), None);
        let mut empty = History::default();
        assert!(
            empty
                .report(start, &feedback(0, &[Received(0)]))
                .received
                .is_empty()
        );
    }

    #[test]
    fn the_history_is_bounded_in_number_and_time() {
        let start = Instant::now();
        let mut history = sent(start, (0..=u16::MAX).chain(0..5_000));
        assert!(history.packets.len() <= MAX_PACKETS);
        history.report(start + Duration::from_secs(10_000), &feedback(0, &[]));
        assert!(history.packets.is_empty());
    }
}
