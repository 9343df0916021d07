//! Where a packet belongs among those of its stream (RFC 3550, appendix A.1).

use super::CAPACITY;

/// A packet this far behind the front is late: a retransmission of a packet that was
/// given up, or a copy. At 4 Mbit/s this is about 9 s.
const MAX_LATE: u64 = 4_096;

/// The room below the first packet of a stream, for packets that it overtook.
const ROOM: u64 = 1 << 32;

/// Extended sequence numbers: the low 16 bits are those of the packets.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// The first that was not given out or up.
    pub(super) front: u64,
    /// One past the newest that came.
    pub(super) end: u64,
    /// Numbers below were given out or up, or were before the stream was cleared.
    floor: u64,
    /// The first that came; `None` until one comes after the stream was cleared.
    first: Option<u64>,
}

/// Where a packet belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// At this number, in the window.
    Within(u64),
    /// Behind the window.
    Late,
    /// Far from all others.
    Far,
}

impl Window {
    /// The window of a stream that begins with this number.
    pub(super) fn starting_at(sequence: u16) -> Self {
        let front = ROOM + u64::from(sequence);
        Self {
            front,
            end: front,
            floor: front - (ROOM >> 1),
            first: None,
        }
    }

    /// Forgets what came so far. The stream goes on, from whatever comes next.
    pub(super) fn clear(&mut self) {
        *self = Self {
            front: self.end,
            end: self.end,
            floor: self.end,
            first: None,
        };
    }

    /// Where a packet belongs.
    pub(super) fn place(&self, sequence: u16) -> Place {
        let ahead = u64::from(sequence.wrapping_sub(self.front as u16));
        let behind = u64::from((self.front as u16).wrapping_sub(sequence));
        let is_late = (1..=MAX_LATE).contains(&behind);
        if ahead < CAPACITY || (self.first.is_none() && !is_late) {
            return Place::Within(self.front + ahead);
        }
        let number = self.front - behind;
        // Nothing was given out yet: the first packet overtook this one.
        if is_late && number >= self.floor && self.end - number <= CAPACITY {
            return Place::Within(number);
        }
        if is_late { Place::Late } else { Place::Far }
    }

    /// Notes that the packet with this number came.
    pub(super) fn note(&mut self, number: u64) {
        if self.first.is_none() {
            self.first = Some(number);
            self.front = number;
        }
        self.front = self.front.min(number);
        self.end = self.end.max(number + 1);
    }

    /// Moves the front, and returns the numbers that it passed.
    pub(super) fn advance(&mut self, to: u64) -> std::ops::Range<u64> {
        let passed = self.front..to;
        self.front = to;
        self.floor = to;
        self.end = self.end.max(to);
        passed
    }

    /// How many of these numbers were sent after the first that came: one before it,
    /// which did not come, is not lost (RFC 3550, appendix A.3).
    pub(super) fn expected(&self, numbers: &std::ops::Range<u64>) -> u64 {
        let first = self.first.unwrap_or(self.front);
        numbers.end.saturating_sub(numbers.start.max(first))
    }
}
