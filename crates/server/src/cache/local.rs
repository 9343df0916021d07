//! The cache in this process.

use std::sync::Arc;

use moka::sync::Cache;

use super::CACHE_TTL;
use crate::clock::Timestamp;

/// The most rooms that are kept close by; the least used go.
const MOST: u64 = 10_000;

/// By the service's clock, which may be manual.
#[derive(Debug)]
pub(crate) struct LocalCache(Cache<String, (Timestamp, i64, Arc<str>)>);

impl Default for LocalCache {
    fn default() -> Self {
        Self(Cache::new(MOST))
    }
}

impl LocalCache {
    pub fn get(&self, key: &str, now: Timestamp) -> Option<Arc<str>> {
        let (until, _, value) = self.0.get(key)?;
        if until <= now {
            self.0.invalidate(key);
            return None;
        }
        Some(value)
    }

    /// Keeps a value, unless one of a newer version is there.
    pub fn put(&self, key: String, value: String, version: i64, now: Timestamp) {
        let new = (now.after(CACHE_TTL), version, value.into());
        self.0.entry(key).and_upsert_with(|kept| {
            let kept = kept.map(|kept| kept.into_value());
            kept.filter(|(until, kept, _)| *until > now && *kept > version)
                .unwrap_or(new)
        });
    }

    pub fn remove(&self, key: &str) {
        self.0.invalidate(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_lives_for_a_day_of_the_services_clock() {
        let cache = LocalCache::default();
        let start = Timestamp::from_secs(1_000);
        cache.put("room:a".to_owned(), "1".to_owned(), 1, start);
        assert_eq!(cache.get("room:a", start).as_deref(), Some("1"));
        assert_eq!(cache.get("room:a", start.after(CACHE_TTL)), None);
        assert_eq!(cache.get("room:a", start), None, "and is gone");
    }

    #[test]
    fn an_older_version_that_comes_late_is_not_kept() {
        let cache = LocalCache::default();
        let start = Timestamp::from_secs(1_000);
        for (value, version) in [("2", 2), ("1", 1)] {
            cache.put("room:a".to_owned(), value.to_owned(), version, start);
        }
        assert_eq!(cache.get("room:a", start).as_deref(), Some("2"));
    }
}
