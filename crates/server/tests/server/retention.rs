//! The deletion of rows that are past their retention, in a SQLite file.

use std::time::Duration;

use rusqlite::{Connection, params};
use serde_json::json;
use uuid::Uuid;
use visavis_server::model::{Closing, EndReason, Link, Room};
use visavis_server::store::{AgedRows, BATCH, RoomCursor, Store};
use visavis_server::{Contradiction, ServerConfig, Timestamp};

use crate::api::Api;
use crate::database_file::{DAY, DatabaseFile};
use crate::support::Client;

/// The time so many days ago.
fn days_ago(days: i64) -> Timestamp {
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    Timestamp::from_secs(now - days * i64::from(DAY))
}

/// Room number `number`, which ended so many days ago; `None` = it is open.
fn room(number: u32, ended: Option<i64>) -> Room {
    let mut room = Room::draft(days_ago(500));
    room.code = format!("aaa-aaaa-{number:03}");
    room.ro = format!("ro_{number}");
    room.rtc_name.clone_from(&room.ro);
    room.link = Some(Link::Booking(number.to_string()));
    room.closed = ended.map(|days| Closing {
        at: days_ago(days),
        reason: EndReason::Ended,
    });
    room
}

/// Stores a room with one row in each table that belongs to rooms: the stay and the
/// instance ended so many days ago.
async fn fill(file: &DatabaseFile, room: &Room, days: i64) {
    let store = file.store().await;
    let mut tx = store.begin().await.unwrap();
    tx.insert_room(room).await.unwrap();
    tx.commit().await.unwrap();
    let (uid, ro) = (room.uid.to_string(), room.ro.as_str());
    let at = days_ago(days).0;
    let writer = file.writer();
    let write = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        assert_eq!(writer.execute(sql, values).unwrap(), 1, "{sql}");
    };
    let stay = "INSERT INTO participants (sid, room, client, node, joined_at, left_at, doc) \
                VALUES (?1, ?2, ?1, 'ND_old', ?3, ?3, '{}')";
    write(stay, params![format!("PA_{ro}"), uid, at]);
    let instance = "INSERT INTO room_instances (sid, room, started_at, ended_at) \
                    VALUES (?1, ?2, ?3, ?3)";
    write(instance, params![format!("RM_{ro}"), uid, at]);
    let rtc = "INSERT INTO rtcs (id, room, created_at, doc) VALUES (?1, ?2, ?3, '{}')";
    write(rtc, params![Uuid::new_v4().to_string(), uid, at]);
    let channel = "INSERT INTO channels (id, owner, created_at, doc) VALUES (?1, 'o', 1, '{}')";
    write(channel, params![format!("ch_{ro}")]);
    let session = "INSERT INTO sessions (id, room, channel, status, created_at, doc) \
                   VALUES (?1, ?2, ?3, 'STOPPED', ?4, '{}')";
    write(
        session,
        params![format!("se_{ro}"), ro, format!("ch_{ro}"), at],
    );
    let Some(Link::Booking(id)) = &room.link else {
        return;
    };
    let booking = "INSERT INTO bookings (id, status, created_at, doc) \
                   VALUES (?1, 'completed', ?2, '{}')";
    write(booking, params![format!("booking:{id}"), at]);
    let booked = "INSERT INTO booked (who, booking) VALUES ('9', ?1)";
    write(booked, params![format!("booking:{id}")]);
}

/// Tables with rows of rooms.
const OF_ROOMS: [&str; 7] = [
    "rooms",
    "participants",
    "room_instances",
    "rtcs",
    "sessions",
    "bookings",
    "booked",
];

async fn vacuum(api: &Api) {
    api.post("/system/vacuum", json!(null)).await.expect(204);
}

/// A chat message that was sent so many days ago.
async fn chat(store: &Store, room: Uuid, id: &str, days: i64) {
    let entry = json!({
        "id": id, "from": "x", "name": "Ann", "payload": "hello",
        "sentAt": days_ago(days).rfc3339(),
    });
    let entry = serde_json::from_value(entry).unwrap();
    store.append_chat(room, &entry).await.unwrap();
}

fn event(writer: &Connection, days: i64) {
    let sql = "INSERT INTO events (id, at, uri, label, payload) \
               VALUES ('EV_1', ?1, 'rooms/x/events', 'room.open', '{}')";
    writer.execute(sql, [days_ago(days).0]).unwrap();
}

