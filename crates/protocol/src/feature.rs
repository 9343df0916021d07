//! Extensions beyond the plain room protocol. One reaches only a client that
//! asked for it when it created, joined or resumed.

use serde::de::IntoDeserializer;
use serde::de::value::Error as NameError;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// The server has rooms (announced only).
    Rooms,
    /// Member objects, `update-member`, names.
    Members,
    /// A broken connection keeps its place for a while.
    Resume,
    /// Chat messages with id, time and name; history; private messages.
    Chat,
    /// A place in the waiting room, and in the queue of a full room.
    Waiting,
    /// Hosts' controls, and what the room hears of them.
    Controls,
    /// Passing signs.
    Reactions,
    /// Reports of how well peers hear each other.
    Quality,
    /// Offers, answers and candidates without a room reach any client (announced only).
    Direct,
}

impl Feature {
    const ALL: [Self; 9] = [
        Self::Rooms,
        Self::Members,
        Self::Resume,
        Self::Chat,
        Self::Waiting,
        Self::Controls,
        Self::Reactions,
        Self::Quality,
        Self::Direct,
    ];

    const fn bit(self) -> u16 {
        1 << self as u8
    }
}

/// A set of extensions. On the wire a list of names; names that are not known
/// here are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features(u16);

impl Features {
    /// The set of these.
    pub fn of(features: &[Feature]) -> Self {
        Self(
            features
                .iter()
                .fold(0, |bits, feature| bits | feature.bit()),
        )
    }

    /// Whether it is in the set.
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
