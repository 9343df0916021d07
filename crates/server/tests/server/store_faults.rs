//! The store while its database is locked, damaged or of another version.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tokio::time::timeout;
use uuid::Uuid;
use visavis_server::model::{Participant, Room};
use visavis_server::store::{Database, RoomKey, Rtc, STATEMENT_LIMIT, Store, StoreError};
use visavis_server::{Server, ServerConfig, Timestamp};

use crate::support::{Client, http};

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

/// Makes a room's document unreadable.
fn corrupt(other: &rusqlite::Connection, uid: Uuid) {
    let sql = "UPDATE rooms SET doc = '{\"uid\":' WHERE uid = ?1";
    assert_eq!(other.execute(sql, [uid.to_string()]).unwrap(), 1);
}

fn room(number: u32, closes_at: Timestamp) -> Room {
    let mut room = Room::draft(Timestamp(0));
    room.code = format!("aaa-aaaa-{number:03}");
    room.ro = format!("ro_{number}");
    room.rtc_name.clone_from(&room.ro);
    room.closes_at = Some(closes_at);
    room
}

async fn insert(store: &Store, rooms: &[Room]) {
    let mut tx = store.begin().await.unwrap();
    for room in rooms {
        tx.insert_room(room).await.unwrap();
    }
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn an_unreadable_row_is_left_out_of_lists_and_is_an_error_when_read_alone() {
    let (_folder, store, other) = file().await;
    let rooms = [0, 1, 2].map(|number| room(number, Timestamp(i64::MAX)));
    insert(&store, &rooms).await;
    corrupt(&other, rooms[1].uid);
    let listed = store.active_rooms(9).await.unwrap();
    let listed: Vec<_> = listed.into_iter().map(|room| room.uid).collect();
    assert_eq!(listed, [rooms[0].uid, rooms[2].uid]);
    let page = store.open_rooms(true, Timestamp(1), 0, 9).await.unwrap();
    let mut page: Vec<_> = page.into_iter().map(|(room, _)| room.code).collect();
    page.sort();
    assert_eq!(page, [rooms[0].code.as_str(), &rooms[2].code]);
    let alone = store.find_room(&RoomKey::Uid(rooms[1].uid)).await;
    let error = alone.unwrap_err();
    assert!(matches!(error, StoreError::Unreadable(_)), "{error}");
    assert!(!error.is_outage(), "another attempt reads the same row");
}

#[tokio::test]
async fn a_room_that_fails_keeps_neither_the_server_from_starting_nor_others_from_ending() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rooms.db");
    let database = Database::Sqlite(path.display().to_string());
    let store = Store::open(&database).await.unwrap();
    let now = Timestamp(1);
    // The unreadable one has been due for longest.
    let rooms = [room(0, now), room(1, Timestamp(2))];
    insert(&store, &rooms).await;
    let other = rusqlite::Connection::open(path).unwrap();
    corrupt(&other, rooms[0].uid);

    let config = ServerConfig {
        database,
        manual_clock: true,
        ..ServerConfig::default()
    };
    let server = Server::bind(config).await.unwrap();
    let ended = store.find_room(&RoomKey::Uid(rooms[1].uid)).await.unwrap();
    assert!(ended.unwrap().closed.is_some());

    // Repaired, it is ended at the next attempt.
    let doc = serde_json::to_string(&rooms[0]).unwrap();
    let sql = "UPDATE rooms SET doc = ?1 WHERE uid = ?2";
    other.execute(sql, [doc, rooms[0].uid.to_string()]).unwrap();
    let address = server.local_addr();
    let body = r#"{"seconds":31}"#;
    let head = "Content-Type: application/json\r\n";
    let (status, ..) = http(address, "POST", "/debug/clock/advance", head, body).await;
    assert_eq!(status, 204);
    let ended = store.find_room(&RoomKey::Uid(rooms[0].uid)).await.unwrap();
    assert!(ended.unwrap().closed.is_some());
}

#[tokio::test]
async fn a_room_whose_row_is_unreadable_is_an_internal_error_and_not_a_busy_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rooms.db");
    let database = Database::Sqlite(path.display().to_string());
    let store = Store::open(&database).await.unwrap();
    let rooms = [room(0, Timestamp(i64::MAX))];
    insert(&store, &rooms).await;
    corrupt(&rusqlite::Connection::open(path).unwrap(), rooms[0].uid);
    let config = ServerConfig {
        database,
        ..ServerConfig::default()
    };
    let server = Server::bind(config).await.unwrap();
    let mut client = Client::connect(server.local_addr()).await;
    let answer = client.join(&rooms[0].uid.to_string()).await;
    assert_eq!(answer["code"], "internal", "{answer}");
    let path = format!("/rooms/{}", rooms[0].uid);
    let (status, ..) = http(server.local_addr(), "GET", &path, "", "").await;
    assert_eq!(status, 500);
}

#[test]
fn documents_with_only_their_identity_are_read() {
    let uid = Uuid::from_u128(7);
    let room: Room = serde_json::from_value(json!({"uid": uid, "code": "abc-defg-hij"})).unwrap();
    assert_eq!((room.uid, room.code.as_str()), (uid, "abc-defg-hij"));
    assert_eq!(room.max_participants, 0);
    let stay = json!({"sid": "PA_1", "room": uid, "client": uid});
    let stay: Participant = serde_json::from_value(stay).unwrap();
    assert!(stay.sid == "PA_1" && stay.left_at.is_none());
    let rtc: Rtc = serde_json::from_value(json!({"id": uid})).unwrap();
    assert_eq!(rtc.id, uid);
}

#[tokio::test]
async fn opening_an_existing_database_neither_migrates_it_nor_creates_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rooms.db");
    let database = Database::Sqlite(path.display().to_string());
    assert!(Store::open_existing(&database).await.is_err());
    assert!(!path.exists());

    let other = rusqlite::Connection::open(&path).unwrap();
    other.pragma_update(None, "user_version", 1).unwrap();
    let error = Store::open_existing(&database)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("are at version 1"), "{error}");
    assert!(error.contains("start the server once"), "{error}");
    let version = "PRAGMA user_version";
    let version: i64 = other.query_row(version, [], |row| row.get(0)).unwrap();
    assert_eq!(version, 1);
    other.pragma_update(None, "user_version", 0).unwrap();
    Store::open(&database).await.unwrap();
    Store::open_existing(&database).await.unwrap();
}
