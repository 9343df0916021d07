//! Leases: which nodes are alive, and which node runs a task that only one may run.

use std::time::Duration;

use super::{Row, Store, StoreError, Tx};
use crate::clock::Timestamp;

/// A node that has not renewed its lease for this long counts as dead.
pub const NODE_LEASE: Duration = Duration::from_secs(30);

impl Store {
    /// Takes or renews a lease; returns whether `holder` has it.
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
        let changed = self
            .statement(sql)
            .bind(name)
            .bind(holder)
            .bind(until.0)
            .bind(now.0)
            .count()
            .await?;
        Ok(changed > 0)
    }

    /// Releases a lease.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn drop_lease(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        self.statement("DELETE FROM leases WHERE name = $1 AND holder = $2")
            .bind(name)
            .bind(holder)
            .write()
            .await
    }

    /// Nodes that have participants and no valid lease.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn dead_nodes(&self, now: Timestamp) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT DISTINCT node FROM participants WHERE left_at IS NULL AND NOT EXISTS \
                   (SELECT 1 FROM leases WHERE leases.name = 'node:' || participants.node \
                   AND leases.until > $1)";
        let rows = self.query(sql).bind(now.0).all().await?;
        let node = |row: &Row| row.get::<String>(0);
        rows.iter().map(node).collect()
    }

    /// When a lease ends.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn lease_end(&self, name: &str) -> Result<Option<Timestamp>, StoreError> {
        let row = self
            .query("SELECT until FROM leases WHERE name = $1")
            .bind(name)
            .optional()
            .await?;
        Ok(row.map(|row| row.get(0)).transpose()?.map(Timestamp))
    }
}

impl Tx {
    /// Deletes leases that ended before this time.
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
