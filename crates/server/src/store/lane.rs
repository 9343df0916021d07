//! Connections to the database, lent to one user at a time.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Weak};
use std::time::Duration;

use sqlx::any::AnyConnectOptions;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, Connection, Executor, Row};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{sleep, timeout};

use super::StoreError;
use super::pool::{ACQUIRE_LIMIT, Pool};

/// How often an SQLite file takes over what was written.
const CHECKPOINT: Duration = Duration::from_secs(10);
/// So many pages written ahead are waited for: 256 MiB. While others write, the
/// log is not begun anew.
const LONG_LOG: i64 = 131_072;

/// Where connections are lent.
#[derive(Debug, Clone)]
pub(super) enum Lane {
    /// To a server.
    Pool(Pool),
    /// To a file of this process's own, always there. A pool would ask each one
    /// whether it lives after every use.
    Own(Arc<[Arc<Mutex<AnyConnection>>]>),
}

/// A connection, until it is dropped.
pub(super) enum Lent {
    Pool(PoolConnection<Any>),
    Own(OwnedMutexGuard<AnyConnection>),
}

impl Lane {
    /// Opens so many connections to an SQLite file.
    pub async fn sqlite(url: &str, connections: usize) -> Result<Self, StoreError> {
        let options: AnyConnectOptions = url.parse()?;
        let mut own = Vec::with_capacity(connections);
        for _ in 0..connections {
            let mut connection = AnyConnection::connect_with(&options).await?;
            // NORMAL: a commit survives the end of the process, however it comes;
            // only a loss of power may take the last ones. The writer neither
            // takes over what it wrote nor shortens its log: it would wait for the
            // disk meanwhile. Small pages, for what is written ahead are whole ones.
            let pragmas = "PRAGMA page_size = 2048; PRAGMA journal_mode = WAL; \
                           PRAGMA synchronous = NORMAL; \
                           PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 3000; \
                           PRAGMA wal_autocheckpoint = 0;";
            connection.execute(pragmas).await?;
            own.push(Arc::new(Mutex::new(connection)));
        }
        Ok(Self::Own(own.into()))
    }

    /// A connection, once there is one.
    pub async fn lend(&self) -> Result<Lent, StoreError> {
        let own = match self {
            Self::Pool(pool) => return Ok(Lent::Pool(pool.lend().await?)),
            Self::Own(own) => own,
        };
        for one in own.iter() {
            if let Ok(free) = Arc::clone(one).try_lock_owned() {
                return Ok(Lent::Own(free));
            }
        }
        let any = Arc::clone(&own[rand::random_range(0..own.len())]);
        let lent = timeout(ACQUIRE_LIMIT, any.lock_owned()).await;
        Ok(Lent::Own(lent.map_err(|_| sqlx::Error::PoolTimedOut)?))
    }

    /// Takes over into the file what these write, while writing goes on.
    pub fn keep_up(&self, readers: &Self) {
        if let (Self::Own(writers), Self::Own(readers)) = (self, readers) {
            tokio::spawn(checkpoints(
                Arc::downgrade(writers),
                Arc::downgrade(readers),
            ));
        }
    }
}

type Own = Weak<[Arc<Mutex<AnyConnection>>]>;

/// Ends with the store. What failed is made good by the next.
async fn checkpoints(writers: Own, readers: Own) {
    loop {
        sleep(CHECKPOINT).await;
        if checkpoint(&readers, "PRAGMA wal_checkpoint(PASSIVE)").await > LONG_LOG {
            // Little is left by now, and nobody writes more meanwhile.
            checkpoint(&writers, "PRAGMA wal_checkpoint(RESTART)").await;
        }
        if readers.strong_count() == 0 {
            return;
        }
    }
}

/// How many pages the log has.
async fn checkpoint(lane: &Own, how: &'static str) -> i64 {
    let Some(own) = lane.upgrade() else { return 0 };
    let Ok(mut lent) = Lane::Own(own).lend().await else {
        return 0;
    };
    let row = lent.fetch_one(how).await;
    row.and_then(|row| row.try_get(1)).unwrap_or_default()
}

impl Deref for Lent {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        match self {
            Self::Pool(lent) => lent,
            Self::Own(lent) => lent,
        }
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        match self {
            Self::Pool(lent) => lent,
            Self::Own(lent) => lent,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use anyhow::Result;

    use super::*;

    #[tokio::test]
    async fn a_log_that_was_taken_over_is_begun_anew() -> Result<()> {
        sqlx::any::install_default_drivers();
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("rooms.db");
        let lane = Lane::sqlite(&format!("sqlite:{}?mode=rwc", file.display()), 1).await?;
        let Lane::Own(own) = &lane else {
            unreachable!("a file's connections are our own")
        };
        let own = Arc::downgrade(own);
        let fill = "CREATE TABLE t AS WITH RECURSIVE n(i) AS \
                    (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9) \
                    SELECT i, zeroblob(4000) AS b FROM n";
        lane.lend().await?.execute(fill).await?;
        assert!(checkpoint(&own, "PRAGMA wal_checkpoint(PASSIVE)").await > 9);

        assert!(checkpoint(&own, "PRAGMA wal_checkpoint(RESTART)").await > 9);
        let log = folder.path().join("rooms.db-wal");
        let length = fs::metadata(&log)?.len();
        lane.lend().await?.execute("UPDATE t SET i = 0").await?;
        assert_eq!(fs::metadata(&log)?.len(), length);
        Ok(())
    }
}
