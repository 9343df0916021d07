//! Channels and their broadcast sessions.

use super::{Store, StoreError, Tx, from_doc, from_docs, to_doc};
use crate::lifecycle::session::{Channel, Session};

impl Store {
    /// A channel.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn channel(&self, id: &str) -> Result<Option<Channel>, StoreError> {
        let row = self
            .query("SELECT doc FROM channels WHERE id = $1")
            .bind(id)
            .optional()
            .await?;
        row.as_ref().map(from_doc).transpose()
    }

    /// Channels, oldest first: of one owner, or all if `owner` is empty.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn channels(&self, owner: &str, most: i64) -> Result<Vec<Channel>, StoreError> {
        let sql = "SELECT doc, id FROM channels WHERE ($1 = '' OR owner = $2) ORDER BY id LIMIT $3";
        let rows = self
            .query(sql)
            .bind(owner)
            .bind(owner)
            .bind(most)
            .all()
            .await?;
        Ok(from_docs("channels", &rows))
    }

    /// A session.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn session(&self, id: &str) -> Result<Option<Session>, StoreError> {
        let row = self
            .query("SELECT doc FROM sessions WHERE id = $1")
            .bind(id)
            .optional()
            .await?;
        row.as_ref().map(from_doc).transpose()
    }

    /// Sessions, oldest first: of a room, of a channel, of an owner's channels. An
    /// empty text matches any.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn sessions(
        &self,
        room: &str,
        channel: &str,
        owner: &str,
        most: i64,
    ) -> Result<Vec<Session>, StoreError> {
        let sql = "SELECT doc, id FROM sessions WHERE ($1 = '' OR room = $2) \
                   AND ($3 = '' OR channel = $4) AND ($5 = '' OR channel IN \
                   (SELECT id FROM channels WHERE owner = $6)) ORDER BY id LIMIT $7";
        let rows = self
            .query(sql)
            .bind(room)
            .bind(room)
            .bind(channel)
            .bind(channel)
            .bind(owner)
            .bind(owner)
            .bind(most)
            .all()
            .await?;
        Ok(from_docs("sessions", &rows))
    }
}

impl Tx {
    /// Adds a channel.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn insert_channel(&mut self, channel: &Channel) -> Result<(), StoreError> {
        let sql = "INSERT INTO channels (id, owner, created_at, doc) VALUES ($1, $2, $3, $4)";
        self.statement(sql)
            .bind(channel.channel_id.as_str())
            .bind(channel.owner.as_str())
            .bind(channel.created_at.0)
            .bind(to_doc(channel)?)
            .write()
            .await
    }

    /// Stores a channel; returns whether it exists.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn put_channel(&mut self, channel: &Channel) -> Result<bool, StoreError> {
        let changed = self
            .statement("UPDATE channels SET doc = $2 WHERE id = $1")
            .bind(channel.channel_id.as_str())
            .bind(to_doc(channel)?)
            .count()
            .await?;
        Ok(changed > 0)
    }

    /// Deletes a channel with its sessions, unless one is active; returns whether
    /// it did.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn delete_channel(&mut self, id: &str) -> Result<bool, StoreError> {
        // A concurrent insert of a session waits for this lock and then finds no
        // channel.
        let channel = "SELECT id FROM channels WHERE id = $1";
        self.locking(channel).bind(id).optional().await?;
        let sql = "SELECT id FROM sessions WHERE channel = $1 \
                   AND status NOT IN ('STOPPED', 'CANCELLED')";
        if self.statement(sql).bind(id).optional().await?.is_some() {
            return Ok(false);
        }
        self.statement("DELETE FROM channels WHERE id = $1")
            .bind(id)
            .write()
            .await?;
        Ok(true)
    }

    /// Adds a session.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when its room or its channel has an active session,
    /// [`StoreError::Dangling`] when the channel does not exist.
    pub async fn insert_session(&mut self, session: &Session) -> Result<(), StoreError> {
        let sql = "INSERT INTO sessions (id, room, channel, status, created_at, egress, doc) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7)";
        self.statement(sql)
            .bind(session.session_id.as_str())
            .bind(session.room_id.as_str())
            .bind(session.channel_id.as_str())
            .bind(session.status.as_str())
            .bind(session.created_at.0)
            .bind(session.egress.clone())
            .bind(to_doc(session)?)
            .write()
            .await
    }

    /// Reads a session and locks it until the end of this transaction.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn lock_session(&mut self, id: &str) -> Result<Option<Session>, StoreError> {
        let sql = "SELECT doc FROM sessions WHERE id = $1";
        let row = self.locking(sql).bind(id).optional().await?;
        row.as_ref().map(from_doc).transpose()
    }

    /// Reads and locks the active session of a room.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn lock_active_session(&mut self, room: &str) -> Result<Option<Session>, StoreError> {
        let sql = "SELECT doc FROM sessions WHERE room = $1 \
                 AND status NOT IN ('STOPPED', 'CANCELLED')";
        let row = self.locking(sql).bind(room).optional().await?;
        row.as_ref().map(from_doc).transpose()
    }

    /// Stores a session that this transaction has locked.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn put_session(&mut self, session: &Session) -> Result<(), StoreError> {
        let sql = "UPDATE sessions SET status = $2, egress = $3, doc = $4 WHERE id = $1";
        self.statement(sql)
            .bind(session.session_id.as_str())
            .bind(session.status.as_str())
            .bind(session.egress.clone())
            .bind(to_doc(session)?)
            .write()
            .await
    }

    /// Deletes a session.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn delete_session(&mut self, id: &str) -> Result<(), StoreError> {
        self.statement("DELETE FROM sessions WHERE id = $1")
            .bind(id)
            .write()
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::lifecycle::session::Status;
    use crate::store::Database;

    #[tokio::test]
    async fn s1_41_a_channel_with_an_active_session_stays_however_many_have_ended() {
        let store = Store::open(&Database::Memory).await.unwrap();
        let channel = Channel {
            channel_id: "ch_1".to_owned(),
            owner: "9".to_owned(),
            name: String::new(),
            created_at: Timestamp(1),
        };
        let mut session = Session {
            session_id: String::new(),
            room_id: "ro_1".to_owned(),
            channel_id: channel.channel_id.clone(),
            user_id: channel.owner.clone(),
            status: Status::Stopped,
            name: String::new(),
            description: String::new(),
            egress: None,
            started_at: None,
            stopped_at: None,
            created_at: Timestamp(1),
        };
        let mut tx = store.begin().await.unwrap();
        tx.insert_channel(&channel).await.unwrap();
        for number in 0..=1_000 {
            session.session_id = format!("se_{number:04}");
            if number == 1_000 {
                session.status = Status::Live;
            }
            tx.insert_session(&session).await.unwrap();
        }
        assert!(!tx.delete_channel("ch_1").await.unwrap());
        session.status = Status::Stopped;
        tx.put_session(&session).await.unwrap();
        assert!(tx.delete_channel("ch_1").await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(store.session("se_0000").await.unwrap(), None);
    }
}
