//! The one log of what happened, which every dialect renders.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Timestamp;

/// One thing that happened, on one topic. The same event on two topics bears
/// one id: consumers drop repeats.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// `EV_` and twelve characters.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// The room that it is about.
    pub room: Option<Uuid>,
    /// Where it is to be heard.
    pub uri: String,
    /// What happened.
    pub label: EventLabel,
    /// JSON, in the label's dialect.
    pub payload: String,
}

/// What happened: `room.…` in S0's dialect, the others in LiveKit's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventLabel {
    /// A room was made.
    #[serde(rename = "room.create")]
    RoomCreate,
    /// A room was changed.
    #[serde(rename = "room.update")]
    RoomUpdate,
    /// A room was deleted.
    #[serde(rename = "room.delete")]
    RoomDelete,
    /// A room's time has come.
    #[serde(rename = "room.open")]
    RoomOpen,
    /// A room was closed.
    #[serde(rename = "room.close")]
    RoomClose,
    /// A room's life began.
    #[serde(rename = "room_started")]
    RoomStarted,
    /// A room's life ended.
    #[serde(rename = "room_finished")]
    RoomFinished,
    /// Someone came in.
    #[serde(rename = "participant_joined")]
    ParticipantJoined,
    /// Someone left.
    #[serde(rename = "participant_left")]
    ParticipantLeft,
    /// A track is sent.
    #[serde(rename = "track_published")]
    TrackPublished,
    /// A track is sent no more.
    #[serde(rename = "track_unpublished")]
    TrackUnpublished,
    /// A broadcast began.
    #[serde(rename = "egress_started")]
    EgressStarted,
    /// A broadcast changed.
    #[serde(rename = "egress_updated")]
    EgressUpdated,
    /// A broadcast ended.
    #[serde(rename = "egress_ended")]
    EgressEnded,
}

impl EventLabel {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RoomCreate => "room.create",
            Self::RoomUpdate => "room.update",
            Self::RoomDelete => "room.delete",
            Self::RoomOpen => "room.open",
            Self::RoomClose => "room.close",
            Self::RoomStarted => "room_started",
            Self::RoomFinished => "room_finished",
            Self::ParticipantJoined => "participant_joined",
            Self::ParticipantLeft => "participant_left",
            Self::TrackPublished => "track_published",
            Self::TrackUnpublished => "track_unpublished",
            Self::EgressStarted => "egress_started",
            Self::EgressUpdated => "egress_updated",
            Self::EgressEnded => "egress_ended",
        }
    }

    /// Whether a webhook tells it too.
    pub fn is_livekit(self) -> bool {
        !self.as_str().starts_with("room.")
    }
}

/// Where events are to be heard.
pub struct Topic;

impl Topic {
    /// All rooms of a tenant.
    pub fn audience(audience: &str) -> String {
        format!("audiences/{audience}/events")
    }

    /// One room.
    pub fn room(room: Uuid) -> String {
        format!("rooms/{room}/events")
    }
}
