//! `/session`: broadcasts, one after another in a room that outlives them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::channels;
use crate::http::App;
use crate::http::actor::Actor;
use crate::http::body::Body;
use crate::http::extract::{Path, Query};
use crate::http::fields;
use crate::http::problem::Problem;
use crate::http::requester::Requester;
use crate::id::ulid::UlidKind;
use crate::lifecycle::session::Session;
use crate::refusal::{description, display_name};
use crate::rooms::{MOST_SESSIONS, SessionError};

/// A session.
#[derive(Serialize, ToSchema)]
pub(super) struct SessionResponse {
    /// `se_` and a ULID.
    session_id: String,
    /// `ro_` and a ULID.
    room_id: String,
    channel_id: String,
    /// The owner, who hosts it.
    user_id: String,
    /// IDLE, READY, PUBLISHING, LIVE, ENDING, STOPPED or CANCELLED.
    status: &'static str,
    name: String,
    description: String,
    /// `EG_…`: its egress.
    egress_id: Option<String>,
    /// RFC 3339, as the others.
    created_at: String,
    started_at: Option<String>,
    stopped_at: Option<String>,
}

impl From<Session> for SessionResponse {
    fn from(session: Session) -> Self {
        Self {
            session_id: session.session_id,
            room_id: session.room_id,
            channel_id: session.channel_id,
            user_id: session.user_id,
            status: session.status.as_str(),
            name: session.name,
            description: session.description,
            egress_id: session.egress,
            created_at: session.created_at.rfc3339(),
            started_at: session.started_at.map(|at| at.rfc3339()),
            stopped_at: session.stopped_at.map(|at| at.rfc3339()),
        }
    }
}

/// Fields of a session that the server sets; a create request's values are
/// ignored.
const SET_BY_SERVER: [&str; 8] = [
    "session_id",
    "room_id",
    "user_id",
    "status",
    "egress_id",
    "created_at",
    "started_at",
    "stopped_at",
];

/// The body of a create request.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewSession {
    channel_id: String,
}

/// Creates a session and its room, whose instance has not started yet.
#[utoipa::path(
    post,
    path = "/session",
    tag = "broadcasts",
    request_body = NewSession,
    responses(
        (status = 201, description = "The session", body = SessionResponse),
        (status = 404, description = "There is no such channel"),
        (status = 409, description = "The channel has a session that has not ended")
    )
)]
pub(super) async fn create(
    State(app): State<App>,
    who: Requester,
    Body(body): Body<Value>,
) -> Result<(StatusCode, Json<SessionResponse>), Problem> {
    let said: NewSession = fields::created(body, &SET_BY_SERVER)?;
    let channel = channels::own(&app, &who, &said.channel_id).await?;
    let session = app.service.create_session(&channel).await?;
    Ok((StatusCode::CREATED, Json(session.into())))
}

/// Filters of the list.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct SessionFilter {
    /// Of this room.
    room_id: String,
    /// Of this channel.
    channel_id: String,
}

/// The caller's sessions, the oldest first; an operator gets all.
#[utoipa::path(
    get,
    path = "/session",
    tag = "broadcasts",
    params(SessionFilter),
    responses((status = 200, description = "The sessions", body = Vec<SessionResponse>))
)]
pub(super) async fn list(
    State(app): State<App>,
    who: Requester,
    Query(which): Query<SessionFilter>,
) -> Result<Json<Vec<SessionResponse>>, Problem> {
    let owner = Actor::of(&app, &who, None)?.scope();
    let (Some(room), Some(channel)) = (
        filter(UlidKind::Room, &which.room_id),
        filter(UlidKind::Channel, &which.channel_id),
    ) else {
        return Ok(Json(Vec::new()));
    };
    let store = &app.service.store;
    let sessions = store
        .sessions(&room, &channel, &owner, MOST_SESSIONS)
        .await?;
    Ok(Json(sessions.into_iter().map(Into::into).collect()))
}

/// A filter's value; empty matches everything, and `None` is not an id.
fn filter(kind: UlidKind, text: &str) -> Option<String> {
    match text {
        "" => Some(String::new()),
        text => kind.parse(text),
    }
}

/// Shows a session.
#[utoipa::path(
    get,
    path = "/session/{id}",
    tag = "broadcasts",
    params(("id" = String, Path, description = "The session's id")),
    responses((status = 200, description = "The session", body = SessionResponse))
)]
pub(super) async fn show(
    State(app): State<App>,
    who: Requester,
    Path(id): Path<String>,
) -> Result<Json<SessionResponse>, Problem> {
    Actor::of(&app, &who, None)?;
    Ok(Json(find(&app, &id).await?.into()))
}

/// The writable fields of a session; its status follows events.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionChange {
    name: Option<String>,
    description: Option<String>,
}

/// Changes a session's name or description.
#[utoipa::path(
    patch,
    path = "/session/{id}",
    tag = "broadcasts",
    params(("id" = String, Path, description = "The session's id")),
    request_body = SessionChange,
    responses((status = 200, description = "The session as it is now", body = SessionResponse))
)]
pub(super) async fn change(
    State(app): State<App>,
    who: Requester,
    Path(id): Path<String>,
    Body(said): Body<SessionChange>,
) -> Result<Json<SessionResponse>, Problem> {
    let session = own(&app, &who, &id).await?;
    let name = said.name.as_deref().map(display_name);
    let about = said.description.as_deref().map(description).transpose()?;
    let changed = app.service.change_session(&session.session_id, |session| {
        session.name = name.unwrap_or_else(|| std::mem::take(&mut session.name));
        session.description = about.unwrap_or_else(|| std::mem::take(&mut session.description));
    });
    Ok(Json(changed.await?.into()))
}

/// Deletes a session; one that has not ended is cancelled first.
#[utoipa::path(
    delete,
    path = "/session/{id}",
    tag = "broadcasts",
    params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 204, description = "Deleted"),
        (status = 409, description = "It is live")
    )
)]
pub(super) async fn delete(
    State(app): State<App>,
    who: Requester,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let session = own(&app, &who, &id).await?;
    app.service.delete_session(&session.session_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A session that the caller owns.
pub(super) async fn own(app: &App, who: &Requester, id: &str) -> Result<Session, Problem> {
    let actor = Actor::of(app, who, None)?;
    let session = find(app, id).await?;
    actor.owns(&session.user_id)?;
    Ok(session)
}

/// A session.
pub(super) async fn find(app: &App, id: &str) -> Result<Session, Problem> {
    let session = match UlidKind::Session.parse(id) {
        Some(id) => app.service.store.session(&id).await?,
        None => None,
    };
    session.ok_or_else(|| SessionError::Unknown.into())
}
