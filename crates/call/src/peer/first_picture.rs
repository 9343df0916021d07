//! Which requests for key frames are for a first picture, and answered at once.

use std::time::{Duration, Instant};

/// The side whose DTLS handshake ends first sends before the other can decrypt: the first
/// key frame may be lost, and the receiver asks for another as soon as it has keys.
const STARTING: Duration = Duration::from_secs(2);
/// How many requests of one start are answered at once: one for frames that were lost, and
/// one for a lost answer.
const MOST: u32 = 2;
/// A start within this time of the one before counts as the same: a peer that negotiates
/// again and again gets no more.
const APART: Duration = Duration::from_secs(5);

/// The start of sending one source to one peer.
#[derive(Debug, Default)]
pub(super) struct FirstPicture {
    started: Option<Instant>,
    answered: u32,
}

impl FirstPicture {
    /// Sending starts. Returns whether that is another start than the one before.
    pub(super) fn start(&mut self, now: Instant) -> bool {
        let is_apart = |at| now.saturating_duration_since(at) >= APART;
        let is_another = self.started.is_none_or(is_apart);
        if is_another {
            self.started = Some(now);
            self.answered = 0;
        }
        is_another
    }

    /// Whether the request for a key frame that came now is for a first picture.
    pub(super) fn is_first(&mut self, now: Instant) -> bool {
        let is_starting = |at| now.saturating_duration_since(at) < STARTING;
        let is_first = self.answered < MOST && self.started.is_some_and(is_starting);
        self.answered += u32::from(is_first);
        is_first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_requests_after_a_start_are_for_the_first_picture_and_later_ones_repairs() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut first = FirstPicture::default();
        assert!(!first.is_first(start), "nothing is sent");
        assert!(first.start(start));
        assert_eq!(
            [100, 200, 300].map(|ms| first.is_first(at(ms))),
            [true, true, false]
        );
        assert!(!first.start(at(1_000)));
        assert!(!first.is_first(at(1_100)), "it is the same start");
        assert!(first.start(at(6_000)));
        assert!(first.is_first(at(6_100)));
        assert!(!first.is_first(at(8_000)), "the picture was there long ago");
    }
}
