//! A room as the REST dialects write it.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;
use visavis_protocol::RoomKind;

use crate::clock::Timestamp;
use crate::model::{Backend, Link, Phase, Room};

/// S0's room: the payload of its events.
#[derive(Serialize, ToSchema)]
struct S0Room<'a> {
    id: Uuid,
    /// The tenant.
    audience: &'a str,
    /// Open from, and until, exclusive: seconds since 1970; null = unbounded.
    time: (i64, Option<i64>),
    /// Seconds since 1970.
    created_at: i64,
    /// `none` = a mesh.
    #[schema(value_type = String)]
    backend: Backend,
    /// Slots reserved on the backend.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reserve: Option<u32>,
    /// Any JSON.
    tags: &'a Value,
}

/// S0's room and S2's in one.
#[derive(Serialize, ToSchema)]
#[schema(as = Room)]
pub struct FullRoom<'a> {
    #[serde(flatten)]
    s0: S0Room<'a>,
    /// What people join by: `abc-defg-hij`.
    code: &'a str,
    /// `ro_` and a ULID.
    room_id: &'a str,
    /// The name in tokens and webhooks.
    name: &'a str,
    /// The display name; may be empty.
    title: &'a str,
    /// The current room instance: `RM_` and twelve characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    sid: Option<&'a str>,
    #[schema(value_type = String)]
    room_type: RoomKind,
    /// `pending`, `active` or `ended`.
    status: &'static str,
    /// 0 = unlimited.
    max_participants: u32,
    participant_count: u32,
    /// Seconds from the last leave to the room's end; null = it stays.
    empty_timeout: Option<u64>,
    recording_enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    booking_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    service_session_id: Option<&'a str>,
}

/// S4's room.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Meeting)]
pub struct S4Room<'a> {
    /// What people join by: `abc-defg-hij`.
    room_id: &'a str,
    id: Uuid,
    /// The host's user id; null until somebody joined.
    host_id: Option<Uuid>,
    /// 0 = unlimited.
    max_participants: u32,
    /// The display name; may be empty.
    name: &'a str,
    is_active: bool,
    /// RFC 3339.
    created_at: String,
}

/// S0's room.
pub fn s0(room: &Room) -> Value {
    json!(S0Room::of(room))
}

/// S0's room and S2's in one object.
pub fn full(room: &Room, present: u32, now: Timestamp) -> Value {
    let (booking_id, service_session_id) = match &room.link {
        Some(Link::Booking(id)) => (Some(id.as_str()), None),
        Some(Link::ServiceSession(id)) => (None, Some(id.as_str())),
        Some(Link::Channel(_)) | None => (None, None),
    };
    json!(FullRoom {
        s0: S0Room::of(room),
        code: &room.code,
        room_id: &room.ro,
        name: &room.rtc_name,
        title: &room.name,
        sid: room.instance.as_ref().map(|instance| instance.sid.as_str()),
        room_type: room.kind,
        status: status(room, present, now),
        max_participants: room.max_participants,
        participant_count: present,
        empty_timeout: room.empty_timeout.map(|time| time.as_secs()),
        recording_enabled: room.recording_enabled,
        booking_id,
        service_session_id,
    })
}

/// S2's status of a room: `ended` = closed, `active` = open and occupied,
/// `pending` = the rest.
pub fn status(room: &Room, present: u32, now: Timestamp) -> &'static str {
    match room.phase(now) {
        Phase::Closed | Phase::Deleted => "ended",
        Phase::Open if present > 0 => "active",
        Phase::Open | Phase::Pending => "pending",
    }
}

/// S4's room.
pub fn s4(room: &Room, now: Timestamp) -> Value {
    json!(S4Room {
        room_id: &room.code,
        id: room.uid,
        host_id: room.host,
        max_participants: room.max_participants,
        name: &room.name,
        is_active: matches!(room.phase(now), Phase::Open | Phase::Pending),
        created_at: room.created_at.rfc3339(),
    })
}

impl<'a> S0Room<'a> {
    fn of(room: &'a Room) -> Self {
        Self {
            id: room.uid,
            audience: &room.audience,
            time: (room.opens_at.secs(), room.closes_at.map(Timestamp::secs)),
            created_at: room.created_at.secs(),
            backend: room.backend,
            reserve: room.reserve,
            tags: &room.tags,
        }
    }
}
