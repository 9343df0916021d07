//! Rooms with a `room_type`, and tokens for them. The booking decides who may
//! join and in which role; a `role` in a request is ignored.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;
use visavis_protocol::Role;
use visavis_protocol::token::VideoGrant;

use super::{booked, guests};
use crate::access::principal::{Principal, may_join};
use crate::http::App;
use crate::http::actor::{Actor, GivenId};
use crate::http::body::MaybeBody;
use crate::http::extract::Path;
use crate::http::join_credentials::{Guest, JoinCredentials, ServerUrl, grant, issue};
use crate::http::problem::{ACCESS_DENIED, BOOKING_NOT_ACTIVE, NOT_FOUND, Problem};
use crate::http::requester::Requester;
use crate::http::room_lookup::check_not_over;
use crate::lifecycle::account;
use crate::lifecycle::booking::{BookedParticipant, Booking, BookingStatus, identity, is_id};
use crate::model::{Link, Room, RoomKind, Template};
use crate::refusal::display_name;
use crate::render;
use crate::rooms::RoomOptions;

/// The body of a create request with `room_type`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct NewBookedRoom {
    /// individual, group, webinar or broadcast.
    #[schema(value_type = String)]
    room_type: RoomKind,
    /// The booking that the room is for.
    booking_id: Option<GivenId>,
    /// The service session that the room is for.
    service_session_id: Option<GivenId>,
    /// The display name.
    #[serde(default)]
    name: String,
    /// Null = the limit of its type; 0 = unlimited.
    max_participants: Option<u32>,
    /// Null = the server's default.
    recording_enabled: Option<bool>,
    /// Seconds from the last leave to the room's end; null = 300.
    empty_timeout: Option<u32>,
    /// The invited participants, if there is no booking yet.
    #[serde(default)]
    participants: Vec<BookedParticipant>,
    /// The host; only an operator may name another user.
    user_id: Option<GivenId>,
}

/// Creates a room for exactly one of a booking and a service session.
pub(in crate::http) async fn create(
    app: &App,
    who: &Requester,
    said: NewBookedRoom,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let kind = booked(said.room_type)?;
    let link = match (said.booking_id, said.service_session_id) {
        (Some(GivenId(id)), None) => Link::Booking(id),
        (None, Some(GivenId(id))) => Link::ServiceSession(id),
        _ => {
            let why = "exactly one of booking_id and service_session_id is required";
            return Err(Problem::invalid_payload(why));
        }
    };
    let options = RoomOptions {
        name: display_name(&said.name),
        max_participants: said.max_participants,
        recording_enabled: said.recording_enabled,
        empty_timeout: said.empty_timeout,
    };
    let now = app.service.clock.now();
    let creation = who.counts_creation(app).await?;
    let room = if said.participants.is_empty() {
        let named = said.user_id.filter(|_| who.operates(app).is_ok());
        let host = named
            .map(|GivenId(id)| account(&id))
            .or(who.principal.account());
        app.service
            .create_booked_room(link, kind, host, options)
            .await?
    } else {
        let booking = Booking {
            link,
            kind,
            status: BookingStatus::Confirmed,
            participants: guests(said.participants)?,
            created_at: now,
        };
        app.service.create_booking(&booking, options).await?
    };
    creation.done(room.uid);
    Ok((StatusCode::CREATED, Json(render::room::full(&room, 0, now))))
}

/// The participant to issue a token for. Any other field, such as a role, is
/// ignored.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default)]
pub(super) struct TokenRequest {
    /// The user; only an operator may name another user.
    user_id: Option<GivenId>,
    /// The user's email address, if no booking has it.
    email: String,
    /// The display name; default: the booking's.
    display_name: String,
}

/// Issues a token for a room.
#[utoipa::path(
    post,
    path = "/api/v1/rooms/{id}/get_token",
    tag = "bookings",
    params(("id" = String, Path, description = "Any of the room's ids")),
    request_body = Option<TokenRequest>,
    responses(
        (status = 200, description = "The token", body = JoinCredentials),
        (status = 409, description = "The booking has ended"),
        (status = 501, description = "There is no key to sign with")
    )
)]
pub(super) async fn get_token(
    State(app): State<App>,
    who: Requester,
    url: ServerUrl,
    Path(id): Path<String>,
    MaybeBody(said): MaybeBody<TokenRequest>,
) -> Result<Json<JoinCredentials>, Problem> {
    let room = app.room(&id).await?;
    join_credentials(&app, &who, url, room, said).await
}

