//! Rooms, users and room instances.

use uuid::Uuid;

use super::participants::crowd;
use super::{Row, Store, StoreError, Tx, from_doc, from_docs, to_doc};
use crate::clock::Timestamp;
use crate::id::RoomKey;
use crate::model::{Link, Room};

/// Joins the parts of a query on open rooms, for SQLite and PostgreSQL. `$1` is the
/// time now; that of a room's opening is in its document alone. PostgreSQL refuses to parse
/// a document whose tags have a `\u0000`, so there the first field of that name is read: it
/// comes before the tags. The first pair leaves out private rooms.
macro_rules! open_rooms {
    ($select:literal, $public:literal, $rest:literal) => {
        [
            concat!(
                $select,
                " AND rooms.is_active = 1",
                $public,
                " AND CASE WHEN json_valid(rooms.doc) \
                 THEN COALESCE(json_extract(rooms.doc, '$.opensAt'), 0) ELSE 0 END <= $1",
                $rest
            ),
            concat!(
                $select,
                " AND rooms.is_active = 1",
                $public,
                " AND COALESCE(CAST(substring(rooms.doc from '\"opensAt\":(-?[0-9]+)') \
                 AS bigint), 0) <= $1",
                $rest
            ),
        ]
    };
    ($select:literal, $rest:literal) => {
        [
            open_rooms!($select, " AND rooms.is_private = 0", $rest),
            open_rooms!($select, "", $rest),
        ]
    };
}

/// Occupied open rooms with the number of their participants, the newest first.
const OCCUPIED: [[&str; 2]; 2] = open_rooms!(
    "SELECT rooms.doc, rooms.uid, inside.present FROM (\
     SELECT room, COUNT(*) AS present FROM participants \
     WHERE left_at IS NULL AND hidden = 0 GROUP BY room\
     ) AS inside JOIN rooms ON rooms.uid = inside.room WHERE 1 = 1",
    " ORDER BY rooms.created_at DESC, rooms.uid LIMIT $2 OFFSET $3"
);
/// The number of occupied open rooms.
const OCCUPIED_COUNT: [[&str; 2]; 2] = open_rooms!(
    "SELECT COUNT(*) FROM rooms WHERE rooms.uid IN (\
     SELECT room FROM participants WHERE left_at IS NULL AND hidden = 0)",
    ""
);
/// Unoccupied open rooms, the newest first.
const UNOCCUPIED: [[&str; 2]; 2] = open_rooms!(
    "SELECT rooms.doc, rooms.uid, 0 FROM rooms WHERE NOT EXISTS (\
     SELECT 1 FROM participants WHERE participants.room = rooms.uid \
     AND participants.left_at IS NULL AND participants.hidden = 0)",
    " ORDER BY rooms.created_at DESC, rooms.uid LIMIT $2 OFFSET $3"
);

