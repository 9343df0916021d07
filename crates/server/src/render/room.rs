//! A room as the REST dialects write it.

use serde_json::{Map, Value, json};

use crate::clock::Timestamp;
use crate::model::{Backend, Link, Phase, Room};

/// S0's room: the payload of its events.
pub fn s0(room: &Room) -> Value {
    let mut written = Map::new();
    let mut put = |key: &str, value: Value| written.insert(key.to_owned(), value);
    put("id", json!(room.uid));
    put("audience", json!(room.audience));
    let closes = room.closes_at.map(Timestamp::secs);
    put("time", json!([room.opens_at.secs(), closes]));
    put("created_at", json!(room.created_at.secs()));
    put("backend", json!(room.backend));
    if let Some(reserve) = room.reserve {
        put("reserve", json!(reserve));
    }
    put("tags", room.tags.clone());
    Value::Object(written)
}

/// S0's room and S2's in one object.
pub fn full(room: &Room, present: u32, now: Timestamp) -> Value {
    let mut written = s0(room);
    let Value::Object(fields) = &mut written else {
        return written;
    };
    let mut put = |key: &str, value: Value| fields.insert(key.to_owned(), value);
    put("code", json!(room.code));
    put("room_id", json!(room.ro));
    put("name", json!(room.rtc_name));
    put("title", json!(room.name));
    if let Some(life) = &room.incarnation {
        put("sid", json!(life.sid));
    }
    put("room_type", json!(room.kind));
    put("status", json!(status(room, present, now)));
    put("max_participants", json!(room.max_participants));
    put("participant_count", json!(present));
    put(
        "empty_timeout",
        json!(room.empty_timeout.map(|time| time.as_secs())),
    );
    put("recording_enabled", json!(room.recording_enabled));
    match &room.link {
        Some(Link::Booking(id)) => {
            put("booking_id", json!(id));
        }
        Some(Link::ServiceSession(id)) => {
            put("service_session_id", json!(id));
        }
        Some(Link::Channel(_)) | None => {}
    }
    written
}

/// S2's state of a room, derived: ended = closed; active = open and occupied;
/// pending = the rest.
pub fn status(room: &Room, present: u32, now: Timestamp) -> &'static str {
    match room.phase(now) {
        Phase::Closed | Phase::Deleted => "ended",
        Phase::Open if present > 0 => "active",
        Phase::Open | Phase::Pending => "pending",
    }
}

/// S4's room.
pub fn s4(room: &Room, now: Timestamp) -> Value {
    json!({
        "roomId": room.code,
        "id": room.uid,
        "hostId": room.host,
        "maxParticipants": room.max_participants,
        "name": room.name,
        "isActive": matches!(room.phase(now), Phase::Open | Phase::Pending),
        "createdAt": room.created_at.rfc3339(),
    })
}

/// The name that a room's backend has in a request.
pub fn backend(text: &str) -> Option<Backend> {
    serde_json::from_value(json!(text)).ok()
}
