//! Those who make rooms, change them, look at them and delete them, over HTTP.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};
use visavis_tests::http::{Answer, Http};

use super::tally::{Fate, MOST_INSIDE, Made, Tally};

const ANSWER_LIMIT: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(50);

/// Asks of the node whose turn it is. `None`: there is no answer, which is
/// wrong where the node is up, or the clear answer that it cannot be done now.
async fn ask(
    tally: &Tally,
    turn: usize,
    what: &'static str,
    path: &str,
    body: Option<&Value>,
) -> Option<Answer> {
    let (method, _) = what.split_once(' ').unwrap_or((what, ""));
    let base = tally.base_for(turn).ok()?;
    let method = method.parse().ok()?;
    let asked = Instant::now();
    let http = Http::new(base.clone());
    let answer = timeout(ANSWER_LIMIT, http.send(method, path, body)).await;
    let is_open = tally.base_for(turn).ok() == Some(base);
    match answer {
        Err(_) => {
            tally.wrong(format!("no answer to {what}"));
            None
        }
        Ok(Err(_)) if !is_open => None,
        Ok(Err(error)) => {
            tally.wrong(format!("{what}: {error:#}"));
            None
        }
        Ok(Ok(answer)) => {
            tally.answered(what, asked.elapsed());
            match answer.status {
                500 => {
                    tally.refused(what, "500");
                    None
                }
                _ => Some(answer),
            }
        }
    }
}

/// Makes a room for four; its code.
pub async fn make(tally: &Tally, turn: usize, name: &str) -> Option<String> {
    let body = json!({"name": name, "maxParticipants": MOST_INSIDE});
    let answer = ask(tally, turn, "POST /rooms", "/rooms", Some(&body)).await?;
    made(tally, "POST /rooms", &answer, "roomId", name)
}

fn made(tally: &Tally, what: &str, answer: &Answer, key: &str, name: &str) -> Option<String> {
    let id = answer.json[key].as_str().map(str::to_owned);
    let (201, Some(id)) = (answer.status, id) else {
        tally.wrong(format!("{what}: {} {}", answer.status, answer.text));
        return None;
    };
    let made = Made {
        names: vec![name.to_owned()],
        ..Made::default()
    };
    tally.book().rooms.insert(id.clone(), made);
    tally.count(what);
    Some(id)
}

/// Deletes a room.
pub async fn delete(tally: &Tally, turn: usize, what: &'static str, path: &str, room: &str) {
    let set = |fate| {
        if let Some(made) = tally.book().rooms.get_mut(room) {
            made.fate = fate;
        }
    };
    let before = tally.fate(room);
    set(Fate::Perhaps);
    let Some(answer) = ask(tally, turn, what, path, None).await else {
        return;
    };
    match answer.status {
        204 => {
            set(Fate::Deleted);
            tally.count(what);
        }
        // An earlier one, that was not acknowledged, was done.
        404 if before == Fate::Perhaps => set(Fate::Deleted),
        status => tally.wrong(format!("{what} {path}: {status} {}", answer.text)),
    }
}

/// Looks whether a room is as it was acknowledged to be.
pub async fn check(tally: &Tally, turn: usize, room: &str) {
    let before = tally.book().rooms.get(room).cloned().unwrap_or_default();
    let path = format!("/rooms/{room}");
    let Some(answer) = ask(tally, turn, "GET /rooms/ID", &path, None).await else {
        return;
    };
    // Somebody may be at it just now.
    let after = tally.book().rooms.get(room).cloned().unwrap_or_default();
    if before.fate != after.fate || before.names != after.names {
        return;
    }
    tally.count("GET /rooms/ID");
    let name = answer.json["name"].as_str().unwrap_or_default().to_owned();
    let right = match (answer.status, before.fate) {
        (200, Fate::Kept | Fate::Perhaps) => before.names.contains(&name),
        (404, Fate::Deleted | Fate::Perhaps) => true,
        _ => false,
    };
    if !right {
        tally.wrong(format!("{path}: {} {name}, of {before:?}", answer.status));
    }
}

async fn rename(tally: &Tally, turn: usize, room: &str, name: &str) {
    if let Some(made) = tally.book().rooms.get_mut(room) {
        made.names.push(name.to_owned());
    }
    let path = format!("/rooms/{room}");
    let body = json!({"name": name});
    let Some(answer) = ask(tally, turn, "PATCH /rooms/ID", &path, Some(&body)).await else {
        return;
    };
    if answer.status != 200 {
        tally.wrong(format!("PATCH {path}: {} {}", answer.status, answer.text));
        return;
    }
    tally.count("PATCH /rooms/ID");
    if let Some(made) = tally.book().rooms.get_mut(room) {
        made.names = vec![name.to_owned()];
    }
}

/// Works until the load ends, with rooms of its own.
pub async fn work(number: usize, tally: Arc<Tally>) -> Result<()> {
    let mut turn = number;
    while tally.goes_on() {
        sleep(PAUSE).await;
        turn += 1;
        let name = format!("desk {number} {turn}");
        let made = match turn % 2 {
            0 => make(&tally, turn, &name).await,
            _ => make_conference(&tally, turn).await,
        };
        let Some(room) = made else { continue };
        if turn.is_multiple_of(2) {
            for change in 0..3 {
                rename(&tally, turn + change, &room, &format!("{name} {change}")).await;
                check(&tally, turn + change + 1, &room).await;
            }
        }
        if turn.is_multiple_of(3) {
            let (what, path) = match turn % 2 {
                0 => ("DELETE /rooms/ID", format!("/rooms/{room}")),
                _ => ("DELETE /api/v1/rooms/ID", format!("/api/v1/rooms/{room}")),
            };
            delete(&tally, turn + 1, what, &path, &room).await;
            check(&tally, turn, &room).await;
        }
    }
    Ok(())
}

async fn make_conference(tally: &Tally, turn: usize) -> Option<String> {
    let what = "POST /api/v1/rooms";
    let time = json!([1_700_000_000, null]);
    let body = json!({"audience": "faults", "time": time, "backend": "none"});
    let answer = ask(tally, turn, what, "/api/v1/rooms", Some(&body)).await?;
    made(tally, what, &answer, "id", "")
}

/// Looks at rooms of others, so that what is kept close by is filled again and again.
pub async fn look_on(number: usize, tally: Arc<Tally>) -> Result<()> {
    let mut turn = number;
    while tally.goes_on() {
        sleep(PAUSE / 5).await;
        turn += 1;
        let room = {
            let book = tally.book();
            let skip = (turn * 7_919) % book.rooms.len().max(1);
            book.rooms.keys().nth(skip).cloned()
        };
        if let Some(room) = room {
            check(&tally, turn, &room).await;
        }
    }
    Ok(())
}

/// Now and then deletes a room that people are in, and makes another for them.
pub async fn replace_rooms(slots: usize, tally: Arc<Tally>) -> Result<()> {
    let mut turn = 0;
    while tally.goes_on() {
        sleep(20 * PAUSE).await;
        turn += 1;
        let Some(room) = make(&tally, turn, &format!("stage {turn}")).await else {
            continue;
        };
        if let Some(before) = tally.set_stage(turn % slots, room) {
            let path = format!("/rooms/{before}");
            delete(&tally, turn, "DELETE /rooms/ID", &path, &before).await;
        }
    }
    Ok(())
}
