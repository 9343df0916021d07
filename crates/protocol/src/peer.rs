//! What peers say to each other over their data channel: the same shapes,
//! without room and addressee. Ordered and reliable; in the first offer. A
//! peer without the channel loses only this.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::parse::messages;
use crate::{Description, IceCandidate, MemberPatch};

/// The channel's label.
pub const PEER_CHANNEL_LABEL: &str = "visavis";

/// The version that [`Hello`] tells.
pub const PEER_PROTOCOL: u32 = 1;

messages! {
    /// A message from a peer.
    pub enum PeerMessage {
        /// First, from both sides.
        "hello" => Hello(Hello),
        /// The sender changed: its whole state after each (re)opening, then what changed.
        "update-member" => UpdateMember(PeerPayload<MemberPatch>),
        /// A chat message.
        "chat" => Chat(PeerChat),
        /// Renegotiation without a server.
        "offer" => Offer(PeerPayload<Description>),
        /// Renegotiation without a server.
        "answer" => Answer(PeerPayload<Description>),
        /// Renegotiation without a server.
        "ice-candidate" => IceCandidate(PeerPayload<IceCandidate>),
    }
}

/// Who speaks on this channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PEER_PROTOCOL`].
    pub version: u32,
    /// The name to show.
    #[serde(default)]
    pub name: String,
}

/// A body in `payload`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerPayload<T> {
    /// The body.
    pub payload: T,
}

/// A chat message; one that comes by the server too bears the same id.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerChat {
    /// The sender's name for the message.
    pub id: String,
    /// A [`crate::ChatBody`].
    pub payload: Box<RawValue>,
}
