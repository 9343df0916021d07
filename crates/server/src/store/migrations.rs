//! Migrations: a folder of numbered files per SQL dialect.

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

use super::{Connection, StoreError, deadline};

/// Number, name, SQL for SQLite, SQL for PostgreSQL.
const STEPS: &[(i64, &str, &str, &str)] = &[
    (
        1,
        "rooms",
        include_str!("../../migrations/sqlite/0001_rooms.sql"),
        include_str!("../../migrations/postgres/0001_rooms.sql"),
    ),
    (
        2,
        "room instances",
        include_str!("../../migrations/sqlite/0002_room_instances.sql"),
        include_str!("../../migrations/postgres/0002_room_instances.sql"),
    ),
    (
        3,
        "retention",
        include_str!("../../migrations/sqlite/0003_retention.sql"),
        include_str!("../../migrations/postgres/0003_retention.sql"),
    ),
    (
        4,
        "hidden participants",
        include_str!("../../migrations/sqlite/0004_hidden.sql"),
        include_str!("../../migrations/postgres/0004_hidden.sql"),
    ),
];

/// Checks that the tables are of this version.
pub(super) async fn check(mut connection: Connection) -> Result<(), StoreError> {
    let deadline = deadline();
    let found = match &mut connection {
        Connection::Sqlite(connection_guard) => connection_guard.version(deadline).await?,
        Connection::Postgres(connection_guard) => {
            let exists = "SELECT to_regclass('_sqlx_migrations')::text";
            let exists = connection_guard.run(exists, Vec::new(), deadline).await?;
            let exists = exists.rows.first().map(|row| row.get::<Option<String>>(0));
            match exists.transpose()?.flatten() {
                None => 0,
                Some(_) => {
                    let last = "SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations \
                                WHERE success";
                    let last = connection_guard.run(last, Vec::new(), deadline).await?;
                    last.rows.first().map_or(Ok(0), |row| row.get(0))?
                }
            }
        }
    };
    let needed = STEPS.last().map_or(0, |(number, ..)| *number);
    match found == needed {
        true => Ok(()),
        false => Err(StoreError::Version { found, needed }),
    }
}

