//! Figures for operators.

use super::{Row, Store, StoreError};
use crate::clock::Timestamp;
use crate::model::Room;

/// Sessions listed at most.
const MOST_SESSIONS: i64 = 1_000;

/// An active session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionStatistics {
    /// The session's id.
    pub id: String,
    /// Its state.
    pub status: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// Participants present in its room.
    pub present: i64,
    /// Joins since it was created.
    pub joined: i64,
}

/// Totals of a room over all its instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomStatistics {
    /// Instances so far.
    pub instances: i64,
    /// Chat messages.
    pub chat: i64,
}

impl Store {
    /// Participants present on this node.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn present_at(&self, node: &str) -> Result<i64, StoreError> {
        let sql = "SELECT COUNT(*) FROM participants WHERE node = $1 AND left_at IS NULL";
        let row = self.query(sql).bind(node).one().await?;
        row.get(0)
    }

    /// Active rooms in the database.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn stored_rooms(&self) -> Result<i64, StoreError> {
        let sql = "SELECT COUNT(*) FROM rooms WHERE is_active = 1";
        let row = self.query(sql).one().await?;
        row.get(0)
    }

    /// All rooms, ended and deleted ones too, oldest first.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn all_rooms(&self, most: i64) -> Result<Vec<Room>, StoreError> {
        let sql = "SELECT doc, uid FROM rooms ORDER BY created_at LIMIT $1";
        let rows = self.query(sql).bind(most).all().await?;
        Ok(super::from_docs("rooms", &rows))
    }

    /// The active sessions.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn session_figures(&self) -> Result<Vec<SessionStatistics>, StoreError> {
        let sql = "SELECT s.id, s.status, s.created_at, \
                   COUNT(CASE WHEN p.left_at IS NULL THEN p.sid END), \
                   COUNT(CASE WHEN p.joined_at >= s.created_at THEN p.sid END) \
                   FROM sessions s LEFT JOIN rooms r ON r.ro = s.room \
                   LEFT JOIN participants p ON p.room = r.uid \
                   WHERE s.status NOT IN ('STOPPED', 'CANCELLED') \
                   GROUP BY s.id, s.status, s.created_at ORDER BY s.created_at LIMIT $1";
        let rows = self.query(sql).bind(MOST_SESSIONS).all().await?;
        let figures = |row: &Row| -> Result<_, StoreError> {
            Ok(SessionStatistics {
                id: row.get(0)?,
                status: row.get(1)?,
                created_at: Timestamp(row.get(2)?),
                present: row.get(3)?,
                joined: row.get(4)?,
            })
        };
        rows.iter().map(figures).collect()
    }

    /// The totals of a room.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn room_figures(&self, room: uuid::Uuid) -> Result<RoomStatistics, StoreError> {
        let sql = "SELECT (SELECT COUNT(*) FROM room_instances WHERE room = $1), \
                   (SELECT COUNT(*) FROM chat WHERE room = $1)";
        let row = self.query(sql).bind(room.to_string()).one().await?;
        Ok(RoomStatistics {
            instances: row.get(0)?,
            chat: row.get(1)?,
        })
    }
}
