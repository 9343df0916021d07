//! What the nodes that have people in a room tell each other of it.

use serde::{Deserialize, Serialize};
use visavis_protocol::ChatEntry;

use crate::id::ClientId;
use crate::model::Participant;

/// One thing that happened on the node that tells it, which has stored it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "news")]
pub(crate) enum News {
    /// Someone came in there, or is back, or has changed.
    Is {
        /// Who, as stored.
        who: Box<Participant>,
        /// Whether its socket broke, and its place is kept.
        reconnecting: bool,
    },
    /// Someone left.
    Left {
        /// Who.
        client: ClientId,
    },
    /// A chat message, for those on other nodes.
    Chat {
        /// As stored.
        entry: ChatEntry,
    },
    /// A frame for one who is there.
    Relay {
        /// Whom it is for.
        to: ClientId,
        /// As it goes to the socket.
        frame: String,
    },
}
