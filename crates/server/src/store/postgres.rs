//! PostgreSQL. While it is down one caller at a time waits for it; the others fail
//! at once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::migrate::Migrator;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgPoolOptions, PgRow};
use sqlx::{
    Arguments, AssertSqlSafe, Column, ConnectOptions, Either, Executor, PgPool, Postgres, Row as _,
    TypeInfo,
};
use tokio::time::{Instant, timeout, timeout_at};

use super::statement::{Outcome, Row, Value};
use super::{STATEMENT_LIMIT, StoreError};

/// Part of the limit that is left to find out why no connection could be opened.
const PROBE_LIMIT: Duration = Duration::from_millis(250);
/// After a failure: how long callers fail without a connection attempt.
const PAUSE: Duration = Duration::from_millis(500);
/// Connections of the pool at most.
const CONNECTIONS: u32 = 16;
/// Sent on each new connection. The server cancels first in most cases, which leaves
/// the connection usable; the client's deadline covers a server that does not answer.
const SESSION: &str = "SET statement_timeout = 2000; SET lock_timeout = 1500";
/// A migration may take longer.
const MIGRATION_SESSION: &str = "SET statement_timeout = 0; SET lock_timeout = 0";

/// A pool of connections; broken ones are replaced.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    pool: PgPool,
    options: Arc<PgConnectOptions>,
    outage: Arc<Outage>,
}

/// A pooled connection; dropping it returns it to the pool, unless a statement was
/// interrupted on it: then it is closed, since its state is unknown.
pub(super) struct PooledConnection {
    /// `None` only while it is dropped.
    inner: Option<PoolConnection<Postgres>>,
    broken: bool,
}

impl Pool {
    /// Opens the first connection.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let options: PgConnectOptions = url.parse()?;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(STATEMENT_LIMIT)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    connection.execute(SESSION).await?;
                    Ok(())
                })
            });
        let opened = Self {
            pool: pool.connect_lazy_with(options.clone()),
            options: Arc::new(options),
            outage: Arc::default(),
        };
        opened.acquire(super::deadline()).await?;
        Ok(opened)
    }

    /// Waits for a connection.
    pub async fn acquire(&self, deadline: Instant) -> Result<PooledConnection, StoreError> {
        if let Some(cause) = self.outage.refuses(Instant::now()) {
            return Err(StoreError::failed(cause.to_string()));
        }
        let acquired = timeout_at(deadline - PROBE_LIMIT, self.pool.acquire()).await;
        let error = match acquired {
            Ok(Ok(connection)) => {
                self.outage.is_over();
                return Ok(PooledConnection {
                    inner: Some(connection),
                    broken: false,
                });
            }
            Ok(Err(sqlx::Error::PoolTimedOut)) | Err(_) => None,
            Ok(Err(error)) => Some(error),
        };
        // A full pool is busy; the database is not down.
        if self.pool.size() >= CONNECTIONS {
            return Err(StoreError::failed(
                "other statements kept every connection busy",
            ));
        }
        let cause: Arc<str> = match error {
            Some(error) => error.to_string(),
            None => self.probe().await,
        }
        .into();
        self.outage.extend(Instant::now(), Arc::clone(&cause));
        Err(StoreError::failed(cause.to_string()))
    }

    /// Why no connection can be opened: the pool only says that it timed out.
    async fn probe(&self) -> String {
        match timeout(PROBE_LIMIT, self.options.connect()).await {
            Ok(Err(error)) => error.to_string(),
            Ok(Ok(connection)) => {
                drop(connection);
                "the database answers too slowly".to_owned()
            }
            Err(_) => format!("no answer within {} s", STATEMENT_LIMIT.as_secs()),
        }
    }
}

impl PooledConnection {
    /// Whether a statement was interrupted on it.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Runs a statement until the deadline.
    pub async fn run(
        &mut self,
        sql: &str,
        values: Vec<Value>,
        deadline: Instant,
    ) -> Result<Outcome, StoreError> {
        let closed = || StoreError::failed("the connection was closed after a timeout");
        if self.broken {
            return Err(closed());
        }
        let connection = self.inner.as_mut().ok_or_else(closed)?;
        // Also when this future is dropped before the end.
        self.broken = true;
        let done = timeout_at(deadline, run(connection, sql, values)).await;
        let done = done.map_err(|_| {
            let seconds = STATEMENT_LIMIT.as_secs();
            StoreError::failed(format!("the database did not answer within {seconds} s"))
        })?;
        self.broken = false;
        done
    }

