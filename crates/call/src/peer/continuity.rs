//! One sequence of packets from streams that follow one another.
//!
//! A source can change its SSRC during a call, and a new connection has other
//! ones. The receivers know nothing of SSRCs: for them the sequence continues.

use std::time::{Duration, Instant};

use crate::rtp::{SequenceNumber, Ssrc};

/// How long late packets of the stream before are dropped.
const LATE: Duration = Duration::from_secs(1);

/// The stream of a source and its offset in the source's sequence.
#[derive(Debug, Default)]
pub(super) struct Continuity {
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    ssrc: Ssrc,
    offset: u16,
    /// The newest number of the source's sequence.
    newest: SequenceNumber,
    /// The stream before and when it was replaced.
    before: Option<(Ssrc, Instant)>,
}

/// The place of a packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) sequence: SequenceNumber,
    /// Whether the packet begins another stream.
    pub(super) is_new_stream: bool,
}

impl Continuity {
    /// Whether this is the stream of the source now.
    pub(super) fn is_current(&self, ssrc: Ssrc) -> bool {
        let current = self.current.as_ref();
        current.is_some_and(|current| current.ssrc == ssrc)
    }

    /// Places a packet, or drops a late one of the stream before.
    pub(super) fn place(
        &mut self,
        ssrc: Ssrc,
        sequence: SequenceNumber,
        now: Instant,
    ) -> Option<Placed> {
        let is_new_stream = match &self.current {
            Some(current) if current.ssrc == ssrc => false,
            Some(Current {
                before: Some((before, replaced_at)),
                ..
            }) if *before == ssrc && now.duration_since(*replaced_at) < LATE => return None,
            Some(current) => {
                let next = current.newest.0.wrapping_add(1);
                self.current = Some(Current {
                    ssrc,
                    offset: next.wrapping_sub(sequence.0),
                    newest: SequenceNumber(next),
                    before: Some((current.ssrc, now)),
                });
                true
            }
            None => {
                self.current = Some(Current {
                    ssrc,
                    offset: 0,
                    newest: sequence,
                    before: None,
                });
                false
            }
        };
        let current = self.current.as_mut()?;
        let sequence = SequenceNumber(sequence.0.wrapping_add(current.offset));
        // Newer by less than half of the range (RFC 3550, appendix A.1).
        if sequence.0.wrapping_sub(current.newest.0) < 0x8000 {
            current.newest = sequence;
        }
        Some(Placed {
            sequence,
            is_new_stream,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_continues_when_the_ssrc_changes() {
        let start = Instant::now();
        let mut continuity = Continuity::default();
        let mut place = |ssrc, sequence, seconds| {
            let now = start + Duration::from_secs(seconds);
            let placed = continuity.place(Ssrc(ssrc), SequenceNumber(sequence), now)?;
            Some((placed.sequence.0, placed.is_new_stream))
        };
        assert_eq!(place(1, 65_534, 0), Some((65_534, false)));
        assert_eq!(place(1, 0, 0), Some((0, false)));
        // Reordered.
        assert_eq!(place(1, 65_535, 0), Some((65_535, false)));
        assert_eq!(place(2, 500, 0), Some((1, true)));
        assert_eq!(place(2, 502, 0), Some((3, false)));
        assert_eq!(place(1, 1, 0), None, "late");
        assert_eq!(place(2, 501, 0), Some((2, false)));
        // The first stream comes back.
        assert_eq!(place(1, 9, 5), Some((4, true)));
        assert_eq!(place(1, 10, 5), Some((5, false)));
    }
}
