//! The principal behind an HTTP request.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;

use super::app::App;
use super::problem::Problem;
use crate::access::creation::Creation;
use crate::access::headers::{bearer, user};
use crate::access::principal::{self, Principal};
use crate::access::proxy::Origin;
use crate::model::Room;

/// The principal of a request. Extraction rejects a request with bad credentials.
#[derive(Debug, Clone)]
pub(crate) struct Requester {
    pub principal: Principal,
    /// Where the request comes from.
    pub origin: Origin,
}

impl FromRequestParts<App> for Requester {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let ConnectInfo(peer) = ConnectInfo::<SocketAddr>::from_request_parts(parts, app)
            .await
            .map_err(|_| Problem::internal())?;
        let config = &app.service.config;
        let origin = config.origin(peer, &parts.headers);
        let principal = principal::identify(
            config.auth,
            origin,
            bearer(&parts.headers),
            user(&parts.headers),
            app.service.clock.now(),
            config.keys.as_ref(),
        );
        let principal = principal?;
        if let Principal::User(user) = principal
            && !app.known_users.contains_key(&user)
        {
            // The user's row is inserted at the first request.
            app.service.ensure_user_row(user).await?;
            app.known_users.insert(user, ());
        }
        Ok(Self { principal, origin })
    }
}

impl Requester {
    /// Whether it may change this room or list its participants.
    pub fn administrates(&self, app: &App, room: &Room) -> Result<(), Problem> {
        let (room, admins) = (&room.into(), &app.service.config.admins);
        Ok(principal::may_administrate(&self.principal, room, admins)?)
    }

    /// Whether it may take part in this room.
    pub fn attends(&self, app: &App, room: &Room) -> Result<(), Problem> {
        match principal::may_join(&self.principal, &room.into()) {
            Ok(_) => Ok(()),
            Err(_) => self.administrates(app, room),
        }
    }

    /// Whether it may read this room's events: an administrator of the room, or
    /// the bearer of a token for it.
    pub fn hears(&self, app: &App, room: &Room) -> Result<(), Problem> {
        match self.principal {
            Principal::Token(_) => self.attends(app, room),
            Principal::User(_) | Principal::Open { .. } => self.administrates(app, room),
        }
    }

    /// Whether it may administrate the whole server.
    pub fn operates(&self, app: &App) -> Result<(), Problem> {
        let admins = &app.service.config.admins;
        Ok(principal::may_operate(&self.principal, admins)?)
    }

    /// Whether it may create rooms.
    pub fn creates(&self, app: &App) -> Result<(), Problem> {
        Ok(principal::may_create(
            app.service.config.auth,
            &self.principal,
        )?)
    }

    /// Counts the creation of a room against the limits of its address, unless it is
    /// authenticated.
    pub async fn counts_creation(&self, app: &App) -> Result<Creation, Problem> {
        let creations = match self.principal.is_anonymous() {
            true => app.sockets.creations(self.origin),
            false => None,
        };
        Ok(app.service.count_creation(creations).await?)
    }

    /// The user id or token identity.
    pub fn identity(&self) -> Option<String> {
        match &self.principal {
            Principal::User(user) => Some(user.to_string()),
            Principal::Token(claims) => claims.sub.clone().filter(|sub| !sub.is_empty()),
            Principal::Open { .. } => None,
        }
    }
}
