//! Incoming webhooks: a LiveKit server's, and a stream provider's. A repeated
//! event is answered with 200 and changes nothing: its sender did not get the
//! first response.

use std::sync::PoisonError;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::app::App;
use super::extract::BothForms;
use super::problem::{AUTHENTICATION_FAILED, Problem};
use crate::access::principal::AccessError;
use crate::access::token::Keys;
use crate::id::ulid::UlidKind;
use crate::webhook::receive::{self, Seen, WebhookError};

/// The header with a stream provider's signature.
const SIGNATURE: &str = "x-signature";

pub(super) fn routes() -> Router<App> {
    Router::new()
        .both("/api/webhooks/livekit", post(livekit))
        .both("/api/webhooks/stream", post(stream))
}

#[derive(OpenApi)]
#[openapi(
    paths(livekit, stream),
    tags((name = "webhooks", description = "Incoming webhooks"))
)]
pub(super) struct Api;

/// The response to a webhook.
#[derive(Serialize, ToSchema)]
struct Receipt {
    /// Whether the event was applied: false for a repeated event, and for an event
    /// of a room that this server does not know.
    taken: bool,
}

/// Takes a LiveKit server's webhook about a room of ours.
#[utoipa::path(
    post,
    path = "/api/webhooks/livekit",
    tag = "webhooks",
    security(()),
    request_body(content = String, description = "LiveKit's WebhookEvent, with the token alone \
        in Authorization", content_type = "application/webhook+json"),
    responses(
        (status = 200, description = "It is received", body = Receipt),
        (status = 401, description = "It is not signed with this service's key")
    )
)]
async fn livekit(
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Receipt>, Problem> {
    let token = text(&headers, header::AUTHORIZATION.as_str());
    let now = app.service.clock.now();
    let received = receive::receive(keys(&app)?, token, &body, now, &mut seen(&app));
    let event = match received {
        Ok(event) => event,
        Err(WebhookError::Replayed) => return Ok(Json(Receipt { taken: false })),
        Err(error) => return Err(error.into()),
    };
    match app.service.apply_livekit_webhook(&event).await {
        Ok(taken) => Ok(Json(Receipt { taken })),
        Err(error) => {
            // The sender retries.
            seen(&app).forget(&event, &body);
            Err(error.into())
        }
    }
}

/// Takes a stream provider's report about the session of a room.
#[utoipa::path(
    post,
    path = "/api/webhooks/stream",
    tag = "webhooks",
    security(()),
    request_body(content = receive::StreamReport, description = "Signed in X-Signature: the hex \
        HMAC-SHA256 of the body under the API secret"),
    responses(
        (status = 200, description = "It is received", body = Receipt),
        (status = 401, description = "It is not signed with this service's key"),
        (status = 409, description = "The session does not go this way")
    )
)]
async fn stream(
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Receipt>, Problem> {
    let report = receive::receive_stream(keys(&app)?, text(&headers, SIGNATURE), &body)?;
    let Some(ro) = UlidKind::Room.parse(&report.room_id) else {
        return Ok(Json(Receipt { taken: false }));
    };
    let event = report.status.event();
    let moved = app.service.move_active_session(&ro, event, None).await?;
    Ok(Json(Receipt {
        taken: moved.is_some(),
    }))
}

fn keys(app: &App) -> Result<&Keys, Problem> {
    let keys = app.service.config.keys.as_ref();
    keys.ok_or_else(|| AccessError::NoKeys.into())
}

fn seen(app: &App) -> std::sync::MutexGuard<'_, Seen> {
    app.seen.lock().unwrap_or_else(PoisonError::into_inner)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

impl From<WebhookError> for Problem {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::Unreadable => Self::invalid_payload(error.to_string()),
            _ => Self::new(AUTHENTICATION_FAILED, error.to_string()),
        }
    }
}
