//! Deletion of rows that are past their retention, in bounded batches.
//!
//! Nodes that share a database may delete at the same time: a batch passes over rows
//! that another transaction has locked, so that they wait for each other neither here
//! nor in a deadlock.

use super::{Row, Store, StoreError, Tx, to_doc};
use crate::clock::Timestamp;

/// Rows that one transaction deletes at most, apart from the rooms themselves
/// ([`ROOMS`]) and their bookings.
pub const BATCH: u64 = 500;
/// Rooms that one transaction deletes at most.
const ROOMS: i64 = 100;

/// Rows that are deleted by their own age, whatever becomes of their room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgedRows {
    /// Chat messages, by the time of sending.
    Chat,
    /// Events of the log, by their time.
    Events,
    /// Webhooks that no receiver has taken, by the time of their event.
    Webhooks,
    /// Stays of participants, by their end.
    Stays,
    /// Room instances, by their end.
    RoomInstances,
}

impl AgedRows {
    /// Table, key and the column with the time.
    fn columns(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Chat => ("chat", "seq", "sent_at"),
            Self::Events => ("events", "seq", "at"),
            Self::Webhooks => ("deliveries", "seq", "created_at"),
            Self::Stays => ("participants", "sid", "left_at"),
            Self::RoomInstances => ("room_instances", "sid", "ended_at"),
        }
    }
}

/// The last room that was examined; rooms are examined by the time of their end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomCursor {
    ended_at: Timestamp,
    uid: String,
}

impl Default for RoomCursor {
    /// Before the first room.
    fn default() -> Self {
        Self {
            ended_at: Timestamp(i64::MIN),
            uid: String::new(),
        }
    }
}

/// What one batch of [`Store::purge_ended_rooms`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PurgedRooms {
    /// The codes of the deleted rooms.
    pub codes: Vec<String>,
    /// Where the next batch begins; `None` when no older room is left.
    pub next: Option<RoomCursor>,
}

/// An ended room, as far as its deletion needs it.
struct EndedRoom {
    uid: String,
    ro: String,
    code: String,
    link: Option<String>,
    ended_at: Timestamp,
    is_recorded: bool,
}

impl Store {
    /// Deletes at most [`BATCH`] rows that are older, in a transaction of its own;
    /// returns their number. A smaller number than [`BATCH`] means that no more are left.
    ///
    /// # Errors
    /// When the database failed; then nothing is deleted.
    pub async fn purge_aged(&self, rows: AgedRows, before: Timestamp) -> Result<u64, StoreError> {
        let (table, key, at) = rows.columns();
        let mut tx = self.begin().await?;
        let skip = tx.skip_locked();
        let sql = format!(
            "WITH old AS MATERIALIZED (SELECT {key} FROM {table} WHERE {at} < $1 \
             ORDER BY {at} LIMIT {BATCH}{skip}) \
             DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM old)"
        );
        let deleted = tx.composed(sql).bind(before.0).count().await?;
        tx.commit().await?;
        Ok(deleted)
    }

    /// Deletes rooms that ended before this time, with all rows that belong to them and
    /// the bookings that only they served, in a transaction of its own. Rooms with
    /// recordings stay. The first batch begins at [`RoomCursor::default`].
    ///
    /// # Errors
    /// When the database failed; then nothing is deleted.
    pub async fn purge_ended_rooms(
        &self,
        before: Timestamp,
        from: &RoomCursor,
    ) -> Result<PurgedRooms, StoreError> {
        let mut tx = self.begin().await?;
        let found = tx.lock_ended_rooms(before, from).await?;
        let Some(last) = found.last() else {
            return Ok(PurgedRooms::default());
        };
        let next = RoomCursor {
            ended_at: last.ended_at,
            uid: last.uid.clone(),
        };
        let rooms: Vec<_> = found.iter().filter(|room| !room.is_recorded).collect();
        if !tx.purge_rows_of(&rooms).await? {
            tx.commit().await?;
            // The same rooms again, which have more rows.
            return Ok(PurgedRooms {
                codes: Vec::new(),
                next: Some(from.clone()),
            });
        }
        let uids: Vec<_> = rooms.iter().map(|room| room.uid.as_str()).collect();
        tx.delete_listed("rooms", "uid", &uids, "").await?;
        let links: Vec<_> = rooms
            .iter()
            .filter_map(|room| room.link.as_deref())
            .collect();
        let unused = "AND NOT EXISTS (SELECT 1 FROM rooms WHERE rooms.link = bookings.id)";
        tx.delete_listed("bookings", "id", &links, unused).await?;
        let codes = rooms.iter().map(|room| room.code.clone()).collect();
        tx.commit().await?;
        Ok(PurgedRooms {
            codes,
            next: Some(next),
        })
    }
}

