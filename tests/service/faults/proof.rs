//! That what was acknowledged is there.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use visavis_tests::postgres::Postgres;
use visavis_tests::webhook_sink::WebhookSink;

use super::tally::{MOST_INSIDE, Tally};

async fn rows(postgres: &Postgres, sql: &str) -> Result<Vec<Vec<String>>> {
    let text = postgres.query(sql).await?;
    let columns = |line: &str| line.split('|').map(str::to_owned).collect();
    Ok(text.lines().map(columns).collect())
}

async fn number(postgres: &Postgres, sql: &str) -> Result<u64> {
    Ok(postgres.query(sql).await?.trim().parse()?)
}

/// How many the database has inside rooms.
pub async fn inside(postgres: &Postgres) -> Result<u64> {
    number(
        postgres,
        "SELECT COUNT(*) FROM participants WHERE left_at IS NULL",
    )
    .await
}

/// Rooms, stays and chat; and that no room was ever too full.
pub async fn stored(postgres: &Postgres, tally: &Tally) -> Result<()> {
    let sql = "SELECT code FROM rooms UNION SELECT uid FROM rooms";
    let rooms: HashSet<String> = flat(rows(postgres, sql).await?);
    let sql = "SELECT client || ' ' || code FROM participants JOIN rooms ON uid = room";
    let stays: HashSet<String> = flat(rows(postgres, sql).await?);
    let sql = "SELECT code || ' ' || (entry::json->>'id') FROM chat JOIN rooms ON uid = room";
    let said = rows(postgres, sql).await?;
    let chat: HashSet<String> = flat(said.clone());
    ensure!(chat.len() == said.len(), "a chat message is stored once");
    acknowledged(tally, &rooms, &stays, &chat)?;
    never_too_full(postgres).await?;
    let sql = "SELECT (SELECT COUNT(*) FROM participants) = \
               (SELECT COUNT(*) FROM events WHERE label = 'participant_joined'), \
               (SELECT COUNT(*) FROM participants WHERE left_at IS NOT NULL) = \
               (SELECT COUNT(*) FROM events WHERE label = 'participant_left')";
    let told = postgres.query(sql).await?;
    ensure!(told == "t|t", "each coming and leaving was told of: {told}");
    Ok(())
}

fn acknowledged(
    tally: &Tally,
    rooms: &HashSet<String>,
    stays: &HashSet<String>,
    chat: &HashSet<String>,
) -> Result<()> {
    let book = tally.book();
    for room in book.rooms.keys() {
        ensure!(rooms.contains(room), "the room {room} is lost");
    }
    for (client, room) in &book.joins {
        let stay = format!("{client} {room}");
        ensure!(stays.contains(&stay), "the join {stay} is lost");
    }
    for (room, id) in &book.chats {
        let message = format!("{room} {id}");
        ensure!(
            chat.contains(&message),
            "the chat message {message} is lost"
        );
    }
    Ok(())
}

async fn never_too_full(postgres: &Postgres) -> Result<()> {
    let sql = "SELECT room, joined_at, COALESCE(left_at, 9e15::bigint) FROM participants";
    let mut moments: HashMap<String, Vec<(i64, i32)>> = HashMap::new();
    for row in rows(postgres, sql).await? {
        let [room, joined, left] = &row[..] else {
            continue;
        };
        let moments = moments.entry(room.clone()).or_default();
        moments.extend([(joined.parse()?, 1), (left.parse()?, -1)]);
    }
    for (room, mut moments) in moments {
        // At one moment, leaves go first.
        moments.sort_unstable();
        let mut inside = 0;
        for (at, change) in moments {
            inside += change;
            ensure!(
                inside <= MOST_INSIDE as i32,
                "{inside} were in {room} at {at}"
            );
        }
    }
    Ok(())
}

/// Every event that is to be delivered, as the receiver got it: in order for
/// each room, without a gap. How many there are, and how many came twice.
pub async fn delivered(postgres: &Postgres, sink: &WebhookSink) -> Result<(usize, usize)> {
    let mut got: HashMap<String, Vec<String>> = HashMap::new();
    let mut once = HashSet::new();
    let mut twice = 0;
    for event in sink.events()? {
        let text = |pointer| event.pointer(pointer).and_then(Value::as_str);
        let id = text("/id").context("an id")?.to_owned();
        let room = text("/room/name").context("a room")?.to_owned();
        if once.insert(id.clone()) {
            got.entry(room).or_default().push(id);
        } else {
            twice += 1;
        }
    }
    let sql = "SELECT rtc_name, id FROM events JOIN rooms ON rooms.uid = events.room \
               WHERE label LIKE 'participant\\_%' OR label LIKE 'room\\_%' \
               OR label LIKE 'track\\_%' ORDER BY seq";
    let mut wanted: HashMap<String, Vec<String>> = HashMap::new();
    for row in rows(postgres, sql).await? {
        let [room, id] = &row[..] else { continue };
        wanted.entry(room.clone()).or_default().push(id.clone());
    }
    let total = wanted.values().map(Vec::len).sum();
    for (room, wanted) in wanted {
        let got = got.remove(&room).unwrap_or_default();
        ensure!(
            got == wanted,
            "{room}: {} events came of {}",
            got.len(),
            wanted.len()
        );
    }
    ensure!(got.is_empty(), "events of nothing: {got:?}");
    Ok((total, twice))
}

/// Whether nothing waits to be delivered.
pub async fn all_delivered(postgres: &Postgres) -> Result<bool> {
    Ok(number(postgres, "SELECT COUNT(*) FROM deliveries").await? == 0)
}

fn flat(rows: Vec<Vec<String>>) -> HashSet<String> {
    rows.into_iter().flatten().collect()
}
