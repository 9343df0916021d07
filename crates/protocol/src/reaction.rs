//! Reactions: passing signs that nobody stores.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What our clients put into a reaction's payload. The server passes on any
/// object of at most [`crate::limits::MAX_REACTION_BYTES`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReactionBody {
    /// One picture character.
    pub emoji: String,
}

/// A reaction of a member; the sender gets it too.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReactionDown {
    /// The room.
    pub room_id: String,
    /// The sender's client id.
    pub from: String,
    /// As sent.
    pub payload: Box<RawValue>,
}
