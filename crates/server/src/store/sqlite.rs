//! SQLite: a file that one server process owns, or memory.
//!
//! Statements run on the calling thread: handing one to another thread and waiting
//! for the result takes several times as long as the statement itself. Queries that
//! may read many rows run on the blocking pool. A lock that another process holds on
//! the file is retried with asynchronous sleeps, so it never blocks a thread.

use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::thread::yield_now;
use std::time::Duration;

use rusqlite::ffi::{
    SQLITE_CONSTRAINT_FOREIGNKEY, SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE,
};
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Error, ErrorCode, OpenFlags};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::statement::{Outcome, Row, Value};
use super::{STATEMENT_LIMIT, StoreError, deadline};

/// Connections for reading a file.
const READERS: usize = 4;
/// Spin before parking: most transactions finish sooner than a wake-up takes.
const WATCH: Duration = Duration::from_micros(150);
/// Pause before a statement is repeated that found the file locked.
const LOCK_RETRY: Duration = Duration::from_millis(5);
/// Prepared statements cached per connection; there are not many more.
const STATEMENTS: usize = 100;
/// Interval of WAL checkpoints. A power failure loses at most this much.
const CHECKPOINT: Duration = Duration::from_secs(1);
/// Time limit of a checkpoint, which waits for the disk.
const CHECKPOINT_LIMIT: Duration = Duration::from_secs(60);
/// Pages in the WAL (256 MiB) past which a checkpoint stops the writer: the WAL
/// restarts at its beginning only while nobody writes.
const LONG_LOG: i64 = 262_144;

/// Settings of a file, and of each connection to it. synchronous = NORMAL: commits
/// survive a crash of the process; a power failure can lose those since the last
/// checkpoint. Automatic checkpoints are off, since they would block the writer on the
/// disk. Small pages keep the WAL small, which stores whole pages.
const FILE: &str = "PRAGMA page_size = 1024; PRAGMA journal_mode = WAL; \
                    PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; \
                    PRAGMA wal_autocheckpoint = 0;";
/// Settings of a connection alone.
const SESSION: &str = "PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 0;";

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
    pub async fn open(path: Option<&Path>) -> Result<Self, StoreError> {
        let Some(path) = path else {
            let only = open_connections([Connection::open_in_memory()], FILE).await?;
            return Ok(Self {
                writer: Arc::clone(&only),
                readers: only,
            });
        };
        let opened = Self {
            writer: open_connections([Connection::open(path)], FILE).await?,
            readers: open_connections([(); READERS].map(|()| Connection::open(path)), FILE).await?,
        };
        tokio::spawn(checkpoints(
            Arc::downgrade(&opened.writer),
            Arc::downgrade(&opened.readers),
        ));
        Ok(opened)
    }

    /// Opens a file that exists, without changing its settings.
    pub async fn open_existing(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let only = [Connection::open_with_flags(path, flags)];
        let only = open_connections(only, SESSION).await?;
        Ok(Self {
            writer: Arc::clone(&only),
            readers: only,
        })
    }

    /// Waits for the connection for writing.
    pub async fn writer(&self, deadline: Instant) -> Result<PooledConnection, StoreError> {
        acquire(&self.writer, deadline).await
    }

    /// Waits for a connection for reading.
    pub async fn reader(&self, deadline: Instant) -> Result<PooledConnection, StoreError> {
        acquire(&self.readers, deadline).await
    }
}

async fn open_connections<const N: usize>(
    opened: [Result<Connection, Error>; N],
    settings: &str,
) -> Result<Connections, StoreError> {
    let deadline = deadline();
    let mut connections = Vec::with_capacity(N);
    for connection in opened {
        let mut connection = PreparedConnection(connection?);
        retry_while_locked(deadline, || connection.prepare(settings)).await?;
        connections.push(Arc::new(Mutex::new(connection.0)));
    }
    Ok(connections.into())
}

struct PreparedConnection(Connection);

