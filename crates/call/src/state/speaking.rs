//! Speaker detection: a level above a threshold, held for a moment so that the
//! indicator does not flicker between words.

use std::time::{Duration, Instant};

/// RMS threshold, full scale 1.0: −40 dBFS is above the noise of a quiet room and
/// below quiet speech.
const THRESHOLD_RMS: f32 = 0.01;
const HOLD: Duration = Duration::from_millis(600);

/// The speaking state of one participant.
#[derive(Debug, Default)]
pub(crate) struct Speaking {
    until: Option<Instant>,
}

impl Speaking {
    /// Updates the state with a measured level.
    pub fn observe(&mut self, now: Instant, rms: f32) {
        if rms > THRESHOLD_RMS {
            self.until = Some(now + HOLD);
        } else if self.until.is_some_and(|until| now >= until) {
            self.until = None;
        }
    }

    /// Whether the participant is speaking.
    pub fn is_speaking(&self) -> bool {
        self.until.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speaking_continues_over_a_short_pause_and_ends_after_a_long_one() {
        let start = Instant::now();
        let mut speaking = Speaking::default();
        speaking.observe(start, 0.001);
        assert!(!speaking.is_speaking());
        speaking.observe(start, 0.1);
        speaking.observe(start + HOLD / 2, 0.0);
        assert!(speaking.is_speaking());
        speaking.observe(start + HOLD, 0.0);
        assert!(!speaking.is_speaking());
    }
}
