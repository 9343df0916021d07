//! A transaction.

use std::fmt::{self, Write as _};

use futures_util::TryStreamExt;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{Any, Arguments, AssertSqlSafe, Either, Encode, Executor, Type};

use super::{Kind, Lent, Store, StoreError};

/// Writes that belong together; nothing is there until [`Tx::commit`].
///
/// A round to SQLite costs more than what is done there, and nobody else writes
/// while its one writer is held: statements wait, and go together at the commit
/// or before the next reading. What is wrong with them is told then. PostgreSQL
/// takes one statement at a time.
pub struct Tx {
    kind: Kind,
    /// Gone only while it is dropped.
    connection: Option<Lent>,
    /// The database may be in a transaction of this one's.
    open: bool,
    waiting: Batch,
}

/// Statements, and the values for all of their placeholders.
#[derive(Default)]
struct Batch {
    sql: String,
    values: AnyArguments,
    wrong: Option<sqlx::error::BoxDynError>,
}

/// What the last statement of a batch came to.
#[derive(Default)]
struct Outcome {
    rows: Vec<AnyRow>,
    changed: u64,
}

/// A statement that still gets its values.
pub(super) struct Statement<'tx>(&'tx mut Tx);

impl Store {
    /// Begins to write.
    ///
    /// # Errors
    /// When the database is out of reach.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let mut tx = Tx {
            kind: self.kind,
            connection: Some(self.write().await?),
            open: false,
            waiting: Batch::default(),
        };
        if self.kind == Kind::Postgres {
            tx.open().await?;
        }
        Ok(tx)
    }
}

impl Tx {
    /// Makes it so. Dropped without it, nothing was written.
    ///
    /// # Errors
    /// When it could not be made so.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        if !self.waiting.sql.is_empty() || self.open {
            self.open().await?;
            self.waiting.sql.push_str("COMMIT");
            self.run().await?;
            self.open = false;
        }
        Ok(())
    }

    /// Whether others may write meanwhile.
    pub(super) fn is_shared(&self) -> bool {
        self.kind == Kind::Postgres
    }

    /// A statement; its placeholders are `$1`, `$2` and so on.
    pub(super) fn statement(&mut self, sql: &'static str) -> Statement<'_> {
        self.waiting.append(sql);
        Statement(self)
    }

    /// A query whose rows nobody else changes before the end of this
    /// transaction; SQLite's writer is alone anyway.
    pub(super) fn locking(&mut self, sql: &'static str) -> Statement<'_> {
        self.waiting.append(sql);
        if self.kind == Kind::Postgres {
            self.waiting.sql.push_str(" FOR UPDATE");
        }
        Statement(self)
    }

    async fn open(&mut self) -> Result<(), StoreError> {
        if self.open {
            return Ok(());
        }
        // From here on the database may be in it, whatever happens to this future.
        self.open = true;
        match self.kind {
            Kind::Sqlite => self.waiting.sql.insert_str(0, "BEGIN IMMEDIATE;"),
            Kind::Postgres => {
                self.waiting.sql.push_str("BEGIN");
                self.run().await?;
            }
        }
        Ok(())
    }

    /// Sends what waits.
    async fn run(&mut self) -> Result<Outcome, StoreError> {
        let Batch { sql, values, wrong } = std::mem::take(&mut self.waiting);
        if let Some(wrong) = wrong {
            return Err(sqlx::Error::Encode(wrong).into());
        }
        let connection = self.connection.as_mut().ok_or(sqlx::Error::PoolClosed)?;
        let query = sqlx::query_with(AssertSqlSafe(sql), values);
        let mut answers = (**connection).fetch_many(query);
        let mut outcome = Outcome::default();
        while let Some(answer) = answers.try_next().await? {
            match answer {
                Either::Left(done) => outcome.changed = done.rows_affected(),
                Either::Right(row) => outcome.rows.push(row),
            }
        }
        Ok(outcome)
    }
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx")
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if self.open
            && let Some(mut connection) = self.connection.take()
        {
            tokio::spawn(async move {
                // A commit whose end nobody waited for leaves nothing to undo.
                let _ = connection.execute("ROLLBACK").await;
            });
        }
    }
}

impl Batch {
    /// Adds a statement, whose placeholders count from the values before it.
    fn append(&mut self, sql: &str) {
        let before = self.values.len();
        let mut parts = sql.split('$');
        self.sql.push_str(parts.next().unwrap_or_default());
        for part in parts {
            let end = part
                .find(|letter: char| !letter.is_ascii_digit())
                .unwrap_or(part.len());
            let place: usize = part[..end].parse().unwrap_or_default();
            let _ = write!(self.sql, "${}{}", before + place, &part[end..]);
        }
    }
}

impl Statement<'_> {
    /// The value of its next placeholder.
    pub fn bind<'v, T>(self, value: T) -> Self
    where
        T: Encode<'v, Any> + Type<Any>,
    {
        let batch = &mut self.0.waiting;
        if let Err(wrong) = batch.values.add(value) {
            batch.wrong.get_or_insert(wrong);
        }
        self
    }

    /// Writes, perhaps only at the commit.
    pub async fn write(self) -> Result<(), StoreError> {
        match self.0.kind {
            Kind::Sqlite => self.0.waiting.sql.push(';'),
            Kind::Postgres => drop(self.0.run().await?),
        }
        Ok(())
    }

    /// Writes; how many rows that changed.
    pub async fn count(self) -> Result<u64, StoreError> {
        self.0.open().await?;
        Ok(self.0.run().await?.changed)
    }

    /// Reads all rows.
    pub async fn all(self) -> Result<Vec<AnyRow>, StoreError> {
        // After other statements it sees what they wrote.
        if self.0.waiting.sql.contains(';') {
            self.0.open().await?;
        }
        Ok(self.0.run().await?.rows)
    }

    /// Reads a row, if there is one.
    pub async fn optional(self) -> Result<Option<AnyRow>, StoreError> {
        Ok(self.all().await?.pop())
    }
}
