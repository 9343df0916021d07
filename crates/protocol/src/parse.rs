//! Message parsing: first the `type`, then the body of that type.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Why parsing a message failed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseError {
    /// Not a JSON object, or a field is missing, of the wrong type or out of bounds.
    #[error("{0}")]
    Malformed(String),
    /// A well-formed message of an unknown type.
    #[error("unknown message type {0:?}")]
    UnknownType(String),
}

/// A request id, chosen by the client; the reply or error echoes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RequestId {
    /// A whole number.
    Number(i64),
    /// A text.
    Text(String),
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
}

/// Parses the message's `type`.
pub(crate) fn kind(text: &str) -> Result<String, ParseError> {
    body::<Kind>(text).map(|kind| kind.kind)
}

/// Parses the message's body, whose fields are siblings of `type`.
pub(crate) fn body<T: DeserializeOwned>(text: &str) -> Result<T, ParseError> {
    serde_json::from_str(text).map_err(|error| ParseError::Malformed(error.to_string()))
}

/// Defines an enum of messages. Serialisation writes `type` as a tag. Parsing
/// takes two passes, because serde's tagged deserialisation buffers the body,
/// and a relayed payload would lose its original text. The visibility and name
/// of the parsing function follow the name of the enum.
macro_rules! messages {
    ($(#[$meta:meta])* pub enum $name:ident, $vis:vis fn $parse:ident { $($(#[$doc:meta])* $kind:literal => $variant:ident($body:ty),)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, serde::Serialize)]
        #[serde(tag = "type")]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $kind)] $variant($body),)+
        }

        impl $name {
            /// Parses a message.
            ///
            /// # Errors
            /// The text is not a message, or its type is unknown.
            $vis fn $parse(text: &str) -> Result<Self, $crate::ParseError> {
                match $crate::parse::kind(text)?.as_str() {
                    $($kind => $crate::parse::body(text).map(Self::$variant),)+
                    unknown => Err($crate::ParseError::UnknownType(unknown.to_owned())),
                }
            }

            /// Serialises the message as JSON text.
            pub fn to_json(&self) -> String {
                // Serialisation fails only for maps with non-string keys; no message has one.
                serde_json::to_string(self).unwrap_or_default()
            }
        }
    };
}
pub(crate) use messages;
