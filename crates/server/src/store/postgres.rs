//! PostgreSQL. While it is down one caller at a time waits for it; the others fail
//! at once.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgConnection, PgPoolOptions, PgRow};
use sqlx::{
    Arguments, AssertSqlSafe, Column, Either, Executor, PgPool, Postgres, Row as _, TypeInfo,
};

use super::StoreError;
use super::statement::{Outcome, Row, Value};

/// How long a caller waits for a connection before the database counts as down.
const ACQUIRE_LIMIT: Duration = Duration::from_secs(3);
/// After a failure: how long callers fail without a connection attempt.
const PAUSE: Duration = Duration::from_millis(500);
/// Connections of the pool at most.
const CONNECTIONS: u32 = 16;

/// A pool of connections; broken ones are replaced.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    pool: PgPool,
    outage: Arc<Outage>,
}

impl Pool {
    /// Opens the first connection.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let options = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE_LIMIT);
        Ok(Self {
            pool: options.connect_with(url.parse()?).await?,
            outage: Arc::default(),
        })
    }

    /// Waits for a connection.
    pub async fn acquire(&self) -> Result<PoolConnection<Postgres>, StoreError> {
        if !self.outage.may_try(Instant::now()) {
            let why = io::Error::other("the database did not answer a moment ago");
            return Err(sqlx::Error::Io(why).into());
        }
        let connection_guard = self.pool.acquire().await;
        match &connection_guard {
            Ok(_) => self.outage.is_over(),
            // A full pool is busy; the database is not down.
            Err(_) if self.pool.size() < CONNECTIONS => self.outage.extend(Instant::now()),
            Err(_) => {}
        }
        Ok(connection_guard?)
    }
}

/// Runs a statement.
pub(super) async fn run(
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

/// Circuit breaker: after a failed attempt, when the next caller may try.
#[derive(Debug, Default)]
struct Outage(Mutex<Option<Instant>>);

impl Outage {
    fn may_try(&self, now: Instant) -> bool {
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *next {
            None => true,
            Some(at) if now < at => false,
            Some(_) => {
                // This caller tries for all. If it is dropped, the next one may
                // try after the limit.
                *next = Some(now + ACQUIRE_LIMIT);
                true
            }
        }
    }

    fn extend(&self, now: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(now + PAUSE);
    }

    fn is_over(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_the_database_is_down_one_caller_at_a_time_tries_it() {
        let (outage, start) = (Outage::default(), Instant::now());
        assert!(outage.may_try(start));
        assert!(outage.may_try(start));

        outage.extend(start);
        assert!(!outage.may_try(start));
        assert!(outage.may_try(start + PAUSE));
        assert!(!outage.may_try(start + PAUSE), "another caller tries");
        assert!(
            outage.may_try(start + PAUSE + ACQUIRE_LIMIT),
            "that caller was dropped"
        );

        outage.is_over();
        assert!(outage.may_try(start));
    }
}
