//! A room's participants, recordings and phone dial-in.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use visavis_protocol::Role;

use crate::clock::Timestamp;
use crate::http::App;
use crate::http::extract::Path;
use crate::http::problem::{ACCESS_DENIED, NOT_FOUND, Problem};
use crate::http::requester::Requester;
use crate::http::room_lookup::check_not_over;
use crate::model::{Link, Participant, ParticipantKind, Room, Template};
use crate::store::Stay;

/// One stay of a participant: a join and, once it happened, a leave.
#[derive(Serialize, ToSchema)]
pub(super) struct ParticipantResponse {
    identity: String,
    name: String,
    /// host, participant or viewer.
    #[schema(value_type = String)]
    role: Role,
    /// video or phone.
    #[schema(value_type = String)]
    kind: ParticipantKind,
    /// RFC 3339.
    joined_at: String,
    /// Null while present.
    left_at: Option<String>,
    /// In seconds; until now while present.
    duration: u64,
    /// The last connection quality report of the client.
    #[schema(value_type = Option<Object>)]
    quality: Option<Value>,
}

impl ParticipantResponse {
    fn of(who: Participant, now: Timestamp) -> Self {
        let until = who.left_at.unwrap_or(now);
        Self {
            duration: until.since(who.joined_at).as_secs(),
            identity: who.identity,
            name: who.name,
            role: who.role,
            kind: who.kind,
            joined_at: who.joined_at.rfc3339(),
            left_at: who.left_at.map(Timestamp::rfc3339),
            quality: who.quality,
        }
    }
}

/// Every stay in a room over all its instances, one entry a join.
#[utoipa::path(
    get,
    path = "/api/v1/rooms/{id}/participants",
    tag = "bookings",
    params(("id" = String, Path, description = "Any of the room's ids")),
    responses((status = 200, description = "The stays", body = Vec<ParticipantResponse>))
)]
pub(super) async fn participants(
    State(app): State<App>,
    who: Requester,
    Path(id): Path<String>,
) -> Result<Json<Vec<ParticipantResponse>>, Problem> {
    let room = taken_part_in(&app, &who, &id).await?;
    let stays = app.service.store.participants(room.uid, Stay::Any).await?;
    let now = app.service.clock.now();
    let shown = stays
        .into_iter()
        .map(|stay| ParticipantResponse::of(stay, now));
    Ok(Json(shown.collect()))
}

/// A recording.
#[derive(Serialize, ToSchema)]
pub(super) struct RecordingResponse {
    /// Null = none was running.
    recording_id: Option<String>,
    status: &'static str,
}

/// A room's recordings.
#[utoipa::path(
    get,
    path = "/api/v1/rooms/{id}/recordings",
    tag = "bookings",
    params(("id" = String, Path, description = "Any of the room's ids")),
    responses((status = 200, description = "The recordings", body = Vec<RecordingResponse>))
)]
pub(super) async fn recordings(
    State(app): State<App>,
    who: Requester,
    Path(id): Path<String>,
) -> Result<Json<Vec<RecordingResponse>>, Problem> {
    taken_part_in(&app, &who, &id).await?;
    // No egress stores recordings.
    Ok(Json(Vec::new()))
}

/// Starts recording a room.
#[utoipa::path(
    post,
    path = "/api/v1/rooms/{id}/start_recording",
    tag = "bookings",
    params(("id" = String, Path, description = "Any of the room's ids")),
    responses(
        (status = 200, description = "Recording", body = RecordingResponse),
        (status = 501, description = "No recorder is configured")
    )
)]
pub(super) async fn start_recording(
    State(app): State<App>,
    who: Requester,
    Path(id): Path<String>,
) -> Result<Json<RecordingResponse>, Problem> {
    let room = led(&app, &who, &id).await?;
    if !Template::of(room.kind).recording || !room.recording_enabled {
        return Err(Problem::new(
            ACCESS_DENIED,
            "recording is not enabled for this room",
        ));
    }
    check_not_over(&room, app.service.clock.now())?;
    let id = app.service.egress.record(&room).await?;
    Ok(Json(RecordingResponse {
        recording_id: Some(id),
        status: "starting",
    }))
}

/// Stops the recording; without one it does nothing.
#[utoipa::path(
    post,
    path = "/api/v1/rooms/{id}/stop_recording",
    tag = "bookings",
    params(("id" = String, Path, description = "Any of the room's ids")),
    responses((status = 200, description = "Not recording", body = RecordingResponse))
)]
pub(super) async fn stop_recording(
    State(app): State<App>,
    who: Requester,
    Path(id): Path<String>,
) -> Result<Json<RecordingResponse>, Problem> {
    let room = led(&app, &who, &id).await?;
    Ok(Json(RecordingResponse {
        recording_id: app.service.egress.stop_recording(&room).await,
        status: "stopped",
    }))
}

/// A phone number and a PIN to dial in with, if dial-in is enabled.
#[utoipa::path(
    post,
    path = "/api/v1/rooms/{id}/dial_in",
    tag = "bookings",
    params(("id" = String, Path, description = "Any of the room's ids")),
    responses((status = 501, description = "No dial-in provider is configured"))
)]
pub(super) async fn dial_in(
    State(app): State<App>,
    who: Requester,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    if !app.service.config.sip {
        return Err(Problem::new(NOT_FOUND, "phone dial-in is not enabled"));
    }
    let room = led(&app, &who, &id).await?;
    app.service.egress.dial_in(&room).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A room that the caller administrates or is booked for.
async fn taken_part_in(app: &App, who: &Requester, id: &str) -> Result<Room, Problem> {
    let room = app.room(id).await?;
    if booked_role(app, who, &room).await?.is_none() {
        who.administrates(app, &room)?;
    }
    Ok(room)
}

/// A room that the caller administrates or is the practitioner of.
async fn led(app: &App, who: &Requester, id: &str) -> Result<Room, Problem> {
    let room = app.room(id).await?;
    if booked_role(app, who, &room).await? != Some(Role::Host) {
        who.administrates(app, &room)?;
    }
    Ok(room)
}

async fn booked_role(app: &App, who: &Requester, room: &Room) -> Result<Option<Role>, Problem> {
    let (Some(link), Some(identity)) = (&room.link, who.identity()) else {
        return Ok(None);
    };
    if matches!(link, Link::Channel(_)) {
        return Ok(None);
    }
    let booking = app.service.store.booking(link).await?;
    let one = booking
        .as_ref()
        .and_then(|booking| booking.participant(&identity));
    Ok(one.map(|one| one.role_in(room.kind)))
}