/// An open room with two old and two young chat messages and events, and a webhook whose
/// receiver is not configured any more.
async fn old_and_young() -> DatabaseFile {
    let file = DatabaseFile::new();
    let store = file.store().await;
    let place = room(1, None);
    let mut tx = store.begin().await.unwrap();
    tx.insert_room(&place).await.unwrap();
    tx.commit().await.unwrap();
    for (id, days) in [("1", 31), ("2", 31), ("3", 29), ("4", 0)] {
        chat(&store, place.uid, id, days).await;
        event(&file.writer(), days);
    }
    let webhook = "INSERT INTO deliveries (event, room, url, body, created_at, next_at) \
                   VALUES ('EV_1', 'x', 'http://127.0.0.1:9', '{}', ?1, 0)";
    file.writer().execute(webhook, [days_ago(31).0]).unwrap();
    file
}

#[tokio::test]
async fn old_chat_and_events_are_deleted_in_the_background_and_young_ones_stay() {
    let file = old_and_young().await;
    let server = file.server().await;
    for table in ["chat", "events"] {
        file.wait_for(&format!("SELECT COUNT(*) FROM {table}"), 2)
            .await;
    }
    file.wait_for("SELECT COUNT(*) FROM deliveries", 0).await;
    assert_eq!(file.number("SELECT MIN(seq) FROM chat"), 3);
    // Two days later the next pair is old enough; today's stays.
    Api::new(server.local_addr()).advance(2 * DAY).await;
    file.wait_for("SELECT COUNT(*) FROM chat", 1).await;
    file.wait_for("SELECT COUNT(*) FROM events", 1).await;
    assert_eq!(file.count("rooms"), 1);
}

#[tokio::test]
async fn an_ended_room_goes_with_all_its_rows_after_the_history_and_not_before() {
    let file = DatabaseFile::new();
    let closed = room(1, Some(399));
    fill(&file, &closed, 399).await;
    let mut deleted = room(2, None);
    deleted.deleted_at = Some(days_ago(399));
    fill(&file, &deleted, 399).await;
    let server = file.server().await;
    let api = Api::new(server.local_addr());
    vacuum(&api).await;
    for table in OF_ROOMS {
        assert_eq!(file.count(table), 2, "{table}");
    }
    // It is in the cache now.
    let path = format!("/api/v1/rooms/{}", closed.uid);
    assert_eq!(api.get(&path).await.expect(200)["status"], "ended");
    api.advance(2 * DAY).await;
    vacuum(&api).await;
    for table in OF_ROOMS {
        assert_eq!(file.count(table), 0, "{table}");
    }
    assert_eq!(file.count("channels"), 2, "they belong to their owners");
    api.get(&path).await.refused(404, "room_not_found");
}

#[tokio::test]
async fn an_open_room_stays_while_its_old_stays_and_instances_go() {
    let file = DatabaseFile::new();
    fill(&file, &room(1, None), 401).await;
    fill(&file, &room(2, None), 399).await;
    let server = file.server().await;
    vacuum(&Api::new(server.local_addr())).await;
    for (table, left) in OF_ROOMS.into_iter().zip([2, 1, 1, 2, 2, 2, 2]) {
        assert_eq!(file.count(table), left, "{table}");
    }
}

#[tokio::test]
async fn a_room_with_a_recording_stays_until_its_session_is_deleted() {
    let file = DatabaseFile::new();
    fill(&file, &room(1, Some(401)), 401).await;
    fill(&file, &room(2, Some(402)), 402).await;
    let egress = "UPDATE sessions SET egress = 'EG_1' WHERE id = 'se_ro_1'";
    assert_eq!(file.writer().execute(egress, []).unwrap(), 1);
    let server = file.server().await;
    let api = Api::new(server.local_addr());
    vacuum(&api).await;
    assert_eq!(
        file.number("SELECT COUNT(*) FROM rooms WHERE ro = 'ro_1'"),
        1
    );
    assert_eq!((file.count("rooms"), file.count("sessions")), (1, 1));
    file.writer().execute("DELETE FROM sessions", []).unwrap();
    vacuum(&api).await;
    assert_eq!(file.count("rooms"), 0);
}

/// Adds many rows of a table, which the values of each may number as `i`.
fn many(file: &DatabaseFile, rows: u64, insert: &str) {
    let sql = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) {insert}"
    );
    let added = file.writer().execute(&sql, []).unwrap();
    assert_eq!(added as u64, rows);
}

const MANY: u64 = 2 * BATCH + 201;

#[tokio::test]
async fn many_old_rows_are_deleted_in_several_transactions() {
    let file = DatabaseFile::new();
    let store = file.store().await;
    many(
        &file,
        MANY,
        "INSERT INTO events (id, at, uri, label, payload) \
         SELECT i, i, 'u', 'room.open', '{}' FROM n",
    );
    let before = Timestamp(1_000_000);
    for (deleted, oldest) in [(BATCH, BATCH + 1), (BATCH, 2 * BATCH + 1), (201, 0)] {
        let purged = store.purge_aged(AgedRows::Events, before).await.unwrap();
        assert_eq!(purged, deleted);
        let left = file.number("SELECT COALESCE(MIN(at), 0) FROM events");
        assert_eq!(left, i64::try_from(oldest).unwrap(), "the oldest go first");
    }
}

