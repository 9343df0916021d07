//! Persistent storage: one set of queries, on SQLite and on PostgreSQL.
//!
//! Reads go to the [`Store`]; changes that belong together are written in one
//! [`Tx`]. A request is acknowledged only after its transaction is committed.

mod bookings;
mod chat;
mod events;
mod leases;
mod migrations;
mod participants;
mod postgres;
mod retention;
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
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

pub use crate::id::RoomKey;
pub use leases::NODE_LEASE;
pub use participants::Stay;
use postgres::Pool;
pub use retention::{AgedRows, BATCH, PurgedRooms, RoomCursor};
pub use rtcs::Rtc;
use sqlite::{PooledConnection, Sqlite};
use statement::{Outcome, Row, Value};
pub use statistics::{RoomStatistics, SessionStatistics};
pub use tx::Tx;
pub use webhooks::Delivery;

/// Time limit of a statement, including the wait for a connection and for locks. A
/// statement that exceeds it fails, and its transaction is rolled back.
pub const STATEMENT_LIMIT: Duration = Duration::from_secs(2);

fn deadline() -> Instant {
    Instant::now() + STATEMENT_LIMIT
}

/// Where rooms, people, chat and events are kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Database {
    /// In the memory of this process; lost when it ends.
    #[default]
    Memory,
    /// `sqlite:PATH`: a local file.
    Sqlite(String),
    /// `postgres://…`
    Postgres(String),
}

/// The text names no database.
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

/// Why a read or a write failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A unique column already holds this value.
    #[error("already exists: {0}")]
    Taken(String),
    /// A foreign key refers to a row that does not exist.
    #[error("refers to a row that does not exist: {0}")]
    Dangling(String),
    /// Another server process uses this file.
    #[error("another server process uses {0}")]
    InUse(String),
    /// The tables were made by another version of this program.
    #[error("the tables are at version {found}, this program needs version {needed}: {}", advice(*.found, *.needed))]
    Version {
        /// The last migration of the database; 0 = it has no tables.
        found: i64,
        /// The last migration of this program.
        needed: i64,
    },
    /// A stored document cannot be parsed.
    #[error("a stored document cannot be read: {0}")]
    Unreadable(serde_json::Error),
    /// The database is unreachable, or a statement failed.
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

fn advice(found: i64, needed: i64) -> &'static str {
    match found < needed {
        true => "start the server once to migrate them",
        false => "use a newer version of this program",
    }
}

static FAILURES: AtomicU64 = AtomicU64::new(0);

/// Database failures since this process started.
pub fn failures() -> u64 {
    FAILURES.load(Ordering::Relaxed)
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Unreadable(error)
    }
}

/// The open database.
#[derive(Debug, Clone)]
pub struct Store {
    backend: Backend,
    /// The path of a SQLite file.
    path: Option<PathBuf>,
}

#[derive(Debug, Clone)]
enum Backend {
    Sqlite(Sqlite),
    Postgres(Pool),
}

/// A pooled connection; dropping it returns it to the pool.
enum Connection {
    Sqlite(PooledConnection),
    Postgres(postgres::PooledConnection),
}

/// An exclusive lock on the SQLite file, held until it is dropped.
#[derive(Debug)]
pub struct Claim(#[allow(dead_code, reason = "kept for its lock")] Option<File>);

impl Store {
    /// Opens the database and migrates its tables to this version.
    ///
    /// # Errors
    /// When the database is unreachable, or its tables are of a newer version.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        let (backend, path) = match database {
            Database::Memory => (Backend::Sqlite(Sqlite::open(None).await?), None),
            Database::Sqlite(path) => {
                let path = Path::new(path);
                let file = Sqlite::open(Some(path)).await?;
                (Backend::Sqlite(file), Some(path.to_owned()))
            }
            Database::Postgres(url) => (Backend::Postgres(Pool::open(url).await?), None),
        };
        let store = Self { backend, path };
        migrations::run(store.writer(deadline()).await?).await?;
        Ok(store)
    }

    /// Opens a database whose tables are of this version, and changes nothing: no file
    /// is created and no migration applied.
    ///
    /// # Errors
    /// When it does not exist or is unreachable; [`StoreError::Version`] when its tables
    /// are of another version.
    pub async fn open_existing(database: &Database) -> Result<Self, StoreError> {
        let (backend, path) = match database {
            Database::Memory => return Self::open(database).await,
            Database::Sqlite(path) => {
                let path = Path::new(path);
                let file = Sqlite::open_existing(path).await?;
                (Backend::Sqlite(file), Some(path.to_owned()))
            }
            Database::Postgres(url) => (Backend::Postgres(Pool::open(url).await?), None),
        };
        let store = Self { backend, path };
        migrations::check(store.reader(deadline()).await?).await?;
        Ok(store)
    }

    /// Locks the SQLite file for the one server process that uses it. Other
    /// processes can still read it.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another server process holds the lock.
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

    /// Runs a trivial statement on the connection for writes.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn check(&self) -> Result<(), StoreError> {
        let deadline = deadline();
        let mut writer = self.writer(deadline).await?;
        writer.run("SELECT 1", Vec::new(), deadline).await.map(drop)
    }

    /// Whether several nodes can use the database at the same time.
    pub fn is_shared(&self) -> bool {
        matches!(self.backend, Backend::Postgres(_))
    }

    async fn reader(&self, deadline: Instant) -> Result<Connection, StoreError> {
        match &self.backend {
            Backend::Sqlite(file) => Ok(Connection::Sqlite(file.reader(deadline).await?)),
            Backend::Postgres(pool) => pool_connection(pool, deadline).await,
        }
    }

    async fn writer(&self, deadline: Instant) -> Result<Connection, StoreError> {
        match &self.backend {
            Backend::Sqlite(file) => Ok(Connection::Sqlite(file.writer(deadline).await?)),
            Backend::Postgres(pool) => pool_connection(pool, deadline).await,
        }
    }
}

