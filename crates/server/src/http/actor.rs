//! The user on whose behalf a request is made.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::app::App;
use super::problem::{ACCESS_DENIED, Problem};
use super::requester::Requester;
use crate::lifecycle::booking::number_or_text;

/// The user on whose behalf a request is made.
pub(super) struct Actor {
    /// From the gateway or the token. An administrator of the server may name
    /// another user.
    pub user_id: Option<String>,
    /// Whether it administrates the whole server.
    pub operates: bool,
}

impl Actor {
    /// A requester who does not administrate the server acts as itself; a user
    /// named in the request is ignored.
    pub fn of(app: &App, who: &Requester, named: Option<GivenId>) -> Result<Self, Problem> {
        let own = who.identity();
        match who.operates(app) {
            Ok(()) => Ok(Self {
                user_id: named.map(|GivenId(id)| id).or(own),
                operates: true,
            }),
            Err(denied) if own.is_none() => Err(denied),
            Err(_) => Ok(Self {
                user_id: own,
                operates: false,
            }),
        }
    }

    /// Whether it may act on this user's objects.
    pub fn owns(&self, user_id: &str) -> Result<(), Problem> {
        match self.operates || self.user_id.as_deref() == Some(user_id) {
            true => Ok(()),
            false => Err(Problem::new(ACCESS_DENIED, "this belongs to another user")),
        }
    }

    /// The user whose objects it may list; empty: every user's.
    pub fn scope(self) -> String {
        self.user_id.filter(|_| !self.operates).unwrap_or_default()
    }
}

/// An id that another system gave: a text, or a number.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(value_type = String)]
pub(super) struct GivenId(#[serde(deserialize_with = "number_or_text")] pub String);
