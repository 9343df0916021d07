//! Actions on a session: start its room, issue tokens, start and end the broadcast.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use visavis_protocol::Role;

use super::sessions::{SessionResponse, find, own};
use crate::http::App;
use crate::http::actor::{Actor, GivenId};
use crate::http::body::{Body, MaybeBody};
use crate::http::extract::Path;
use crate::http::join_credentials::{Guest, JoinCredentials, ServerUrl, grant, issue};
use crate::http::problem::Problem;
use crate::http::requester::Requester;
use crate::http::room_lookup::check_not_over;
use crate::lifecycle::session::{IllegalTransition, Session, SessionEvent};
use crate::model::Room;
use crate::render;
use crate::rooms::SessionError;

/// The session whose room is to be started.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RoomOf {
    session_id: String,
}

/// Starts the room instance of a session's room; a started one continues.
#[utoipa::path(
    post,
    path = "/session/room",
    tag = "broadcasts",
    request_body = RoomOf,
    responses(
        (status = 201, description = "Started", body = render::room::FullRoom),
        (status = 200, description = "Already started", body = render::room::FullRoom),
        (status = 404, description = "There is no such session, or its room has ended")
    )
)]
pub(super) async fn begin_room(
    State(app): State<App>,
    who: Requester,
    Body(said): Body<RoomOf>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let session = own(&app, &who, &said.session_id).await?;
    let before = living_room(&app, &session).await?;
    let room = app.service.begin(before.uid).await?;
    let room = room.ok_or_else(Problem::room_not_found)?;
    let status = match before.instance {
        None => StatusCode::CREATED,
        Some(_) => StatusCode::OK,
    };
    Ok((status, Json(app.shown(&room).await?)))
}

/// The participant to issue a token for. Any other field, such as a role, is
/// ignored.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default)]
pub(super) struct TokenRequest {
    /// The name to show.
    display_name: String,
    /// The user; only an operator may name another user. Default: the caller, and
    /// without authentication the session's owner.
    user_id: Option<GivenId>,
}

/// A token for a session's room: the owner gets a host's token, which also starts
/// the room instance; everyone else gets a viewer's.
#[utoipa::path(
    post,
    path = "/session/{id}/token",
    tag = "broadcasts",
    params(("id" = String, Path, description = "The session's id")),
    request_body = Option<TokenRequest>,
    responses(
        (status = 200, description = "The token", body = JoinCredentials),
        (status = 409, description = "The session has ended"),
        (status = 501, description = "There is no key to sign with")
    )
)]
pub(super) async fn token(
    State(app): State<App>,
    who: Requester,
    url: ServerUrl,
    Path(id): Path<String>,
    MaybeBody(said): MaybeBody<TokenRequest>,
) -> Result<Json<JoinCredentials>, Problem> {
    let actor = Actor::of(&app, &who, said.user_id)?;
    let session = find(&app, &id).await?;
    if session.status.is_terminal() {
        return Err(illegal(&session, SessionEvent::HostJoined));
    }
    let mut room = living_room(&app, &session).await?;
    let identity = actor.user_id.unwrap_or_else(|| session.user_id.clone());
    let hosts = identity == session.user_id;
    if hosts {
        let begun = app.service.begin(room.uid).await?;
        room = begun.ok_or_else(Problem::room_not_found)?;
    }
    let role = if hosts { Role::Host } else { Role::Viewer };
    let guest = Guest {
        identity,
        name: said.display_name,
        grant: grant(&room, role),
    };
    Ok(Json(issue(&app, url, &room, guest).await?))
}

/// Starts the broadcast of a session that is ready.
#[utoipa::path(
    post,
    path = "/session/{id}/start_live",
    tag = "broadcasts",
    params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 200, description = "It is being published", body = SessionResponse),
        (status = 409, description = "It is not ready"),
        (status = 501, description = "There is no egress")
    )
)]
pub(super) async fn start_live(
    State(app): State<App>,
    who: Requester,
    Path(id): Path<String>,
) -> Result<Json<SessionResponse>, Problem> {
    let session = own(&app, &who, &id).await?;
    if session.status.next(SessionEvent::EgressStarted).is_err() {
        return Err(illegal(&session, SessionEvent::EgressStarted));
    }
    let egress = app.service.egress.broadcast(&session).await?;
    let moved = app.service.move_session(
        &session.session_id,
        SessionEvent::EgressStarted,
        Some(egress.clone()),
    );
    match moved.await {
        Ok(session) => Ok(Json(session.into())),
        Err(error) => {
            // Another request was faster.
            app.service.egress.stop(&egress).await;
            Err(error.into())
        }
    }
}

/// Ends a broadcast that is live. The room and everyone inside stay.
#[utoipa::path(
    post,
    path = "/session/{id}/end",
    tag = "broadcasts",
    params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 200, description = "It is ending", body = SessionResponse),
        (status = 409, description = "It is not live")
    )
)]
pub(super) async fn end(
    State(app): State<App>,
    who: Requester,
    Path(id): Path<String>,
) -> Result<Json<SessionResponse>, Problem> {
    stop(&app, &who, &id, SessionEvent::End).await
}

/// Cancels a session that is not live yet; its channel may get another.
#[utoipa::path(
    post,
    path = "/session/{id}/cancel",
    tag = "broadcasts",
    params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 200, description = "Cancelled", body = SessionResponse),
        (status = 409, description = "It is live, or has ended")
    )
)]
pub(super) async fn cancel(
    State(app): State<App>,
    who: Requester,
    Path(id): Path<String>,
) -> Result<Json<SessionResponse>, Problem> {
    stop(&app, &who, &id, SessionEvent::Cancel).await
}

async fn stop(
    app: &App,
    who: &Requester,
    id: &str,
    event: SessionEvent,
) -> Result<Json<SessionResponse>, Problem> {
    let session = own(app, who, id).await?;
    let moved = app.service.move_session(&session.session_id, event, None);
    let session = moved.await?;
    if let Some(egress) = &session.egress {
        app.service.egress.stop(egress).await;
    }
    Ok(Json(session.into()))
}

/// The session's room, which has not ended.
async fn living_room(app: &App, session: &Session) -> Result<Room, Problem> {
    let room = app.room(&session.room_id).await?;
    check_not_over(&room, app.service.clock.now())?;
    Ok(room)
}

fn illegal(session: &Session, event: SessionEvent) -> Problem {
    let from = session.status;
    SessionError::Illegal(IllegalTransition { from, event }).into()
}
