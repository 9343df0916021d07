//! Chat messages.

use uuid::Uuid;
use visavis_protocol::ChatEntry;

use super::{Store, StoreError, from_docs, to_doc};
use crate::clock::{Clock, Timestamp};

impl Store {
    /// Adds a chat message, as a transaction of its own.
    ///
    /// # Errors
    /// When the database failed, or the room does not exist.
    pub async fn append_chat(&self, room: Uuid, entry: &ChatEntry) -> Result<(), StoreError> {
        // Only a time past the year 9999 has no text.
        let sent_at = Timestamp::parse(&entry.sent_at).unwrap_or_else(Clock::real);
        self.statement("INSERT INTO chat (room, entry, sent_at) VALUES ($1, $2, $3)")
            .bind(room.to_string())
            .bind(to_doc(entry)?)
            .bind(sent_at.0)
            .write()
            .await
    }

    /// The last chat messages, oldest first.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn recent_chat(&self, room: Uuid, most: usize) -> Result<Vec<ChatEntry>, StoreError> {
        let sql = "SELECT entry, seq FROM chat WHERE room = $1 ORDER BY seq DESC LIMIT $2";
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = self.query(sql).bind(room.to_string()).bind(most);
        let mut chat: Vec<ChatEntry> = from_docs("chat", &rows.all().await?);
        chat.reverse();
        Ok(chat)
    }
}