impl Tx {
    fn skip_locked(&self) -> &'static str {
        match self.is_shared() {
            true => " FOR UPDATE SKIP LOCKED",
            // A single writer.
            false => "",
        }
    }

    /// The placeholder `$1`, a JSON list of texts, as a query of its elements.
    fn listed(&self) -> &'static str {
        match self.is_shared() {
            true => "SELECT json_array_elements_text($1::json)",
            false => "SELECT value FROM json_each($1)",
        }
    }

    async fn lock_ended_rooms(
        &mut self,
        before: Timestamp,
        from: &RoomCursor,
    ) -> Result<Vec<EndedRoom>, StoreError> {
        let skip = self.skip_locked();
        let sql = format!(
            "SELECT uid, ro, code, link, ended_at, CASE WHEN EXISTS (SELECT 1 FROM sessions \
             WHERE sessions.room = rooms.ro AND sessions.egress IS NOT NULL) \
             THEN 1 ELSE 0 END FROM rooms WHERE ended_at < $1 AND (ended_at, uid) > ($2, $3) \
             ORDER BY ended_at, uid LIMIT {ROOMS}{skip}"
        );
        let rows = self
            .composed(sql)
            .bind(before.0)
            .bind(from.ended_at.0)
            .bind(from.uid.as_str())
            .all()
            .await?;
        rows.iter().map(ended_room).collect()
    }

    /// Deletes at most [`BATCH`] rows of these rooms; returns whether none are left.
    async fn purge_rows_of(&mut self, rooms: &[&EndedRoom]) -> Result<bool, StoreError> {
        let uids: Vec<_> = rooms.iter().map(|room| room.uid.as_str()).collect();
        let ros: Vec<_> = rooms.iter().map(|room| room.ro.as_str()).collect();
        let mut left = BATCH;
        for (table, key, names) in [
            ("participants", "sid", &uids),
            ("chat", "seq", &uids),
            ("rtcs", "id", &uids),
            ("room_instances", "sid", &uids),
            ("sessions", "id", &ros),
        ] {
            let (listed, skip) = (self.listed(), self.skip_locked());
            let sql = format!(
                "WITH old AS MATERIALIZED (SELECT {key} FROM {table} WHERE room IN ({listed}) \
                 LIMIT $2{skip}) DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM old)"
            );
            let most = i64::try_from(left).unwrap_or(i64::MAX);
            let statement = self.composed(sql).bind(to_doc(names)?).bind(most);
            left = left.saturating_sub(statement.count().await?);
            if left == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Deletes the rows with these keys that fulfil a condition.
    async fn delete_listed(
        &mut self,
        table: &str,
        key: &str,
        keys: &[&str],
        condition: &str,
    ) -> Result<(), StoreError> {
        let listed = self.listed();
        let sql = format!("DELETE FROM {table} WHERE {key} IN ({listed}) {condition}");
        self.composed(sql).bind(to_doc(&keys)?).write().await
    }
}

fn ended_room(row: &Row) -> Result<EndedRoom, StoreError> {
    Ok(EndedRoom {
        uid: row.get(0)?,
        ro: row.get(1)?,
        code: row.get(2)?,
        link: row.get(3)?,
        ended_at: Timestamp(row.get(4)?),
        is_recorded: row.get::<i64>(5)? == 1,
    })
}
