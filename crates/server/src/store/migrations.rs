//! The tables, a folder of numbered steps per dialect.

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, SqlSafeStr};

use super::{Kind, StoreError};

/// Number, name, SQLite's text, PostgreSQL's.
const STEPS: &[(i64, &str, &str, &str)] = &[(
    1,
    "rooms",
    include_str!("../../migrations/sqlite/0001_rooms.sql"),
    include_str!("../../migrations/postgres/0001_rooms.sql"),
)];

/// Takes every step that was not taken yet.
pub(super) async fn run(kind: Kind, connection: &mut AnyConnection) -> Result<(), StoreError> {
    let step =
        |&(number, name, sqlite, postgres): &(i64, &'static str, &'static str, &'static str)| {
            let text = match kind {
                Kind::Sqlite => sqlite,
                Kind::Postgres => postgres,
            };
            Migration::new(
                number,
                name.into(),
                MigrationType::Simple,
                text.into_sql_str(),
                false,
            )
        };
    Migrator::with_migrations(STEPS.iter().map(step).collect())
        // `run` takes whatever has a connection, and loses `Send` on the way.
        .run_direct(None, connection, false)
        .await
        .map_err(|error| StoreError::Failed(error.into()))
}
