//! Which screen is up, with exactly what is valid there.

use std::time::Instant;

use tokio::sync::watch;
use visavis_call::{CallHandle, CallView};
use visavis_protocol::RoomInfo;

use crate::demo::Guests;

/// ```text
/// Lobby ──open, new, demo──► PreJoin ──join──► Room ──leave, failure──► Ended
///   ▲                          │  ▲                                      │ │
///   ├──────────back────────────┘  └───────────────rejoin─────────────────┘ │
///   └──────────────────────────────back────────────────────────────────────┘
/// ```
/// Devices are open in PreJoin and Room.
pub(super) enum Stage {
    Lobby,
    PreJoin(PreJoin),
    Room(Box<Running>),
    Ended(Box<Ended>),
}

/// Which room is to be entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// The room with this id.
    Known(String),
    /// One that joining makes.
    New { name: String, private: bool },
    /// One that joining makes on this machine, with guests.
    Demo,
}

pub(super) struct PreJoin {
    pub target: Target,
    /// As the room service told last, where it tells.
    pub info: Option<RoomInfo>,
}

pub(super) struct Running {
    pub target: Target,
    /// Where the room is.
    pub server: String,
    /// Whether this application hosts it.
    pub hosted: bool,
    pub handle: CallHandle,
    pub changes: watch::Receiver<CallView>,
    /// The newest of `changes`.
    pub view: CallView,
    /// When the room was entered; none before.
    pub entered_at: Option<Instant>,
    /// The demonstration's, once the room is there.
    pub guests: Option<Guests>,
}

pub(super) struct Ended {
    pub target: Target,
    pub room_id: Option<String>,
    pub view: CallView,
    pub seconds: u64,
}

impl PreJoin {
    pub fn new(target: Target) -> Self {
        Self { target, info: None }
    }
}