impl Store {
    /// Finds a room by any of its identifiers.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn find_room(&self, key: &RoomKey) -> Result<Option<Room>, StoreError> {
        let (sql, text) = match key {
            RoomKey::Uid(uid) => ("SELECT doc FROM rooms WHERE uid = $1", uid.to_string()),
            RoomKey::Code(code) => ("SELECT doc FROM rooms WHERE code = $1", code.clone()),
            RoomKey::Ro(ro) => ("SELECT doc FROM rooms WHERE ro = $1", ro.clone()),
            RoomKey::Sid(sid) => (
                "SELECT doc FROM rooms JOIN room_instances ON room_instances.room = rooms.uid \
                 WHERE room_instances.sid = $1",
                sid.clone(),
            ),
            RoomKey::Name(name) => ("SELECT doc FROM rooms WHERE rtc_name = $1", name.clone()),
        };
        let row = self.query(sql).bind(text).optional().await?;
        row.as_ref().map(from_doc).transpose()
    }

    /// The newest room that was created for this link.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn find_linked(&self, link: &Link) -> Result<Option<Room>, StoreError> {
        let sql = "SELECT doc FROM rooms WHERE link = $1 AND deleted_at IS NULL \
                   ORDER BY created_at DESC LIMIT 1";
        let row = self.query(sql).bind(link_text(link)).optional().await?;
        row.as_ref().map(from_doc).transpose()
    }

    /// All active rooms, oldest first.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn active_rooms(&self, most: i64) -> Result<Vec<Room>, StoreError> {
        let sql = "SELECT doc, uid FROM rooms WHERE is_active = 1 ORDER BY created_at LIMIT $1";
        let rows = self.query(sql).bind(most).all().await?;
        Ok(from_docs("rooms", &rows))
    }

    /// A page of open rooms with the number of their participants: occupied ones first,
    /// then the newest first. Private rooms are left out unless wanted.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn open_rooms(
        &self,
        with_private: bool,
        now: Timestamp,
        offset: u32,
        limit: u32,
    ) -> Result<Vec<(Room, u32)>, StoreError> {
        let sql = |queries: [[&'static str; 2]; 2]| {
            queries[usize::from(with_private)][usize::from(self.is_shared())]
        };
        let page = async |queries, offset: u32, limit: usize| {
            let query = self.query(sql(queries)).bind(now.0);
            let query = query.bind(i64::try_from(limit).unwrap_or(i64::MAX));
            query.bind(i64::from(offset)).all().await
        };
        let limit = limit as usize;
        let mut rows = page(OCCUPIED, offset, limit).await?;
        if rows.len() < limit {
            let skipped = match rows.is_empty() && offset > 0 {
                true => {
                    let count = self.query(sql(OCCUPIED_COUNT)).bind(now.0).one().await?;
                    let count = u32::try_from(count.get::<i64>(0)?).unwrap_or(u32::MAX);
                    offset.saturating_sub(count)
                }
                false => 0,
            };
            let left = limit - rows.len();
            rows.extend(page(UNOCCUPIED, skipped, left).await?);
        }
        let with_count = |row: &Row| {
            let room = from_docs("rooms", std::slice::from_ref(row)).pop()?;
            Some((room, u32::try_from(row.get::<i64>(2).ok()?).ok()?))
        };
        Ok(rows.iter().filter_map(with_count).collect())
    }

    /// Those of the rooms that are active, with the number of their participants.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn crowds(&self, rooms: &[Uuid]) -> Result<Vec<(Uuid, u32)>, StoreError> {
        let sql = match self.is_shared() {
            false => {
                "SELECT uid, (SELECT COUNT(*) FROM participants \
                 WHERE participants.room = rooms.uid AND participants.left_at IS NULL) \
                 FROM rooms WHERE is_active = 1 AND uid IN (SELECT value FROM json_each($1))"
            }
            true => {
                "SELECT uid, (SELECT COUNT(*) FROM participants \
                 WHERE participants.room = rooms.uid AND participants.left_at IS NULL) \
                 FROM rooms WHERE is_active = 1 \
                 AND uid IN (SELECT json_array_elements_text(CAST($1 AS json)))"
            }
        };
        let rows = self.query(sql).bind(to_doc(&rooms)?).all().await?;
        let crowd = |row: &Row| {
            let room = row.get::<String>(0).ok()?.parse().ok()?;
            Some((room, u32::try_from(row.get::<i64>(1).ok()?).ok()?))
        };
        Ok(rows.iter().filter_map(crowd).collect())
    }

    /// Active rooms for which [`Room::is_rtc`] holds, oldest first.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn rtc_rooms(&self, most: i64) -> Result<Vec<Room>, StoreError> {
        let sql = "SELECT doc, uid FROM rooms WHERE is_active = 1 AND (\
                   (link IS NULL AND rtc_name <> ro) OR \
                   uid IN (SELECT room FROM room_instances WHERE ended_at IS NULL)) \
                   ORDER BY created_at LIMIT $1";
        let rows = self.query(sql).bind(most).all().await?;
        Ok(from_docs("rooms", &rows))
    }

    /// Rooms with something due, the longest due first.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn due_rooms(&self, now: Timestamp, most: i64) -> Result<Vec<Uuid>, StoreError> {
        let sql = "SELECT uid FROM rooms WHERE due_at <= $1 ORDER BY due_at LIMIT $2";
        let rows = self.query(sql).bind(now.0).bind(most).all().await?;
        let uid = |row: &Row| row.get::<String>(0).ok()?.parse().ok();
        Ok(rows.iter().filter_map(uid).collect())
    }

    /// When the next room is due after this time.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn next_due(&self, after: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT MIN(due_at) FROM rooms WHERE due_at > $1";
        let row = self.query(sql).bind(after.0).one().await?;
        Ok(row.get::<Option<i64>>(0)?.map(Timestamp))
    }
}

impl Tx {
    /// Adds a user if it is new.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn ensure_user(&mut self, user: Uuid, now: Timestamp) -> Result<(), StoreError> {
        self.statement("INSERT INTO users (id, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(user.to_string())
            .bind(now.0)
            .write()
            .await
    }

    /// Adds a room.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when another room has one of its names,
    /// [`StoreError::Dangling`] when its host is no user.
    pub async fn insert_room(&mut self, room: &Room) -> Result<(), StoreError> {
        let sql = "INSERT INTO rooms (uid, code, ro, rtc_name, audience, host_id, link, \
                   max_participants, is_private, is_active, created_at, due_at, deleted_at, ended_at, \
                   doc) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
        self.statement(sql)
            .bind(room.uid.to_string())
            .bind(room.code.as_str())
            .bind(room.ro.as_str())
            .bind(room.rtc_name.as_str())
            .bind(room.audience.as_str())
            .bind(room.host.map(|host| host.to_string()))
            .bind(room.link.as_ref().map(link_text))
            .bind(i64::from(room.max_participants))
            .bind(i64::from(room.is_private()))
            .bind(i64::from(is_active(room)))
            .bind(room.created_at.0)
            .bind(room.next_due().map(|at| at.0))
            .bind(room.deleted_at.map(|at| at.0))
            .bind(ended_at(room).map(|at| at.0))
            .bind(to_doc(room)?)
            .write()
            .await
    }

