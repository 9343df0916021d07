//! S0's dialect: rooms with a time window and a backend, their media (rtcs) and
//! those who are inside (agents).

mod request;
mod rtcs;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, OpenApi, ToSchema};
use uuid::Uuid;

use self::request::{NewRoom, RoomChange};
use super::app::App;
use super::body::Body;
use super::extract::{BothForms, Path, Query};
use super::fields;
use super::problem::Problem;
use super::requester::Requester;
use super::s2::{self, NewBookedRoom};
use crate::model::{EndReason, Participant, Room};
use crate::render;
use crate::render::room::FullRoom;

/// Agents in one response: the default, and the most.
const PAGE: usize = 25;
const LARGEST_PAGE: usize = 100;

pub(super) fn routes() -> Router<App> {
    let one = get(show).patch(change).delete(delete);
    Router::new()
        .both("/api/v1/rooms", post(create))
        .both("/api/v1/rooms/{id}", one)
        .both("/api/v1/rooms/{id}/close", post(close))
        .both("/api/v1/rooms/{id}/agents", get(agents))
        .both("/api/v1/rooms/{id}/rtcs", post(rtcs::create))
        .both("/rtcs/{id}/streams", post(rtcs::connect))
}

#[derive(OpenApi)]
#[openapi(
    paths(create, show, change, delete, close, agents, rtcs::create, rtcs::connect),
    tags((name = "conference", description = "Rooms with a time window, their media and their participants"))
)]
pub(super) struct Api;

/// Fields of a room that the server sets; a client's values are ignored.
const SET_BY_SERVER: [&str; 7] = [
    "id",
    "created_at",
    "code",
    "room_id",
    "sid",
    "status",
    "participant_count",
];

/// The body of a create request.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
enum AnyRoom {
    /// With `room_type`: a room for a booking or a service session.
    Booked(NewBookedRoom),
    /// Without: a room with a time window.
    Timed(NewRoom),
}

impl AnyRoom {
    /// Parses the variant that `room_type` selects, so that the error names the
    /// field.
    fn read(body: Value) -> Result<Self, Problem> {
        match body.get("room_type") {
            Some(_) => fields::created(body, &SET_BY_SERVER).map(Self::Booked),
            None => fields::created(body, &SET_BY_SERVER).map(Self::Timed),
        }
    }
}

/// Creates a room.
#[utoipa::path(
    post,
    path = "/api/v1/rooms",
    tag = "conference",
    request_body = AnyRoom,
    responses(
        (status = 201, description = "The room", body = FullRoom),
        (status = 409, description = "The booking or service session has a room"),
        (
            status = 429,
            description = "Too many new or empty rooms of this address, without authentication",
            headers(("Retry-After" = u64, description = "Seconds until a retry makes sense"))
        )
    )
)]
async fn create(
    State(app): State<App>,
    who: Requester,
    Body(body): Body<Value>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    who.creates(&app)?;
    let said = match AnyRoom::read(body)? {
        AnyRoom::Booked(said) => return s2::create_room(&app, &who, said).await,
        AnyRoom::Timed(said) => said,
    };
    let now = app.service.clock.now();
    let draft = Room {
        host: who.principal.account(),
        ..said.draft(now)?
    };
    let creation = who.counts_creation(&app).await?;
    let room = app.service.create(draft).await?;
    creation.done(room.uid);
    Ok((StatusCode::CREATED, Json(render::room::full(&room, 0, now))))
}

/// Shows a room, ended or not, by any of its ids.
#[utoipa::path(
    get,
    path = "/api/v1/rooms/{id}",
    tag = "conference",
    params(("id" = String, Path, description = "Any of the room's ids")),
    responses((status = 200, description = "The room", body = FullRoom))
)]
async fn show(
    State(app): State<App>,
    _: Requester,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let room = app.room(&id).await?;
    Ok(Json(app.shown(&room).await?))
}

/// Changes a room that has not ended.
#[utoipa::path(
    patch,
    path = "/api/v1/rooms/{id}",
    tag = "conference",
    params(("id" = String, Path, description = "Any of the room's ids")),
    request_body = RoomChange,
    responses(
        (status = 200, description = "The room as it is now", body = FullRoom),
        (status = 422, description = "A room that has an end keeps one")
    )
)]
async fn change(
    State(app): State<App>,
    who: Requester,
    Path(id): Path<String>,
    Body(body): Body<Value>,
) -> Result<Json<Value>, Problem> {
    let room = app.administrated(&who, &id).await?;
    let said: RoomChange = fields::changed(body, &app.shown(&room).await?, &SET_BY_SERVER)?;
    let now = app.service.clock.now();
    let changed = app
        .service
        .change(room.uid, |room| said.write_on(room, now));
    Ok(Json(app.shown(&changed.await?).await?))
}

/// Deletes a room, ended or not.
#[utoipa::path(
    delete,
    path = "/api/v1/rooms/{id}",
    tag = "conference",
    params(("id" = String, Path, description = "Any of the room's ids")),
    responses((status = 204, description = "Deleted"))
)]
async fn delete(
    State(app): State<App>,
    who: Requester,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let room = app.administrated(&who, &id).await?;
    app.service.end(room.uid, EndReason::Deleted).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Closes a room: its participants leave and nobody can join. A closed room stays
/// closed.
#[utoipa::path(
    post,
    path = "/api/v1/rooms/{id}/close",
    tag = "conference",
    params(("id" = String, Path, description = "Any of the room's ids")),
    responses((status = 200, description = "The room, ended", body = FullRoom))
)]
async fn close(
    State(app): State<App>,
    who: Requester,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let mut room = app.administrated(&who, &id).await?;
    if room.closed.is_none() {
        let ended = app.service.end(room.uid, EndReason::Ended).await?;
        room = ended.ok_or_else(Problem::room_not_found)?;
    }
    Ok(Json(app.shown(&room).await?))
}

/// The part of a list to return.
#[derive(Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
struct Page {
    /// Entries to skip.
    offset: usize,
    /// The most entries to return.
    #[param(minimum = 1, maximum = 100)]
    limit: usize,
}

impl Default for Page {
    fn default() -> Self {
        Self {
            offset: 0,
            limit: PAGE,
        }
    }
}

/// A present participant.
#[derive(Serialize, ToSchema)]
struct Agent {
    /// The participant's sid: `PA_` and twelve characters.
    id: String,
    /// The identity.
    agent_id: String,
    room_id: Uuid,
    /// Seconds since 1970.
    created_at: i64,
}

impl From<Participant> for Agent {
    fn from(who: Participant) -> Self {
        Self {
            id: who.sid,
            agent_id: who.identity,
            room_id: who.room,
            created_at: who.joined_at.secs(),
        }
    }
}

/// The present participants, in the order of joining.
#[utoipa::path(
    get,
    path = "/api/v1/rooms/{id}/agents",
    tag = "conference",
    params(("id" = String, Path, description = "Any of the room's ids"), Page),
    responses((status = 200, description = "The present participants", body = Vec<Agent>))
)]
async fn agents(
    State(app): State<App>,
    who: Requester,
    Path(id): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<Vec<Agent>>, Problem> {
    if !(1..=LARGEST_PAGE).contains(&page.limit) {
        return Err(Problem::invalid_payload("limit must be 1 to 100"));
    }
    let room = app.administrated(&who, &id).await?;
    let inside = app.service.inside(room.uid).await?;
    let shown = inside.into_iter().skip(page.offset).take(page.limit);
    Ok(Json(shown.map(Agent::from).collect()))
}
