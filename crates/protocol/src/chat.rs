//! Chat.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What our clients put into a chat payload. The server passes on any value;
/// [`ChatBody::read`] makes the best of what other programs send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatBody {
    /// Plain text.
    pub text: String,
}

impl ChatBody {
    /// The text in a payload: `{"text": …}`, a bare string, or else the JSON itself.
    pub fn read(payload: &RawValue) -> Self {
        serde_json::from_str(payload.get())
            .or_else(|_| serde_json::from_str(payload.get()).map(|text| Self { text }))
            .unwrap_or_else(|_| Self {
                text: payload.get().to_owned(),
            })
    }
}

/// One message of a room's history, for those who asked for feature `chat`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChatEntry {
    /// Unique in the room.
    pub id: String,
    /// The sender's client id.
    pub from: String,
    /// The sender's name when it was sent.
    #[serde(default)]
    pub name: String,
    /// As sent.
    pub payload: Box<RawValue>,
    /// RFC 3339, UTC.
    pub sent_at: String,
    /// The only member who may read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}
