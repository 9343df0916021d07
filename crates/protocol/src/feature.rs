//! Extensions of the plain room protocol. The server sends the messages of an
//! extension only to clients that requested it in `create-room` or `join-room`.

use serde::de::IntoDeserializer;
use serde::de::value::Error as NameError;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An extension of the plain room protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// The server supports rooms (announced by the server, not requested).
    Rooms,
    /// Member objects, `update-member`, display names.
    Members,
    /// Membership survives a broken socket for [`crate::limits::RESUME_WINDOW`].
    Resume,
    /// Chat messages with id, time and sender name; history; private messages.
    Chat,
    /// The waiting room, and the queue of a full room.
    Waiting,
    /// Host controls, and the messages that report their effect.
    Controls,
    /// Reactions.
    Reactions,
    /// Connection quality reports.
    Quality,
    /// `ice-servers`: renewed STUN and TURN servers during a call.
    Ice,
    /// Negotiation messages without `roomId` reach any client of the server
    /// (announced by the server, not requested).
    Direct,
}

impl Feature {
    const ALL: [Self; 10] = [
        Self::Rooms,
        Self::Members,
        Self::Resume,
        Self::Chat,
        Self::Waiting,
        Self::Controls,
        Self::Reactions,
        Self::Quality,
        Self::Ice,
        Self::Direct,
    ];

    const fn bit(self) -> u16 {
        1 << self as u8
    }
}

/// A set of extensions. On the wire it is a list of names; unknown names are
/// ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features(u16);

impl Features {
    /// Builds a set.
    pub fn of(features: &[Feature]) -> Self {
        Self(
            features
                .iter()
                .fold(0, |bits, feature| bits | feature.bit()),
        )
    }

    /// Whether the set contains `feature`.
    pub fn has(self, feature: Feature) -> bool {
        self.0 & feature.bit() != 0
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.0 == 0
    }
}

impl Serialize for Features {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(Feature::ALL.iter().filter(|feature| self.has(**feature)))
    }
}

impl<'de> Deserialize<'de> for Features {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        let known = names.iter().filter_map(|name| {
            Feature::deserialize(IntoDeserializer::<NameError>::into_deserializer(
                name.as_str(),
            ))
            .ok()
        });
        Ok(Self(
            known.fold(0, |bits, feature: Feature| bits | feature.bit()),
        ))
    }
}
