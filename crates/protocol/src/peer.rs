//! Messages between peers on their data channel. They have the shapes of the
//! signalling messages, without `roomId` and `to`. The channel is ordered and
//! reliable, and the first offer contains it. Media works without the channel.

mod bounds;
mod caption;
mod clock;
mod demand;
mod relay;
mod verify;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use caption::Caption;
pub use clock::{ClockPing, ClockPong};
pub use demand::{Demand, DemandedTrack, Suspended};
pub use relay::{PeerRelay, RelayedMessage};
pub use verify::{FixedBytes, Identity, VerifyCommit, VerifyNonce, VerifyReveal};

use crate::parse::messages;
use crate::{Description, IceCandidate, MemberPatch, MuteSource, ParseError};

/// The data channel's label (W3C WebRTC, section 6.2).
pub const PEER_CHANNEL_LABEL: &str = "visavis";

/// The protocol version in [`Hello`].
pub const PEER_PROTOCOL: u32 = 1;

messages! {
    /// A message between peers.
    pub enum PeerMessage, fn parse_unbounded {
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
        /// The host asks the receiver to mute a track while the server is
        /// unreachable. The receiver obeys only the last host that the server named.
        "mute-member" => MuteMember(PeerPayload<MuteSource>),
        /// The sizes at which the sender shows the receiver's tracks.
        "demand" => Demand(PeerPayload<Demand>),
        /// The tracks that the sender suspends because the link to the receiver is too
        /// narrow for them.
        "suspended" => Suspended(PeerPayload<Suspended>),
        /// Requests a clock reading.
        "clock-ping" => ClockPing(ClockPing),
        /// Answers `clock-ping`.
        "clock-pong" => ClockPong(ClockPong),
        /// Verification, first message: the DTLS client commits to its nonce.
        "verify-commit" => VerifyCommit(VerifyCommit),
        /// Verification, second message: the DTLS server sends its nonce.
        "verify-nonce" => VerifyNonce(VerifyNonce),
        /// Verification, third message: the DTLS client reveals its nonce.
        "verify-reveal" => VerifyReveal(VerifyReveal),
        /// The sender's identity key, after verification.
        "identity" => Identity(Identity),
        /// The sender rejoined the room under a new client id.
        "rejoined" => Rejoined(Rejoined),
        /// A negotiation message through a common peer.
        "relay" => Relay(PeerRelay),
        /// A caption of the sender's speech.
        "caption" => Caption(Caption),
    }
}

impl PeerMessage {
    /// Parses a message and checks its bounds: the size of the message, the
    /// lengths of its texts and lists, and one entry per track source.
    ///
    /// # Errors
    /// The text is not a message, a bound is exceeded, or the type is unknown.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        bounds::size(text)?;
        let message = Self::parse_unbounded(text)?;
        bounds::check(&message)?;
        Ok(message)
    }
}

/// Introduces the sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PEER_PROTOCOL`].
    pub version: u32,
    /// The display name, at most [`crate::limits::MAX_NAME_CHARS`].
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
    /// The message id chosen by the sender, at most
    /// [`crate::limits::MAX_CHAT_ID_BYTES`].
    pub id: String,
    /// A [`crate::ChatBody`], whose text has at most
    /// [`crate::limits::MAX_CHAT_TEXT_BYTES`].
    pub payload: Box<RawValue>,
}

/// The sender rejoined under a new client id. The receiver rebinds the link to
/// the new id if the server lists the new id, the old member has left, and no
/// other link claims the same id. Of two links that claim it, neither is rebound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejoined {
    /// The new client id.
    pub id: String,
}
