//! What rooms are made for: bookings, and services' sessions.

use super::rooms::link_text;
use super::{Store, StoreError, Tx, from_doc, from_docs, to_doc};
use crate::lifecycle::booking::Booking;
use crate::model::Link;

impl Store {
    /// What a link leads to.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn booking(&self, link: &Link) -> Result<Option<Booking>, StoreError> {
        let row = sqlx::query("SELECT doc FROM bookings WHERE id = $1").bind(link_text(link));
        let row = row.fetch_optional(&mut *self.read().await?).await?;
        row.as_ref().map(from_doc).transpose()
    }

    /// The newest.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn bookings(&self, most: i64) -> Result<Vec<Booking>, StoreError> {
        let sql = "SELECT doc FROM bookings ORDER BY created_at DESC, id LIMIT $1";
        let rows = sqlx::query(sql).bind(most);
        from_docs(&rows.fetch_all(&mut *self.read().await?).await?)
    }
}

impl Tx {
    /// Adds a booking.
    ///
    /// # Errors
    /// [`StoreError::Taken`] where there is one with this id.
    pub async fn insert_booking(&mut self, booking: &Booking) -> Result<(), StoreError> {
        let sql = "INSERT INTO bookings (id, status, created_at, doc) VALUES ($1, $2, $3, $4)";
        self.statement(sql)
            .bind(link_text(&booking.link))
            .bind(booking.status.as_str())
            .bind(booking.created_at.0)
            .bind(to_doc(booking)?)
            .write()
            .await
    }

    /// A booking; nobody else changes it before the end of this transaction.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn lock_booking(&mut self, link: &Link) -> Result<Option<Booking>, StoreError> {
        let sql = "SELECT doc FROM bookings WHERE id = $1";
        let row = self.locking(sql).bind(link_text(link)).optional().await?;
        row.as_ref().map(from_doc).transpose()
    }

    /// Replaces a booking that was locked here.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn put_booking(&mut self, booking: &Booking) -> Result<(), StoreError> {
        self.statement("UPDATE bookings SET status = $2, doc = $3 WHERE id = $1")
            .bind(link_text(&booking.link))
            .bind(booking.status.as_str())
            .bind(to_doc(booking)?)
            .write()
            .await
    }
}
