//! What the service keeps: one model behind five room systems.

mod draft;
mod event;
mod participant;
mod room;
mod template;

pub use event::{Event, EventLabel, Topic};
pub use participant::{Participant, ParticipantKind, Secret};
pub(crate) use room::Due;
pub use room::{
    Backend, Closing, EndReason, FIRST_RTC_CAP, Incarnation, Link, OnHostLeave, Phase, Room,
    RoomKind,
};
pub(crate) use template::Template;
