//! Who asks: the connection, the headers, and what they prove.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use super::App;
use super::problem::Problem;
use crate::access::principal::{self, Principal};
use crate::access::proxy::Origin;
use crate::model::Room;

/// Who a request is from. A request whose proof is bad does not get further.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub principal: Principal,
}

impl FromRequestParts<App> for Who {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let ConnectInfo(peer) = ConnectInfo::<SocketAddr>::from_request_parts(parts, app)
            .await
            .map_err(|_| Problem::internal())?;
        let origin = origin(app, peer, &parts.headers);
        let config = &app.hub.config;
        let principal = principal::identify(
            config.auth,
            origin,
            bearer(&parts.headers),
            self::user(&parts.headers),
            app.hub.clock.now(),
            config.keys.as_ref(),
        );
        let principal = principal?;
        if let Principal::User(user) = principal
            && !app.met.contains_key(&user)
        {
            // Its row is made at first sight.
            app.hub.meet(user).await?;
            app.met.insert(user, ());
        }
        Ok(Self { principal })
    }
}

impl Who {
    /// Whether it may change this room, or see what is inside.
    pub fn administrates(&self, app: &App, room: &Room) -> Result<(), Problem> {
        let (room, admins) = (&room.into(), &app.hub.config.admins);
        Ok(principal::may_administrate(&self.principal, room, admins)?)
    }

    /// Whether it may take part in this room.
    pub fn attends(&self, app: &App, room: &Room) -> Result<(), Problem> {
        match principal::may_join(&self.principal, &room.into()) {
            Ok(_) => Ok(()),
            Err(_) => self.administrates(app, room),
        }
    }

    /// Whether it may hear of what happens in this room: one who administrates
    /// it, or has a token for it.
    pub fn hears(&self, app: &App, room: &Room) -> Result<(), Problem> {
        match self.principal {
            Principal::Token(_) => self.attends(app, room),
            Principal::User(_) | Principal::Open { .. } => self.administrates(app, room),
        }
    }

    /// Whether it may do what concerns the whole service.
    pub fn operates(&self, app: &App) -> Result<(), Problem> {
        let admins = &app.hub.config.admins;
        Ok(principal::may_operate(&self.principal, admins)?)
    }

    /// Whether it may make rooms.
    pub fn creates(&self, app: &App) -> Result<(), Problem> {
        Ok(principal::may_create(app.hub.config.auth, &self.principal)?)
    }

    /// Who it says it is.
    pub fn identity(&self) -> Option<String> {
        match &self.principal {
            Principal::User(user) => Some(user.to_string()),
            Principal::Token(claims) => claims.sub.clone().filter(|sub| !sub.is_empty()),
            Principal::Open { .. } => None,
        }
    }
}

/// Where a connection comes from, behind listed proxies.
pub(crate) fn origin(app: &App, peer: SocketAddr, headers: &HeaderMap) -> Origin {
    let forwarded = headers.get_all("x-forwarded-for").iter();
    let forwarded: Vec<&str> = forwarded.filter_map(|value| value.to_str().ok()).collect();
    let proxies = &app.hub.config.trusted_proxies;
    proxies.origin(peer.ip().to_canonical(), &forwarded)
}

/// The token of an `Authorization: Bearer` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = text(headers, header::AUTHORIZATION.as_str())?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The user whom an `X-User-Id` header names: to be believed from listed proxies.
pub(crate) fn user(headers: &HeaderMap) -> Option<&str> {
    text(headers, "x-user-id")
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