    /// Applies the missing migrations, without a time limit.
    pub async fn migrate(mut self, migrator: &Migrator) -> Result<(), StoreError> {
        let closed = || StoreError::failed("the connection is closed");
        let connection = self.inner.as_mut().ok_or_else(closed)?;
        // Closed afterwards, for its session settings.
        self.broken = true;
        connection.execute(MIGRATION_SESSION).await?;
        // The future of `run` is not `Send`.
        let done = migrator.run_direct(None, &mut **connection, false).await;
        done.map_err(StoreError::failed)
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        if self.broken
            && let Some(connection) = self.inner.take()
        {
            // Frees its place in the pool at once, and closes the socket.
            drop(connection.detach());
        }
    }
}

/// Runs a statement.
async fn run(
    connection: &mut PgConnection,
    sql: &str,
    values: Vec<Value>,
) -> Result<Outcome, StoreError> {
    let mut arguments = PgArguments::default();
    for value in values {
        let added = match value {
            Value::Int(number) => arguments.add(number),
            Value::Text(text) => arguments.add(text),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    let query = sqlx::query_with(AssertSqlSafe(sql), arguments);
    let mut answers = connection.fetch_many(query);
    let mut outcome = Outcome::default();
    while let Some(answer) = answers.try_next().await? {
        match answer {
            Either::Left(done) => outcome.changed = done.rows_affected(),
            Either::Right(row) => outcome.rows.push(read(&row)?),
        }
    }
    Ok(outcome)
}

fn read(row: &PgRow) -> Result<Row, StoreError> {
    let column = |column: &sqlx::postgres::PgColumn| {
        let at = column.ordinal();
        match column.type_info().name() {
            "INT8" => Ok(Value::Int(row.try_get(at)?)),
            // The type of integer literals.
            "INT4" => Ok(Value::Int(
                row.try_get::<Option<i32>, _>(at)?.map(i64::from),
            )),
            "TEXT" | "VARCHAR" => Ok(Value::Text(row.try_get(at)?)),
            other => Err(StoreError::failed(format!(
                "unsupported column type {other}"
            ))),
        }
    };
    Ok(Row(row
        .columns()
        .iter()
        .map(column)
        .collect::<Result<_, _>>()?))
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
            _ => Self::failed(error),
        }
    }
}

/// Circuit breaker: after a failed attempt, when the next caller may try, and why the
/// last attempt failed.
#[derive(Debug, Default)]
struct Outage(Mutex<Option<(Instant, Arc<str>)>>);

impl Outage {
    /// The cause of the outage, unless the caller may try to connect.
    fn refuses(&self, now: Instant) -> Option<Arc<str>> {
        let mut outage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (next, cause) = outage.as_mut()?;
        if now < *next {
            return Some(Arc::clone(cause));
        }
        // This caller tries for all. If it is dropped, the next one may try after
        // the limit.
        *next = now + STATEMENT_LIMIT;
        None
    }

    fn extend(&self, now: Instant, cause: Arc<str>) {
        let outage = Some((now + PAUSE, cause));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = outage;
    }

    fn is_over(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn while_the_database_is_down_one_caller_at_a_time_tries_it_and_the_others_get_the_cause() {
        let (outage, start) = (Outage::default(), Instant::now());
        let refuses = |at| outage.refuses(at).as_deref().map(str::to_owned);
        assert_eq!(refuses(start), None);
        assert_eq!(refuses(start), None);

        outage.extend(start, "connection refused".into());
        assert_eq!(refuses(start).as_deref(), Some("connection refused"));
        assert_eq!(refuses(start + PAUSE), None);
        assert!(refuses(start + PAUSE).is_some(), "another caller tries");
        let later = start + PAUSE + STATEMENT_LIMIT;
        assert_eq!(refuses(later), None, "that caller was dropped");

        outage.is_over();
        assert_eq!(refuses(start), None);
    }

    async fn failure(address: std::net::SocketAddr) -> String {
        let opened = Pool::open(&format!("postgres://nobody@{address}/none")).await;
        match opened {
            Err(StoreError::Failed(cause)) => cause.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn an_unreachable_database_is_reported_with_its_cause_within_the_limit() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // Accepts connections and never answers, like a stopped server.
        let silent = timeout(2 * STATEMENT_LIMIT, failure(address)).await;
        assert_eq!(silent.unwrap(), "no answer within 2 s");

        drop(listener);
        let refused = timeout(2 * STATEMENT_LIMIT, failure(address)).await;
        let refused = refused.unwrap().to_lowercase();
        assert!(refused.contains("connection refused"), "{refused}");
    }
}
