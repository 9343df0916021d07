//! What a call's task hands to the call's handles.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::{broadcast, watch};
use visavis_media::{Frame, Latest};
use visavis_protocol::TrackSource;

use crate::event::CallEvent;
use crate::statistics::Statistics;
use crate::view::{CallView, EndReason};

/// The newest decoded frame of each remote participant and source.
pub(crate) type ReceivedFrames = Arc<Mutex<HashMap<(String, TrackSource), Latest<Frame>>>>;

/// The outputs of the call's task to its handles.
#[derive(Debug)]
pub(crate) struct Outputs {
    pub view: watch::Sender<CallView>,
    pub statistics: watch::Sender<Statistics>,
    pub events: broadcast::Sender<CallEvent>,
    pub received_frames: ReceivedFrames,
    /// Set last, after the call has shut down.
    pub ended: watch::Sender<Option<EndReason>>,
}
