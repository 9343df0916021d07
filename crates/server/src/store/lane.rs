//! Connections to the database, lent to one user at a time.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Weak};
use std::time::Duration;

use sqlx::any::AnyConnectOptions;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, Connection, Executor};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{sleep, timeout};

use super::StoreError;

/// How long a caller waits for a connection before the database counts as down.
pub(super) const ACQUIRE_LIMIT: Duration = Duration::from_secs(3);
/// How often an SQLite file takes over what was written.
const CHECKPOINT: Duration = Duration::from_secs(1);

/// Where connections are lent.
#[derive(Debug, Clone)]
pub(super) enum Lane {
    /// To a server: those that broke are replaced.
    Pool(AnyPool),
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
            // only a loss of power may take the last ones. The writer takes over
            // what it wrote only where `checkpoints` does not keep up: it would
            // wait for the disk meanwhile. Small pages, for what is written ahead
            // are whole ones.
            let pragmas = "PRAGMA page_size = 2048; PRAGMA journal_mode = WAL; \
                           PRAGMA synchronous = NORMAL; \
                           PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 3000; \
                           PRAGMA wal_autocheckpoint = 32768; \
                           PRAGMA journal_size_limit = 16777216;";
            connection.execute(pragmas).await?;
            own.push(Arc::new(Mutex::new(connection)));
        }
        Ok(Self::Own(own.into()))
    }

    /// A connection, once there is one.
    pub async fn lend(&self) -> Result<Lent, StoreError> {
        let own = match self {
            Self::Pool(pool) => return Ok(Lent::Pool(pool.acquire().await?)),
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

    /// Takes over into the file what was written, while writing goes on.
    pub fn keep_up(&self) {
        if let Self::Own(own) = self {
            tokio::spawn(checkpoints(Arc::downgrade(own)));
        }
    }
}

/// Ends with the store.
async fn checkpoints(lane: Weak<[Arc<Mutex<AnyConnection>>]>) {
    loop {
        sleep(CHECKPOINT).await;
        let Some(own) = lane.upgrade() else {
            return;
        };
        if let Ok(mut lent) = Lane::Own(own).lend().await {
            // One that failed is made good by the next.
            let _ = lent.execute("PRAGMA wal_checkpoint(PASSIVE)").await;
        }
    }
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
