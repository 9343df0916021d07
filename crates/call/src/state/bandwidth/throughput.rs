//! The rate at which packets arrive.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::history::Acknowledged;

/// Window of the acknowledged rate: 22 frames at 30 frames/s, so that one frame more or
/// less changes it by 5 %.
const WINDOW_MICROS: i64 = 750_000;
/// Window during overuse: the queue is never empty then, so that few packets show the
/// capacity, and old ones only the rate before.
const SHORT_WINDOW_MICROS: i64 = 250_000;
/// Least duration that gives a rate.
const LEAST_DURATION: Duration = Duration::from_millis(100);
/// Least number of packets that give a rate.
const LEAST_PACKETS: usize = 4;
/// A larger step of the receiver's clock is not a delay.
const MAX_STEP_MICROS: i64 = 5_000_000;
/// Packets in the window: 750 ms at more than 50 Mbit/s.
const MAX_PACKETS: usize = 4_096;

#[derive(Debug, Clone, Copy)]
struct Arrived {
    arrived_at: i64,
    sent_at: Instant,
    bytes: usize,
}

/// Acknowledged packets of the last moments.
#[derive(Debug, Default)]
pub(super) struct Throughput {
    /// In the order of arrival.
    packets: VecDeque<Arrived>,
}

impl Throughput {
    pub(super) fn add(&mut self, packet: &Acknowledged) {
        let arrived_at = packet.arrived_at;
        if let Some(last) = self.packets.back() {
            if (arrived_at - last.arrived_at).abs() > MAX_STEP_MICROS {
                self.packets.clear();
            } else if arrived_at < last.arrived_at - WINDOW_MICROS {
                return;
            }
        }
        let at = self
            .packets
            .partition_point(|other| other.arrived_at <= arrived_at);
        let arrived = Arrived {
            arrived_at,
            sent_at: packet.sent_at,
            bytes: packet.delivered_bytes,
        };
        self.packets.insert(at, arrived);
        let newest = self
            .packets
            .back()
            .map_or(arrived_at, |last| last.arrived_at);
        while self.packets.len() > MAX_PACKETS
            || self
                .packets
                .front()
                .is_some_and(|first| first.arrived_at < newest - WINDOW_MICROS)
        {
            self.packets.pop_front();
        }
    }

    /// Bits per second; none until enough has arrived.
    pub(super) fn rate(&self) -> Option<f64> {
        let (bits, arriving, sending) = self.within(WINDOW_MICROS)?;
        // The lower of both rates: packets that were held up arrive faster than they
        // were sent.
        Some(bits / arriving.max(sending).as_secs_f64())
    }

    /// The rate at which the newest packets arrived. While a queue is not empty, that is
    /// the capacity, at whatever rate they were sent.
    pub(super) fn newest_rate(&self) -> Option<f64> {
        match self.within(SHORT_WINDOW_MICROS) {
            Some((bits, arriving, _)) => Some(bits / arriving.as_secs_f64()),
            None => self.rate(),
        }
    }

    /// Bits that arrived in this time, and the durations of arriving and sending.
    fn within(&self, micros: i64) -> Option<(f64, Duration, Duration)> {
        let last = self.packets.back()?;
        let first = self
            .packets
            .partition_point(|packet| packet.arrived_at < last.arrived_at - micros);
        let mut packets = self.packets.range(first..);
        if packets.len() < LEAST_PACKETS {
            return None;
        }
        let first = packets.next()?;
        // The first packet starts the clock; what it brought belongs to the time before.
        let (mut bytes, mut sent) = (0, (first.sent_at, first.sent_at));
        for packet in packets {
            bytes += packet.bytes;
            sent = (sent.0.min(packet.sent_at), sent.1.max(packet.sent_at));
        }
        let arriving = Duration::from_micros((last.arrived_at - first.arrived_at) as u64);
        (arriving >= LEAST_DURATION).then(|| (bytes as f64 * 8.0, arriving, sent.1 - sent.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(start: Instant, sent_ms: u64, arrived_ms: i64, bytes: usize) -> Acknowledged {
        Acknowledged {
            sent_at: start + Duration::from_millis(sent_ms),
            arrived_at: arrived_ms * 1_000,
            bytes,
            probe: None,
            delivered_bytes: bytes,
            was_lost: false,
        }
    }

    #[test]
    fn the_rate_is_that_of_the_window() {
        let start = Instant::now();
        let mut throughput = Throughput::default();
        assert_eq!(throughput.rate(), None);
        for number in 0..200 {
            let bytes = if number < 100 { 250 } else { 1_250 };
            throughput.add(&packet(start, number * 10, number as i64 * 10, bytes));
        }
        let rate = throughput.rate().unwrap();
        assert!((rate - 1e6).abs() < 1.0, "{rate}");
    }

    #[test]
    fn the_newest_rate_shows_a_drop_first() {
        let start = Instant::now();
        let mut throughput = Throughput::default();
        for number in 0..100 {
            throughput.add(&packet(start, number * 10, number as i64 * 10, 1_250));
        }
        for number in 0..8 {
            let arrived = 1_000 + 40 * number as i64;
            throughput.add(&packet(start, 1_000 + number * 10, arrived, 1_250));
        }
        assert!(throughput.newest_rate().unwrap() < 0.3e6);
        assert!(throughput.rate().unwrap() > 0.6e6);
    }

    #[test]
    fn packets_that_were_held_up_do_not_raise_the_rate() {
        let start = Instant::now();
        let mut throughput = Throughput::default();
        for number in 0..50 {
            throughput.add(&packet(
                start,
                number * 10,
                1_000 + 3 * number as i64,
                1_250,
            ));
        }
        let rate = throughput.rate().unwrap();
        assert!((rate - 1e6).abs() < 1.0, "{rate}");
    }

    #[test]
    fn a_step_of_the_clock_starts_over() {
        let start = Instant::now();
        for step in [1_000_000_000, -1_000_000_000] {
            let mut throughput = Throughput::default();
            for number in 0..50 {
                throughput.add(&packet(start, number * 10, number as i64 * 10, 1_250));
            }
            throughput.add(&packet(start, 510, step, 1_250));
            assert_eq!(throughput.rate(), None);
        }
    }
}
