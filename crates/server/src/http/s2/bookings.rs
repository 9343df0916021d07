//! `/api/v1/bookings`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{booked, guests};
use crate::http::App;
use crate::http::actor::{Actor, GivenId};
use crate::http::body::Body;
use crate::http::extract::Path;
use crate::http::fields;
use crate::http::problem::{ACCESS_DENIED, Problem};
use crate::http::requester::Requester;
use crate::lifecycle::booking::{BookedParticipant, BookedRole, Booking, BookingStatus, is_id};
use crate::model::{Link, Room, RoomKind};
use crate::refusal::display_name;
use crate::render;
use crate::rooms::{BookingError, RoomOptions};

/// The most that a list shows.
const MOST_LISTED: i64 = 1_000;

/// A booking.
#[derive(Serialize, ToSchema)]
pub(super) struct BookingResponse {
    id: String,
    /// individual, group, webinar or broadcast.
    #[schema(value_type = String)]
    kind: RoomKind,
    status: BookingStatus,
    participants: Vec<BookedParticipant>,
    /// RFC 3339.
    created_at: String,
    /// Its room.
    #[schema(value_type = Option<render::room::FullRoom>)]
    room: Option<Value>,
}

/// The body of a create request.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewBooking {
    /// Its id in the system that it comes from; default: a new UUID.
    id: Option<GivenId>,
    /// individual, group, webinar or broadcast.
    #[schema(value_type = String)]
    #[serde(alias = "room_type")]
    kind: RoomKind,
    #[serde(default = "confirmed")]
    status: BookingStatus,
    #[serde(default)]
    participants: Vec<BookedParticipant>,
    /// The room's display name.
    #[serde(default)]
    name: String,
    /// Null = its kind's; 0 = unlimited.
    max_participants: Option<u32>,
    /// Null = the server's default.
    recording_enabled: Option<bool>,
    /// Seconds from the last leave to the room's end; null = 300.
    empty_timeout: Option<u32>,
}

fn confirmed() -> BookingStatus {
    BookingStatus::Confirmed
}

/// Creates a booking and its room.
#[utoipa::path(
    post,
    path = "/api/v1/bookings",
    tag = "bookings",
    request_body = NewBooking,
    responses(
        (status = 201, description = "The booking", body = BookingResponse),
        (status = 409, description = "A booking with this id exists"),
        (
            status = 429,
            description = "Too many new or empty rooms of this address, without authentication",
            headers(("Retry-After" = u64, description = "Seconds until a retry makes sense"))
        )
    )
)]
pub(super) async fn create(
    State(app): State<App>,
    who: Requester,
    Body(body): Body<Value>,
) -> Result<(StatusCode, Json<BookingResponse>), Problem> {
    who.creates(&app)?;
    let said: NewBooking = fields::created(body, &["created_at", "room"])?;
    if !said.status.is_active() {
        let why = "a completed booking cannot be created";
        return Err(Problem::invalid_payload(why));
    }
    let id = said.id.map(|GivenId(id)| id);
    let booking = Booking {
        link: Link::Booking(id.unwrap_or_else(|| Uuid::new_v4().to_string())),
        kind: booked(said.kind)?,
        status: said.status,
        participants: guests(said.participants)?,
        created_at: app.service.clock.now(),
    };
    let options = RoomOptions {
        name: display_name(&said.name),
        max_participants: said.max_participants,
        recording_enabled: said.recording_enabled,
        empty_timeout: said.empty_timeout,
    };
    let creation = who.counts_creation(&app).await?;
    let room = app.service.create_booking(&booking, options).await?;
    creation.done(room.uid);
    let shown = shown(&app, booking, Some(room)).await?;
    Ok((StatusCode::CREATED, Json(shown)))
}

/// The caller's bookings, the newest first; an operator gets all.
#[utoipa::path(
    get,
    path = "/api/v1/bookings",
    tag = "bookings",
    responses((status = 200, description = "The bookings", body = Vec<BookingResponse>))
)]
pub(super) async fn list(
    State(app): State<App>,
    who: Requester,
) -> Result<Json<Vec<BookingResponse>>, Problem> {
    let user = Actor::of(&app, &who, None)?.scope();
    let mut list = Vec::new();
    for booking in app.service.store.bookings(&user, MOST_LISTED).await? {
        let room = app.service.store.find_linked(&booking.link).await?;
        list.push(shown(&app, booking, room).await?);
    }
    Ok(Json(list))
}

/// Shows a booking to its participants.
#[utoipa::path(
    get,
    path = "/api/v1/bookings/{id}",
    tag = "bookings",
    params(("id" = String, Path, description = "The booking's id")),
    responses((status = 200, description = "The booking", body = BookingResponse))
)]
pub(super) async fn show(
    State(app): State<App>,
    who: Requester,
    Path(id): Path<String>,
) -> Result<Json<BookingResponse>, Problem> {
    let actor = Actor::of(&app, &who, None)?;
    let booking = find(&app, id).await?;
    if !is_booked(&actor, &booking) {
        return Err(Problem::new(
            ACCESS_DENIED,
            "you are not a participant of this booking",
        ));
    }
    let room = app.service.store.find_linked(&booking.link).await?;
    Ok(Json(shown(&app, booking, room).await?))
}

/// The writable fields of a booking.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BookingChange {
    /// The new status; only later ones are accepted.
    status: BookingStatus,
}

/// Changes a booking's status.
#[utoipa::path(
    patch,
    path = "/api/v1/bookings/{id}",
    tag = "bookings",
    params(("id" = String, Path, description = "The booking's id")),
    request_body = BookingChange,
    responses(
        (status = 200, description = "The booking as it is now", body = BookingResponse),
        (status = 409, description = "The status would go back")
    )
)]
pub(super) async fn change(
    State(app): State<App>,
    who: Requester,
    Path(id): Path<String>,
    Body(said): Body<BookingChange>,
) -> Result<Json<BookingResponse>, Problem> {
    let actor = Actor::of(&app, &who, None)?;
    let booking = find(&app, id).await?;
    let user = actor.user_id.as_deref().unwrap_or_default();
    let is_practitioner = booking
        .participant(user)
        .is_some_and(|one| one.role == BookedRole::Practitioner);
    if !actor.operates && !is_practitioner {
        let why = "only the practitioner may change a booking";
        return Err(Problem::new(ACCESS_DENIED, why));
    }
    let changed = app
        .service
        .change_booking(&booking.link, said.status)
        .await?;
    let room = app.service.store.find_linked(&changed.link).await?;
    Ok(Json(shown(&app, changed, room).await?))
}

fn is_booked(actor: &Actor, booking: &Booking) -> bool {
    let user = actor.user_id.as_deref().unwrap_or_default();
    actor.operates || booking.participant(user).is_some()
}

async fn find(app: &App, id: String) -> Result<Booking, Problem> {
    let booking = match is_id(&id) {
        true => app.service.store.booking(&Link::Booking(id)).await?,
        false => None,
    };
    booking.ok_or_else(|| BookingError::Unknown.into())
}

async fn shown(
    app: &App,
    booking: Booking,
    room: Option<Room>,
) -> Result<BookingResponse, Problem> {
    let room = match room {
        Some(room) => Some(app.shown(&room).await?),
        None => None,
    };
    Ok(BookingResponse {
        id: match booking.link {
            Link::Booking(id) | Link::ServiceSession(id) | Link::Channel(id) => id,
        },
        kind: booking.kind,
        status: booking.status,
        participants: booking.participants,
        created_at: booking.created_at.rfc3339(),
        room,
    })
}