#[tokio::test]
async fn an_ended_room_with_many_rows_is_deleted_in_several_transactions() {
    let file = DatabaseFile::new();
    let store = file.store().await;
    let big = room(1, Some(401));
    fill(&file, &big, 401).await;
    let uid = big.uid;
    many(
        &file,
        MANY,
        &format!("INSERT INTO chat (room, entry, sent_at) SELECT '{uid}', '{{}}', 0 FROM n"),
    );
    let mut cursor = RoomCursor::default();
    let mut codes = Vec::new();
    let mut rows = Vec::new();
    while codes.is_empty() {
        let purged = store.purge_ended_rooms(days_ago(400), &cursor).await;
        let purged = purged.unwrap();
        cursor = purged.next.unwrap();
        codes = purged.codes;
        rows.push(file.count("chat"));
    }
    // The stay is deleted before the first messages.
    assert_eq!(rows, [702, 202, 0]);
    assert_eq!(codes, [big.code]);
    assert_eq!(file.count("rooms"), 0);
    let end = store.purge_ended_rooms(days_ago(400), &cursor).await;
    assert_eq!(end.unwrap().next, None);
}

#[tokio::test]
async fn the_vacuum_empties_a_large_table() {
    let file = DatabaseFile::new();
    drop(file.store().await);
    let server = file.server().await;
    many(
        &file,
        20 * BATCH,
        "INSERT INTO events (id, at, uri, label, payload) \
         SELECT i, i, 'u', 'room.open', '{}' FROM n",
    );
    vacuum(&Api::new(server.local_addr())).await;
    assert_eq!(file.count("events"), 0);
}

#[tokio::test]
async fn a_batch_that_fails_is_tried_again_an_hour_later_and_stops_nothing_else() {
    let file = old_and_young().await;
    let fail = "CREATE TRIGGER fail BEFORE DELETE ON chat \
                BEGIN SELECT RAISE(ABORT, 'the disk is bad'); END";
    file.writer().execute_batch(fail).unwrap();
    let server = file.server().await;
    let api = Api::new(server.local_addr());
    file.wait_for("SELECT COUNT(*) FROM events", 2).await;
    file.wait_for("SELECT COUNT(*) FROM deliveries", 0).await;
    assert_eq!(file.count("chat"), 4);
    api.post("/system/vacuum", json!(null))
        .await
        .refused(500, "about:blank");

    file.writer().execute_batch("DROP TRIGGER fail").unwrap();
    api.advance(3_601).await;
    file.wait_for("SELECT COUNT(*) FROM chat", 2).await;
}

#[tokio::test]
async fn rows_are_kept_for_a_day_or_more() {
    for (keep_days, keep_history) in [(0, 400), (30, 0)] {
        let config = ServerConfig {
            keep_days: Duration::from_secs(keep_days),
            keep_history: Duration::from_secs(keep_history),
            ..ServerConfig::default()
        };
        assert_eq!(config.check(), Err(Contradiction::KeptTooShort));
    }
}

#[tokio::test]
async fn s2_73_every_join_is_one_row_which_the_vacuum_deletes_after_the_history() {
    const JOINS: i64 = 300;
    let file = DatabaseFile::new();
    let server = file.server().await;
    let api = Api::new(server.local_addr());
    let mut client = Client::connect(server.local_addr()).await;
    for _ in 0..JOINS {
        let room = client.create(json!({"name": "Tea"})).await;
        let leave = json!({"type": "leave-room", "payload": {"roomId": room}});
        client.say(leave).await;
    }
    let left = "SELECT COUNT(*) FROM participants WHERE left_at IS NOT NULL";
    file.wait_for(left, JOINS).await;
    for one_each in [
        "SELECT COUNT(*) FROM participants",
        "SELECT COUNT(DISTINCT sid) FROM participants",
        "SELECT COUNT(DISTINCT room) FROM participants",
        "SELECT COUNT(*) FROM rooms",
    ] {
        assert_eq!(file.number(one_each), JOINS, "{one_each}");
    }
    let ended = "SELECT COUNT(*) FROM rooms WHERE is_active = 0";
    api.advance(301).await;
    file.wait_for(ended, JOINS).await;
    file.age(&api, 400).await;
    let kept = ["rooms", "participants", "room_instances"].map(|table| file.count(table));
    assert_eq!(kept, [JOINS; 3]);
    vacuum(&api).await;
    for table in ["rooms", "participants", "room_instances", "chat"] {
        assert_eq!(file.count(table), 0, "{table}");
    }
}
