//! SQLite: a file that one server process owns, or memory.
//!
//! Statements run on the calling thread: handing one to another thread and waiting
//! for the result takes several times as long as the statement itself. Queries that
//! may read many rows run on the blocking pool.

use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::thread::yield_now;
use std::time::{Duration, Instant};

use rusqlite::ffi::{
    SQLITE_CONSTRAINT_FOREIGNKEY, SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE,
};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Error};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::StoreError;
use super::statement::{Outcome, Row, Value};

/// Connections for reading a file.
const READERS: usize = 4;
/// Longest wait for a connection.
const TURN_LIMIT: Duration = Duration::from_secs(3);
/// Spin before parking: most transactions finish sooner than a wake-up takes.
const WATCH: Duration = Duration::from_micros(150);
/// How long a statement waits for another process that looks at the file.
const BUSY_LIMIT: Duration = Duration::from_secs(3);
/// Prepared statements cached per connection; there are not many more.
const STATEMENTS: usize = 100;
/// Interval of WAL checkpoints. A power failure loses at most this much.
const CHECKPOINT: Duration = Duration::from_secs(1);
/// Pages in the WAL (256 MiB) past which a checkpoint stops the writer: the WAL
/// restarts at its beginning only while nobody writes.
const LONG_LOG: i64 = 262_144;

/// The open database.
#[derive(Debug, Clone)]
pub(super) struct Sqlite {
    /// One connection: SQLite has one writer at a time.
    writer: Connections,
    /// In memory the same connection as the writer, since each in-memory connection
    /// has a database of its own.
    readers: Connections,
}

type Connections = Arc<[Arc<Mutex<Connection>>]>;

/// A pooled connection; dropping it returns it to the pool.
pub(super) struct PooledConnection(OwnedMutexGuard<Connection>);

impl Sqlite {
    /// Opens a file, creating it if necessary; `None` opens an in-memory database.
    pub fn open(path: Option<&Path>) -> Result<Self, StoreError> {
        let Some(path) = path else {
            let only = open_connections([Connection::open_in_memory()])?;
            return Ok(Self {
                writer: Arc::clone(&only),
                readers: only,
            });
        };
        let opened = Self {
            writer: open_connections([Connection::open(path)])?,
            readers: open_connections([(); READERS].map(|()| Connection::open(path)))?,
        };
        tokio::spawn(checkpoints(
            Arc::downgrade(&opened.writer),
            Arc::downgrade(&opened.readers),
        ));
        Ok(opened)
    }

    /// Waits for the connection for writing.
    pub async fn writer(&self) -> Result<PooledConnection, StoreError> {
        acquire(&self.writer).await
    }

    /// Waits for a connection for reading.
    pub async fn reader(&self) -> Result<PooledConnection, StoreError> {
        acquire(&self.readers).await
    }
}