/// Applies every missing migration.
pub(super) async fn run(connection: Connection) -> Result<(), StoreError> {
    match connection {
        Connection::Sqlite(mut connection_guard) => {
            let steps = STEPS.iter().map(|&(number, _, sqlite, _)| (number, sqlite));
            connection_guard.migrate(&steps.collect::<Vec<_>>()).await
        }
        Connection::Postgres(connection_guard) => {
            let step = |&(number, name, _, postgres): &(i64, &'static str, _, &'static str)| {
                let text = postgres.into_sql_str();
                Migration::new(number, name.into(), MigrationType::Simple, text, false)
            };
            let steps = STEPS.iter().map(step).collect();
            connection_guard
                .migrate(&Migrator::with_migrations(steps))
                .await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::model::{Closing, EndReason, Participant, Room};
    use crate::store::{Database, Store};

    #[tokio::test]
    async fn a_file_of_the_first_version_keeps_its_room_instances() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rooms.db");
        let room = Room::draft(crate::clock::Timestamp(1));
        let old = rusqlite::Connection::open(&path).unwrap();
        old.execute_batch(STEPS[0].2).unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        let doc = serde_json::to_string(&room).unwrap();
        let doc = doc.replace(
            r#""instance":null"#,
            r#""incarnation":{"sid":"RM_1","startedAt":1}"#,
        );
        old.execute(
            "INSERT INTO rooms (uid, code, ro, rtc_name, audience, created_at, doc) \
             VALUES (?1, 'abc-defg-hij', 'ro_1', 'ro_1', 'default', 1, ?2)",
            [room.uid.to_string(), doc],
        )
        .unwrap();
        let instance = "INSERT INTO incarnations (sid, room, started_at) VALUES ('RM_1', ?1, 1)";
        old.execute(instance, [room.uid.to_string()]).unwrap();
        drop(old);
        let file = Database::Sqlite(path.display().to_string());
        let store = Store::open(&file).await.unwrap();
        let key = crate::id::RoomKey::Sid("RM_1".to_owned());
        let found = store.find_room(&key).await.unwrap().unwrap();
        assert_eq!(found.instance.unwrap().sid, "RM_1");
        let mut who = serde_json::to_value(Participant::someone(room.uid)).unwrap();
        who["incarnation"] = who.as_object_mut().unwrap().remove("instance").unwrap();
        assert!(serde_json::from_value::<Participant>(who).is_ok());
    }

    #[tokio::test]
    async fn retention_counts_from_the_times_in_the_documents_of_an_older_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rooms.db");
        let old = rusqlite::Connection::open(&path).unwrap();
        for step in &STEPS[..2] {
            old.execute_batch(step.2).unwrap();
        }
        old.pragma_update(None, "user_version", 2).unwrap();
        let mut closed = Room::draft(crate::clock::Timestamp(1));
        closed.closed = Some(Closing {
            at: crate::clock::Timestamp(5_000),
            reason: EndReason::Ended,
        });
        let closed = serde_json::to_string(&closed).unwrap();
        let room = "INSERT INTO rooms (uid, code, ro, rtc_name, audience, is_active, created_at, \
                    deleted_at, doc) VALUES (?1, ?1, ?1, ?1, 'default', ?2, 1, ?3, ?4)";
        for (uid, is_active, deleted_at, doc) in [
            ("closed", 0, None, closed.as_str()),
            ("deleted", 0, Some(7_000), closed.as_str()),
            ("unreadable", 0, None, "{"),
            ("open", 1, None, "{}"),
        ] {
            let values = rusqlite::params![uid, is_active, deleted_at, doc];
            old.execute(room, values).unwrap();
        }
        for entry in [
            r#"{"id":"1","payload":{"sentAt":"2020-01-01T00:00:00Z"},"sentAt":"2026-01-22T10:30:00.25Z"}"#,
            r#"{"id":"2","sentAt":"yesterday"}"#,
            "{",
        ] {
            let chat = "INSERT INTO chat (room, entry) VALUES ('open', ?1)";
            old.execute(chat, [entry]).unwrap();
        }
        let sessions = r#"INSERT INTO channels (id, owner, created_at, doc) VALUES ('ch', 'o', 1, '');
            INSERT INTO sessions (id, room, channel, status, created_at, doc) VALUES
            ('se_1', 'ro_1', 'ch', 'STOPPED', 1, '{"egress":"EG_1"}'),
            ('se_2', 'ro_2', 'ch', 'STOPPED', 1, '{"egress":null}')"#;
        old.execute_batch(sessions).unwrap();
        let before = Clock::real().secs() * 1_000;
        let file = Database::Sqlite(path.display().to_string());
        Store::open(&file).await.unwrap();

        let column = |sql: &str| -> Vec<Option<i64>> {
            let mut query = old.prepare(sql).unwrap();
            let rows = query.query_map([], |row| row.get(0)).unwrap();
            rows.collect::<Result<_, _>>().unwrap()
        };
        let sent = column("SELECT sent_at FROM chat ORDER BY seq");
        let written = crate::clock::Timestamp::parse("2026-01-22T10:30:00.25Z").unwrap();
        assert_eq!(sent[0], Some(written.0));
        assert!(sent[1..].iter().all(|at| *at >= Some(before)), "{sent:?}");
        let ended = column("SELECT ended_at FROM rooms ORDER BY uid");
        assert_eq!(ended[..3], [Some(5_000), Some(7_000), None]);
        assert!(ended[3] >= Some(before), "{ended:?}");
        let egress = column("SELECT egress IS NOT NULL FROM sessions ORDER BY id");
        assert_eq!(egress, [Some(1), Some(0)]);
    }
}