impl PreparedConnection {
    fn prepare(&mut self, settings: &str) -> Result<(), StoreError> {
        // SQLite's own wait for a lock would block the thread.
        self.0.busy_timeout(Duration::ZERO)?;
        self.0.execute_batch(settings)?;
        self.0.set_prepared_statement_cache_capacity(STATEMENTS);
        Ok(())
    }
}

/// Repeats a statement until the file is not locked, or the deadline has passed.
async fn retry_while_locked<T>(
    deadline: Instant,
    mut statement: impl FnMut() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    loop {
        match statement() {
            Err(StoreError::Failed(error)) if is_locked(&*error) => wait_for_lock(deadline).await?,
            done => return done,
        }
    }
}

/// Pauses before the next attempt, unless the deadline comes first.
async fn wait_for_lock(deadline: Instant) -> Result<(), StoreError> {
    if Instant::now() + LOCK_RETRY >= deadline {
        return Err(StoreError::failed(
            "another process holds a lock on the database file",
        ));
    }
    sleep(LOCK_RETRY).await;
    Ok(())
}

type Cause = dyn std::error::Error + Send + Sync;

fn is_locked(error: &Cause) -> bool {
    has_code(error, ErrorCode::DatabaseBusy)
}

fn has_code(error: &Cause, code: ErrorCode) -> bool {
    let error = error.downcast_ref::<Error>();
    error.and_then(Error::sqlite_error_code) == Some(code)
}

async fn acquire(
    open_connections: &Connections,
    deadline: Instant,
) -> Result<PooledConnection, StoreError> {
    let asked = std::time::Instant::now();
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
    let connection_guard = timeout_at(deadline, any.lock_owned()).await;
    let busy = |_| StoreError::failed("other statements kept every connection busy");
    Ok(PooledConnection(connection_guard.map_err(busy)?))
}

impl PooledConnection {
    /// Runs a statement; its placeholders are `$1`, `$2` and so on. It waits for a
    /// lock of another process until the deadline.
    pub async fn run(
        &mut self,
        sql: &str,
        values: &[Value],
        deadline: Instant,
    ) -> Result<Outcome, StoreError> {
        retry_while_locked(deadline, || self.execute(sql, values)).await
    }

