//! Hysteresis: a state that changes only after some seconds say the same.

use crate::view::QualityCause;

/// Seconds in a row with one cause until it is shown.
pub(super) const POOR_AFTER: u32 = 3;
/// Good seconds in a row until the quality is good again.
pub(super) const GOOD_AFTER: u32 = 6;

/// Good, or poor with a cause.
#[derive(Debug, Default)]
pub(super) struct Steady {
    cause: Option<QualityCause>,
    /// The cause of the last seconds, where it is not the one that is shown.
    next: Option<(QualityCause, u32)>,
    good_seconds: u32,
}

impl Steady {
    pub(super) fn cause(&self) -> Option<QualityCause> {
        self.cause
    }

    /// Takes a second: what impaired it by the higher limits, and by the lower ones.
    pub(super) fn second(&mut self, enter: Option<QualityCause>, leave: Option<QualityCause>) {
        self.good_seconds = if leave.is_none() {
            self.good_seconds + 1
        } else {
            0
        };
        self.next = match enter {
            Some(cause) if self.cause != enter => {
                let before = self.next.filter(|(next, _)| *next == cause);
                Some((cause, before.map_or(0, |(_, seconds)| seconds) + 1))
            }
            _ => None,
        };
        if let Some((cause, seconds)) = self.next
            && seconds >= POOR_AFTER
        {
            self.cause = Some(cause);
            self.next = None;
        } else if self.good_seconds >= GOOD_AFTER {
            self.cause = None;
        }
    }
}
