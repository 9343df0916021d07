//! The tables, a folder of numbered steps per dialect.

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

use super::{Connection, StoreError};

/// Number, name, SQLite's text, PostgreSQL's.
const STEPS: &[(i64, &str, &str, &str)] = &[(
    1,
    "rooms",
    include_str!("../../migrations/sqlite/0001_rooms.sql"),
    include_str!("../../migrations/postgres/0001_rooms.sql"),
)];

/// Takes every step that was not taken yet.
pub(super) async fn run(connection: Connection) -> Result<(), StoreError> {
    match connection {
        Connection::Sqlite(connection_guard) => {
            let steps = STEPS.iter().map(|&(number, _, sqlite, _)| (number, sqlite));
            connection_guard.migrate(&steps.collect::<Vec<_>>())
        }
        Connection::Postgres(mut connection_guard) => {
            let step = |&(number, name, _, postgres): &(i64, &'static str, _, &'static str)| {
                let text = postgres.into_sql_str();
                Migration::new(number, name.into(), MigrationType::Simple, text, false)
            };
            Migrator::with_migrations(STEPS.iter().map(step).collect())
                // `run` takes whatever has a connection, and loses `Send` on the way.
                .run_direct(None, &mut *connection_guard, false)
                .await
                .map_err(StoreError::failed)
        }
    }
}
