//! Leases: which nodes are alive, and which node runs a task that only one may run.

use std::time::Duration;

use super::statement::Statement;
use super::{Row, Store, StoreError};
use crate::clock::{Clock, Timestamp};

/// A node that has not renewed its lease for this long counts as dead.
pub const NODE_LEASE: Duration = Duration::from_secs(30);

/// A lease that ended this long ago is deleted.
const EXPIRED_FOR: Duration = Duration::from_secs(60);

impl Store {
    /// Takes or renews a lease for this long; returns whether `holder` has it. Nodes that
    /// share a database use the database's clock, so that their own need not agree.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn take_lease(
        &self,
        name: &str,
        holder: &str,
        lease: Duration,
    ) -> Result<bool, StoreError> {
        let lease = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
        let sql = match self.is_shared() {
            true => {
                "INSERT INTO leases (name, holder, until) VALUES ($1, $2, $3 + \
                 (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint) \
                 ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, \
                 until = excluded.until WHERE leases.holder = excluded.holder OR \
                 leases.until <= (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint"
            }
            false => {
                "INSERT INTO leases (name, holder, until) VALUES ($1, $2, $3 + $4) \
                 ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, \
                 until = excluded.until WHERE leases.holder = excluded.holder OR \
                 leases.until <= $4"
            }
        };
        let statement = self.statement(sql).bind(name).bind(holder).bind(lease);
        let changed = self.with_time(statement).count().await?;
        Ok(changed > 0)
    }

    /// Binds the time where the SQL does not read the database's clock.
    fn with_time<'on>(&self, statement: Statement<'on>) -> Statement<'on> {
        match self.is_shared() {
            true => statement,
            false => statement.bind(Clock::real().0),
        }
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
    pub async fn dead_nodes(&self) -> Result<Vec<String>, StoreError> {
        let sql = match self.is_shared() {
            true => {
                "SELECT DISTINCT node FROM participants WHERE left_at IS NULL AND NOT EXISTS \
                 (SELECT 1 FROM leases WHERE leases.name = 'node:' || participants.node \
                 AND leases.until > (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint)"
            }
            false => {
                "SELECT DISTINCT node FROM participants WHERE left_at IS NULL AND NOT EXISTS \
                 (SELECT 1 FROM leases WHERE leases.name = 'node:' || participants.node \
                 AND leases.until > $1)"
            }
        };
        let rows = self.with_time(self.query(sql)).all().await?;
        rows.iter().map(|row: &Row| row.get(0)).collect()
    }

    /// Nodes that have participants, with or without a valid lease.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn nodes_with_participants(&self) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT DISTINCT node FROM participants WHERE left_at IS NULL";
        let rows = self.query(sql).all().await?;
        rows.iter().map(|row: &Row| row.get(0)).collect()
    }

    /// Deletes leases that ended a while ago.
    ///
    /// # Errors
    /// When the database failed.
    pub async fn purge_leases(&self) -> Result<(), StoreError> {
        let ended = i64::try_from(EXPIRED_FOR.as_millis()).unwrap_or(i64::MAX);
        let sql = match self.is_shared() {
            true => {
                "DELETE FROM leases WHERE until + $1 < \
                 (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint"
            }
            false => "DELETE FROM leases WHERE until + $1 < $2",
        };
        let statement = self.statement(sql).bind(ended);
        self.with_time(statement).write().await
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Database;

    #[tokio::test]
    async fn a_lease_is_its_holders_until_it_ends_by_the_stores_clock() {
        let store = Store::open(&Database::Memory).await.unwrap();
        let take = |holder, lease| store.take_lease("thing", holder, lease);
        assert!(take("a", NODE_LEASE).await.unwrap());
        assert!(!take("b", NODE_LEASE).await.unwrap());
        // Renewed with nothing left, it has ended.
        assert!(take("a", Duration::ZERO).await.unwrap());
        assert!(take("b", NODE_LEASE).await.unwrap());
        assert!(!take("a", NODE_LEASE).await.unwrap());
        store.purge_leases().await.unwrap();
        assert!(store.lease_end("thing").await.unwrap().is_some());
    }
}
