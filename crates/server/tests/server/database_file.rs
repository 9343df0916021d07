//! A database file, which tests fill and count beside the server.

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use visavis_server::store::{Database, Store};
use visavis_server::{Server, ServerConfig};

use crate::api::Api;
use crate::support::LIMIT;

/// In seconds.
pub const DAY: u32 = 24 * 3_600;
const HALF_HOUR: u32 = 1_800;

/// A file with the server's tables.
pub struct DatabaseFile {
    path: PathBuf,
    _folder: TempDir,
}

impl DatabaseFile {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            path: folder.path().join("rooms.db"),
            _folder: folder,
        }
    }

    pub fn database(&self) -> Database {
        Database::Sqlite(self.path.display().to_string())
    }

    /// A store on this file, beside the server.
    pub async fn store(&self) -> Store {
        Store::open(&self.database()).await.unwrap()
    }

    /// A server whose clock is moved by hand, on this file.
    pub async fn server(&self) -> Server {
        let config = ServerConfig {
            database: self.database(),
            manual_clock: true,
            ..ServerConfig::default()
        };
        Server::bind(config).await.unwrap()
    }

    /// Another connection.
    pub fn writer(&self) -> Connection {
        Connection::open(&self.path).unwrap()
    }

    /// The number that a query returns, read through a read-only connection.
    pub fn number(&self, sql: &str) -> i64 {
        let reader = Connection::open_with_flags(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY);
        reader
            .unwrap()
            .query_row(sql, [], |row| row.get(0))
            .unwrap()
    }

    /// The number of rows of a table.
    pub fn count(&self, table: &str) -> i64 {
        self.number(&format!("SELECT COUNT(*) FROM {table}"))
    }

    /// Waits until a query returns this number.
    pub async fn wait_for(&self, sql: &str, number: i64) {
        let wait = async {
            while self.number(sql) != number {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LIMIT, wait).await.expect("as wanted in time");
    }

    /// Moves the clock on by so many days, 30 or more, and 29 minutes, so that the hourly
    /// run has nothing to delete that turned this old: it ran half an hour before that,
    /// and is not due. What is deleted next, only the vacuum deletes.
    pub async fn age(&self, api: &Api, days: u32) {
        let last = self.number("SELECT MAX(at) FROM events");
        let marker = last - i64::from(DAY) * 1_000;
        let sql = "INSERT INTO events (id, at, uri, label, payload) \
                   VALUES ('EV_marker', ?1, 'marker', 'room.open', '{}')";
        self.writer().execute(sql, [marker]).unwrap();
        api.advance(days * DAY - HALF_HOUR).await;
        let marked = "SELECT COUNT(*) FROM events WHERE id = 'EV_marker'";
        self.wait_for(marked, 0).await;
        api.advance(2 * HALF_HOUR - 60).await;
    }
}