    /// Runs a statement once.
    pub fn execute(&mut self, sql: &str, values: &[Value]) -> Result<Outcome, StoreError> {
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
    pub async fn migrate(&mut self, steps: &[(i64, &str)]) -> Result<(), StoreError> {
        let newest = steps.last().map_or(0, |(number, _)| *number);
        if self.version(deadline()).await? == newest {
            return Ok(());
        }
        self.run("BEGIN IMMEDIATE", &[], deadline()).await?;
        let done = self.take(steps, newest);
        let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
        self.run(end, &[], deadline()).await?;
        done
    }

    /// The number of the last applied migration.
    pub async fn version(&mut self, deadline: Instant) -> Result<i64, StoreError> {
        retry_while_locked(deadline, || self.taken()).await
    }

    fn taken(&mut self) -> Result<i64, StoreError> {
        let version = "PRAGMA user_version";
        Ok(self.0.query_row(version, [], |row| row.get(0))?)
    }

    fn take(&mut self, steps: &[(i64, &str)], newest: i64) -> Result<(), StoreError> {
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

    /// Runs a statement on the blocking pool. At the deadline it is interrupted.
    pub async fn run_aside(
        self,
        sql: Cow<'static, str>,
        values: Vec<Value>,
        deadline: Instant,
    ) -> Result<Outcome, StoreError> {
        let interrupt = self.0.get_interrupt_handle();
        let (mut connection, mut values) = (self, values);
        loop {
            let sql = sql.clone();
            let mut query = spawn_blocking(move || {
                let done = connection.execute(&sql, &values);
                (connection, values, done)
            });
            let done = tokio::select! {
                done = &mut query => done,
                () = sleep_until(deadline) => {
                    interrupt.interrupt();
                    query.await
                }
            };
            let done = done.map_err(StoreError::failed)?;
            (connection, values) = (done.0, done.1);
            match done.2 {
                Err(StoreError::Failed(error)) if is_locked(&*error) => {
                    wait_for_lock(deadline).await?;
                }
                Err(StoreError::Failed(error))
                    if has_code(&*error, ErrorCode::OperationInterrupted) =>
                {
                    let seconds = STATEMENT_LIMIT.as_secs();
                    let why = format!("the query took longer than {seconds} s");
                    return Err(StoreError::failed(why));
                }
                done => return done,
            }
        }
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
            // Not counted as a failure: it is tried again.
            Some(_) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                Self::Failed(error.into())
            }
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
    let deadline = Instant::now() + CHECKPOINT_LIMIT;
    let Ok(connection_guard) = acquire(&own, deadline).await else {
        return 0;
    };
    // So that the store can be closed meanwhile.
    drop(own);
    let outcome = connection_guard
        .run_aside(Cow::Borrowed(how), Vec::new(), deadline)
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
        let sqlite = Sqlite::open(Some(&folder.path().join("rooms.db"))).await?;
        let own = Arc::downgrade(&sqlite.writer);
        let fill = "CREATE TABLE t AS WITH RECURSIVE n(i) AS \
                    (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9) \
                    SELECT i, hex(zeroblob(2000)) AS b FROM n";
        sqlite.writer(deadline()).await?.execute(fill, &[])?;
        assert!(checkpoint(&own, "PRAGMA wal_checkpoint(PASSIVE)").await > 9);

        assert!(checkpoint(&own, "PRAGMA wal_checkpoint(RESTART)").await > 9);
        let log = folder.path().join("rooms.db-wal");
        let length = fs::metadata(&log)?.len();
        let mut writer = sqlite.writer(deadline()).await?;
        writer.execute("UPDATE t SET i = 0", &[])?;
        assert_eq!(fs::metadata(&log)?.len(), length);
        Ok(())
    }

    #[tokio::test]
    async fn a_migration_is_applied_once_and_as_a_whole() -> Result<()> {
        let sqlite = Sqlite::open(None).await?;
        let mut connection_guard = sqlite.writer(deadline()).await?;
        let first = (1, "CREATE TABLE a (x); INSERT INTO a VALUES (1);");
        let second = (2, "CREATE TABLE b (x);");
        connection_guard.migrate(&[first]).await?;
        let wrong = (2, "CREATE TABLE c (x); INSERT INTO nowhere VALUES (1);");
        assert!(connection_guard.migrate(&[first, wrong]).await.is_err());
        connection_guard.migrate(&[first, second]).await?;
        let tables =
            connection_guard.execute("SELECT name FROM sqlite_master ORDER BY name", &[])?;
        let tables: Vec<_> = tables.rows.into_iter().map(|row| row.0).collect();
        assert_eq!(tables, [["a".into()], ["b".into()]]);
        let older = connection_guard.migrate(&[first]).await;
        assert!(older.is_err(), "tables of a newer version");
        Ok(())
    }

    #[tokio::test]
    async fn placeholders_are_numbers_whatever_their_order() -> Result<()> {
        let sqlite = Sqlite::open(None).await?;
        let values = ["a".into(), Value::Int(Some(7)), Value::Text(None)];
        let mut connection_guard = sqlite.writer(deadline()).await?;
        let answer = connection_guard.execute("SELECT $2, $1, $3, $2", &values)?;
        let expected = [
            Value::Int(Some(7)),
            "a".into(),
            Value::Int(None),
            Value::Int(Some(7)),
        ];
        assert_eq!(answer.rows[0].0, expected);
        assert!(connection_guard.execute("SELECT $4", &values).is_err());
        assert!(connection_guard.execute("SELECT 0.5", &[]).is_err());
        Ok(())
    }
}
