//! The cache in Redis. While that is down there is none: rooms are read from
//! their rows. What changed meanwhile would be stale when it is back, so that a
//! key that could not be written is removed then.

use super::CACHE_TTL;
use crate::cluster::Cluster;

pub async fn get(cluster: &Cluster, key: &str) -> Option<String> {
    cluster.ask(redis::cmd("GET").arg(key)).await.ok()?
}

pub async fn put(cluster: &Cluster, key: &str, value: &str) {
    let mut set = redis::cmd("SET");
    set.arg(key).arg(value).arg("EX").arg(CACHE_TTL.as_secs());
    if cluster.ask::<()>(&set).await.is_err() {
        cluster.is_stale(key);
    }
}

pub async fn remove(cluster: &Cluster, key: &str) {
    let removed = cluster.ask::<i64>(redis::cmd("DEL").arg(key)).await;
    if removed.is_err() {
        cluster.is_stale(key);
    }
}
