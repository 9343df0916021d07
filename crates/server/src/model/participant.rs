//! A stay of a participant in a room, as it is stored: for billing, for the
//! participant limit and for other nodes.

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use visavis_protocol::{Features, Grants, Role, Track};

use crate::clock::Timestamp;

/// The node name of participants that a LiveKit server reports; no node of this
/// service has them.
pub(crate) const LIVEKIT_NODE: &str = "livekit";

/// One stay, from joining to leaving. Fields that a stored document lacks get their
/// default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Participant {
    /// `PA_` and twelve characters.
    pub sid: String,
    /// The room.
    pub room: Uuid,
    /// The room instance that it belongs to.
    #[serde(alias = "incarnation")]
    pub instance: String,
    /// The client id on the wire.
    pub client: Uuid,
    /// A token's `sub`, a user's id, or else the client id.
    pub identity: String,
    /// The display name.
    pub name: String,
    /// The role in the room.
    pub role: Role,
    /// By client or by telephone.
    pub kind: ParticipantKind,
    /// When it joined.
    pub joined_at: Timestamp,
    /// When it left.
    pub left_at: Option<Timestamp>,
    /// The node of its connection.
    pub node: String,
    /// The protocol extensions that it asked for.
    pub features: Features,
    /// Its permissions.
    pub grants: Grants,
    /// The tracks that it announced.
    pub tracks: Vec<Track>,
    /// Whether its hand is raised.
    pub hand_raised: bool,
    /// Its last `report-quality`.
    pub quality: Option<serde_json::Value>,
    /// LiveKit's free text.
    pub metadata: String,
    /// Proves who comes back; 128 bits.
    pub secret: Secret,
}

/// What proves that one who comes back is the one who was here.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(#[serde(with = "hex")] pub u128);

impl Default for Secret {
    /// A random one, which nobody knows.
    fn default() -> Self {
        Self(rand::random())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

mod hex {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(secret: &u128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{secret:032x}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u128, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map_err(serde::de::Error::custom)
    }
}

/// How a participant takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParticipantKind {
    /// With a client.
    #[default]
    Video,
    /// By telephone.
    Phone,
}
