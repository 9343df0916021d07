//! Connection quality as clients measure and report it.

use serde::{Deserialize, Serialize};

/// Measurements since the previous report.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct QualityReport {
    /// One entry per peer, at most [`crate::limits::MAX_REPORTED_PEERS`].
    pub peers: Vec<PeerQuality>,
}

/// The connection to one peer. Values that were not measured are absent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerQuality {
    /// The peer's client id.
    pub id: String,
    /// Whether the peer connection is connected.
    pub connected: bool,
    /// Round-trip time, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_ms: Option<f64>,
    /// Loss of packets from the peer, in percent (0 to 100).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_percent: Option<f64>,
    /// Interarrival jitter of packets from the peer (RFC 3550, section 6.4.1), in
    /// milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter_ms: Option<f64>,
}
