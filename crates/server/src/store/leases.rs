//! Which nodes are alive, and which of them does what only one may do.

use std::time::Duration;

use sqlx::Row;

use super::{Store, StoreError, Tx};
use crate::clock::Timestamp;

/// A node that has not said for so long that it is alive is dead. By real time.
pub const NODE_LEASE: Duration = Duration::from_secs(30);

impl Store {
    /// Takes or renews a lease; whether it is the holder's now.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn take_lease(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "INSERT INTO leases (name, holder, until) VALUES ($1, $2, $3) \
                   ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until \
                   WHERE leases.holder = excluded.holder OR leases.until <= $4";
        let result = sqlx::query(sql)
            .bind(name)
            .bind(holder)
            .bind(until.0)
            .bind(now.0)
            .execute(&mut *self.write().await?)
            .await?;
        Ok(result.rows_affected() > 0)
    }

    /// Gives a lease back.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn drop_lease(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM leases WHERE name = $1 AND holder = $2")
            .bind(name)
            .bind(holder)
            .execute(&mut *self.write().await?)
            .await?;
        Ok(())
    }

    /// Nodes that have people inside and no lease any more.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn dead_nodes(&self, now: Timestamp) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT DISTINCT node FROM participants WHERE left_at IS NULL AND NOT EXISTS \
                   (SELECT 1 FROM leases WHERE leases.name = 'node:' || participants.node \
                   AND leases.until > $1)";
        let rows = sqlx::query(sql)
            .bind(now.0)
            .fetch_all(&mut *self.read().await?)
            .await?;
        let node = |row: &sqlx::any::AnyRow| row.try_get::<String, _>(0);
        Ok(rows.iter().map(node).collect::<Result<_, _>>()?)
    }

    /// When a node last said that it is alive.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn lease_end(&self, name: &str) -> Result<Option<Timestamp>, StoreError> {
        let row = sqlx::query("SELECT until FROM leases WHERE name = $1").bind(name);
        let row = row.fetch_optional(&mut *self.read().await?).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.map(Timestamp))
    }
}

impl Tx {
    /// Forgets leases that ended before then.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn purge_leases(&mut self, before: Timestamp) -> Result<(), StoreError> {
        self.statement("DELETE FROM leases WHERE until < $1")
            .bind(before.0)
            .write()
            .await
    }
}
