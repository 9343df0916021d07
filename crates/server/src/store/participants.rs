//! Stays of participants, present and past.

use uuid::Uuid;
use visavis_protocol::{Grants, Role};

use super::{Row, Store, StoreError, Tx, from_doc, from_docs, to_doc};
use crate::clock::Timestamp;
use crate::model::Participant;

/// Which stays a query returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stay {
    /// Stays that have not ended.
    Present,
    /// All stays.
    Any,
}

impl Store {
    /// The stays in a room, in the order of joining.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn participants(
        &self,
        room: Uuid,
        stay: Stay,
    ) -> Result<Vec<Participant>, StoreError> {
        let sql = match stay {
            Stay::Present => {
                "SELECT doc, sid FROM participants WHERE room = $1 AND left_at IS NULL \
                 ORDER BY joined_at, sid"
            }
            Stay::Any => {
                "SELECT doc, sid FROM participants WHERE room = $1 ORDER BY joined_at, sid"
            }
        };
        let rows = self.query(sql).bind(room.to_string()).all().await?;
        Ok(from_docs("participants", &rows))
    }

    /// Participants present per room, for rooms that are not empty.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn counts(&self) -> Result<Vec<(Uuid, u32)>, StoreError> {
        let sql = "SELECT room, COUNT(*) FROM participants \
                   WHERE left_at IS NULL AND hidden = 0 GROUP BY room";
        let rows = self.query(sql).all().await?;
        let count = |row: &Row| {
            let room = row.get::<String>(0).ok()?.parse().ok()?;
            let count = u32::try_from(row.get::<i64>(1).ok()?).ok()?;
            Some((room, count))
        };
        Ok(rows.iter().filter_map(count).collect())
    }

    /// Participants present on a node.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn participants_of_node(&self, node: &str) -> Result<Vec<Participant>, StoreError> {
        let sql = "SELECT doc, sid FROM participants WHERE node = $1 AND left_at IS NULL";
        let rows = self.query(sql).bind(node).all().await?;
        Ok(from_docs("participants", &rows))
    }
}

impl Tx {
    /// Participants present in a room.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn count_present(&mut self, room: Uuid) -> Result<u32, StoreError> {
        Ok(self.crowd(room).await?.0)
    }

    /// Participants present in a room, and when the last one joined (who may have
    /// left since).
    ///
    /// # Errors
    /// When the database failed.
    pub async fn crowd(&mut self, room: Uuid) -> Result<(u32, Option<Timestamp>), StoreError> {
        let sql = "SELECT \
                   (SELECT COUNT(*) FROM participants WHERE room = $1 AND left_at IS NULL), \
                   (SELECT MAX(joined_at) FROM participants WHERE room = $1)";
        crowd(&self.statement(sql).bind(room.to_string()).one().await?, 0)
    }

    /// Participants present in a room, in the order of joining.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn present(&mut self, room: Uuid) -> Result<Vec<Participant>, StoreError> {
        let sql = "SELECT doc, sid FROM participants WHERE room = $1 AND left_at IS NULL \
                   ORDER BY joined_at, sid";
        let rows = self.statement(sql).bind(room.to_string()).all().await?;
        Ok(from_docs("participants", &rows))
    }

    /// Adds a stay.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when the client is already present.
    pub async fn insert_participant(&mut self, who: &Participant) -> Result<(), StoreError> {
        let sql = "INSERT INTO participants \
                   (sid, room, client, node, joined_at, left_at, doc, hidden) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        self.statement(sql)
            .bind(who.sid.as_str())
            .bind(who.room.to_string())
            .bind(who.client.to_string())
            .bind(who.node.as_str())
            .bind(who.joined_at.0)
            .bind(who.left_at.map(|at| at.0))
            .bind(to_doc(who)?)
            .bind(i64::from(who.hidden))
            .write()
            .await
    }

    /// Reads a stay that has not ended and locks it until the end of this
    /// transaction.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn lock_present(
        &mut self,
        room: Uuid,
        client: Uuid,
    ) -> Result<Option<Participant>, StoreError> {
        let sql =
            "SELECT doc FROM participants WHERE room = $1 AND client = $2 AND left_at IS NULL";
        let row = self
            .locking(sql)
            .bind(room.to_string())
            .bind(client.to_string())
            .optional()
            .await?;
        row.as_ref().map(from_doc).transpose()
    }

    /// A stay by its sid, ended or not.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn stay(&mut self, sid: &str) -> Result<Option<Participant>, StoreError> {
        let row = self
            .statement("SELECT doc FROM participants WHERE sid = $1")
            .bind(sid)
            .optional()
            .await?;
        row.as_ref().map(from_doc).transpose()
    }

    /// Stores a stay, which may have ended now; returns whether it was present on
    /// this node. A stay that was taken over by another node is not changed.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn put_participant(&mut self, who: &Participant) -> Result<bool, StoreError> {
        let from = who.node.clone();
        self.move_participant(who, &from).await
    }

    /// Like [`Tx::put_participant`] for a stay that moves from node `from`.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn move_participant(
        &mut self,
        who: &Participant,
        from: &str,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE participants SET node = $3, left_at = $4, doc = $5 \
                   WHERE sid = $1 AND node = $2 AND left_at IS NULL";
        let changed = self
            .statement(sql)
            .bind(who.sid.as_str())
            .bind(from)
            .bind(who.node.as_str())
            .bind(who.left_at.map(|at| at.0))
            .bind(to_doc(who)?)
            .count()
            .await?;
        Ok(changed > 0)
    }
}

/// Parses the columns of [`Tx::crowd`], starting at `from`.
pub(super) fn crowd(row: &Row, from: usize) -> Result<(u32, Option<Timestamp>), StoreError> {
    let count = u32::try_from(row.get::<i64>(from)?).unwrap_or(u32::MAX);
    let last = row.get::<Option<i64>>(from + 1)?;
    Ok((count, last.map(Timestamp)))
}

impl Participant {
    /// The stay, ended at this time.
    #[must_use]
    pub fn gone(mut self, at: Timestamp) -> Self {
        self.left_at = Some(at);
        self
    }

    /// Gives the participant a role in a host change. A viewer gains every permission.
    pub(crate) fn set_role(&mut self, role: Role) {
        if self.role == Role::Viewer {
            self.grants = Grants::default();
        }
        self.role = role;
    }

    /// Whether role and grants are those of another state of this participant.
    pub(crate) fn has_role_of(&self, other: &Self) -> bool {
        (self.role, &self.grants) == (other.role, &other.grants)
    }

    /// Takes role and grants from another state of this participant.
    pub(crate) fn copy_role(&mut self, other: &Self) {
        self.role = other.role;
        self.grants.clone_from(&other.grants);
    }
}