    /// Reads a room and locks it until the end of this transaction.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn lock_room(&mut self, uid: Uuid) -> Result<Option<Room>, StoreError> {
        let sql = "SELECT doc FROM rooms WHERE uid = $1";
        let row = self.locking(sql).bind(uid.to_string()).optional().await?;
        row.as_ref().map(from_doc).transpose()
    }

    /// [`Tx::lock_room`] and [`Tx::crowd`].
    ///
    /// # Errors
    /// When the database failed.
    pub async fn lock_room_and_crowd(
        &mut self,
        uid: Uuid,
    ) -> Result<Option<(Room, u32, Option<Timestamp>)>, StoreError> {
        if self.is_shared() {
            // One statement would count with the snapshot from before it waited for
            // the lock.
            let Some(room) = self.lock_room(uid).await? else {
                return Ok(None);
            };
            let (present, last) = self.crowd(uid).await?;
            return Ok(Some((room, present, last)));
        }
        let sql = "SELECT doc, \
                   (SELECT COUNT(*) FROM participants WHERE room = $1 AND left_at IS NULL), \
                   (SELECT MAX(joined_at) FROM participants WHERE room = $1) \
                   FROM rooms WHERE uid = $1";
        let row = self.statement(sql).bind(uid.to_string()).optional().await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let (present, last) = crowd(&row, 1)?;
        Ok(Some((from_doc(&row)?, present, last)))
    }

    /// Stores a room that this transaction has locked, with its version increased.
    ///
    /// # Errors
    /// As [`Tx::insert_room`].
    pub async fn put_room(&mut self, room: &mut Room) -> Result<(), StoreError> {
        room.version += 1;
        let sql = "UPDATE rooms SET host_id = $2, link = $3, max_participants = $4, \
                   is_private = $5, is_active = $6, due_at = $7, deleted_at = $8, \
                   ended_at = $9, doc = $10 WHERE uid = $1";
        self.statement(sql)
            .bind(room.uid.to_string())
            .bind(room.host.map(|host| host.to_string()))
            .bind(room.link.as_ref().map(link_text))
            .bind(i64::from(room.max_participants))
            .bind(i64::from(room.is_private()))
            .bind(i64::from(is_active(room)))
            .bind(room.next_due().map(|at| at.0))
            .bind(room.deleted_at.map(|at| at.0))
            .bind(ended_at(room).map(|at| at.0))
            .bind(to_doc(room)?)
            .write()
            .await
    }

    /// Frees the RTC name of a deleted room.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn free_rtc_name(&mut self, name: &str) -> Result<(), StoreError> {
        let sql = "SELECT doc FROM rooms WHERE rtc_name = $1 AND deleted_at IS NOT NULL";
        let row = self.statement(sql).bind(name).optional().await?;
        let Some(mut room) = row.as_ref().map(from_doc::<Room>).transpose()? else {
            return Ok(());
        };
        room.rtc_name.clone_from(&room.ro);
        self.statement("UPDATE rooms SET rtc_name = ro, doc = $2 WHERE uid = $1")
            .bind(room.uid.to_string())
            .bind(to_doc(&room)?)
            .write()
            .await
    }

    /// Records the start of a room instance.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn start_instance(
        &mut self,
        room: Uuid,
        sid: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.statement("INSERT INTO room_instances (sid, room, started_at) VALUES ($1, $2, $3)")
            .bind(sid)
            .bind(room.to_string())
            .bind(at.0)
            .write()
            .await
    }

    /// Records the end of a room instance.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn end_instance(&mut self, sid: &str, at: Timestamp) -> Result<(), StoreError> {
        self.statement("UPDATE room_instances SET ended_at = $2 WHERE sid = $1")
            .bind(sid)
            .bind(at.0)
            .write()
            .await
    }
}

fn is_active(room: &Room) -> bool {
    room.closed.is_none() && room.deleted_at.is_none()
}

/// From when on the room cannot be entered.
fn ended_at(room: &Room) -> Option<Timestamp> {
    room.deleted_at.or(room.closed.map(|closed| closed.at))
}

/// The text of a link in columns.
pub(super) fn link_text(link: &Link) -> String {
    match link {
        Link::Booking(id) => format!("booking:{id}"),
        Link::ServiceSession(id) => format!("service-session:{id}"),
        Link::Channel(id) => format!("channel:{id}"),
    }
}
