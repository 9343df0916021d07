//! A transaction.

use std::fmt;

use super::{Connection, Store, StoreError};

/// Writes that belong together; nothing is there until [`Tx::commit`].
pub struct Tx {
    /// Gone only at its end.
    connection: Option<Connection>,
}

impl Store {
    /// Begins to write.
    ///
    /// # Errors
    /// When the database is out of reach.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        // From here on the database may be in it, whatever happens to this future.
        let mut tx = Tx {
            connection: Some(self.writer().await?),
        };
        let begin = match self.is_shared() {
            true => "BEGIN",
            false => "BEGIN IMMEDIATE",
        };
        tx.connection()?.run(begin, Vec::new()).await?;
        Ok(tx)
    }
}

impl Tx {
    /// Makes it so. Dropped without it, nothing was written.
    ///
    /// # Errors
    /// When it could not be made so.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        self.connection()?.run("COMMIT", Vec::new()).await?;
        self.connection = None;
        Ok(())
    }

    /// Whether others may write meanwhile.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self.connection, Some(Connection::Postgres(_)))
    }

    pub(super) fn connection(&mut self) -> Result<&mut Connection, StoreError> {
        let gone = || StoreError::failed("the transaction is over");
        self.connection.as_mut().ok_or_else(gone)
    }
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx").finish_non_exhaustive()
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.roll_back();
        }
    }
}
