//! S4's dialect, `/rooms`: creates, shows and changes rooms over HTTP.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{OpenApi, ToSchema};

use super::app::App;
use super::body::{Body, MaybeBody, said};
use super::extract::{BothForms, Path};
use super::fields;
use super::problem::Problem;
use super::requester::Requester;
use crate::access::creation::UNENTERED_TTL;
use crate::model::{EndReason, Phase, Room};
use crate::refusal::room_name;
use crate::render;
use crate::render::room::S4Room;

/// The participant limit when the request names none.
const DEFAULT_MAX_PARTICIPANTS: u32 = 4;

pub(super) fn routes() -> Router<App> {
    Router::new()
        .both("/rooms", post(create))
        .both("/rooms/{id}", get(show).patch(change).delete(delete))
}

#[derive(OpenApi)]
#[openapi(
    paths(create, show, change, delete),
    tags((name = "rooms", description = "Rooms to meet in"))
)]
pub(super) struct Api;

/// The settings of a room; each may be absent.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Said {
    /// The display name: 1 to 100 characters.
    name: Option<String>,
    /// The participant limit; null or 0 = unlimited. Also `maxParticipants`.
    #[serde(alias = "maxParticipants", deserialize_with = "said")]
    #[schema(value_type = Option<u32>)]
    max_participants: Option<Option<u32>>,
}

impl Said {
    fn write_on(&self, room: &mut Room) -> Result<(), Problem> {
        if let Some(name) = &self.name {
            room.name = room_name(name)?;
        }
        if let Some(most) = self.max_participants {
            room.max_participants = most.unwrap_or(0);
        }
        Ok(())
    }
}

/// The code that people join by.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Created {
    /// `abc-defg-hij`
    room_id: String,
}

/// Creates a room, for four participants by default. The body may be empty. A room of an
/// unauthenticated requester on another machine ends when nobody entered it for 7 days.
#[utoipa::path(
    post,
    path = "/rooms",
    tag = "rooms",
    request_body = Option<Said>,
    responses(
        (status = 201, description = "The room is created", body = Created),
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
    MaybeBody(body): MaybeBody<Value>,
) -> Result<(StatusCode, Json<Created>), Problem> {
    who.creates(&app)?;
    let said: Said = fields::known(body, &["name", "max_participants", "maxParticipants"])?;
    let mut draft = Room {
        host: who.principal.account(),
        max_participants: DEFAULT_MAX_PARTICIPANTS,
        ..Room::draft(app.service.clock.now())
    };
    said.write_on(&mut draft)?;
    let creation = who.counts_creation(&app).await?;
    draft.unentered_ttl = creation.is_limited().then_some(UNENTERED_TTL);
    let room = app.service.create(draft).await?;
    creation.done(room.uid);
    let created = Created { room_id: room.code };
    Ok((StatusCode::CREATED, Json(created)))
}

/// Shows a room that has not ended, by any of its ids.
#[utoipa::path(
    get,
    path = "/rooms/{id}",
    tag = "rooms",
    params(("id" = String, Path, description = "Any of the room's ids")),
    responses((status = 200, description = "The room", body = S4Room))
)]
async fn show(
    State(app): State<App>,
    _: Requester,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let room = find(&app, &id).await?;
    Ok(Json(render::room::s4(&room, app.service.clock.now())))
}

/// Changes a room's name or limit. Participants beyond a lower limit stay.
#[utoipa::path(
    patch,
    path = "/rooms/{id}",
    tag = "rooms",
    params(("id" = String, Path, description = "Any of the room's ids")),
    request_body = Said,
    responses((status = 200, description = "The changed room", body = S4Room))
)]
async fn change(
    State(app): State<App>,
    who: Requester,
    Path(id): Path<String>,
    Body(body): Body<Value>,
) -> Result<Json<Value>, Problem> {
    let room = own(&app, &who, &id).await?;
    let shown = render::room::s4(&room, app.service.clock.now());
    let said: Said = fields::changed(body, &shown, &[])?;
    let room = app
        .service
        .change(room.uid, |room| said.write_on(room))
        .await?;
    Ok(Json(render::room::s4(&room, app.service.clock.now())))
}

/// Deletes a room: its participants are removed, and lookups answer 404.
#[utoipa::path(
    delete,
    path = "/rooms/{id}",
    tag = "rooms",
    params(("id" = String, Path, description = "Any of the room's ids")),
    responses((status = 204, description = "The room is deleted"))
)]
async fn delete(
    State(app): State<App>,
    who: Requester,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let room = own(&app, &who, &id).await?;
    app.service.end(room.uid, EndReason::Deleted).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A room that has not ended.
async fn find(app: &App, id: &str) -> Result<Room, Problem> {
    let room = app.service.look_up(id).await?;
    let now = app.service.clock.now();
    let room = room.filter(|room| matches!(room.phase(now), Phase::Pending | Phase::Open));
    room.ok_or_else(Problem::room_not_found)
}

/// The same, if the requester administrates it.
async fn own(app: &App, who: &Requester, id: &str) -> Result<Room, Problem> {
    let room = find(app, id).await?;
    who.administrates(app, &room)?;
    Ok(room)
}