fn open_connections<const N: usize>(
    opened: [Result<Connection, Error>; N],
) -> Result<Connections, StoreError> {
    let prepare = |connection: Result<Connection, Error>| {
        let connection = connection?;
        // synchronous = NORMAL: commits survive a crash of the process; a power
        // failure can lose those since the last checkpoint. Automatic checkpoints
        // are off, since they would block the writer on the disk. Small pages keep
        // the WAL small, which stores whole pages.
        connection.execute_batch(
            "PRAGMA page_size = 1024; PRAGMA journal_mode = WAL; \
             PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; \
             PRAGMA wal_autocheckpoint = 0;",
        )?;
        connection.busy_timeout(BUSY_LIMIT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(Arc::new(Mutex::new(connection)))
    };
    opened.into_iter().map(prepare).collect()
}

async fn acquire(open_connections: &Connections) -> Result<PooledConnection, StoreError> {
    let asked = Instant::now();
    loop {
        for one in open_connections.iter() {
            if let Ok(free) = Arc::clone(one).try_lock_owned() {
                return Ok(PooledConnection(free));
            }
        }
        if asked.elapsed() > WATCH {
            break;
        }
        yield_now();
    }
    let any = Arc::clone(&open_connections[rand::random_range(0..open_connections.len())]);
    let connection_guard = timeout(TURN_LIMIT, any.lock_owned()).await;
    Ok(PooledConnection(
        connection_guard.map_err(StoreError::failed)?,
    ))
}

impl PooledConnection {
    /// Runs a statement; its placeholders are `$1`, `$2` and so on.
    pub fn run(&self, sql: &str, values: &[Value]) -> Result<Outcome, StoreError> {
        let mut statement = self.0.prepare_cached(sql)?;
        for place in 1..=statement.parameter_count() {
            // To SQLite `$1` is a name; its index is the order of first use.
            let name = statement
                .parameter_name(place)
                .and_then(|name| name.get(1..));
            let number: Option<usize> = name.and_then(|name| name.parse().ok());
            let value = number.and_then(|number| values.get(number.checked_sub(1)?));
            let value = value.ok_or_else(|| StoreError::failed("a placeholder has no value"))?;
            statement.raw_bind_parameter(place, value)?;
        }
        let columns = statement.column_count();
        if columns == 0 {
            let changed = statement.raw_execute()? as u64;
            return Ok(Outcome {
                rows: Vec::new(),
                changed,
            });
        }
        let mut outcome = Outcome::default();
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next()? {
            let column = |at| match row.get_ref(at)? {
                ValueRef::Null => Ok(Value::Int(None)),
                ValueRef::Integer(number) => Ok(Value::Int(Some(number))),
                ValueRef::Text(text) => Ok(Value::from(
                    std::str::from_utf8(text).map_err(StoreError::failed)?,
                )),
                other => Err(StoreError::failed(format!(
                    "unsupported column type {}",
                    other.data_type()
                ))),
            };
            outcome
                .rows
                .push(Row((0..columns).map(column).collect::<Result<_, _>>()?));
        }
        Ok(outcome)
    }

    /// Applies the missing migrations in one transaction; `user_version` holds the
    /// number of the last one. Without missing migrations nothing is locked.
    pub fn migrate(&self, steps: &[(i64, &str)]) -> Result<(), StoreError> {
        let newest = steps.last().map_or(0, |(number, _)| *number);
        if self.taken()? == newest {
            return Ok(());
        }
        self.0.execute_batch("BEGIN IMMEDIATE")?;
        let done = self.take(steps, newest);
        let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
        self.0.execute_batch(end)?;
        done
    }

    /// The number of the last applied migration.
    fn taken(&self) -> Result<i64, StoreError> {
        let version = "PRAGMA user_version";
        Ok(self.0.query_row(version, [], |row| row.get(0))?)
    }

    fn take(&self, steps: &[(i64, &str)], newest: i64) -> Result<(), StoreError> {
        let taken = self.taken()?;
        if taken > newest {
            let why =
                format!("the tables are at version {taken}, newer than this server's {newest}");
            return Err(StoreError::failed(why));
        }
        for (number, sql) in steps {
            if *number > taken {
                self.0.execute_batch(sql)?;
                self.0.pragma_update(None, "user_version", number)?;
            }
        }
        Ok(())
    }

    /// Runs a statement on the blocking pool.
    pub async fn run_aside(
        self,
        sql: Cow<'static, str>,
        values: Vec<Value>,
    ) -> Result<Outcome, StoreError> {
        let done = spawn_blocking(move || self.run(&sql, &values)).await;
        done.map_err(StoreError::failed)?
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Int(None) | Self::Text(None) => ValueRef::Null,
            Self::Int(Some(number)) => ValueRef::Integer(*number),
            Self::Text(Some(text)) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match error.sqlite_error().map(|inner| inner.extended_code) {
            Some(SQLITE_CONSTRAINT_UNIQUE | SQLITE_CONSTRAINT_PRIMARYKEY) => {
                Self::Taken(error.to_string())
            }
            Some(SQLITE_CONSTRAINT_FOREIGNKEY) => Self::Dangling(error.to_string()),
            _ => Self::failed(error),
        }
    }
}

type WeakConnections = Weak<[Arc<Mutex<Connection>>]>;

/// Moves the WAL into the file while writes go on, until the store is dropped. A
/// failed checkpoint is repeated at the next interval.
async fn checkpoints(writer: WeakConnections, readers: WeakConnections) {
    while readers.strong_count() > 0 {
        sleep(CHECKPOINT).await;
        if checkpoint(&readers, "PRAGMA wal_checkpoint(PASSIVE)").await > LONG_LOG {
            // The first one took long; this one leaves little for RESTART, which
            // blocks the writer.
            checkpoint(&readers, "PRAGMA wal_checkpoint(PASSIVE)").await;
            checkpoint(&writer, "PRAGMA wal_checkpoint(RESTART)").await;
        }
    }
}

/// Runs a checkpoint; returns the pages in the WAL.
async fn checkpoint(open_connections: &WeakConnections, how: &'static str) -> i64 {
    let Some(own) = open_connections.upgrade() else {
        return 0;
    };
    let Ok(connection_guard) = acquire(&own).await else {
        return 0;
    };
    // So that the store can be closed meanwhile.
    drop(own);
    let outcome = connection_guard
        .run_aside(Cow::Borrowed(how), Vec::new())
        .await;
    let pages = outcome.and_then(|outcome| match outcome.rows.first() {
        Some(row) => row.get(1),
        None => Ok(0),
    });
    pages.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use anyhow::Result;

    use super::*;

    #[tokio::test]
    async fn a_restarting_checkpoint_reuses_the_wal_from_its_beginning() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let sqlite = Sqlite::open(Some(&folder.path().join("rooms.db")))?;
        let own = Arc::downgrade(&sqlite.writer);
        let fill = "CREATE TABLE t AS WITH RECURSIVE n(i) AS \
                    (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9) \
                    SELECT i, hex(zeroblob(2000)) AS b FROM n";
        sqlite.writer().await?.run(fill, &[])?;
        assert!(checkpoint(&own, "PRAGMA wal_checkpoint(PASSIVE)").await > 9);

        assert!(checkpoint(&own, "PRAGMA wal_checkpoint(RESTART)").await > 9);
        let log = folder.path().join("rooms.db-wal");
        let length = fs::metadata(&log)?.len();
        sqlite.writer().await?.run("UPDATE t SET i = 0", &[])?;
        assert_eq!(fs::metadata(&log)?.len(), length);
        Ok(())
    }

    #[tokio::test]
    async fn a_migration_is_applied_once_and_as_a_whole() -> Result<()> {
        let connection_guard = Sqlite::open(None)?.writer().await?;
        let first = (1, "CREATE TABLE a (x); INSERT INTO a VALUES (1);");
        let second = (2, "CREATE TABLE b (x);");
        connection_guard.migrate(&[first])?;
        let wrong = (2, "CREATE TABLE c (x); INSERT INTO nowhere VALUES (1);");
        assert!(connection_guard.migrate(&[first, wrong]).is_err());
        connection_guard.migrate(&[first, second])?;
        let tables = connection_guard.run("SELECT name FROM sqlite_master ORDER BY name", &[])?;
        let tables: Vec<_> = tables.rows.into_iter().map(|row| row.0).collect();
        assert_eq!(tables, [["a".into()], ["b".into()]]);
        let older = connection_guard.migrate(&[first]);
        assert!(older.is_err(), "tables of a newer version");
        Ok(())
    }

    #[tokio::test]
    async fn placeholders_are_numbers_whatever_their_order() -> Result<()> {
        let sqlite = Sqlite::open(None)?;
        let values = ["a".into(), Value::Int(Some(7)), Value::Text(None)];
        let connection_guard = sqlite.writer().await?;
        let answer = connection_guard.run("SELECT $2, $1, $3, $2", &values)?;
        let expected = [
            Value::Int(Some(7)),
            "a".into(),
            Value::Int(None),
            Value::Int(Some(7)),
        ];
        assert_eq!(answer.rows[0].0, expected);
        assert!(connection_guard.run("SELECT $4", &values).is_err());
        assert!(connection_guard.run("SELECT 0.5", &[]).is_err());
        Ok(())
    }
}
