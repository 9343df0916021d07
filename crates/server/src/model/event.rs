//! Events, which every API dialect renders.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Timestamp;

/// An event on one topic. The same event on two topics has one id, so that
/// consumers can drop duplicates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// `EV_` and twelve characters.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// The room, if it concerns one.
    pub room: Option<Uuid>,
    /// The topic.
    pub uri: String,
    /// What happened.
    pub label: EventLabel,
    /// JSON, in the dialect of the label.
    pub payload: String,
}

/// The kind of an event: `room.…` in S0's dialect, the others in LiveKit's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventLabel {
    /// A room was created.
    #[serde(rename = "room.create")]
    RoomCreate,
    /// A room was changed.
    #[serde(rename = "room.update")]
    RoomUpdate,
    /// A room was deleted.
    #[serde(rename = "room.delete")]
    RoomDelete,
    /// A room opened.
    #[serde(rename = "room.open")]
    RoomOpen,
    /// A room was closed.
    #[serde(rename = "room.close")]
    RoomClose,
    /// A room instance started.
    #[serde(rename = "room_started")]
    RoomStarted,
    /// A room instance ended.
    #[serde(rename = "room_finished")]
    RoomFinished,
    /// A participant joined.
    #[serde(rename = "participant_joined")]
    ParticipantJoined,
    /// A participant left.
    #[serde(rename = "participant_left")]
    ParticipantLeft,
    /// A track was published.
    #[serde(rename = "track_published")]
    TrackPublished,
    /// A track was unpublished.
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

    /// Whether it is sent to webhooks too.
    pub fn is_livekit(self) -> bool {
        !self.as_str().starts_with("room.")
    }
}

/// Topics of events.
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
