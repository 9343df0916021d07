//! For whom a request is made.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::app::App;
use super::problem::{ACCESS_DENIED, Problem};
use super::requester::Requester;
use crate::lifecycle::booking::number_or_text;

/// The user whom a request is for.
pub(super) struct Actor {
    /// As the gateway or the token says. Who operates the service may name
    /// another; in open mode nobody else says.
    pub user_id: Option<String>,
    /// Whether it may do what any user may.
    pub operates: bool,
}

impl Actor {
    /// Others than those who operate the service are who they are, whomever they
    /// name.
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

    /// Whether it may do with what is this user's whatever that one may.
    pub fn owns(&self, user_id: &str) -> Result<(), Problem> {
        match self.operates || self.user_id.as_deref() == Some(user_id) {
            true => Ok(()),
            false => Err(Problem::new(ACCESS_DENIED, "this is another's")),
        }
    }

    /// Whose things it is shown; empty: everyone's.
    pub fn scope(self) -> String {
        self.user_id.filter(|_| !self.operates).unwrap_or_default()
    }
}

/// An id that another system gave: a text, or a number.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(value_type = String)]
pub(super) struct GivenId(#[serde(deserialize_with = "number_or_text")] pub String);
