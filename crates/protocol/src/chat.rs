//! Chat payloads and the chat history.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The chat payload that this project's clients send. The server forwards any
/// JSON value; [`ChatBody::read`] extracts a text from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatBody {
    /// Plain text.
    pub text: String,
}

impl ChatBody {
    /// Extracts the text: from `{"text": …}`, from a bare string, or else the
    /// JSON text itself.
    pub fn read(payload: &RawValue) -> Self {
        serde_json::from_str(payload.get())
            .or_else(|_| serde_json::from_str(payload.get()).map(|text| Self { text }))
            .unwrap_or_else(|_| Self {
                text: payload.get().to_owned(),
            })
    }
}

/// One message of the chat history; requires feature `chat`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChatEntry {
    /// The message id, unique in the room.
    pub id: String,
    /// The sender's client id.
    pub from: String,
    /// The sender's display name at the time of sending.
    #[serde(default)]
    pub name: String,
    /// The payload, unchanged.
    pub payload: Box<RawValue>,
    /// When the server received it: RFC 3339, UTC.
    pub sent_at: String,
    /// A private message's recipient; absent for a message to all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}
