//! S2's dialect: bookings, their rooms and their participants.

mod bookings;
mod inside;
mod rooms;

use axum::Router;
use axum::routing::{get, post};
use utoipa::OpenApi;

use super::app::App;
use super::extract::BothForms;
use super::problem::{CONFLICT, ILLEGAL_TRANSITION, NOT_FOUND, Problem};
use crate::lifecycle::booking::BookedParticipant;
use crate::model::RoomKind;
use crate::refusal::display_name;
use crate::rooms::BookingError;
pub(super) use rooms::{NewBookedRoom, create as create_room};

/// The longest email address (RFC 5321, section 4.5.3.1.3).
const MAX_EMAIL_BYTES: usize = 254;

pub(super) fn routes() -> Router<App> {
    let booking = get(bookings::show).patch(bookings::change);
    Router::new()
        .both(
            "/api/v1/bookings",
            post(bookings::create).get(bookings::list),
        )
        .both("/api/v1/bookings/{id}", booking)
        .both("/api/v1/rooms/booking/{id}/join", post(rooms::join_booking))
        .both("/api/v1/rooms/{id}/get_token", post(rooms::get_token))
        .both("/api/v1/rooms/{id}/participants", get(inside::participants))
        .both("/api/v1/rooms/{id}/dial_in", post(inside::dial_in))
        .both("/api/v1/rooms/{id}/recordings", get(inside::recordings))
        .both(
            "/api/v1/rooms/{id}/start_recording",
            post(inside::start_recording),
        )
        .both(
            "/api/v1/rooms/{id}/stop_recording",
            post(inside::stop_recording),
        )
}

#[derive(OpenApi)]
#[openapi(
    paths(
        bookings::create,
        bookings::list,
        bookings::show,
        bookings::change,
        rooms::join_booking,
        rooms::get_token,
        inside::participants,
        inside::recordings,
        inside::start_recording,
        inside::stop_recording,
        inside::dial_in,
    ),
    tags((name = "bookings", description = "Bookings and their rooms"))
)]
pub(super) struct Api;

/// Checks that rooms of this kind can be booked.
fn booked(kind: RoomKind) -> Result<RoomKind, Problem> {
    match kind {
        RoomKind::Open => Err(Problem::invalid_payload(
            "a booked room must be individual, group, webinar or broadcast",
        )),
        kind => Ok(kind),
    }
}

/// Checks the invited participants and cleans their names.
fn guests(said: Vec<BookedParticipant>) -> Result<Vec<BookedParticipant>, Problem> {
    let guest = |one: BookedParticipant| {
        if one.email.len() > MAX_EMAIL_BYTES || one.email.contains(char::is_control) {
            return Err(Problem::invalid_payload("invalid email address"));
        }
        let name = display_name(&one.name);
        Ok(BookedParticipant { name, ..one })
    };
    said.into_iter().map(guest).collect()
}

impl From<BookingError> for Problem {
    fn from(error: BookingError) -> Self {
        let kind = match error {
            BookingError::Store(error) => return error.into(),
            BookingError::Unknown => NOT_FOUND,
            BookingError::Exists | BookingError::HasRoom => CONFLICT,
            BookingError::Illegal(_) => ILLEGAL_TRANSITION,
        };
        Self::new(kind, error.to_string())
    }
}
