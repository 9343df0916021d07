//! The cache in Redis. While that is down there is none: rooms are read from
//! their rows. What changed meanwhile would be stale when it is back, so that a
//! key that could not be written is removed then.

use std::sync::LazyLock;

use redis::Script;

use super::CACHE_TTL;
use crate::cluster::Cluster;

/// KEYS[1] the room; ARGV: the entry, its version, TTL. An older version that
/// comes late is not kept.
static PUT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local kept = redis.call('GET', KEYS[1])
        if kept then
            local is_entry, entry = pcall(cjson.decode, kept)
            if is_entry and entry.room and entry.room.version > tonumber(ARGV[2]) then return 0 end
        end
        redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
        return 1",
    )
});

pub async fn get(cluster: &Cluster, key: &str) -> Option<String> {
    cluster.ask(redis::cmd("GET").arg(key)).await.ok()?
}

pub async fn put(cluster: &Cluster, key: &str, value: &str, version: i64) {
    let mut call = PUT.prepare_invoke();
    call.key(key)
        .arg(value)
        .arg(version)
        .arg(CACHE_TTL.as_secs());
    if cluster.invoke::<i64>(&call).await.is_err() {
        cluster.is_stale(key);
    }
}

pub async fn remove(cluster: &Cluster, key: &str) {
    let removed = cluster.ask::<i64>(redis::cmd("DEL").arg(key)).await;
    if removed.is_err() {
        cluster.is_stale(key);
    }
}
