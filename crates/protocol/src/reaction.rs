//! Reactions. The server does not store them.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The reaction payload that this project's clients send. The server forwards
/// any object of at most [`crate::limits::MAX_REACTION_BYTES`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReactionBody {
    /// One emoji.
    pub emoji: String,
}

/// A member's reaction; the sender gets it too.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerReaction {
    /// The room.
    pub room_id: String,
    /// The sender's client id.
    pub from: String,
    /// The payload, unchanged.
    pub payload: Box<RawValue>,
}
