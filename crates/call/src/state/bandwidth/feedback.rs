//! Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01), as the
//! estimator reads it.

/// Units of [`TransportFeedback::reference_time`], in microseconds.
const REFERENCE_MICROS: i64 = 64_000;
/// Units of [`PacketStatus::Received`], in microseconds.
const DELTA_MICROS: i64 = 250;
/// The reference time has 24 bits.
const REFERENCE_RANGE: i64 = 1 << 24;
/// Unwrapped reference times beyond this start over. No real clock gets there, and the
/// microseconds cannot overflow.
const MAX_REFERENCE: i64 = 1 << 40;

/// One feedback packet. Its length is that of the RTCP packet, whatever counts it names:
/// runs of missing packets stay runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TransportFeedback {
    /// Transport-wide sequence number of the first packet reported.
    pub base_sequence: u16,
    /// Receiver's clock, in units of 64 ms, modulo 2²⁴.
    pub reference_time: u32,
    /// The packets from the first on.
    pub statuses: Vec<PacketStatus>,
}

/// What the receiver says about packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PacketStatus {
    /// So many in a row did not arrive.
    Missing(u16),
    /// One arrived, this long after the one received before, or after the reference
    /// time. In units of 250 µs; negative when packets were reordered.
    Received(i16),
    /// So many in a row arrived at unknown times. They say nothing about the rate.
    ReceivedUntimed(u16),
}

/// Unwraps reference times.
#[derive(Debug, Default)]
pub(super) struct ReceiverClock {
    /// The last reference time, and its unwrapped value.
    last: Option<(u32, i64)>,
}

impl ReceiverClock {
    /// The time in microseconds on a clock that does not wrap. Each reference time is
    /// taken as the one nearest to the last, so that reordered feedback is right.
    pub(super) fn unwrap(&mut self, reference_time: u32) -> i64 {
        let reference_time = reference_time & (REFERENCE_RANGE as u32 - 1);
        let unwrapped = match self.last {
            Some((last, unwrapped)) if unwrapped.abs() < MAX_REFERENCE => {
                let ahead =
                    (i64::from(reference_time) - i64::from(last)).rem_euclid(REFERENCE_RANGE);
                let is_behind = ahead >= REFERENCE_RANGE / 2;
                unwrapped + ahead - if is_behind { REFERENCE_RANGE } else { 0 }
            }
            _ => i64::from(reference_time),
        };
        self.last = Some((reference_time, unwrapped));
        unwrapped * REFERENCE_MICROS
    }
}

/// The duration of a delta, in microseconds.
pub(super) fn delta_micros(delta: i16) -> i64 {
    i64::from(delta) * DELTA_MICROS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_time_wraps_in_both_directions() {
        let mut clock = ReceiverClock::default();
        let first = clock.unwrap(0xFF_FFFE);
        assert_eq!(clock.unwrap(1) - first, 3 * REFERENCE_MICROS);
        assert_eq!(clock.unwrap(0xFF_FFFF) - first, REFERENCE_MICROS);
        assert_eq!(clock.unwrap(5) - first, 7 * REFERENCE_MICROS);
    }

    #[test]
    fn bits_above_24_are_ignored() {
        let mut clock = ReceiverClock::default();
        let first = clock.unwrap(7);
        assert_eq!(clock.unwrap(0xFF00_0008) - first, REFERENCE_MICROS);
    }
}
