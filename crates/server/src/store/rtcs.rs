//! RTCs: the media of a room on an SFU.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Store, StoreError, Tx, from_doc, from_docs, to_doc};
use crate::clock::Timestamp;

/// The media that an SFU forwards for a room, and that a recording is made of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rtc {
    /// Its own identity.
    pub id: Uuid,
    /// The room.
    pub room: Uuid,
    /// When it was created.
    pub created_at: Timestamp,
    /// The identity that created it.
    pub created_by: Option<String>,
}

impl Store {
    /// An rtc by its id.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn rtc(&self, id: Uuid) -> Result<Option<Rtc>, StoreError> {
        let row = self
            .query("SELECT doc FROM rtcs WHERE id = $1")
            .bind(id.to_string())
            .optional()
            .await?;
        row.as_ref().map(from_doc).transpose()
    }

    /// A room's rtcs, oldest first.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn rtcs(&self, room: Uuid) -> Result<Vec<Rtc>, StoreError> {
        let sql = "SELECT doc, id FROM rtcs WHERE room = $1 ORDER BY created_at, id";
        let rows = self.query(sql).bind(room.to_string()).all().await?;
        Ok(from_docs("rtcs", &rows))
    }
}

impl Tx {
    /// Adds an rtc.
    ///
    /// # Errors
    /// [`StoreError::Dangling`] when the room does not exist.
    pub async fn insert_rtc(&mut self, rtc: &Rtc) -> Result<(), StoreError> {
        self.statement("INSERT INTO rtcs (id, room, created_at, doc) VALUES ($1, $2, $3, $4)")
            .bind(rtc.id.to_string())
            .bind(rtc.room.to_string())
            .bind(rtc.created_at.0)
            .bind(to_doc(rtc)?)
            .write()
            .await
    }
}
