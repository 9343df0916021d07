//! Rooms that one network creates without authentication: their rate and their number.
#![deny(clippy::disallowed_methods)]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::OwnedMutexGuard;
use uuid::Uuid;

/// Rooms that a network creates at once.
const BURST: u32 = 10;
/// One more may be created after this.
const REFILL: Duration = Duration::from_secs(10);
/// Open rooms of a network that may be unoccupied at once.
pub(crate) const MOST_UNOCCUPIED: usize = 100;
/// A network with that many gets this as the time until a retry makes sense.
pub(crate) const QUOTA_RETRY: Duration = Duration::from_secs(60);
/// A room that nobody ever entered ends after this; its creator is then forgotten.
pub(crate) const UNENTERED_TTL: Duration = Duration::from_secs(7 * 24 * 3_600);
/// Rooms remembered for one network; past it the oldest are forgotten.
const MOST_REMEMBERED: usize = 1_000;

/// Held from the check of a creation to its end, so that the creations of one network
/// are counted one after another.
pub(crate) type SharedCreations = Arc<tokio::sync::Mutex<Creations>>;

/// What one network created without authentication.
#[derive(Debug, Default)]
pub(crate) struct Creations {
    /// When everything that was spent is refilled.
    refilled_at: Option<Instant>,
    last: Option<Instant>,
    /// The oldest first.
    rooms: VecDeque<Uuid>,
}

impl Creations {
    /// Counts a creation against the rate.
    ///
    /// # Errors
    /// The rate is exceeded for this long.
    pub fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let spent = self
            .refilled_at
            .map_or(Duration::ZERO, |at| at.saturating_duration_since(now))
            + REFILL;
        let excess = spent.saturating_sub(REFILL * BURST);
        if !excess.is_zero() {
            return Err(excess);
        }
        self.refilled_at = Some(now + spent);
        Ok(())
    }

    /// Remembers a room that was created.
    pub fn add(&mut self, now: Instant, room: Uuid) {
        if self.rooms.len() == MOST_REMEMBERED {
            self.rooms.pop_front();
        }
        self.rooms.push_back(room);
        self.last = Some(now);
    }

    /// The remembered rooms, once there may be too many.
    pub fn uncounted(&mut self) -> Option<&[Uuid]> {
        (self.rooms.len() >= MOST_UNOCCUPIED).then(|| &*self.rooms.make_contiguous())
    }

    /// Forgets all rooms but these.
    pub fn retain(&mut self, keep: impl Fn(&Uuid) -> bool) {
        self.rooms.retain(keep);
    }

    /// Whether forgetting it all makes no difference: the rate is refilled, and rooms
    /// that nobody entered have ended.
    pub fn is_rested(&self, now: Instant) -> bool {
        let ended = |last: Instant| now.saturating_duration_since(last) > UNENTERED_TTL;
        self.refilled_at.is_none_or(|at| at <= now)
            && (self.rooms.is_empty() || self.last.is_none_or(ended))
    }
}

/// A creation that was counted against the limits of its network, if it has any.
#[must_use]
pub(crate) struct Creation(Option<(Instant, OwnedMutexGuard<Creations>)>);

impl Creation {
    /// One without limits.
    pub fn unlimited() -> Self {
        Self(None)
    }

    /// One that the network may do now.
    pub fn limited(now: Instant, creations: OwnedMutexGuard<Creations>) -> Self {
        Self(Some((now, creations)))
    }

    /// Whether limits apply to it.
    pub fn is_limited(&self) -> bool {
        self.0.is_some()
    }

    /// The room is created: it counts against the number of its network's rooms.
    pub fn done(self, room: Uuid) {
        if let Some((now, mut creations)) = self.0 {
            creations.add(now, room);
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)] // Only to have an instant to begin with.
mod tests {
    use super::*;

    #[test]
    fn ten_rooms_are_created_at_once_and_then_one_every_ten_seconds() {
        let start = Instant::now();
        let mut creations = Creations::default();
        for _ in 0..10 {
            assert_eq!(creations.take(start), Ok(()));
        }
        assert_eq!(creations.take(start), Err(REFILL));
        // A refused one costs nothing.
        let later = start + Duration::from_secs(4);
        assert_eq!(creations.take(later), Err(Duration::from_secs(6)));
        assert_eq!(creations.take(start + REFILL), Ok(()));
        assert_eq!(creations.take(start + REFILL), Err(REFILL));
        assert_eq!(creations.take(start + REFILL * 11), Ok(()));
    }

    #[test]
    fn a_network_rests_when_its_rate_is_refilled_and_its_rooms_have_ended() {
        let start = Instant::now();
        let mut creations = Creations::default();
        assert!(creations.is_rested(start));
        creations.take(start).unwrap();
        assert!(!creations.is_rested(start));
        assert!(creations.is_rested(start + REFILL));
        creations.add(start, Uuid::from_u128(1));
        assert!(!creations.is_rested(start + UNENTERED_TTL));
        assert!(creations.is_rested(start + UNENTERED_TTL * 2));
    }

    #[test]
    fn a_network_has_a_thousand_rooms_remembered_at_most() {
        let now = Instant::now();
        let mut creations = Creations::default();
        for number in 0..99 {
            creations.add(now, Uuid::from_u128(number));
        }
        assert_eq!(creations.uncounted(), None);
        for number in 99..1_001 {
            creations.add(now, Uuid::from_u128(number));
        }
        let rooms = creations.uncounted().unwrap();
        assert_eq!((rooms.len(), rooms[0]), (1_000, Uuid::from_u128(1)));
        creations.retain(|room| *room == Uuid::from_u128(7));
        assert_eq!(creations.uncounted(), None);
    }
}
