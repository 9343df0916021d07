//! A stay of a participant in a room, as it is stored: for billing, for the
//! participant limit and for other nodes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
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
    /// Whether the other participants are not told of it. It publishes nothing.
    pub hidden: bool,
    /// LiveKit's free text.
    pub metadata: String,
    /// Its resume token's secret, hashed.
    pub secret: SecretHash,
}

/// The SHA-256 of a resume token's secret: reading the store lets nobody resume.
/// The secret has 128 random bits, so it needs no salt and no slow hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// The hash of a secret.
    pub fn of(secret: u128) -> Self {
        Self(Sha256::digest(secret.to_be_bytes()).into())
    }
}

impl Default for SecretHash {
    /// The hash of a secret that nobody knows.
    fn default() -> Self {
        Self(rand::random())
    }
}

impl std::fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretHash")
    }
}

impl Serialize for SecretHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for SecretHash {
    /// What is no hash, as the plain secrets of earlier versions, is the hash of a
    /// secret that nobody knows: its owner joins again instead of resuming.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).unwrap_or_default();
        Ok(bytes.try_into().map(Self).unwrap_or_default())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_hash_does_not_contain_its_secret() {
        let secret = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;
        let hash = SecretHash::of(secret);
        let stored = serde_json::to_string(&hash).unwrap();
        assert!(!stored.contains("0123456789abcdef"), "{stored}");
        assert_eq!(serde_json::from_str::<SecretHash>(&stored).unwrap(), hash);
    }

    #[test]
    fn the_plain_secret_of_an_earlier_version_proves_nothing() {
        let stored = "\"0123456789abcdef0123456789abcdef\"";
        let read: SecretHash = serde_json::from_str(stored).unwrap();
        assert_ne!(
            read,
            SecretHash::of(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef)
        );
    }
}
