//! Webhooks' bodies, until their receivers have taken them.

use super::{StoreError, Tx};
use crate::model::Event;

/// A body on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its place in the queue.
    pub seq: i64,
    /// The event's id.
    pub event: String,
    /// The room's name: what is about one room is delivered in order.
    pub room: String,
    /// The receiver.
    pub url: String,
    /// The exact bytes.
    pub body: String,
    /// How often it was tried.
    pub attempts: i64,
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
        sqlx::query(sql)
            .bind(event.id.as_str())
            .bind(room)
            .bind(url)
            .bind(event.payload.as_str())
            .bind(event.at.0)
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }
}
