//! Join credentials: an access token, and the URL of the server to use it at.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use serde::Serialize;
use utoipa::ToSchema;
use visavis_protocol::Role;
use visavis_protocol::token::VideoGrant;

use super::app::App;
use super::problem::{NOT_IMPLEMENTED, Problem};
use super::room_lookup::check_not_over;
use crate::access::headers::{authority, forwarded};
use crate::model::Room;
use crate::refusal::display_name;

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
    ServerUrl(url): ServerUrl,
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
    let name = display_name(&guest.name);
    let name = Some(name.as_str()).filter(|name| !name.is_empty());
    let claims = keys.claims(&guest.identity, name, guest.grant, now);
    let token = keys.sign(&claims).map_err(|error| {
        tracing::error!(%error, "signing a token failed");
        Problem::internal()
    })?;
    Ok(JoinCredentials {
        token,
        url,
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
/// host that this request was sent to.
pub(super) struct ServerUrl(String);

impl FromRequestParts<App> for ServerUrl {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let config = &app.service.config;
        if let Some(url) = &config.public_url {
            return Ok(Self(url.clone()));
        }
        let ConnectInfo(peer) = ConnectInfo::<SocketAddr>::from_request_parts(parts, app)
            .await
            .map_err(|_| Problem::internal())?;
        let trusted = config.origin(peer, &parts.headers).trusted;
        Ok(Self(requested(
            &parts.headers,
            config.tls.is_some(),
            trusted,
        )))
    }
}

/// The URL that a request was sent to. `X-Forwarded-Proto` and `X-Forwarded-Host`
/// count only from a listed proxy (`trusted`); of several values the first, which
/// is the client's.
fn requested(headers: &HeaderMap, tls: bool, trusted: bool) -> String {
    let scheme = match forwarded(headers, "x-forwarded-proto", trusted) {
        Some(proto)
            if ["https", "wss"]
                .iter()
                .any(|s| proto.eq_ignore_ascii_case(s)) =>
        {
            "wss"
        }
        Some(proto) if ["http", "ws"].iter().any(|s| proto.eq_ignore_ascii_case(s)) => "ws",
        _ if tls => "wss",
        _ => "ws",
    };
    let host = authority(headers, trusted).unwrap_or("localhost");
    format!("{scheme}://{host}")
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;

    #[test]
    fn forwarded_headers_make_the_url_only_behind_a_listed_proxy() {
        let url = |pairs: &[(&'static str, &str)], trusted| {
            let headers = pairs.iter().map(|(name, value)| {
                let name = header::HeaderName::from_static(name);
                (name, value.parse().unwrap())
            });
            requested(&headers.collect(), false, trusted)
        };
        let forwarded = [
            ("host", "10.0.0.7:7420"),
            ("x-forwarded-proto", "https, http"),
            ("x-forwarded-host", "meet.example.org, inner"),
        ];
        assert_eq!(url(&forwarded, true), "wss://meet.example.org");
        assert_eq!(url(&forwarded, false), "ws://10.0.0.7:7420");
        let odd = [
            ("host", "10.0.0.7:7420"),
            ("x-forwarded-proto", "gopher"),
            ("x-forwarded-host", "user@evil.example/"),
        ];
        assert_eq!(url(&odd, true), "ws://10.0.0.7:7420");
        assert_eq!(
            url(&[("x-forwarded-proto", "WSS")], true),
            "wss://localhost"
        );
    }
}
