//! The principal of a request, and what it may do.
#![deny(clippy::disallowed_methods)]

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;
use visavis_protocol::token::{Claims, VideoGrant};
use visavis_protocol::{Grants, Role};

use super::proxy::Origin;
use super::token::{Keys, TokenError};
use crate::clock::Timestamp;
use crate::model::Room;

/// How requests authenticate: `--auth`. A bearer token is accepted in every
/// mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuthMode {
    /// Not at all; the server assigns the client id.
    #[default]
    Open,
    /// By `X-User-Id`, which a listed proxy sets.
    Header,
    /// By a bearer token.
    Jwt,
}

/// The authenticated party of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Principal {
    /// Unauthenticated.
    Open {
        /// Whether it administrates everything.
        operator: bool,
    },
    /// A user, named by the gateway.
    User(Uuid),
    /// The bearer of a token.
    Token(Box<Claims>),
}

impl Principal {
    /// Whether nothing is known of it: no token, no user, no operator.
    pub fn is_anonymous(&self) -> bool {
        matches!(self, Self::Open { operator: false })
    }

    /// The user account, where the principal has one.
    pub fn account(&self) -> Option<Uuid> {
        match self {
            Self::User(user) => Some(*user),
            Self::Token(claims) => Uuid::try_parse(claims.sub.as_deref()?).ok(),
            Self::Open { .. } => None,
        }
    }
}

/// Authentication failed: 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AccessError {
    #[error("authentication required: no bearer token")]
    NoToken,
    #[error("authentication required: no X-User-Id from the gateway")]
    NoUser,
    #[error("X-User-Id is not a UUID")]
    BadUser,
    #[error("X-User-Id is accepted from listed proxies only")]
    UnlistedProxy,
    #[error("X-User-Id is not accepted from web pages of this origin; see --allow-origin")]
    ForeignOrigin,
    #[error("this server has no API key and accepts no tokens")]
    NoKeys,
    #[error(transparent)]
    Token(#[from] TokenError),
}

/// Authorisation failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    /// The principal is unauthenticated: 401.
    #[error("authentication required")]
    Unauthenticated,
    /// The principal is known and lacks the permission: 403.
    #[error("permission denied")]
    Forbidden,
}

/// The facts of a room that authorisation needs.
#[derive(Debug, Clone, Default)]
pub(crate) struct RoomFacts {
    /// Every identifier of the room.
    pub names: Vec<String>,
    /// The user who owns the room.
    pub host: Option<Uuid>,
}

impl From<&Room> for RoomFacts {
    fn from(room: &Room) -> Self {
        Self {
            names: room.names(),
            host: room.host,
        }
    }
}

/// Role and grants of a joining participant, before the room kind's template applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Admission {
    pub role: Role,
    pub grants: Grants,
}

/// Authenticates a request from its bearer token and its `X-User-Id`.
pub(crate) fn identify(
    mode: AuthMode,
    origin: Origin,
    bearer: Option<&str>,
    user_header: Option<&str>,
    now: Timestamp,
    keys: Option<&Keys>,
) -> Result<Principal, AccessError> {
    if let Some(token) = bearer {
        let claims = keys.ok_or(AccessError::NoKeys)?.verify(token, now)?;
        return Ok(Principal::Token(Box::new(claims)));
    }
    match mode {
        AuthMode::Open => Ok(Principal::Open {
            operator: origin.operator,
        }),
        AuthMode::Jwt => Err(AccessError::NoToken),
        AuthMode::Header if !origin.trusted => Err(AccessError::UnlistedProxy),
        // The gateway may know the user by a cookie that the browser adds itself.
        AuthMode::Header if origin.foreign => Err(AccessError::ForeignOrigin),
        AuthMode::Header => {
            let user = user_header.ok_or(AccessError::NoUser)?;
            let user = Uuid::try_parse(user.trim()).map_err(|_| AccessError::BadUser)?;
            Ok(Principal::User(user))
        }
    }
}

/// Whether the principal may change, close and delete the room and list its participants.
pub(crate) fn may_administrate(
    principal: &Principal,
    room: &RoomFacts,
    admins: &[Uuid],
) -> Result<(), Denied> {
    match principal {
        Principal::Token(claims) => allowed(claims.video.as_ref().is_some_and(|grant| {
            grant.room_admin && grant.is_for(&room.names) || grant.is_for_all_rooms()
        })),
        Principal::User(user) => allowed(room.host == Some(*user) || admins.contains(user)),
        Principal::Open { operator: true } => Ok(()),
        Principal::Open { operator: false } => Err(Denied::Unauthenticated),
    }
}

/// Whether the principal may administrate the whole server: list private rooms,
/// vacuum, read every event.
pub(crate) fn may_operate(principal: &Principal, admins: &[Uuid]) -> Result<(), Denied> {
    may_administrate(principal, &RoomFacts::default(), admins)
}

/// Whether the principal may create a room. In open mode a token without
/// `roomCreate` does not take that permission away.
pub(crate) fn may_create(mode: AuthMode, principal: &Principal) -> Result<(), Denied> {
    match principal {
        Principal::Token(claims) if mode != AuthMode::Open => {
            allowed(claims.video.as_ref().is_some_and(|grant| grant.room_create))
        }
        Principal::Token(_) | Principal::User(_) | Principal::Open { .. } => Ok(()),
    }
}

/// Whether the principal may join the room, and with which role and grants.
pub(crate) fn may_join(principal: &Principal, room: &RoomFacts) -> Result<Admission, Denied> {
    let role = match principal {
        Principal::Token(claims) => {
            let grant = claims.video.as_ref().filter(|grant| grant.room_join);
            let grant = grant.filter(|grant| grant.is_for(&room.names));
            return grant.ok_or(Denied::Forbidden).map(|grant| Admission {
                role: grant.role(),
                grants: grant.grants(),
            });
        }
        Principal::User(user) if room.host == Some(*user) => Role::Host,
        Principal::User(_) | Principal::Open { .. } => Role::Participant,
    };
    Ok(Admission {
        role,
        grants: Grants::default(),
    })
}

fn allowed(yes: bool) -> Result<(), Denied> {
    yes.then_some(()).ok_or(Denied::Forbidden)
}

trait GrantScope {
    /// Whether the token names this room.
    fn is_for(&self, names: &[String]) -> bool;
    /// Whether the token administrates every room: `roomCreate` without `room`.
    fn is_for_all_rooms(&self) -> bool;
}

impl GrantScope for VideoGrant {
    fn is_for(&self, names: &[String]) -> bool {
        self.room.as_ref().is_some_and(|room| names.contains(room))
    }

    fn is_for_all_rooms(&self) -> bool {
        self.room_create && self.room.is_none()
    }
}

impl fmt::Display for AuthMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Header => "header",
            Self::Jwt => "jwt",
        })
    }
}

impl FromStr for AuthMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Open, Self::Header, Self::Jwt]
            .into_iter()
            .find(|mode| mode.to_string() == text)
            .ok_or_else(|| format!("{text} is none of open, header and jwt"))
    }
}

#[cfg(test)]
mod tests;
