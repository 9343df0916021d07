//! `/rooms`: rooms made and looked up without a socket.

use axum::Json;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use visavis_protocol::ErrorCode;

use super::App;
use super::problem::Problem;
use crate::hub::store_failed;
use crate::model::{Phase, Room};
use crate::refusal::{Refusal, room_name};
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
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Created>), Problem> {
    let body = body.map_err(|rejection| Problem::invalid_payload(rejection.body_text()))?;
    let create: CreateRoom = match body.trim_ascii() {
        [] => CreateRoom::default(),
        json => serde_json::from_slice(json)
            .map_err(|error| Problem::invalid_payload(error.to_string()))?,
    };
    let name = create.name.as_deref().map(room_name).transpose()?;
    let draft = Room {
        name: name.unwrap_or_default(),
        max_participants: create.max_participants.unwrap_or(DEFAULT_MAX_PARTICIPANTS),
        ..Room::draft(app.hub.clock.now())
    };
    let room = app.hub.create(draft).await.map_err(store_failed)?;
    let created = Created { room_id: room.code };
    Ok((StatusCode::CREATED, Json(created)))
}

/// Shows a room, by any of its ids.
pub(super) async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let room = app.hub.find(&id).await?;
    let now = app.hub.clock.now();
    match room.phase(now) {
        Phase::Closed | Phase::Deleted => Err(Problem::room_not_found()),
        Phase::Pending | Phase::Open => Ok(Json(render::room::s4(&room, now))),
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal.code {
            ErrorCode::RoomNotFound => Self::room_not_found(),
            ErrorCode::BadMessage => Self::invalid_payload(refusal.text),
            _ => Self::internal(),
        }
    }
}
