//! Looks up the room in a request's path.

use serde_json::Value;

use super::app::App;
use super::problem::{Problem, ROOM_CLOSED};
use super::requester::Requester;
use crate::clock::Timestamp;
use crate::model::{Phase, Room};
use crate::render;

impl App {
    /// A room that is not deleted, by any of its ids.
    pub async fn room(&self, id: &str) -> Result<Room, Problem> {
        let room = self.service.look_up(id).await?;
        room.ok_or_else(Problem::room_not_found)
    }

    /// The same, if the requester administrates it.
    pub async fn administrated(&self, who: &Requester, id: &str) -> Result<Room, Problem> {
        let room = self.room(id).await?;
        who.administrates(self, &room)?;
        Ok(room)
    }

    /// A room with its participant count, in the form that all dialects but S4 use.
    pub async fn shown(&self, room: &Room) -> Result<Value, Problem> {
        let present = self.service.present(room.uid).await?;
        Ok(render::room::full(room, present, self.service.clock.now()))
    }
}

/// Checks that the room is neither closed nor deleted.
pub(super) fn check_not_over(room: &Room, now: Timestamp) -> Result<(), Problem> {
    match room.phase(now) {
        Phase::Closed | Phase::Deleted => Err(Problem::new(ROOM_CLOSED, "the room is over")),
        Phase::Pending | Phase::Open => Ok(()),
    }
}
