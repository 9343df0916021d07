//! Messages between peers on their data channel. They have the shapes of the
//! signalling messages, without `roomId` and `to`. The channel is ordered and
//! reliable, and the first offer contains it. Media works without the channel.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::parse::messages;
use crate::{Description, IceCandidate, MemberPatch};

/// The data channel's label (W3C WebRTC, section 6.2).
pub const PEER_CHANNEL_LABEL: &str = "visavis";

/// The protocol version in [`Hello`].
pub const PEER_PROTOCOL: u32 = 1;

messages! {
    /// A message between peers.
    pub enum PeerMessage {
        /// The first message in each direction.
        "hello" => Hello(Hello),
        /// A change of the sender: its whole state when the channel opens, then
        /// only changed fields.
        "update-member" => UpdateMember(PeerPayload<MemberPatch>),
        /// A chat message.
        "chat" => Chat(PeerChat),
        /// An SDP offer, for renegotiation without the server.
        "offer" => Offer(PeerPayload<Description>),
        /// An SDP answer, for renegotiation without the server.
        "answer" => Answer(PeerPayload<Description>),
        /// An ICE candidate, for renegotiation without the server.
        "ice-candidate" => IceCandidate(PeerPayload<IceCandidate>),
    }
}

/// Introduces the sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PEER_PROTOCOL`].
    pub version: u32,
    /// The display name.
    #[serde(default)]
    pub name: String,
}

/// A message with its body in `payload`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerPayload<T> {
    /// The body.
    pub payload: T,
}

/// A chat message. Its copy through the server has the same id.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerChat {
    /// The message id chosen by the sender.
    pub id: String,
    /// A [`crate::ChatBody`].
    pub payload: Box<RawValue>,
}
