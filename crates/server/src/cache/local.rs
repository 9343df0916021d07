//! The cache in this process.

use std::sync::Arc;

use moka::sync::Cache;

use super::CACHE_TTL;
use crate::clock::Timestamp;
use crate::model::Room;

/// The most rooms that are kept close by; the least used go.
const MOST: u64 = 10_000;

/// Rooms by their codes, and until when each is kept by the service's clock,
/// which may be manual.
#[derive(Debug)]
pub(crate) struct LocalCache(Cache<String, (Timestamp, Arc<Room>)>);

impl Default for LocalCache {
    fn default() -> Self {
        Self(Cache::new(MOST))
    }
}

impl LocalCache {
    pub fn get(&self, code: &str, now: Timestamp) -> Option<Room> {
        let (until, room) = self.0.get(code)?;
        if until <= now {
            self.0.invalidate(code);
            return None;
        }
        Some(Room::clone(&room))
    }

    /// Keeps a room, unless a newer version of it is there.
    pub fn put(&self, room: &Room, now: Timestamp) {
        let new = (now.after(CACHE_TTL), Arc::new(room.clone()));
        self.0.entry_by_ref(&room.code).and_upsert_with(|kept| {
            let kept = kept.map(|kept| kept.into_value());
            kept.filter(|(until, kept)| *until > now && kept.version > room.version)
                .unwrap_or(new)
        });
    }

    pub fn remove(&self, code: &str) {
        self.0.invalidate(code);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(now: Timestamp, version: i64) -> Room {
        Room {
            code: "abc-defg-hij".to_owned(),
            version,
            ..Room::draft(now)
        }
    }

    #[test]
    fn an_entry_lives_for_a_day_of_the_services_clock() {
        let cache = LocalCache::default();
        let start = Timestamp::from_secs(1_000);
        let room = room(start, 1);
        cache.put(&room, start);
        assert!(cache.get(&room.code, start).is_some());
        assert!(cache.get(&room.code, start.after(CACHE_TTL)).is_none());
        assert!(cache.get(&room.code, start).is_none(), "and is gone");
    }

    #[test]
    fn an_older_version_that_comes_late_is_not_kept() {
        let cache = LocalCache::default();
        let start = Timestamp::from_secs(1_000);
        for version in [2, 1] {
            cache.put(&room(start, version), start);
        }
        let kept = cache.get("abc-defg-hij", start).unwrap();
        assert_eq!(kept.version, 2);
    }
}
