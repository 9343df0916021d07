//! Negotiation messages. The server relays them unread and unchanged.

use serde::{Deserialize, Serialize};

/// The type of a relayed message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RelayKind {
    /// `offer`, with a [`Description`].
    Offer,
    /// `answer`, with a [`Description`].
    Answer,
    /// `ice-candidate`, with an [`IceCandidate`].
    IceCandidate,
    /// `ice`, an older name of `ice-candidate`.
    Ice,
}

/// RTCSessionDescriptionInit (W3C WebRTC, section 4.6.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Offer or answer.
    #[serde(rename = "type")]
    pub kind: DescriptionKind,
    /// The session description (RFC 8866).
    pub sdp: String,
    /// The generation of the offer, counted per sender and link. An answer echoes
    /// the generation of its offer, on any route. A description without it is
    /// accepted as an answer only in the signalling state `have-local-offer`.
    #[serde(default, rename = "offerId", skip_serializing_if = "Option::is_none")]
    pub offer_id: Option<u32>,
}

impl Description {
    /// A description without a generation.
    pub fn new(kind: DescriptionKind, sdp: String) -> Self {
        Self {
            kind,
            sdp,
            offer_id: None,
        }
    }
}

/// The type of a description in the offer/answer model (RFC 3264).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DescriptionKind {
    /// The offer.
    Offer,
    /// The answer.
    Answer,
}

/// RTCIceCandidateInit (W3C WebRTC, section 4.8.1). An empty candidate means
/// end-of-candidates.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IceCandidate {
    /// The candidate attribute (RFC 8839, section 5.1), without `a=`.
    pub candidate: String,
    /// The media description's identification tag, `a=mid` (RFC 5888).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdp_mid: Option<String>,
    /// The media description's index in the SDP, from 0.
    #[serde(
        default,
        rename = "sdpMLineIndex",
        skip_serializing_if = "Option::is_none"
    )]
    pub sdp_m_line_index: Option<u16>,
    /// The ICE username fragment (RFC 8839, section 5.4) of the candidate's
    /// generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username_fragment: Option<String>,
}
