//! S1's identifiers: a prefix and a ULID in lower-case Crockford base32, so that
//! their order is that of their making.

use std::sync::{Mutex, PoisonError};

use rand::{Rng, RngExt};
use ulid::Ulid;

use crate::clock::Timestamp;

/// What such an identifier names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UlidKind {
    /// `ro_`: a room.
    Room,
    /// `se_`: a session.
    Session,
    /// `ch_`: a channel.
    Channel,
}

impl UlidKind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Room => "ro_",
            Self::Session => "se_",
            Self::Channel => "ch_",
        }
    }

    /// Reads an identifier of this kind into its canonical form; capitals are
    /// forgiven.
    pub fn parse(self, text: &str) -> Option<String> {
        let text = text.to_ascii_lowercase();
        let ulid = Ulid::from_string(text.strip_prefix(self.prefix())?).ok()?;
        Some(self.write(ulid))
    }

    fn write(self, ulid: Ulid) -> String {
        format!("{}{}", self.prefix(), ulid.to_string().to_ascii_lowercase())
    }
}

/// Where these identifiers come from: each is greater than all that this source
/// made before, within one millisecond and when the clock steps back too.
#[derive(Debug, Default)]
pub(crate) struct UlidSource(Mutex<Ulid>);

impl UlidSource {
    pub fn make(&self, kind: UlidKind, now: Timestamp, rng: &mut (impl Rng + ?Sized)) -> String {
        let millis = u64::try_from(now.0).unwrap_or_default();
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = Ulid::from_parts(millis, rng.random());
        *last = if fresh.timestamp_ms() > last.timestamp_ms() {
            fresh
        } else {
            // Far enough that nobody guesses the neighbour of an id it was given,
            // as one could with the usual step of one.
            let step = 1 + u128::from(rng.random::<u64>());
            Ulid(last.0.saturating_add(step))
        };
        kind.write(*last)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1_763_649_000_000);

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in ".*", tail in "(ro|RO)_[0-9a-zA-Z]{26}") {
            for text in [text, tail] {
                if let Some(id) = UlidKind::Room.parse(&text) {
                    prop_assert_eq!(UlidKind::Room.parse(&id), Some(id.clone()));
                }
            }
        }
    }

    #[test]
    fn s1_06_ids_are_a_prefix_and_a_lower_case_ulid() {
        let source = UlidSource::default();
        for (kind, prefix) in [
            (UlidKind::Room, "ro_"),
            (UlidKind::Session, "se_"),
            (UlidKind::Channel, "ch_"),
        ] {
            let id = source.make(kind, NOW, &mut rand::rng());
            let tail = id.strip_prefix(prefix).unwrap();
            assert_eq!(tail.len(), 26, "{id}");
            let is_crockford = |c| matches!(c, '0'..='9' | 'a'..='h' | 'j' | 'k' | 'm' | 'n' | 'p'..='t' | 'v'..='z');
            assert!(tail.chars().all(is_crockford), "{id}");
            assert_eq!(kind.parse(&id.to_ascii_uppercase()), Some(id));
        }
        let room = source.make(UlidKind::Room, NOW, &mut rand::rng());
        assert_eq!(UlidKind::Session.parse(&room), None);
        assert_eq!(UlidKind::Room.parse("ro_"), None);
        assert_eq!(UlidKind::Room.parse(&format!("{room}0")), None);
    }

    #[test]
    fn s1_09_ids_sort_in_the_order_of_their_making_whatever_the_clock_does() {
        let source = UlidSource::default();
        let mut rng = rand::rng();
        let moments = [0, 0, 1, 1, -5_000, -5_000, 2, 86_400_000, 0].into_iter();
        let ids: Vec<String> = moments
            .cycle()
            .take(1_000)
            .map(|offset| source.make(UlidKind::Room, Timestamp(NOW.0 + offset), &mut rng))
            .collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn s1_38_a_hundred_thousand_ids_of_one_millisecond_are_unique_and_sorted() {
        let source = UlidSource::default();
        let mut rng = rand::rng();
        let ids: Vec<String> = (0..100_000)
            .map(|_| source.make(UlidKind::Session, NOW, &mut rng))
            .collect();
        assert!(ids.is_sorted());
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    }
}