/// Issues a token for a booking's room.
#[utoipa::path(
    post,
    path = "/api/v1/rooms/booking/{id}/join",
    tag = "bookings",
    params(("id" = String, Path, description = "The booking's id")),
    request_body = Option<TokenRequest>,
    responses(
        (status = 200, description = "The token", body = JoinCredentials),
        (status = 409, description = "The booking has ended"),
        (status = 501, description = "There is no key to sign with")
    )
)]
pub(super) async fn join_booking(
    State(app): State<App>,
    who: Requester,
    url: ServerUrl,
    Path(id): Path<String>,
    MaybeBody(said): MaybeBody<TokenRequest>,
) -> Result<Json<JoinCredentials>, Problem> {
    let room = match is_id(&id) {
        true => app.service.store.find_linked(&Link::Booking(id)).await?,
        false => None,
    };
    let room = room.ok_or_else(|| Problem::new(NOT_FOUND, "there is no such booking"))?;
    join_credentials(&app, &who, url, room, said).await
}

/// Checks the permission first: a refused caller learns nothing about the room.
async fn join_credentials(
    app: &App,
    who: &Requester,
    url: ServerUrl,
    room: Room,
    said: TokenRequest,
) -> Result<Json<JoinCredentials>, Problem> {
    let actor = Actor::of(app, who, said.user_id)?;
    let email = if actor.operates {
        said.email
    } else {
        String::new()
    };
    let mut guest = match &room.link {
        Some(link @ (Link::Booking(_) | Link::ServiceSession(_))) => {
            let user = actor
                .user_id
                .ok_or_else(|| Problem::invalid_payload("user_id is required"))?;
            let booking = app.service.store.booking(link).await?;
            let guest = invited(&room, booking.as_ref(), &user, &email)?;
            check_not_over(&room, app.service.clock.now())?;
            if booking.is_some_and(|booking| !booking.status.is_active()) {
                let why = "the booking has ended";
                return Err(Problem::new(BOOKING_NOT_ACTIVE, why));
            }
            guest
        }
        Some(Link::Channel(_)) | None => visitor(app, who, &room, actor, &email)?,
    };
    if !said.display_name.is_empty() {
        guest.name = said.display_name;
    }
    Ok(Json(issue(app, url, &room, guest).await?))
}

/// A participant of a booking.
fn invited(
    room: &Room,
    booking: Option<&Booking>,
    user: &str,
    email: &str,
) -> Result<Guest, Problem> {
    if let Some(one) = booking.and_then(|booking| booking.participant(user)) {
        return Ok(Guest {
            identity: one.identity(),
            name: one.name.clone(),
            grant: grant(room, one.role_in(room.kind)),
        });
    }
    if room.host == Some(account(user)) {
        return Ok(Guest {
            identity: identity(user, email),
            name: String::new(),
            grant: grant(room, Role::Host),
        });
    }
    Err(Problem::new(
        ACCESS_DENIED,
        "you are not booked for this room",
    ))
}

/// A participant of a room without a booking. A caller whose own token is for this
/// room gets the same grants again.
fn visitor(
    app: &App,
    who: &Requester,
    room: &Room,
    actor: Actor,
    email: &str,
) -> Result<Guest, Problem> {
    who.attends(app, room)?;
    let user = actor.user_id.unwrap_or_else(|| Uuid::new_v4().to_string());
    let own = match &who.principal {
        asker @ Principal::Token(claims) if may_join(asker, &room.into()).is_ok() => {
            claims.video.clone()
        }
        _ => None,
    };
    let role = if room.host == Some(account(&user)) {
        Role::Host
    } else if Template::of(room.kind).watched {
        Role::Viewer
    } else {
        Role::Participant
    };
    Ok(Guest {
        identity: identity(&user, email),
        name: String::new(),
        grant: own.map_or_else(
            || grant(room, role),
            |own| VideoGrant {
                room: Some(room.rtc_name.clone()),
                ..own
            },
        ),
    })
}
