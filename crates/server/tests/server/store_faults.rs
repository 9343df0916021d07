//! The store while its database is locked, damaged or of another version.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::timeout;
use visavis_server::store::{Database, STATEMENT_LIMIT, Store, StoreError};

/// A file with the server's tables, its store, and the connection of another process.
async fn file() -> (TempDir, Store, rusqlite::Connection) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rooms.db");
    let file = Database::Sqlite(path.display().to_string());
    let store = Store::open(&file).await.unwrap();
    let other = rusqlite::Connection::open(path).unwrap();
    (folder, store, other)
}

/// Counts the turns that another task of the runtime gets.
fn turns() -> Arc<AtomicU64> {
    let turns = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&turns);
    tokio::spawn(async move {
        loop {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    turns
}

async fn wait_for_turns(turns: &AtomicU64, count: u64) {
    let end = turns.load(Ordering::SeqCst) + count;
    while turns.load(Ordering::SeqCst) < end {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_lock_of_another_process_fails_a_write_at_the_limit_and_blocks_no_thread() {
    let (_folder, store, other) = file().await;
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let turns = turns();
    let failed = timeout(2 * STATEMENT_LIMIT, store.begin()).await;
    let error = failed.expect("an answer at the limit").unwrap_err();
    assert!(error.is_outage());
    let cause = error.source().unwrap().to_string();
    assert!(cause.contains("another process holds a lock"), "{cause}");
    let turns = turns.load(Ordering::SeqCst);
    assert!(
        turns >= 20,
        "the runtime's thread was blocked: {turns} turns"
    );

    other.execute_batch("ROLLBACK").unwrap();
    store.begin().await.unwrap().commit().await.unwrap();
}

#[tokio::test]
async fn a_write_waits_for_a_lock_that_is_released_in_time() {
    let (_folder, store, other) = file().await;
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let turns = turns();
    let write = tokio::spawn(async move { store.begin().await?.commit().await });
    wait_for_turns(&turns, 20).await;
    assert!(!write.is_finished());
    other.execute_batch("ROLLBACK").unwrap();
    let written: Result<(), StoreError> = write.await.unwrap();
    written.unwrap();
}
