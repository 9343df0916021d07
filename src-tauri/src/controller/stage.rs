//! Which screen is up, with exactly what is valid there.

use std::time::Instant;

use tokio::sync::watch;
use visavis_call::{CallHandle, CallView, Statistics};
use visavis_protocol::RoomInfo;

use crate::demo::Guests;
use crate::measured::Measured;

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

/// Whose server a room is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Service {
    /// The one that this application hosts.
    Own,
    /// The one with this URL.
    Url(String),
}

/// A room, and the server it is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RoomAddress {
    pub service: Service,
    /// The room's id.
    pub room: String,
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
    pub service: Service,
    pub target: Target,
    /// As the room service told last, where it tells.
    pub info: Option<RoomInfo>,
}

pub(super) struct Running {
    pub target: Target,
    pub service: Service,
    /// The URL of its server.
    pub server: String,
    pub handle: CallHandle,
    pub changes: watch::Receiver<CallView>,
    /// The newest of `changes`.
    pub view: CallView,
    /// Measured once a second.
    pub statistics: watch::Receiver<Statistics>,
    pub measured: Measured,
    /// When the room was entered; none before.
    pub entered_at: Option<Instant>,
    /// The demonstration's, once the room is there.
    pub guests: Option<Guests>,
}

pub(super) struct Ended {
    pub service: Service,
    pub target: Target,
    pub room_id: Option<String>,
    pub view: CallView,
    pub seconds: u64,
}

impl PreJoin {
    pub fn new(service: Service, target: Target) -> Self {
        Self {
            service,
            target,
            info: None,
        }
    }
}
