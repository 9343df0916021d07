//! Bookings and sessions follow their rooms' events in the same transaction.

use std::time::Duration;

use visavis_protocol::Metadata;

use super::RoomService;
use crate::clock::Timestamp;
use crate::model::{Link, Participant, Room};
use crate::store::{StoreError, Tx};

/// The default empty timeout of rooms with a booking or a session.
pub(crate) const EMPTY_TIMEOUT: Duration = Duration::from_secs(300);

/// Linked rooms are private: no list shows them.
pub(super) fn unlisted() -> Option<Metadata> {
    Some(Metadata {
        private: Some(true),
        ..Metadata::default()
    })
}

impl RoomService {
    /// A participant joined.
    pub(super) async fn purpose_joined(
        &self,
        tx: &mut Tx,
        room: &Room,
        who: &Participant,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        match &room.link {
            None => Ok(()),
            Some(Link::Channel(_)) => self.session_joined(tx, room, who, now).await,
            Some(link) => self.booking_joined(tx, link).await,
        }
    }

    /// The room has ended.
    pub(super) async fn purpose_over(
        &self,
        tx: &mut Tx,
        room: &Room,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        match &room.link {
            None => Ok(()),
            Some(Link::Channel(_)) => self.session_room_over(tx, room, now).await,
            Some(link) => self.booking_over(tx, link).await,
        }
    }

    /// The booking or session has ended. Participants stay; an unoccupied room's
    /// empty timeout begins.
    pub(super) async fn purpose_gone(
        &self,
        tx: &mut Tx,
        room: &mut Room,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let waits = room.closed.is_none() && room.empty_since.is_none();
        if waits && tx.count_present(room.uid).await? == 0 {
            room.empty_since = Some(now);
            tx.put_room(room).await?;
        }
        Ok(())
    }
}
