//! Events of a room, before they are rendered for an API dialect.

use livekit_protocol::EgressInfo;
use visavis_protocol::Track;

use super::{EventLabel, Participant};

/// An event of a room.
#[derive(Debug, Clone, Copy)]
pub(crate) enum RoomEvent<'a> {
    Created,
    Updated,
    Deleted,
    Opened,
    Closed,
    Started,
    Finished,
    Joined(&'a Participant),
    Left(&'a Participant),
    Published(&'a Participant, &'a Track),
    Unpublished(&'a Participant, &'a Track),
    Egress(EventLabel, &'a EgressInfo),
}

impl RoomEvent<'_> {
    pub fn label(self) -> EventLabel {
        match self {
            Self::Created => EventLabel::RoomCreate,
            Self::Updated => EventLabel::RoomUpdate,
            Self::Deleted => EventLabel::RoomDelete,
            Self::Opened => EventLabel::RoomOpen,
            Self::Closed => EventLabel::RoomClose,
            Self::Started => EventLabel::RoomStarted,
            Self::Finished => EventLabel::RoomFinished,
            Self::Joined(_) => EventLabel::ParticipantJoined,
            Self::Left(_) => EventLabel::ParticipantLeft,
            Self::Published(..) => EventLabel::TrackPublished,
            Self::Unpublished(..) => EventLabel::TrackUnpublished,
            Self::Egress(label, _) => label,
        }
    }
}
