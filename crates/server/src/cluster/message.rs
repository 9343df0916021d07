//! What the nodes that have people in a room tell each other of it.

use serde::{Deserialize, Serialize};
use visavis_protocol::{ChatEntry, RelayKind, RemovedReason, WaitReason};

use crate::clock::Timestamp;
use crate::id::ClientId;
use crate::model::{Participant, ParticipantUpdate};

/// One thing that happened on the node that tells it, which has stored it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ClusterMessage {
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
    /// Someone is to be changed by the node that it is on.
    Amend {
        /// Who.
        client: ClientId,
        /// How.
        update: ParticipantUpdate,
    },
    /// A chat message, for those on other nodes.
    Chat {
        /// As stored.
        entry: ChatEntry,
    },
    /// A host made another in its place.
    Host {
        /// Who was.
        from: ClientId,
        /// Who is.
        to: ClientId,
    },
    /// Someone is to be put out by the node that it is on.
    Remove {
        /// Who.
        client: ClientId,
        /// By whom.
        reason: RemovedReason,
    },
    /// A reaction, for those who asked for them.
    Reaction {
        /// As it goes to the sockets.
        frame: String,
    },
    /// An offer or an answer went to another node. The other nodes did not see the
    /// frame and count the call by this message.
    Relayed {
        /// Which of them.
        kind: RelayKind,
        /// Whose.
        from: ClientId,
        /// For whom.
        to: ClientId,
    },
    /// Who waits on a node for a place or for approval: the whole list, in the order of
    /// asking.
    Queue {
        /// The node.
        node: String,
        /// Those who wait there.
        waiting: Vec<QueuedClient>,
    },
    /// A host approved one who waits, for the node on which it waits.
    Approve {
        /// Who.
        client: ClientId,
    },
    /// A host denied one who waits, for the node on which it waits.
    Deny {
        /// Who.
        client: ClientId,
    },
    /// Messages were dropped: the receiver reads the room's rows.
    CatchUp,
    /// A frame for one who is there.
    Relay {
        /// Whom it is for.
        to: ClientId,
        /// As it goes to the socket.
        frame: String,
    },
}

impl ClusterMessage {
    /// Whether it says who is inside, which the rows say too.
    pub fn is_about_membership(&self) -> bool {
        matches!(
            self,
            Self::Is { .. } | Self::Left { .. } | Self::Host { .. } | Self::Amend { .. }
        )
    }
}

/// One who waits, as other nodes know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueuedClient {
    pub client: ClientId,
    pub name: String,
    pub since: Timestamp,
    pub reason: WaitReason,
    /// Whether it may enter a locked room.
    pub passes_lock: bool,
}

impl QueuedClient {
    /// Its place in the order of asking.
    pub fn rank(&self) -> (Timestamp, ClientId) {
        (self.since, self.client)
    }
}
