//! Demanded sizes of tracks.

use serde::{Deserialize, Serialize};

use crate::TrackSource;

/// The sizes at which the sender shows the receiver's video tracks. The receiver
/// sends no larger encoding than demanded. Each demand replaces the previous one;
/// a peer sends at most [`crate::limits::DEMANDS_PER_SECOND`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Demand {
    /// The complete list, one entry per source. A source without an entry is
    /// demanded at full size.
    pub tracks: Vec<DemandedTrack>,
    /// Whether the sender wants captions; absent: no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub captions: Option<bool>,
}

/// The tracks that are on but not sent, because the link to the receiver is too narrow.
/// Each list replaces the previous one; at first none is suspended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Suspended {
    /// The complete list, one entry per source.
    pub tracks: Vec<TrackSource>,
}

/// The size at which a track is shown. A hidden track has width and height 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DemandedTrack {
    /// The track's source.
    pub source: TrackSource,
    /// Width in device pixels.
    pub width: u32,
    /// Height in device pixels.
    pub height: u32,
}