/// Boxed, so that the futures of SQLite callers stay small.
async fn pool_connection(pool: &Pool, deadline: Instant) -> Result<Connection, StoreError> {
    Ok(Connection::Postgres(
        Box::pin(pool.acquire(deadline)).await?,
    ))
}

impl Connection {
    async fn run(
        &mut self,
        sql: &str,
        values: Vec<Value>,
        deadline: Instant,
    ) -> Result<Outcome, StoreError> {
        match self {
            Self::Sqlite(connection_guard) => connection_guard.run(sql, &values, deadline).await,
            Self::Postgres(connection_guard) => {
                Box::pin(connection_guard.run(sql, values, deadline)).await
            }
        }
    }

    /// Rolls back a transaction whose owner was dropped before its commit.
    fn roll_back(self) {
        // After a commit that was not awaited to its end there may be no open
        // transaction; the error is then ignored.
        const UNDO: &str = "ROLLBACK";
        match self {
            Self::Sqlite(mut connection_guard) => drop(connection_guard.execute(UNDO, &[])),
            // The server rolls back when the connection closes.
            Self::Postgres(connection_guard) if connection_guard.is_broken() => {}
            Self::Postgres(mut connection_guard) => drop(tokio::spawn(async move {
                let _ = connection_guard.run(UNDO, Vec::new(), deadline()).await;
            })),
        }
    }
}

fn to_doc(value: &impl Serialize) -> Result<String, StoreError> {
    Ok(serde_json::to_string(value)?)
}

/// Parses the document in the first column of a row.
fn from_doc<T: DeserializeOwned>(row: &Row) -> Result<T, StoreError> {
    Ok(serde_json::from_str(&row.get::<String>(0)?)?)
}

/// Parses the documents in the first column of rows whose second column is their id. A
/// row that cannot be read is logged and left out, so that it hides no other.
fn from_docs<T: DeserializeOwned>(table: &str, rows: &[Row]) -> Vec<T> {
    let parse = |row: &Row| readable(table, row.id(1), from_doc(row));
    rows.iter().filter_map(parse).collect()
}

/// Logs an unreadable row, without its content.
fn readable<T>(table: &str, id: String, parsed: Result<T, StoreError>) -> Option<T> {
    let why = match parsed {
        Ok(parsed) => return Some(parsed),
        // The error's text may quote the document.
        Err(StoreError::Unreadable(error)) => format!("{:?} error", error.classify()),
        Err(_) => "a column has another type".to_owned(),
    };
    tracing::warn!(table, id, why, "a row cannot be read and is left out");
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::lifecycle::booking::Booking;
    use crate::lifecycle::session::{Channel, Session};
    use crate::model::Link;

    #[test]
    fn documents_with_only_their_identity_are_read() {
        let booking = json!({"link": {"kind": "booking", "id": "7"}});
        let booking: Booking = serde_json::from_value(booking).unwrap();
        assert_eq!(booking.link, Link::Booking("7".to_owned()));
        let session: Session = serde_json::from_value(json!({"session_id": "se_1"})).unwrap();
        assert_eq!(session.session_id, "se_1");
        let channel: Channel = serde_json::from_value(json!({"channel_id": "ch_1"})).unwrap();
        assert_eq!(channel.channel_id, "ch_1");
    }
}
