//! Reading a message: first its type, then its body by that type.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Why a text is not a message.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ParseError {
    /// Not JSON, not an object, a field missing or of the wrong kind.
    #[error("{0}")]
    Malformed(String),
    /// A well-formed message of a type that nobody here knows.
    #[error("unknown message type {0:?}")]
    UnknownType(String),
}

/// Names a request; its reply or error bears the same. Chosen by the client.
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

/// The message's `type`.
pub(crate) fn kind(text: &str) -> Result<String, ParseError> {
    body::<Kind>(text).map(|kind| kind.kind)
}

/// The message's body, whose fields stand beside `type`.
pub(crate) fn body<T: DeserializeOwned>(text: &str) -> Result<T, ParseError> {
    serde_json::from_str(text).map_err(|error| ParseError::Malformed(error.to_string()))
}

/// An enum of messages, each variant with its `type`: written with the type as
/// a tag, read in two passes (a tagged read would buffer the body, and a relayed
/// payload would no longer be the sender's own text).
macro_rules! messages {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$doc:meta])* $kind:literal => $variant:ident($body:ty),)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, serde::Serialize)]
        #[serde(tag = "type")]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $kind)] $variant($body),)+
        }

        impl $name {
            /// Reads a message.
            ///
            /// # Errors
            /// When the text is no message, or one of an unknown type.
            pub fn parse(text: &str) -> Result<Self, $crate::ParseError> {
                match $crate::parse::kind(text)?.as_str() {
                    $($kind => $crate::parse::body(text).map(Self::$variant),)+
                    unknown => Err($crate::ParseError::UnknownType(unknown.to_owned())),
                }
            }

            /// Writes the message as JSON text.
            pub fn to_json(&self) -> String {
                // Only a map with keys that are no strings could fail; there is none.
                serde_json::to_string(self).unwrap_or_default()
            }
        }
    };
}
pub(crate) use messages;
