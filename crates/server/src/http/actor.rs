//! For whom a request is made.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::problem::Problem;
use super::who::Who;
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
    pub fn of(app: &App, who: &Who, named: Option<GivenId>) -> Result<Self, Problem> {
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

    /// Whether it may do what this user may.
    pub fn is(&self, user_id: &str) -> bool {
        self.operates || self.user_id.as_deref() == Some(user_id)
    }
}

/// An id that another system gave: a text, or a number.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(value_type = String)]
pub(super) struct GivenId(#[serde(deserialize_with = "number_or_text")] pub String);
