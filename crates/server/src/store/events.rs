//! The event log.

use super::{Row, Store, StoreError, Tx};
use crate::clock::Timestamp;
use crate::model::{Event, EventLabel};

/// An event and its sequence number in the log.
pub type LoggedEvent = (i64, Event);

impl Store {
    /// Events of a topic after this sequence number, oldest first.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn events_after(
        &self,
        uri: &str,
        place: i64,
        most: i64,
    ) -> Result<Vec<LoggedEvent>, StoreError> {
        let sql = "SELECT seq, id, at, room, uri, label, payload FROM events \
                   WHERE uri = $1 AND seq > $2 ORDER BY seq LIMIT $3";
        let rows = self
            .query(sql)
            .bind(uri)
            .bind(place)
            .bind(most)
            .all()
            .await?;
        let event = |row| super::readable("events", Row::id(row, 0), logged(row));
        Ok(rows.iter().filter_map(event).collect())
    }

    /// The sequence number of an event.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn event_place(&self, uri: &str, id: &str) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT seq FROM events WHERE uri = $1 AND id = $2";
        let row = self.query(sql).bind(uri).bind(id).optional().await?;
        row.map(|row| row.get(0)).transpose()
    }

    /// The last sequence number of a topic.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn last_place(&self, uri: &str) -> Result<i64, StoreError> {
        let sql = "SELECT COALESCE(MAX(seq), 0) FROM events WHERE uri = $1";
        let row = self.query(sql).bind(uri).one().await?;
        row.get(0)
    }
}

impl Tx {
    /// Adds an event to the log. The events of a topic become visible in the order
    /// of their sequence numbers, so a reader that continues after one misses none.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn append_event(&mut self, event: &Event) -> Result<(), StoreError> {
        if self.is_shared() {
            // PostgreSQL assigns sequence numbers at insertion, not at commit: this
            // lock makes the transactions of a topic insert and commit in turn.
            let turn = "SELECT COUNT(*) FROM pg_advisory_xact_lock(hashtextextended($1, 0))";
            self.statement(turn).bind(event.uri.as_str()).all().await?;
        }
        let sql = "INSERT INTO events (id, at, room, uri, label, payload) \
                   VALUES ($1, $2, $3, $4, $5, $6)";
        self.statement(sql)
            .bind(event.id.as_str())
            .bind(event.at.0)
            .bind(event.room.map(|room| room.to_string()))
            .bind(event.uri.as_str())
            .bind(event.label.as_str())
            .bind(event.payload.as_str())
            .write()
            .await
    }
}

fn logged(row: &Row) -> Result<LoggedEvent, StoreError> {
    let room: Option<String> = row.get(3)?;
    let label: String = row.get(5)?;
    let event = Event {
        id: row.get(1)?,
        at: Timestamp(row.get(2)?),
        room: room.and_then(|room| room.parse().ok()),
        uri: row.get(4)?,
        label: serde_json::from_value::<EventLabel>(label.into())?,
        payload: row.get(6)?,
    };
    Ok((row.get(0)?, event))
}
