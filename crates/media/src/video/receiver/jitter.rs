//! Interarrival jitter (RFC 3550, appendix A.8) at 90 kHz.

use std::time::Instant;

use crate::video::CLOCK;

/// A difference in transit beyond this is a new start, not jitter.
const DISCONTINUITY_TICKS: f64 = 5.0 * CLOCK as f64;

#[derive(Debug, Default)]
pub(super) struct Jitter {
    last: Option<(Instant, u32)>,
    ticks: f64,
}

impl Jitter {
    /// Takes a packet. One of an earlier frame than the last came by way of a
    /// repair and says nothing about the network's evenness.
    pub(super) fn packet(&mut self, arrived_at: Instant, timestamp: u32) {
        let Some((last_arrived, last_timestamp)) = self.last else {
            self.last = Some((arrived_at, timestamp));
            return;
        };
        let sent = timestamp.wrapping_sub(last_timestamp) as i32;
        if sent < 0 && f64::from(sent) > -DISCONTINUITY_TICKS {
            return;
        }
        self.last = Some((arrived_at, timestamp));
        let arrived = arrived_at
            .saturating_duration_since(last_arrived)
            .as_secs_f64()
            * f64::from(CLOCK);
        let difference = (arrived - f64::from(sent)).abs();
        if difference < DISCONTINUITY_TICKS {
            self.ticks += (difference - self.ticks) / 16.0;
        }
    }

    pub(super) fn ms(&self) -> f32 {
        (self.ticks * 1_000.0 / f64::from(CLOCK)) as f32
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_even_stream_has_none_and_an_uneven_one_has_its_difference() {
        let start = Instant::now();
        let (mut even, mut uneven) = (Jitter::default(), Jitter::default());
        for n in 0..500_u32 {
            let sent = Duration::from_millis(40) * n;
            let timestamp = (n * 3_600).wrapping_sub(7_200);
            even.packet(start + sent, timestamp);
            uneven.packet(
                start + sent + Duration::from_millis(u64::from(n % 2) * 10),
                timestamp,
            );
        }
        assert!(even.ms() < 0.1, "{}", even.ms());
        assert!((uneven.ms() - 10.0).abs() < 0.5, "{}", uneven.ms());
        let before = uneven.ms();
        uneven.packet(start, 0x8000_0000);
        assert_eq!(uneven.ms(), before);
    }
}
