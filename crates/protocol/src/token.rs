//! Claims of access tokens, in LiveKit's format: LiveKit's SDKs and this server
//! accept each other's tokens. The server crate signs and verifies them.
//!
//! As in LiveKit, an empty string counts as absent.

use serde::de::IntoDeserializer;
use serde::de::value::Error as NameError;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{Grants, Role, TrackSource};

/// The claims of a token. Times are in seconds since 1970 (RFC 7519, section 2).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Claims {
    /// The API key whose secret signed the token.
    pub iss: String,
    /// The identity; optional for administrators and webhooks.
    #[serde(
        default,
        deserialize_with = "filled",
        skip_serializing_if = "Option::is_none"
    )]
    pub sub: Option<String>,
    /// Issued at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iat: Option<u64>,
    /// Not valid before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// Not valid after.
    pub exp: u64,
    /// The display name.
    #[serde(
        default,
        deserialize_with = "filled",
        skip_serializing_if = "Option::is_none"
    )]
    pub name: Option<String>,
    /// The participant's metadata.
    #[serde(
        default,
        deserialize_with = "filled",
        skip_serializing_if = "Option::is_none"
    )]
    pub metadata: Option<String>,
    /// The kind of participant: `standard`, `sip` and others.
    #[serde(
        default,
        deserialize_with = "filled",
        skip_serializing_if = "Option::is_none"
    )]
    pub kind: Option<String>,
    /// In a webhook's token: standard base64 of the body's SHA-256.
    #[serde(
        default,
        deserialize_with = "filled",
        skip_serializing_if = "Option::is_none"
    )]
    pub sha256: Option<String>,
    /// The permissions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<VideoGrant>,
}

/// Permissions concerning rooms. An absent permission is denied, except for
/// publishing and subscribing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct VideoGrant {
    /// May create and delete rooms.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub room_create: bool,
    /// May list rooms.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub room_list: bool,
    /// May record.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub room_record: bool,
    /// May administer `room`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub room_admin: bool,
    /// May join `room`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub room_join: bool,
    /// Any id of the room that `roomAdmin` and `roomJoin` apply to.
    #[serde(deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// May publish tracks; absent: yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_publish: Option<bool>,
    /// May subscribe to tracks; absent: yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_subscribe: Option<bool>,
    /// May send data; absent: as `canPublish`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_publish_data: Option<bool>,
    /// When not empty, only these sources may be published; names as in
    /// [`TrackSource`], case-insensitive.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub can_publish_sources: Vec<String>,
    /// May change its own name and metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_update_own_metadata: Option<bool>,
    /// The participant is hidden from others.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
    /// The participant records the room.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub recorder: bool,
    /// The participant is a program.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub agent: bool,
    /// May administer ingresses.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ingress_admin: bool,
    /// The room that participants may be moved to.
    #[serde(deserialize_with = "filled", skip_serializing_if = "Option::is_none")]
    pub destination_room: Option<String>,
}

impl VideoGrant {
    /// The bearer's permissions in a room.
    pub fn grants(&self) -> Grants {
        let can_publish = self.can_publish.unwrap_or(true);
        let sources: Vec<_> = self
            .can_publish_sources
            .iter()
            .filter_map(|name| source(name))
            .collect();
        // A list of only unknown names allows no source; an empty list allows all.
        let none_known = sources.is_empty() && !self.can_publish_sources.is_empty();
        Grants {
            can_publish: can_publish && !none_known,
            can_subscribe: self.can_subscribe.unwrap_or(true),
            can_publish_data: Some(self.can_publish_data.unwrap_or(can_publish)),
            can_publish_sources: sources,
        }
    }

    /// The bearer's role in a room.
    pub fn role(&self) -> Role {
        match self.grants().can_publish {
            _ if self.room_admin => Role::Host,
            true => Role::Participant,
            false => Role::Viewer,
        }
    }
}

fn source(name: &str) -> Option<TrackSource> {
    let name = name.to_ascii_lowercase();
    TrackSource::deserialize(IntoDeserializer::<NameError>::into_deserializer(name)).ok()
}

fn filled<'de, D: Deserializer<'de>>(field: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(field)?;
    Ok(text.filter(|text| !text.is_empty()))
}
