//! `/session`: broadcasts, one after another in a room that outlives them; made,
//! read, changed and deleted.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::channels;
use crate::http::App;
use crate::http::actor::Actor;
use crate::http::address::{Asked, Place};
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::http::who::Who;
use crate::hub::{MOST_SESSIONS, SessionError};
use crate::id::ulid::UlidKind;
use crate::lifecycle::session::Session;
use crate::refusal::{description, person_name};

/// A session.
#[derive(Serialize, ToSchema)]
pub(super) struct ShownSession {
    /// `se_` and a ULID.
    session_id: String,
    /// `ro_` and a ULID.
    room_id: String,
    channel_id: String,
    /// Whose it is, who hosts it.
    user_id: String,
    /// IDLE, READY, PUBLISHING, LIVE, ENDING, STOPPED or CANCELLED.
    status: &'static str,
    name: String,
    description: String,
    /// `EG_…`: what carries it out.
    egress_id: Option<String>,
    /// RFC 3339, as the others.
    created_at: String,
    started_at: Option<String>,
    stopped_at: Option<String>,
}

impl From<Session> for ShownSession {
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

/// A new session.
#[derive(Deserialize, ToSchema)]
pub(super) struct NewSession {
    channel_id: String,
}

/// Makes a session and names its room, which does not live yet.
#[utoipa::path(
    post,
    path = "/session",
    tag = "broadcasts",
    request_body = NewSession,
    responses(
        (status = 201, description = "The session", body = ShownSession),
        (status = 404, description = "There is no such channel"),
        (status = 409, description = "The channel has a session that is not over")
    )
)]
pub(super) async fn create(
    State(app): State<App>,
    who: Who,
    Body(said): Body<NewSession>,
) -> Result<(StatusCode, Json<ShownSession>), Problem> {
    let channel = channels::own(&app, &who, &said.channel_id).await?;
    let session = app.hub.create_session(&channel).await?;
    Ok((StatusCode::CREATED, Json(session.into())))
}

/// Which sessions are asked for.
#[derive(Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct Which {
    /// Of this room.
    room_id: String,
    /// Of this channel.
    channel_id: String,
}

/// The asker's sessions, the oldest first; all, for one who operates the service.
#[utoipa::path(
    get,
    path = "/session",
    tag = "broadcasts",
    params(Which),
    responses((status = 200, description = "The sessions", body = Vec<ShownSession>))
)]
pub(super) async fn list(
    State(app): State<App>,
    who: Who,
    Asked(which): Asked<Which>,
) -> Result<Json<Vec<ShownSession>>, Problem> {
    let owner = Actor::of(&app, &who, None)?.scope();
    let (Some(room), Some(channel)) = (
        filter(UlidKind::Room, &which.room_id),
        filter(UlidKind::Channel, &which.channel_id),
    ) else {
        return Ok(Json(Vec::new()));
    };
    let store = &app.hub.store;
    let sessions = store
        .sessions(&room, &channel, &owner, MOST_SESSIONS)
        .await?;
    Ok(Json(sessions.into_iter().map(Into::into).collect()))
}

/// What is asked for; nothing is anything, and what is no id is `None`.
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
    responses((status = 200, description = "The session", body = ShownSession))
)]
pub(super) async fn show(
    State(app): State<App>,
    who: Who,
    Place(id): Place<String>,
) -> Result<Json<ShownSession>, Problem> {
    Actor::of(&app, &who, None)?;
    Ok(Json(find(&app, &id).await?.into()))
}

/// What may be changed of a session; its state changes by what happens.
#[derive(Deserialize, ToSchema)]
pub(super) struct SessionChange {
    name: Option<String>,
    description: Option<String>,
}

/// Changes what a session is called.
#[utoipa::path(
    patch,
    path = "/session/{id}",
    tag = "broadcasts",
    params(("id" = String, Path, description = "The session's id")),
    request_body = SessionChange,
    responses((status = 200, description = "The session as it is now", body = ShownSession))
)]
pub(super) async fn change(
    State(app): State<App>,
    who: Who,
    Place(id): Place<String>,
    Body(said): Body<SessionChange>,
) -> Result<Json<ShownSession>, Problem> {
    let session = own(&app, &who, &id).await?;
    let name = said.name.as_deref().map(person_name).transpose()?;
    let about = said.description.as_deref().map(description).transpose()?;
    let changed = app.hub.change_session(&session.session_id, |session| {
        session.name = name.unwrap_or_else(|| std::mem::take(&mut session.name));
        session.description = about.unwrap_or_else(|| std::mem::take(&mut session.description));
    });
    Ok(Json(changed.await?.into()))
}

/// Deletes a session: one that is over, or that is called off by this.
#[utoipa::path(
    delete,
    path = "/session/{id}",
    tag = "broadcasts",
    params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 204, description = "It is deleted"),
        (status = 409, description = "It is on the air")
    )
)]
pub(super) async fn delete(
    State(app): State<App>,
    who: Who,
    Place(id): Place<String>,
) -> Result<StatusCode, Problem> {
    let session = own(&app, &who, &id).await?;
    app.hub.delete_session(&session.session_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A session that the asker may do anything with.
pub(super) async fn own(app: &App, who: &Who, id: &str) -> Result<Session, Problem> {
    let actor = Actor::of(app, who, None)?;
    let session = find(app, id).await?;
    actor.owns(&session.user_id)?;
    Ok(session)
}

/// A session.
pub(super) async fn find(app: &App, id: &str) -> Result<Session, Problem> {
    let session = match UlidKind::Session.parse(id) {
        Some(id) => app.hub.store.session(&id).await?,
        None => None,
    };
    session.ok_or_else(|| SessionError::Unknown.into())
}
