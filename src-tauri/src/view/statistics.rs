//! What is measured of the connection to each participant.

use serde::Serialize;

/// What is measured of the connection to one participant. Rates and losses are of the
/// last seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct ConnectionStatistics {
    /// The participant's id in the view.
    pub participant: String,
    /// To the participant and back; none before it is known.
    pub round_trip_ms: Option<f32>,
    /// Interarrival jitter of what is received (RFC 3550, section 6.4.1).
    pub jitter_ms: f32,
    /// Packets of the participant that did not arrive, in percent.
    pub loss_percent: f32,
    /// Packets to the participant that did not arrive there, in percent, as it reports.
    pub remote_loss_percent: f32,
    /// Received sound and video, in kbit/s.
    pub received_kbps: u32,
    /// Sent sound and video, in kbit/s.
    pub sent_kbps: u32,
    /// What the link to the participant carries, as estimated, in kbit/s.
    pub available_kbps: u32,
    /// Whether a TURN server relays the connection.
    pub is_relayed: bool,
    /// The received camera; none before its first frame.
    pub camera: Option<VideoStatistics>,
    /// The received screen; none before its first frame.
    pub screen: Option<VideoStatistics>,
}

/// A received video track.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct VideoStatistics {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Shown frames.
    pub frames_per_second: f32,
}
