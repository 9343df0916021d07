//! The room cache: by the room's code, in Redis under `room:{roomId}`;
//! write-through and read-through, a day for each entry. It saves reads; nothing
//! depends on it.

mod local;
mod shared;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::cluster::Cluster;
use crate::model::Room;
pub(crate) use local::LocalCache;

/// How long an entry lives; the room lives on.
pub(crate) const CACHE_TTL: Duration = Duration::from_secs(24 * 3_600);

/// Where rooms are kept close by.
pub(crate) enum RoomCache {
    /// In this process.
    Local(LocalCache),
    /// In Redis, for all nodes.
    Shared(Arc<Cluster>),
}

/// What an entry in Redis says: what a gatekeeper needs, and the whole room.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    id: Uuid,
    host_id: Option<Uuid>,
    max_participants: u32,
    room: Room,
}

impl RoomCache {
    /// The room with this code, where it is known here.
    pub async fn get(&self, code: &str, now: Timestamp) -> Option<Room> {
        match self {
            Self::Local(local) => local.get(code, now),
            Self::Shared(cluster) => {
                let text = shared::get(cluster, &key(code)).await?;
                let entry: Entry = serde_json::from_str(&text).ok()?;
                Some(entry.room)
            }
        }
    }

    /// Keeps a room as it is now, unless a newer one is kept.
    pub async fn put(&self, room: &Room, now: Timestamp) {
        let cluster = match self {
            Self::Local(local) => return local.put(room, now),
            Self::Shared(cluster) => cluster,
        };
        let entry = Entry {
            id: room.uid,
            host_id: room.host,
            max_participants: room.max_participants,
            room: room.clone(),
        };
        if let Ok(text) = serde_json::to_string(&entry) {
            shared::put(cluster, &key(&room.code), &text, room.version).await;
        }
    }

    /// Forgets a room.
    pub async fn remove(&self, code: &str) {
        match self {
            Self::Local(local) => local.remove(code),
            Self::Shared(cluster) => shared::remove(cluster, &key(code)).await,
        }
    }
}

fn key(code: &str) -> String {
    format!("room:{code}")
}
