//! Broadcasts over REST: channels, their sessions, and the rooms that outlive
//! these.

mod rooms;
mod sessions;
mod states;

use livekit_api::access_token::VideoGrants;
use serde_json::{Value, json};

use crate::studio::{Studio, token};
use crate::support::Client;

/// A session that waits for its host.
async fn idle(studio: &Studio) -> Value {
    let channel = studio.post("/channel", json!({"name": "News"})).await;
    let channel = json!({"channel_id": channel["channel_id"]});
    studio.post("/session", channel).await
}

fn path(session: &Value, tail: &str) -> String {
    format!("/session/{}{tail}", session["session_id"].as_str().unwrap())
}

async fn status(studio: &Studio, session: &Value) -> String {
    let shown = studio.get(&path(session, "")).await;
    shown["status"].as_str().unwrap().to_owned()
}

async fn host_ticket(studio: &Studio, session: &Value) -> Value {
    let said = json!({"display_name": "Ann"});
    studio.post(&path(session, "/token"), said).await
}

async fn viewer_credentials(studio: &Studio, session: &Value, user: &str) -> Value {
    let said = json!({"display_name": "Vic", "user_id": user});
    studio.post(&path(session, "/token"), said).await
}

/// The host comes in.
async fn ready(studio: &Studio, session: &Value) -> Client {
    let join_credentials = host_ticket(studio, session).await;
    studio.join(&join_credentials).await
}

/// What a LiveKit server tells of an egress of this room.
fn egress(event: &str, id: &str, room: &Value) -> Value {
    json!({
        "event": event,
        "id": format!("EV_{event}{id}"),
        "egressInfo": {"egressId": id, "roomName": room},
    })
}

async fn publish(studio: &Studio, session: &Value, id: &str) {
    let told = egress("egress_started", id, &session["room_id"]);
    assert_eq!(studio.tell(told).await, 200);
    assert_eq!(status(studio, session).await, "PUBLISHING");
}

async fn report(studio: &Studio, session: &Value, status: &str) -> u16 {
    let room = session["room_id"].as_str().unwrap();
    studio.report(room, status).await
}

/// From READY to LIVE.
async fn go_live(studio: &Studio, session: &Value, id: &str) {
    publish(studio, session, id).await;
    assert_eq!(report(studio, session, "active").await, 200);
    assert_eq!(status(studio, session).await, "LIVE");
}

async fn stop(studio: &Studio, session: &Value) {
    let ended = studio.post(&path(session, "/end"), Value::Null).await;
    assert_eq!(ended["status"], "ENDING");
    assert_eq!(report(studio, session, "idle").await, 200);
    assert_eq!(status(studio, session).await, "STOPPED");
}

async fn sessions(studio: &Studio, session: &Value) -> Vec<Value> {
    let room = session["room_id"].as_str().unwrap();
    let list = studio.get(&format!("/session?room_id={room}")).await;
    list.as_array().unwrap().clone()
}

async fn room(studio: &Studio, session: &Value) -> Value {
    let room = session["room_id"].as_str().unwrap();
    studio.get(&format!("/api/v1/rooms/{room}/")).await
}

/// The names of the rooms that live, as a LiveKit client asks for them.
async fn active_room(studio: &Studio) -> Vec<String> {
    let grant = VideoGrants {
        room_list: true,
        ..VideoGrants::default()
    };
    let head = format!(
        "Authorization: Bearer {}\r\nContent-Type: application/json\r\n",
        token("admin", grant)
    );
    let list = "/twirp/livekit.RoomService/ListRooms";
    let (code, body) = studio.ask_as(&head, "POST", list, json!({})).await;
    assert_eq!(code, 200, "{body}");
    let rooms = body["rooms"].as_array().cloned().unwrap_or_default();
    let name = |room: &Value| room["name"].as_str().unwrap().to_owned();
    rooms.iter().map(name).collect()
}

fn is_ulid(id: &Value, prefix: &str) -> bool {
    let tail = id.as_str().and_then(|id| id.strip_prefix(prefix));
    tail.is_some_and(|tail| {
        tail.len() == 26
            && tail
                .chars()
                .all(|c| c.is_ascii_digit() || (c.is_ascii_lowercase() && !"ilou".contains(c)))
    })
}

fn room_path(session: &Value) -> String {
    format!("/api/v1/rooms/{}", session["room_id"].as_str().unwrap())
}

const STATES: [&str; 7] = [
    "IDLE",
    "READY",
    "PUBLISHING",
    "LIVE",
    "ENDING",
    "STOPPED",
    "CANCELLED",
];

/// A session brought into a state, and its host's connection.
async fn in_state(studio: &Studio, state: &str) -> (Value, Option<Client>) {
    let session = idle(studio).await;
    let at = STATES.iter().position(|one| *one == state).unwrap();
    if state == "CANCELLED" {
        studio.post(&path(&session, "/cancel"), Value::Null).await;
    }
    if state == "CANCELLED" || at == 0 {
        return (session, None);
    }
    let mut host = Some(ready(studio, &session).await);
    if at >= 2 {
        let id = session["session_id"].as_str().unwrap();
        publish(studio, &session, id).await;
    }
    if at >= 3 {
        assert_eq!(report(studio, &session, "active").await, 200);
    }
    if at >= 4 {
        studio.post(&path(&session, "/end"), Value::Null).await;
    }
    if at >= 5 {
        // With its host inside another one would follow.
        host.take().unwrap().close().await;
        studio
            .wait(&room_path(&session), |room| room["participant_count"] == 0)
            .await;
        assert_eq!(report(studio, &session, "idle").await, 200);
    }
    assert_eq!(status(studio, &session).await, state);
    (session, host)
}
