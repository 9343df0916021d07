//! A transaction.
//!
//! Rows are locked in one order, so that transactions of several nodes cannot deadlock:
//! a room, its participants, its booking or session (a channel before its sessions), and
//! last the topics of events. A transaction that changes a participant and needs the
//! room locks the room first.

use std::fmt;

use super::{Connection, Store, StoreError, deadline};

/// Changes that are committed together; dropping it rolls back.
pub struct Tx {
    /// `None` after the commit.
    connection: Option<Connection>,
}

impl Store {
    /// Begins a transaction.
    ///
    /// # Errors
    /// When the database is unreachable.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let deadline = deadline();
        // Created before BEGIN: if this future is dropped midway, dropping the Tx
        // rolls back.
        let mut tx = Tx {
            connection: Some(self.writer(deadline).await?),
        };
        let begin = match self.is_shared() {
            true => "BEGIN",
            false => "BEGIN IMMEDIATE",
        };
        tx.connection()?.run(begin, Vec::new(), deadline).await?;
        Ok(tx)
    }
}

impl Tx {
    /// Commits.
    ///
    /// # Errors
    /// When the commit failed; after a lost connection it may have succeeded.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        let commit = self.connection()?;
        commit.run("COMMIT", Vec::new(), deadline()).await?;
        self.connection = None;
        Ok(())
    }

    /// Whether other transactions can write at the same time.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self.connection, Some(Connection::Postgres(_)))
    }

    pub(super) fn connection(&mut self) -> Result<&mut Connection, StoreError> {
        let gone = || StoreError::failed("the transaction has ended");
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
