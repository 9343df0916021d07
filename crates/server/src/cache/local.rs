//! The cache in this process.

use std::sync::Arc;

use moka::sync::Cache;

use super::CACHE_TTL;
use crate::clock::Timestamp;

/// The most rooms that are kept close by; the least used go.
const MOST: u64 = 10_000;

/// By the service's clock, which may be manual.
#[derive(Debug)]
pub(crate) struct LocalCache(Cache<String, (Timestamp, Arc<str>)>);

impl Default for LocalCache {
    fn default() -> Self {
        Self(Cache::new(MOST))
    }
}

impl LocalCache {
    pub fn get(&self, key: &str, now: Timestamp) -> Option<Arc<str>> {
        let (until, value) = self.0.get(key)?;
        if until <= now {
            self.0.invalidate(key);
            return None;
        }
        Some(value)
    }

    pub fn put(&self, key: String, value: String, now: Timestamp) {
        self.0.insert(key, (now.after(CACHE_TTL), value.into()));
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
        cache.put("room:a".to_owned(), "1".to_owned(), start);
        assert_eq!(cache.get("room:a", start).as_deref(), Some("1"));
        assert_eq!(cache.get("room:a", start.after(CACHE_TTL)), None);
        assert_eq!(cache.get("room:a", start), None, "and is gone");
    }
}
