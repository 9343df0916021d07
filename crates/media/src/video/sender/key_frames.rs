//! When a key frame is made: each costs several times another's bits.

use std::time::{Duration, Instant};

/// Requests are answered at most so often.
pub(super) const KEY_FRAME_INTERVAL: Duration = Duration::from_millis(500);

/// Remembers requests until they may be answered.
#[derive(Debug, Default)]
pub(super) struct KeyFrames {
    wanted: bool,
    last: Option<Instant>,
}

impl KeyFrames {
    pub(super) fn request(&mut self) {
        self.wanted = true;
    }

    /// Whether the next frame is to be a key frame.
    pub(super) fn due(&self, now: Instant) -> bool {
        self.wanted && self.may_be_made(now)
    }

    /// Whether the last key frame is long enough ago.
    pub(super) fn may_be_made(&self, now: Instant) -> bool {
        let rested = |last| now.saturating_duration_since(last) >= KEY_FRAME_INTERVAL;
        self.last.is_none_or(rested)
    }

    /// A key frame was made; it answers whatever was requested.
    pub(super) fn made(&mut self, now: Instant) {
        self.wanted = false;
        self.last = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_within_the_interval_is_answered_at_its_end() {
        let start = Instant::now();
        let mut key_frames = KeyFrames::default();
        assert!(!key_frames.due(start));
        key_frames.request();
        assert!(key_frames.due(start));
        key_frames.made(start);
        key_frames.request();
        assert!(!key_frames.due(start + Duration::from_millis(499)));
        assert!(key_frames.due(start + KEY_FRAME_INTERVAL));
        key_frames.made(start + KEY_FRAME_INTERVAL);
        assert!(!key_frames.due(start + 3 * KEY_FRAME_INTERVAL));
    }
}
