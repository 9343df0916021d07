//! How well peers hear each other, as they report it.

use serde::{Deserialize, Serialize};

/// What a client measured since its last report.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct QualityReport {
    /// One entry for each peer; at most [`crate::limits::MAX_REPORTED_PEERS`].
    pub peers: Vec<PeerQuality>,
}

/// The connection to one peer. What was not measured is absent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerQuality {
    /// The peer's client id.
    pub id: String,
    /// Whether media can pass.
    pub connected: bool,
    /// From here to the peer and back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_ms: Option<f64>,
    /// Of the packets from the peer, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_percent: Option<f64>,
    /// Of the packets from the peer (RFC 3550, section 6.4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter_ms: Option<f64>,
}
