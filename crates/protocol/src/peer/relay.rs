//! Negotiation through a common peer.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::parse::messages;
use crate::{Description, IceCandidate, ParseError, PeerPayload};

/// A negotiation message through a common peer, for two members who lost both the
/// server and their own link. It travels two links and no further: a peer that
/// receives it without `from` forwards it to `to`; a peer that receives it with
/// `from` is the addressee and never forwards it.
///
/// The forwarding peer sets `from` to the member at the other end of the link
/// that the message arrived on, and replaces any value of the sender. The
/// addressee accepts only known members whose DTLS fingerprint is unchanged.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PeerRelay {
    /// The addressee's client id.
    pub to: String,
    /// The sender's client id, set by the forwarding peer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// A [`RelayedMessage`], forwarded unchanged.
    pub payload: Box<RawValue>,
}

messages! {
    /// A message that a peer forwards: offers, answers and candidates only.
    pub enum RelayedMessage, pub fn parse {
        /// An SDP offer.
        "offer" => Offer(PeerPayload<Description>),
        /// An SDP answer.
        "answer" => Answer(PeerPayload<Description>),
        /// An ICE candidate.
        "ice-candidate" => IceCandidate(PeerPayload<IceCandidate>),
    }
}

impl PeerRelay {
    /// Parses the payload.
    ///
    /// # Errors
    /// The payload is not an offer, an answer or a candidate.
    pub fn message(&self) -> Result<RelayedMessage, ParseError> {
        RelayedMessage::parse(self.payload.get())
    }
}
