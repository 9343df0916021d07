//! An active room: a task that owns its state and its members' outboxes.
//!
//! [`state`] is pure, [`driver`] performs its effects, and [`handle`] is how
//! everything else talks to the task.

mod applicant;
mod calls;
mod driver;
mod handle;
mod history;
mod member;
mod message;
mod operation;
mod policy;
mod publisher;
mod services;
mod state;

pub(crate) use applicant::{Admitted, Applicant, Pass};
pub(crate) use driver::{RoomSettings, start};
pub(crate) use handle::{Presence, RoomHandle, RoomInactive};
pub(crate) use message::{frame, relayed};
pub(crate) use services::{RoomServices, StoredRoom};
pub(crate) use state::{Control, Entry, MemberRequest, Resumer, Sender};
