//! `/rooms`: rooms made and looked up without a socket.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::App;
use super::body::MaybeBody;
use super::problem::Problem;
use super::who::Who;
use crate::model::{Phase, Room};
use crate::refusal::room_name;
use crate::render;

/// What a room made here takes when nothing is said.
const DEFAULT_MAX_PARTICIPANTS: u32 = 4;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CreateRoom {
    name: Option<String>,
    max_participants: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Created {
    room_id: String,
}

/// Makes a room; the body may be missing.
pub(super) async fn create(
    State(app): State<App>,
    who: Who,
    MaybeBody(create): MaybeBody<CreateRoom>,
) -> Result<(StatusCode, Json<Created>), Problem> {
    who.creates(&app)?;
    let name = create.name.as_deref().map(room_name).transpose()?;
    let draft = Room {
        name: name.unwrap_or_default(),
        host: who.user(),
        max_participants: create.max_participants.unwrap_or(DEFAULT_MAX_PARTICIPANTS),
        ..Room::draft(app.hub.clock.now())
    };
    let room = app.hub.create(draft).await?;
    let created = Created { room_id: room.code };
    Ok((StatusCode::CREATED, Json(created)))
}

/// Shows a room, by any of its ids.
pub(super) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let room = app.hub.look_up(&id).await?;
    let room = room.ok_or_else(Problem::room_not_found)?;
    let now = app.hub.clock.now();
    match room.phase(now) {
        Phase::Closed | Phase::Deleted => Err(Problem::room_not_found()),
        Phase::Pending | Phase::Open => Ok(Json(render::room::s4(&room, now))),
    }
}
