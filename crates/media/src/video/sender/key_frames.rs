//! When a key frame is made: each costs several times another's bits.

use std::time::{Duration, Instant};

/// Requests of receivers that lost a frame are answered at most so often.
const KEY_FRAME_INTERVAL: Duration = Duration::from_millis(500);
/// Requests for a first picture are answered at most so often: receivers that join
/// together share a key frame.
pub(super) const FIRST_INTERVAL: Duration = Duration::from_millis(150);

/// Remembers requests until they may be answered.
#[derive(Debug, Default)]
pub(super) struct KeyFrames {
    wanted: bool,
    /// Whether somebody has no picture yet.
    first_wanted: bool,
    last: Option<Instant>,
}

impl KeyFrames {
    pub(super) fn request(&mut self) {
        self.wanted = true;
    }

    /// A receiver has no picture yet.
    pub(super) fn request_first(&mut self) {
        self.first_wanted = true;
    }

    /// Whether the next frame is to be a key frame.
    pub(super) fn due(&self, now: Instant) -> bool {
        (self.wanted && self.has_rested(now, KEY_FRAME_INTERVAL))
            || (self.first_wanted && self.may_be_first(now))
    }

    /// Whether a first picture may be made.
    pub(super) fn may_be_first(&self, now: Instant) -> bool {
        self.has_rested(now, FIRST_INTERVAL)
    }

    fn has_rested(&self, now: Instant, interval: Duration) -> bool {
        let rested = |last| now.saturating_duration_since(last) >= interval;
        self.last.is_none_or(rested)
    }

    /// A key frame was made; it answers all requests.
    pub(super) fn made(&mut self, now: Instant) {
        *self = Self {
            last: Some(now),
            ..Self::default()
        };
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

    #[test]
    fn a_first_picture_waits_only_for_others_that_join_with_it() {
        let start = Instant::now();
        let mut key_frames = KeyFrames::default();
        key_frames.made(start);
        key_frames.request_first();
        assert!(!key_frames.due(start + Duration::from_millis(149)));
        assert!(key_frames.due(start + FIRST_INTERVAL));
        key_frames.made(start + FIRST_INTERVAL);
        key_frames.request();
        assert!(
            !key_frames.due(start + 2 * FIRST_INTERVAL),
            "it was answered"
        );
    }
}
