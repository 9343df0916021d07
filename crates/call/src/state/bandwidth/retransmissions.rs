//! Which retransmissions a peer gets.
//!
//! A receiver requests a missing packet again and again until it arrives. On a link whose
//! queue is long, the requests outrun the first copy: without a limit the copies take the
//! whole link, keep its queue full and cause the next losses.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::rtp::{SequenceNumber, Ssrc};

/// Retransmissions take at most this share of the target, so that what is lost by a full
/// queue does not displace the frames that follow. A loss of a third is repaired still.
const SHARE: f64 = 0.5;
/// The share is kept over this time.
const WINDOW: Duration = Duration::from_secs(1);
/// A packet is not repeated more often than this, whatever the round-trip time.
const SHORTEST: Duration = Duration::from_millis(10);
/// Longest time for which a repeated packet is remembered.
const LONGEST: Duration = Duration::from_secs(2);

/// A packet that is requested: its stream and number there.
pub(crate) type Requested = (Ssrc, SequenceNumber);

/// The retransmissions of the last moments to one peer.
#[derive(Debug, Default)]
pub(crate) struct Retransmissions {
    /// The newest last, and not older than [`LONGEST`].
    sent: VecDeque<(Instant, Requested, usize)>,
}

impl Retransmissions {
    /// Whether to send this packet again: not before the copy that was sent last can have
    /// arrived and been reported, and within the share of the target.
    pub(crate) fn admit(
        &mut self,
        now: Instant,
        packet: Requested,
        bytes: usize,
        round_trip: Duration,
        target: u64,
    ) -> bool {
        let age = |at: Instant| now.saturating_duration_since(at);
        while self.sent.front().is_some_and(|(at, ..)| age(*at) > LONGEST) {
            self.sent.pop_front();
        }
        let pause = round_trip.clamp(SHORTEST, LONGEST);
        let within = self.sent.iter().rev();
        let is_repeated = within
            .take_while(|(at, ..)| age(*at) < pause)
            .any(|(_, sent, _)| *sent == packet);
        let recent = self.sent.iter().rev();
        let recent = recent.take_while(|(at, ..)| age(*at) < WINDOW);
        let taken: usize = recent.map(|(_, _, bytes)| bytes).sum();
        let budget = target as f64 * SHARE * WINDOW.as_secs_f64() / 8.0;
        if is_repeated || (taken + bytes) as f64 > budget {
            return false;
        }
        self.sent.push_back((now, packet, bytes));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: usize = 1_200;

    fn packet(number: u16) -> Requested {
        (Ssrc(1), SequenceNumber(number))
    }

    #[test]
    fn a_packet_is_not_repeated_within_a_round_trip() {
        let (start, mut sent) = (Instant::now(), Retransmissions::default());
        let mut at = |ms, number, round_trip| {
            let now = start + Duration::from_millis(ms);
            let round_trip = Duration::from_millis(round_trip);
            sent.admit(now, packet(number), BYTES, round_trip, 10_000_000)
        };
        assert!(at(0, 1, 600));
        assert!(at(50, 2, 600));
        assert!(!at(100, 1, 600));
        assert!(!at(599, 1, 600));
        assert!(at(600, 1, 600));
        // The queue became shorter.
        assert!(at(640, 1, 30));
        assert!(!at(641, 1, 0));
    }

    #[test]
    fn retransmissions_take_half_of_the_target() {
        let (start, mut sent) = (Instant::now(), Retransmissions::default());
        let mut bytes = 0;
        for ms in 0..3_000_u64 {
            let now = start + Duration::from_millis(ms);
            if sent.admit(now, packet(ms as u16), BYTES, Duration::ZERO, 200_000) {
                bytes += BYTES;
            }
        }
        let share = bytes as f64 * 8.0 / 3.0 / 200_000.0;
        assert!((0.4..=0.5).contains(&share), "{share}");
    }

    #[test]
    fn what_is_remembered_is_bounded_by_the_share() {
        let (start, mut sent) = (Instant::now(), Retransmissions::default());
        for number in 0..u16::MAX {
            let now = start + Duration::from_micros(u64::from(number) * 100);
            sent.admit(now, packet(number), BYTES, Duration::ZERO, 1_000_000);
        }
        assert!(
            sent.sent.len() <= 3 * 500_000 / 8 / BYTES,
            "{}",
            sent.sent.len()
        );
    }
}
