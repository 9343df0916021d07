//! What outlives a moment: one set of queries, on SQLite and on PostgreSQL.
//!
//! Reads go to the [`Store`]; everything that belongs together is written in one
//! [`Tx`]. What a caller was told is stored.

mod bookings;
mod chat;
mod events;
mod figures;
mod lane;
mod leases;
mod migrations;
mod participants;
mod pool;
mod rooms;
mod rtcs;
mod sessions;
mod tx;
mod webhooks;

use std::fmt;
use std::fs::{File, TryLockError};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::any::AnyRow;

pub use crate::id::RoomKey;
pub use figures::{RoomFigures, SessionFigures};
use lane::{Lane, Lent};
pub use leases::NODE_LEASE;
pub use participants::Stay;
use pool::Pool;
pub use rtcs::Rtc;
pub use tx::Tx;
pub use webhooks::Delivery;

/// Readers of an SQLite file: each has a thread, and pages of its own.
const READERS: usize = 4;
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

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(inner) if inner.is_unique_violation() => {
                Self::Taken(inner.to_string())
            }
            sqlx::Error::Database(inner) if inner.is_foreign_key_violation() => {
                Self::Dangling(inner.to_string())
            }
            _ => {
                FAILURES.fetch_add(1, Ordering::Relaxed);
                Self::Failed(error.into())
            }
        }
    }
}

static FAILURES: AtomicU64 = AtomicU64::new(0);

/// How often a database failed in this process.
pub fn failures() -> u64 {
    FAILURES.load(Ordering::Relaxed)
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// The open database.
#[derive(Debug, Clone)]
pub struct Store {
    kind: Kind,
    readers: Lane,
    /// The same as `readers` on PostgreSQL; one connection on SQLite, which has
    /// one writer at a time anyway.
    writers: Lane,
    /// The file, where it is one.
    path: Option<String>,
}

/// That a file is this process's own, as long as it is kept.
#[derive(Debug)]
pub struct Claim(#[allow(dead_code, reason = "kept for its lock")] Option<File>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sqlite,
    Postgres,
}

impl Store {
    /// Opens the database, and brings its tables up to date.
    ///
    /// # Errors
    /// When it cannot be reached, or its tables are of a newer version.
    pub async fn open(database: &Database) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let store = match database {
            Database::Memory => {
                // Each connection to a memory database has one of its own.
                let only = Lane::sqlite("sqlite::memory:", 1).await?;
                Self {
                    kind: Kind::Sqlite,
                    readers: only.clone(),
                    writers: only,
                    path: None,
                }
            }
            Database::Sqlite(path) => {
                let url = format!("sqlite:{}?mode=rwc", in_url(path));
                let writers = Lane::sqlite(&url, 1).await?;
                let readers = Lane::sqlite(&url, READERS).await?;
                writers.keep_up(&readers);
                Self {
                    kind: Kind::Sqlite,
                    readers,
                    writers,
                    path: Some(path.clone()),
                }
            }
            Database::Postgres(url) => {
                let pool = Lane::Pool(Pool::open(url).await?);
                Self {
                    kind: Kind::Postgres,
                    readers: pool.clone(),
                    writers: pool,
                    path: None,
                }
            }
        };
        migrations::run(store.kind, &mut *store.write().await?).await?;
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
        let lock = File::create(format!("{path}.lock"));
        let lock = lock.map_err(|error| StoreError::Failed(error.into()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Claim(Some(lock))),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse(path.clone())),
            Err(TryLockError::Error(error)) => Err(StoreError::Failed(error.into())),
        }
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn check(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1")
            .execute(&mut *self.write().await?)
            .await?;
        Ok(())
    }

    /// Whether other processes may use the same database.
    pub fn is_shared(&self) -> bool {
        self.kind == Kind::Postgres
    }

    async fn read(&self) -> Result<Lent, StoreError> {
        self.readers.lend().await
    }

    async fn write(&self) -> Result<Lent, StoreError> {
        self.writers.lend().await
    }
}

/// A path as a URL has it.
fn in_url(path: &str) -> String {
    let mut url = String::with_capacity(path.len());
    for letter in path.chars() {
        match letter {
            '%' => url.push_str("%25"),
            '?' => url.push_str("%3F"),
            '#' => url.push_str("%23"),
            ' ' => url.push_str("%20"),
            other => url.push(other),
        }
    }
    url
}

fn to_doc(value: &impl Serialize) -> Result<String, StoreError> {
    Ok(serde_json::to_string(value)?)
}

/// The document in a row's first column.
fn from_doc<T: DeserializeOwned>(row: &AnyRow) -> Result<T, StoreError> {
    Ok(serde_json::from_str(&row.try_get::<String, _>(0)?)?)
}

fn from_docs<T: DeserializeOwned>(rows: &[AnyRow]) -> Result<Vec<T>, StoreError> {
    rows.iter().map(from_doc).collect()
}
