//! Groups of packets that were sent together, and how their spacing changed on the way
//! (draft-ietf-rmcat-gcc-02, section 5.2).

use std::time::{Duration, Instant};

/// Packets sent within this time form a group: the pacer sends in such bursts.
const BURST: Duration = Duration::from_millis(5);
/// Packets that arrive this close to each other after a delay were held up together, as
/// by a wireless link, and join the group.
const ARRIVAL_BURST_MICROS: i64 = 5_000;
/// Longest group of that kind.
const MAX_ARRIVAL_BURST_MICROS: i64 = 100_000;
/// A larger change is a step of the receiver's clock or a pause of the link.
const MAX_CHANGE_MICROS: i64 = 3_000_000;
/// So many groups in a row that arrived before their predecessor are a step, too.
const MAX_REORDERED: u32 = 3;

#[derive(Debug, Clone, Copy)]
struct Group {
    first_sent: Instant,
    last_sent: Instant,
    first_arrived: i64,
    last_arrived: i64,
}

/// How much later a group arrived, compared with the group before, than it was sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct DelayChange {
    /// Milliseconds; negative where the groups came closer.
    pub(super) change: f64,
    /// Milliseconds between the sending of both.
    pub(super) sent_apart: f64,
    /// When the later group arrived, in milliseconds on the receiver's clock.
    pub(super) arrived_at: f64,
}

/// Makes groups of packets.
#[derive(Debug, Default)]
pub(super) struct ArrivalGroups {
    previous: Option<Group>,
    current: Option<Group>,
    reordered: u32,
}

impl ArrivalGroups {
    /// Adds a packet, in the order of arrival. Returns the change of the delay once a
    /// group is complete.
    pub(super) fn add(&mut self, sent_at: Instant, arrived_at: i64) -> Option<DelayChange> {
        let packet = Group {
            first_sent: sent_at,
            last_sent: sent_at,
            first_arrived: arrived_at,
            last_arrived: arrived_at,
        };
        let Some(current) = &mut self.current else {
            self.current = Some(packet);
            return None;
        };
        if (arrived_at - current.last_arrived).abs() > MAX_CHANGE_MICROS + elapsed(current, sent_at)
        {
            *self = Self {
                current: Some(packet),
                ..Self::default()
            };
            return None;
        }
        if sent_at < current.first_sent {
            // Overtaken by the group.
            return None;
        }
        if belongs(current, sent_at, arrived_at) {
            current.last_sent = current.last_sent.max(sent_at);
            current.last_arrived = current.last_arrived.max(arrived_at);
            return None;
        }
        let complete = *current;
        self.current = Some(packet);
        let previous = self.previous.replace(complete)?;
        let sent_apart = complete
            .last_sent
            .saturating_duration_since(previous.last_sent);
        let sent_apart = sent_apart.as_micros() as i64;
        let arrived_apart = complete.last_arrived - previous.last_arrived;
        if arrived_apart < 0 {
            self.reordered += 1;
            if self.reordered >= MAX_REORDERED {
                *self = Self::default();
            }
            return None;
        }
        self.reordered = 0;
        Some(DelayChange {
            change: (arrived_apart - sent_apart) as f64 / 1_000.0,
            sent_apart: sent_apart as f64 / 1_000.0,
            arrived_at: complete.last_arrived as f64 / 1_000.0,
        })
    }
}

fn elapsed(group: &Group, sent_at: Instant) -> i64 {
    sent_at
        .saturating_duration_since(group.last_sent)
        .as_micros() as i64
}

fn belongs(group: &Group, sent_at: Instant, arrived_at: i64) -> bool {
    if sent_at.saturating_duration_since(group.first_sent) <= BURST {
        return true;
    }
    let arrived_apart = arrived_at - group.last_arrived;
    arrived_apart <= ARRIVAL_BURST_MICROS
        && arrived_apart < elapsed(group, sent_at)
        && arrived_at - group.first_arrived < MAX_ARRIVAL_BURST_MICROS
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Changes for packets by sending and arrival time in milliseconds.
    fn changes(packets: &[(u64, i64)]) -> Vec<f64> {
        let start = Instant::now();
        let mut groups = ArrivalGroups::default();
        let changes = packets.iter().filter_map(|(sent, arrived)| {
            groups.add(start + Duration::from_millis(*sent), arrived * 1_000)
        });
        changes.map(|change| change.change).collect()
    }

    #[test]
    fn packets_sent_together_are_one_group() {
        let packets = [(0, 50), (3, 53), (20, 72), (25, 80), (40, 99), (60, 110)];
        assert_eq!(changes(&packets), [5.0, 4.0]);
    }

    #[test]
    fn packets_held_up_together_are_one_group() {
        let packets = [
            (0, 50),
            (20, 120),
            (40, 121),
            (60, 122),
            (80, 132),
            (100, 152),
        ];
        assert_eq!(changes(&packets), [12.0, -10.0]);
    }

    #[test]
    fn an_overtaken_packet_is_ignored() {
        let packets = [(0, 50), (20, 70), (10, 71), (40, 90), (60, 110)];
        assert_eq!(changes(&packets), [0.0, 0.0]);
    }

    #[test]
    fn a_step_of_the_clock_gives_no_change() {
        let packets = [
            (0, 50),
            (20, 70),
            (40, 90_000_000),
            (60, 90_000_020),
            (80, 90_000_040),
        ];
        assert_eq!(changes(&packets), [0.0]);
        let packets = [
            (0, 90_000_000),
            (20, 90_000_020),
            (40, 5),
            (60, 25),
            (80, 45),
            (99, 64),
        ];
        assert_eq!(changes(&packets), [0.0, 0.0]);
    }

    #[test]
    fn a_pause_of_the_source_is_no_change() {
        let packets = [(0, 50), (20, 70), (30_000, 30_050), (30_020, 30_070)];
        assert_eq!(changes(&packets), [0.0, 0.0]);
    }
}
