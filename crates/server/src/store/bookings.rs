//! Bookings and service sessions that rooms are created for.

use super::rooms::link_text;
use super::{Store, StoreError, Tx, from_doc, from_docs, to_doc};
use crate::lifecycle::booking::Booking;
use crate::model::Link;

impl Store {
    /// The booking of a link.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn booking(&self, link: &Link) -> Result<Option<Booking>, StoreError> {
        let row = self
            .query("SELECT doc FROM bookings WHERE id = $1")
            .bind(link_text(link))
            .optional()
            .await?;
        row.as_ref().map(from_doc).transpose()
    }

    /// The newest bookings, without service sessions: those in which
    /// [`Booking::participant`] finds `who`, or all if `who` is empty.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn bookings(&self, who: &str, most: i64) -> Result<Vec<Booking>, StoreError> {
        let sql = "SELECT doc, id FROM bookings WHERE id LIKE 'booking:%' \
                   AND ($1 = '' OR id IN (SELECT booking FROM booked WHERE who = $2)) \
                   ORDER BY created_at DESC, id LIMIT $3";
        let rows = self.query(sql).bind(who).bind(who).bind(most);
        Ok(from_docs("bookings", &rows.all().await?))
    }
}

impl Tx {
    /// Adds a booking.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when its id exists.
    pub async fn insert_booking(&mut self, booking: &Booking) -> Result<(), StoreError> {
        let id = link_text(&booking.link);
        let sql = "INSERT INTO bookings (id, status, created_at, doc) VALUES ($1, $2, $3, $4)";
        self.statement(sql)
            .bind(id.as_str())
            .bind(booking.status.as_str())
            .bind(booking.created_at.0)
            .bind(to_doc(booking)?)
            .write()
            .await?;
        let booked = booking.participants.iter();
        let names: Vec<_> = booked
            .flat_map(|one| [one.user_id.clone(), one.identity()])
            .collect();
        let sql = match self.is_shared() {
            true => {
                "INSERT INTO booked (who, booking) SELECT DISTINCT who, $1 \
                 FROM json_array_elements_text($2::json) AS who"
            }
            false => {
                "INSERT INTO booked (who, booking) SELECT DISTINCT value, $1 \
                 FROM json_each($2)"
            }
        };
        self.statement(sql)
            .bind(id.as_str())
            .bind(to_doc(&names)?)
            .write()
            .await
    }

    /// Reads a booking and locks it until the end of this transaction.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn lock_booking(&mut self, link: &Link) -> Result<Option<Booking>, StoreError> {
        let sql = "SELECT doc FROM bookings WHERE id = $1";
        let row = self.locking(sql).bind(link_text(link)).optional().await?;
        row.as_ref().map(from_doc).transpose()
    }

    /// Stores a booking that this transaction has locked. Its participants do not
    /// change.
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

#[cfg(test)]
mod tests {
    use std::iter::repeat_n;

    use serde_json::json;

    use super::*;
    use crate::store::Database;

    fn booking(link: Link, user: &str, at: i64) -> Booking {
        let users = [
            json!({"user_id": user, "email": "a@mail"}),
            json!({"user_id": user}),
        ];
        serde_json::from_value(json!({
            "link": link, "kind": "group", "status": "confirmed", "participants": users,
            "created_at": at,
        }))
        .unwrap()
    }

    #[tokio::test]
    async fn a_users_bookings_are_found_however_many_newer_ones_others_have() {
        let store = Store::open(&Database::Memory).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        let users = ["9", "90"].into_iter().chain(repeat_n("10", 1_000));
        for (at, user) in users.enumerate() {
            let link = Link::Booking(format!("b{at}"));
            let booking = booking(link, user, at as i64);
            tx.insert_booking(&booking).await.unwrap();
        }
        let other = Link::ServiceSession("b0".to_owned());
        let other = booking(other, "9", 2_000);
        tx.insert_booking(&other).await.unwrap();
        tx.commit().await.unwrap();
        let own = [booking(Link::Booking("b0".to_owned()), "9", 0)];
        for who in ["9", "9-a@mail"] {
            assert_eq!(store.bookings(who, 1_000).await.unwrap(), own, "{who}");
        }
        assert_eq!(store.bookings("a@mail", 9).await.unwrap(), []);
        let all = store.bookings("", 1_000).await.unwrap();
        assert_eq!(all.len(), 1_000);
        assert_eq!(all[0].created_at.0, 1_001);
    }
}
