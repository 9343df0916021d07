//! S1's dialect: channels, and the sessions broadcast under them.

mod channels;
mod live;
mod sessions;

use axum::Router;
use axum::routing::{get, post};
use utoipa::OpenApi;

use super::app::App;
use super::extract::BothForms;
use super::problem::{ILLEGAL_TRANSITION, NOT_FOUND, NOT_IMPLEMENTED, Problem, SESSION_EXISTS};
use crate::egress::EgressError;
use crate::rooms::SessionError;

pub(super) fn routes() -> Router<App> {
    let channel = get(channels::show)
        .patch(channels::change)
        .delete(channels::delete);
    let session = get(sessions::show)
        .patch(sessions::change)
        .delete(sessions::delete);
    Router::new()
        .both("/channel", post(channels::create).get(channels::list))
        .both("/channel/{id}", channel)
        .both("/session", post(sessions::create).get(sessions::list))
        .both("/session/room", post(live::begin_room))
        .both("/session/{id}", session)
        .both("/session/{id}/token", post(live::token))
        .both("/session/{id}/start_live", post(live::start_live))
        .both("/session/{id}/end", post(live::end))
        .both("/session/{id}/cancel", post(live::cancel))
}

#[derive(OpenApi)]
#[openapi(
    paths(
        channels::create,
        channels::list,
        channels::show,
        channels::change,
        channels::delete,
        sessions::create,
        sessions::list,
        sessions::show,
        sessions::change,
        sessions::delete,
        live::begin_room,
        live::token,
        live::start_live,
        live::end,
        live::cancel,
    ),
    tags((name = "broadcasts", description = "Channels and their sessions"))
)]
pub(super) struct Api;

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        let kind = match error {
            SessionError::Store(error) => return error.into(),
            SessionError::Unknown => NOT_FOUND,
            SessionError::Exists => SESSION_EXISTS,
            SessionError::Illegal(_) => ILLEGAL_TRANSITION,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<EgressError> for Problem {
    fn from(error: EgressError) -> Self {
        match error {
            EgressError::NotImplemented => Self::new(NOT_IMPLEMENTED, error.to_string()),
        }
    }
}
