//! Join credentials: an access token, and the URL of the server to use it at.

use axum::http::{HeaderMap, header};
use serde::Serialize;
use utoipa::ToSchema;
use visavis_protocol::Role;
use visavis_protocol::token::VideoGrant;

use super::app::App;
use super::problem::{NOT_IMPLEMENTED, Problem};
use super::room_lookup::check_not_over;
use crate::model::Room;
use crate::refusal::person_name;

/// A token for a room.
#[derive(Serialize, ToSchema)]
pub(super) struct JoinCredentials {
    /// Good for four hours.
    token: String,
    /// The WebSocket URL of the server.
    url: String,
    /// The room's name in the token.
    room: String,
    /// The identity in the token.
    identity: String,
}

/// The participant that the credentials are for.
pub(super) struct Guest {
    pub identity: String,
    /// The name to show; may be empty.
    pub name: String,
    pub grant: VideoGrant,
}

/// Issues join credentials. Without `auto_create` a host's request starts the
/// room instance, and anyone else's needs a started one.
pub(super) async fn issue(
    app: &App,
    headers: &HeaderMap,
    room: &Room,
    guest: Guest,
) -> Result<JoinCredentials, Problem> {
    let keys = app.service.config.keys.as_ref().ok_or_else(|| {
        let why = "this server has no API key to sign tokens with";
        Problem::new(NOT_IMPLEMENTED, why)
    })?;
    let now = app.service.clock.now();
    check_not_over(room, now)?;
    if !app.service.config.auto_create && room.instance.is_none() {
        if !guest.grant.room_admin {
            return Err(Problem::room_not_found());
        }
        app.service.begin(room.uid).await?;
    }
    let name = person_name(&guest.name)?;
    let name = Some(name.as_str()).filter(|name| !name.is_empty());
    let claims = keys.claims(&guest.identity, name, guest.grant, now);
    let token = keys.sign(&claims).map_err(|error| {
        tracing::error!(%error, "signing a token failed");
        Problem::internal()
    })?;
    Ok(JoinCredentials {
        token,
        url: url(app, headers),
        room: room.rtc_name.clone(),
        identity: guest.identity,
    })
}

/// The grants of a role in a room.
pub(super) fn grant(room: &Room, role: Role) -> VideoGrant {
    let hosts = role == Role::Host;
    VideoGrant {
        room: Some(room.rtc_name.clone()),
        room_join: true,
        room_admin: hosts,
        room_record: hosts,
        can_publish: Some(role != Role::Viewer),
        can_subscribe: Some(true),
        // Viewers may send chat messages.
        can_publish_data: Some(true),
        ..VideoGrant::default()
    }
}

/// The URL at which clients reach the server: `--public-url`, else the scheme and
/// host of this request.
fn url(app: &App, headers: &HeaderMap) -> String {
    let config = &app.service.config;
    if let Some(url) = &config.public_url {
        return url.clone();
    }
    let scheme = match config.tls {
        Some(_) => "wss",
        None => "ws",
    };
    let host = headers.get(header::HOST);
    let host = host.and_then(|host| host.to_str().ok());
    format!("{scheme}://{}", host.unwrap_or("localhost"))
}
