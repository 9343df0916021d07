//! The stored entities: one model behind five room systems.

mod draft;
mod event;
mod participant;
mod participant_update;
mod room;
mod room_event;
mod template;

pub use event::{Event, EventLabel, Topic};
pub(crate) use participant::LIVEKIT_NODE;
pub use participant::{Participant, ParticipantKind, SecretHash};
pub(crate) use participant_update::ParticipantUpdate;
pub(crate) use room::Due;
pub use room::{
    Backend, Closing, EndReason, FIRST_RTC_CAP, Link, OnHostLeave, Phase, Room, RoomInstance,
    RoomKind,
};
pub(crate) use room_event::RoomEvent;
pub(crate) use template::Template;
