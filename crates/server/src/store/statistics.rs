//! Figures for those who watch the service.

use super::{Row, Store, StoreError};
use crate::clock::Timestamp;
use crate::model::Room;

/// More sessions at a time than this are not told apart.
const MOST_SESSIONS: i64 = 1_000;

/// A session that is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionStatistics {
    /// The session's id.
    pub id: String,
    /// Its state.
    pub status: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// How many are inside its room.
    pub present: i64,
    /// How many came in since it was made.
    pub joined: i64,
}

/// A room, over all its lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomStatistics {
    /// How often it came to life.
    pub lives: i64,
    /// Chat messages.
    pub chat: i64,
}

impl Store {
    /// How many are inside by this node's word.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn present_at(&self, node: &str) -> Result<i64, StoreError> {
        let sql = "SELECT COUNT(*) FROM participants WHERE node = $1 AND left_at IS NULL";
        let row = self.query(sql).bind(node).one().await?;
        row.get(0)
    }

    /// How many rooms are stored that are not over.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn stored_rooms(&self) -> Result<i64, StoreError> {
        let sql = "SELECT COUNT(*) FROM rooms WHERE is_active = 1";
        let row = self.query(sql).one().await?;
        row.get(0)
    }

    /// All rooms that are remembered, oldest first.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn all_rooms(&self, most: i64) -> Result<Vec<Room>, StoreError> {
        let sql = "SELECT doc FROM rooms ORDER BY created_at LIMIT $1";
        let rows = self.query(sql).bind(most).all().await?;
        super::from_docs(&rows)
    }

    /// The sessions that are not over.
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

    /// What became of a room.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn room_figures(&self, room: uuid::Uuid) -> Result<RoomStatistics, StoreError> {
        let sql = "SELECT (SELECT COUNT(*) FROM incarnations WHERE room = $1), \
                   (SELECT COUNT(*) FROM chat WHERE room = $1)";
        let row = self.query(sql).bind(room.to_string()).one().await?;
        Ok(RoomStatistics {
            lives: row.get(0)?,
            chat: row.get(1)?,
        })
    }
}
