//! Who speaks: sound above a threshold, held for a moment so that the mark
//! does not flicker between words.

use std::time::{Duration, Instant};

/// −40 dBFS: above a quiet room, below a quiet voice.
const THRESHOLD_RMS: f32 = 0.01;
const HOLD: Duration = Duration::from_millis(600);

/// Whether one participant speaks.
#[derive(Debug, Default)]
pub(crate) struct Speaking {
    until: Option<Instant>,
}

impl Speaking {
    /// A level was measured. Whether the participant counts as speaking.
    pub fn heard(&mut self, now: Instant, rms: f32) {
        if rms > THRESHOLD_RMS {
            self.until = Some(now + HOLD);
        } else if self.until.is_some_and(|until| now >= until) {
            self.until = None;
        }
    }

    /// Whether the participant counts as speaking.
    pub fn is_speaking(&self) -> bool {
        self.until.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voice_is_held_over_a_short_pause_and_ends_after_a_long_one() {
        let start = Instant::now();
        let mut speaking = Speaking::default();
        speaking.heard(start, 0.001);
        assert!(!speaking.is_speaking());
        speaking.heard(start, 0.1);
        speaking.heard(start + HOLD / 2, 0.0);
        assert!(speaking.is_speaking());
        speaking.heard(start + HOLD, 0.0);
        assert!(!speaking.is_speaking());
    }
}
