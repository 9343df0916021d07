//! The webhook queue.

use super::{Row, Store, StoreError, Tx};
use crate::clock::Timestamp;
use crate::model::Event;

/// A queued webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its position in the queue.
    pub seq: i64,
    /// The event's id.
    pub event: String,
    /// The room's name: webhooks of one room are delivered in order.
    pub room: String,
    /// The URL of the receiver.
    pub url: String,
    /// The exact body, as signed.
    pub body: String,
    /// When the event happened, by the service's clock.
    pub created_at: Timestamp,
    /// Failed attempts so far.
    pub attempts: i64,
}

impl Store {
    /// Webhooks due for a receiver: the first of each room, the longest waiting
    /// first. `now` is real time.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn due_webhooks(
        &self,
        url: &str,
        now: Timestamp,
        most: i64,
    ) -> Result<Vec<Delivery>, StoreError> {
        let sql = "SELECT seq, event, room, url, body, created_at, attempts FROM deliveries d \
                   WHERE url = $1 AND next_at <= $2 AND NOT EXISTS (SELECT 1 FROM deliveries e \
                   WHERE e.url = d.url AND e.room = d.room AND e.seq < d.seq) \
                   ORDER BY seq LIMIT $3";
        let rows = self
            .query(sql)
            .bind(url)
            .bind(now.0)
            .bind(most)
            .all()
            .await?;
        rows.iter().map(delivery).collect()
    }

    /// The next webhook of a room for a receiver.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn next_webhook(
        &self,
        url: &str,
        room: &str,
    ) -> Result<Option<Delivery>, StoreError> {
        let sql = "SELECT seq, event, room, url, body, created_at, attempts FROM deliveries \
                   WHERE url = $1 AND room = $2 ORDER BY seq LIMIT 1";
        let row = self.query(sql).bind(url).bind(room).optional().await?;
        row.as_ref().map(delivery).transpose()
    }

    /// When the next retry is due, in real time.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn next_webhook_due(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT MIN(next_at) FROM deliveries WHERE next_at > $1";
        let row = self.query(sql).bind(now.0).one().await?;
        Ok(row.get::<Option<i64>>(0)?.map(Timestamp))
    }

    /// Queued webhooks.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn queued_webhooks(&self) -> Result<i64, StoreError> {
        let sql = "SELECT COUNT(*) FROM deliveries";
        let row = self.query(sql).one().await?;
        row.get(0)
    }

    /// Removes a webhook that was delivered or given up.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn remove_webhook(&self, seq: i64) -> Result<(), StoreError> {
        self.statement("DELETE FROM deliveries WHERE seq = $1")
            .bind(seq)
            .write()
            .await
    }

    /// Delays a failed webhook and those after it of the same room.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn delay_webhook(
        &self,
        delivery: &Delivery,
        next_at: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE deliveries SET next_at = $1, \
                   attempts = attempts + CASE WHEN seq = $2 THEN 1 ELSE 0 END \
                   WHERE url = $3 AND room = $4";
        self.statement(sql)
            .bind(next_at.0)
            .bind(delivery.seq)
            .bind(delivery.url.as_str())
            .bind(delivery.room.as_str())
            .write()
            .await
    }
}

impl Tx {
    /// Queues an event for a receiver.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn enqueue_webhook(
        &mut self,
        event: &Event,
        room: &str,
        url: &str,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO deliveries (event, room, url, body, created_at, next_at) \
                   VALUES ($1, $2, $3, $4, $5, 0)";
        self.statement(sql)
            .bind(event.id.as_str())
            .bind(room)
            .bind(url)
            .bind(event.payload.as_str())
            .bind(event.at.0)
            .write()
            .await
    }
}

fn delivery(row: &Row) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        seq: row.get(0)?,
        event: row.get(1)?,
        room: row.get(2)?,
        url: row.get(3)?,
        body: row.get(4)?,
        created_at: Timestamp(row.get(5)?),
        attempts: row.get(6)?,
    })
}
