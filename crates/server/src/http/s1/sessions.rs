//! `/session`: broadcasts, one after another in a room that outlives them.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use visavis_protocol::Role;

use super::channels;
use crate::http::App;
use crate::http::actor::{Actor, GivenId};
use crate::http::address::{Asked, Place};
use crate::http::body::{Body, MaybeBody};
use crate::http::problem::{ACCESS_DENIED, Problem, ROOM_CLOSED};
use crate::http::ticket::{Guest, Ticket, grant, issue};
use crate::http::who::Who;
use crate::hub::{MOST_SESSIONS, SessionError};
use crate::id::ulid::UlidKind;
use crate::lifecycle::session::{IllegalTransition, Session, SessionEvent};
use crate::model::{Phase, Room};
use crate::refusal::{description, person_name};
use crate::render;

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
        (
            status = 404,
            description = "There is no such channel",
            body = Problem,
            content_type = "application/problem+json"
        ),
        (
            status = 409,
            description = "The channel has a session that is not over",
            body = Problem,
            content_type = "application/problem+json"
        )
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
    let actor = Actor::of(&app, &who, None)?;
    let owner = actor.user_id.filter(|_| !actor.operates);
    let owner = owner.unwrap_or_default();
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
        (
            status = 409,
            description = "It is on the air",
            body = Problem,
            content_type = "application/problem+json"
        )
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

/// Whose room is to live.
#[derive(Deserialize, ToSchema)]
pub(super) struct RoomOf {
    session_id: String,
}

/// Begins the life of a session's room; one that lives goes on.
#[utoipa::path(
    post,
    path = "/session/room",
    tag = "broadcasts",
    request_body = RoomOf,
    responses(
        (status = 201, description = "It lives now", body = render::room::FullRoom),
        (status = 200, description = "It lived already", body = render::room::FullRoom),
        (
            status = 404,
            description = "There is no such session, or its room is over",
            body = Problem,
            content_type = "application/problem+json"
        )
    )
)]
pub(super) async fn begin_room(
    State(app): State<App>,
    who: Who,
    Body(said): Body<RoomOf>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let session = own(&app, &who, &said.session_id).await?;
    let before = living_room(&app, &session).await?;
    let room = app.hub.begin(before.uid).await?;
    let room = room.ok_or_else(Problem::room_not_found)?;
    let present = app.hub.present(room.uid).await?;
    let status = match before.incarnation {
        None => StatusCode::CREATED,
        Some(_) => StatusCode::OK,
    };
    let now = app.hub.clock.now();
    Ok((status, Json(render::room::full(&room, present, now))))
}

/// Who is to be let in.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default)]
pub(super) struct TokenRequest {
    /// The name to show.
    display_name: String,
    /// Who it is, where the asker may say so; else the asker, and where users
    /// have no names of their own the session's owner.
    user_id: Option<GivenId>,
}

/// A token for a session's room: to host it, for its owner, whose asking begins
/// the room's life; for everyone else, to watch it.
#[utoipa::path(
    post,
    path = "/session/{id}/token",
    tag = "broadcasts",
    params(("id" = String, Path, description = "The session's id")),
    request_body = Option<TokenRequest>,
    responses(
        (status = 200, description = "The token", body = Ticket),
        (
            status = 409,
            description = "The session is over",
            body = Problem,
            content_type = "application/problem+json"
        ),
        (
            status = 501,
            description = "There is no key to sign with",
            body = Problem,
            content_type = "application/problem+json"
        )
    )
)]
pub(super) async fn token(
    State(app): State<App>,
    who: Who,
    headers: HeaderMap,
    Place(id): Place<String>,
    MaybeBody(said): MaybeBody<TokenRequest>,
) -> Result<Json<Ticket>, Problem> {
    let actor = Actor::of(&app, &who, said.user_id)?;
    let session = find(&app, &id).await?;
    if session.status.is_terminal() {
        return Err(illegal(&session, SessionEvent::HostJoined));
    }
    let mut room = living_room(&app, &session).await?;
    let identity = actor.user_id.unwrap_or_else(|| session.user_id.clone());
    let hosts = identity == session.user_id;
    if hosts {
        let begun = app.hub.begin(room.uid).await?;
        room = begun.ok_or_else(Problem::room_not_found)?;
    }
    let role = if hosts { Role::Host } else { Role::Viewer };
    let guest = Guest {
        identity,
        name: said.display_name,
        grant: grant(&room, role),
    };
    Ok(Json(issue(&app, &headers, &room, guest).await?))
}

