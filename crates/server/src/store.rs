//! What outlives a moment: one set of queries, on SQLite and on PostgreSQL.
//!
//! Reads go to the [`Store`]; everything that belongs together is written in one
//! [`Tx`]. What a caller was told is stored.

mod bookings;
mod chat;
mod events;
mod leases;
mod migrations;
mod participants;
mod postgres;
mod rooms;
mod rtcs;
mod sessions;
mod sqlite;
mod statement;
mod statistics;
mod tx;
mod webhooks;

use std::fmt;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Postgres;
use sqlx::pool::PoolConnection;

pub use crate::id::RoomKey;
pub use leases::NODE_LEASE;
pub use participants::Stay;
use postgres::Pool;
pub use rtcs::Rtc;
use sqlite::{PooledConnection, Sqlite};
use statement::{Outcome, Row, Value};
pub use statistics::{RoomStatistics, SessionStatistics};
pub use tx::Tx;
pub use webhooks::Delivery;

/// Where rooms, people, chat and events are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Database {
    /// In this process, and gone with it.
    #[default]
    Memory,
    /// `sqlite:PATH`: a file of this machine.
    Sqlite(String),
    /// `postgres://…`
    Postgres(String),
}

/// A text that names no database.
#[derive(Debug, thiserror::Error)]
#[error("a database is memory, sqlite:PATH or postgres://USER@HOST/NAME")]
pub struct UnknownDatabase;

impl FromStr for Database {
    type Err = UnknownDatabase;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            None if text == "memory" => Ok(Self::Memory),
            Some(("sqlite", path)) if !path.is_empty() => {
                Ok(Self::Sqlite(path.trim_start_matches("//").to_owned()))
            }
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(text.to_owned())),
            _ => Err(UnknownDatabase),
        }
    }
}

impl fmt::Display for Database {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::Sqlite(path) => write!(f, "sqlite:{path}"),
            Self::Postgres(url) => {
                let place = url
                    .rsplit_once('@')
                    .map_or(url.as_str(), |(_, place)| place);
                write!(f, "postgres://{}", place.trim_start_matches("postgres://"))
            }
        }
    }
}

/// Why something is not stored, or not read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another row has this id, or what it may have once.
    #[error("it is taken: {0}")]
    Taken(String),
    /// It belongs to something that is not there.
    #[error("it belongs to something that is not there: {0}")]
    Dangling(String),
    /// Another process keeps its rooms in this file.
    #[error("another process uses {0}")]
    InUse(String),
    /// The store is out of reach, or failed.
    #[error("the store failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// Whether another attempt may succeed.
    pub fn is_outage(&self) -> bool {
        matches!(self, Self::Failed(_))
    }

    fn failed(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        FAILURES.fetch_add(1, Ordering::Relaxed);
        Self::Failed(why.into())
    }
}

static FAILURES: AtomicU64 = AtomicU64::new(0);

/// How often a database failed in this process.
pub fn failures() -> u64 {
    FAILURES.load(Ordering::Relaxed)
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::failed(error)
    }
}

/// The open database.
#[derive(Debug, Clone)]
pub struct Store {
    backend: Backend,
    /// The file, where it is one.
    path: Option<PathBuf>,
}

#[derive(Debug, Clone)]
enum Backend {
    Sqlite(Sqlite),
    Postgres(Pool),
}

/// A connection to it, until it is dropped.
enum Connection {
    Sqlite(PooledConnection),
    Postgres(PoolConnection<Postgres>),
}

/// That a file is this process's own, as long as it is kept.
#[derive(Debug)]
pub struct Claim(#[allow(dead_code, reason = "kept for its lock")] Option<File>);

impl Store {
    /// Opens the database, and brings its tables up to date.
    ///
    /// # Errors
    /// When it cannot be reached, or its tables are of a newer version.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        let (backend, path) = match database {
            Database::Memory => (Backend::Sqlite(Sqlite::open(None)?), None),
            Database::Sqlite(path) => {
                let path = Path::new(path);
                let file = Sqlite::open(Some(path))?;
                (Backend::Sqlite(file), Some(path.to_owned()))
            }
            Database::Postgres(url) => (Backend::Postgres(Pool::open(url).await?), None),
        };
        let store = Self { backend, path };
        migrations::run(store.writer().await?).await?;
        Ok(store)
    }

    /// Claims a file for a process that keeps rooms in it. Others may still look.
    ///
    /// # Errors
    /// [`StoreError::InUse`] where another process has.
    pub fn claim(&self) -> Result<Claim, StoreError> {
        let Some(path) = &self.path else {
            return Ok(Claim(None));
        };
        let mut lock = path.clone().into_os_string();
        lock.push(".lock");
        let lock = File::create(lock).map_err(StoreError::failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Claim(Some(lock))),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse(path.display().to_string())),
            Err(TryLockError::Error(error)) => Err(StoreError::failed(error)),
        }
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn check(&self) -> Result<(), StoreError> {
        let mut writer = self.writer().await?;
        writer.run("SELECT 1", Vec::new()).await.map(drop)
    }

    /// Whether other processes may use the same database.
    pub fn is_shared(&self) -> bool {
        matches!(self.backend, Backend::Postgres(_))
    }

    async fn reader(&self) -> Result<Connection, StoreError> {
        match &self.backend {
            Backend::Sqlite(file) => Ok(Connection::Sqlite(file.reader().await?)),
            Backend::Postgres(pool) => pool_connection(pool).await,
        }
    }

    async fn writer(&self) -> Result<Connection, StoreError> {
        match &self.backend {
            Backend::Sqlite(file) => Ok(Connection::Sqlite(file.writer().await?)),
            Backend::Postgres(pool) => pool_connection(pool).await,
        }
    }
}

/// Not in the futures of all who ask SQLite.
async fn pool_connection(pool: &Pool) -> Result<Connection, StoreError> {
    Ok(Connection::Postgres(Box::pin(pool.acquire()).await?))
}

impl Connection {
    async fn run(&mut self, sql: &str, values: Vec<Value>) -> Result<Outcome, StoreError> {
        match self {
            Self::Sqlite(connection_guard) => connection_guard.run(sql, &values),
            // As above.
            Self::Postgres(connection_guard) => {
                Box::pin(postgres::run(connection_guard, sql, values)).await
            }
        }
    }

    /// Whoever had it began a transaction, and gave up.
    fn roll_back(self) {
        // One whose commit's end nobody waited for leaves nothing to undo.
        const UNDO: &str = "ROLLBACK";
        match self {
            Self::Sqlite(connection_guard) => drop(connection_guard.run(UNDO, &[])),
            Self::Postgres(mut connection_guard) => drop(tokio::spawn(async move {
                let _ = postgres::run(&mut connection_guard, UNDO, Vec::new()).await;
            })),
        }
    }
}

fn to_doc(value: &impl Serialize) -> Result<String, StoreError> {
    Ok(serde_json::to_string(value)?)
}

/// The document in a row's first column.
fn from_doc<T: DeserializeOwned>(row: &Row) -> Result<T, StoreError> {
    Ok(serde_json::from_str(&row.get::<String>(0)?)?)
}

fn from_docs<T: DeserializeOwned>(rows: &[Row]) -> Result<Vec<T>, StoreError> {
    rows.iter().map(from_doc).collect()
}