/// Starts the broadcast of a session that is ready.
#[utoipa::path(
    post,
    path = "/session/{id}/start_live",
    tag = "broadcasts",
    params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 200, description = "It is being published", body = ShownSession),
        (
            status = 409,
            description = "It is not ready",
            body = Problem,
            content_type = "application/problem+json"
        ),
        (
            status = 501,
            description = "There is no egress",
            body = Problem,
            content_type = "application/problem+json"
        )
    )
)]
pub(super) async fn start_live(
    State(app): State<App>,
    who: Who,
    Place(id): Place<String>,
) -> Result<Json<ShownSession>, Problem> {
    let session = own(&app, &who, &id).await?;
    if session.status.next(SessionEvent::EgressStarted).is_err() {
        return Err(illegal(&session, SessionEvent::EgressStarted));
    }
    let egress = app.hub.egress.broadcast(&session).await?;
    let moved = app.hub.move_session(
        &session.session_id,
        SessionEvent::EgressStarted,
        Some(egress.clone()),
    );
    match moved.await {
        Ok(session) => Ok(Json(session.into())),
        Err(error) => {
            // Another request was faster.
            app.hub.egress.stop(&egress).await;
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
        (status = 200, description = "It is ending", body = ShownSession),
        (
            status = 409,
            description = "It is not live",
            body = Problem,
            content_type = "application/problem+json"
        )
    )
)]
pub(super) async fn end(
    State(app): State<App>,
    who: Who,
    Place(id): Place<String>,
) -> Result<Json<ShownSession>, Problem> {
    stop(&app, &who, &id, SessionEvent::End).await
}

/// Calls a session off that is not live yet; its channel is free for another.
#[utoipa::path(
    post,
    path = "/session/{id}/cancel",
    tag = "broadcasts",
    params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 200, description = "It is called off", body = ShownSession),
        (
            status = 409,
            description = "It is live, or over",
            body = Problem,
            content_type = "application/problem+json"
        )
    )
)]
pub(super) async fn cancel(
    State(app): State<App>,
    who: Who,
    Place(id): Place<String>,
) -> Result<Json<ShownSession>, Problem> {
    stop(&app, &who, &id, SessionEvent::Cancel).await
}

async fn stop(
    app: &App,
    who: &Who,
    id: &str,
    event: SessionEvent,
) -> Result<Json<ShownSession>, Problem> {
    let session = own(app, who, id).await?;
    let moved = app.hub.move_session(&session.session_id, event, None);
    let session = moved.await?;
    if let Some(egress) = &session.egress {
        app.hub.egress.stop(egress).await;
    }
    Ok(Json(session.into()))
}

/// A session that the asker may do anything with.
async fn own(app: &App, who: &Who, id: &str) -> Result<Session, Problem> {
    let actor = Actor::of(app, who, None)?;
    let session = find(app, id).await?;
    if !actor.is(&session.user_id) {
        return Err(Problem::new(ACCESS_DENIED, "this is another's session"));
    }
    Ok(session)
}

async fn find(app: &App, id: &str) -> Result<Session, Problem> {
    let session = match UlidKind::Session.parse(id) {
        Some(id) => app.hub.store.session(&id).await?,
        None => None,
    };
    session.ok_or_else(|| SessionError::Unknown.into())
}

/// The session's room, which is not over.
async fn living_room(app: &App, session: &Session) -> Result<Room, Problem> {
    let room = app.hub.look_up(&session.room_id).await?;
    let room = room.ok_or_else(Problem::room_not_found)?;
    match room.phase(app.hub.clock.now()) {
        Phase::Closed | Phase::Deleted => Err(Problem::new(ROOM_CLOSED, "the room is over")),
        Phase::Pending | Phase::Open => Ok(room),
    }
}

fn illegal(session: &Session, event: SessionEvent) -> Problem {
    let from = session.status;
    SessionError::Illegal(IllegalTransition { from, event }).into()
}
