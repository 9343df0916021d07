//! Bookings and service sessions, and their rooms.

use std::time::Duration;

use rand::RngExt;
use visavis_protocol::RoomKind;

use super::RoomService;
use super::create::Purpose;
use super::link::{EMPTY_TIMEOUT, unlisted};
use crate::lifecycle::account;
use crate::lifecycle::booking::{Booking, BookingStatus, IllegalChange};
use crate::model::{Link, Room, Template};
use crate::store::{StoreError, Tx};

/// Options of a booked room; the rest comes from its kind's template.
#[derive(Debug, Default)]
pub(crate) struct RoomOptions {
    pub name: String,
    pub max_participants: Option<u32>,
    pub recording_enabled: Option<bool>,
    /// In seconds.
    pub empty_timeout: Option<u32>,
}

/// Why a booking is not created or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BookingError {
    #[error("there is no such booking")]
    Unknown,
    #[error("a booking with this id exists")]
    Exists,
    #[error("it has a room that has not ended")]
    HasRoom,
    #[error(transparent)]
    Illegal(#[from] IllegalChange),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RoomService {
    /// Creates a booking and its room, whose instance starts with the first join.
    pub async fn create_booking(
        &self,
        booking: &Booking,
        options: RoomOptions,
    ) -> Result<Room, BookingError> {
        let draft = self.booked_room(booking.link.clone(), booking.kind, options);
        let practitioner = booking.practitioner();
        let draft = Room {
            host: practitioner.map(|one| account(&one.user_id)),
            ..draft
        };
        match self.create_for(draft, Purpose::Booking(booking)).await {
            Err(StoreError::Taken(_)) => Err(BookingError::Exists),
            room => Ok(room?),
        }
    }

    /// Creates a room for a booking or service session without an open room. Of
    /// concurrent requests one succeeds.
    pub async fn create_booked_room(
        &self,
        link: Link,
        kind: RoomKind,
        host: Option<uuid::Uuid>,
        options: RoomOptions,
    ) -> Result<Room, BookingError> {
        let booking = self.store.booking(&link).await?;
        let practitioner = booking.as_ref().and_then(Booking::practitioner);
        let draft = Room {
            host: practitioner.map(|one| account(&one.user_id)).or(host),
            ..self.booked_room(link, kind, options)
        };
        match self.create(draft).await {
            Err(StoreError::Taken(_)) => Err(BookingError::HasRoom),
            room => Ok(room?),
        }
    }

    /// Changes a booking's status.
    pub async fn change_booking(
        &self,
        link: &Link,
        to: BookingStatus,
    ) -> Result<Booking, BookingError> {
        let room = self.store.find_linked(link).await?;
        let now = self.clock.now();
        let mut tx = self.store.begin().await?;
        let mut room = match room {
            Some(room) => tx.lock_room(room.uid).await?,
            None => None,
        };
        let booking = tx.lock_booking(link).await?;
        let mut booking = booking.ok_or(BookingError::Unknown)?;
        booking.become_status(to)?;
        tx.put_booking(&booking).await?;
        if let Some(room) = room.as_mut().filter(|_| !to.is_active()) {
            self.purpose_gone(&mut tx, room, now).await?;
        }
        tx.commit().await?;
        if let Some(room) = room {
            self.changed(&room).await;
        }
        Ok(booking)
    }

    /// A participant joined the room.
    pub(super) async fn booking_joined(&self, tx: &mut Tx, link: &Link) -> Result<(), StoreError> {
        advance_booking(tx, link, BookingStatus::InProgress).await
    }

    /// The room has ended.
    pub(super) async fn booking_over(&self, tx: &mut Tx, link: &Link) -> Result<(), StoreError> {
        advance_booking(tx, link, BookingStatus::Completed).await
    }

    fn booked_room(&self, link: Link, kind: RoomKind, options: RoomOptions) -> Room {
        let template = Template::of(kind);
        let recording = options.recording_enabled;
        let recording = recording.unwrap_or(self.config.default_recording);
        let limit = options.max_participants;
        let empty_timeout = options.empty_timeout;
        let empty_timeout = empty_timeout.map(|seconds| Duration::from_secs(seconds.into()));
        Room {
            rtc_name: rtc_name(kind),
            name: options.name,
            link: Some(link),
            kind,
            empty_timeout: Some(empty_timeout.unwrap_or(EMPTY_TIMEOUT)),
            max_participants: limit.unwrap_or(template.max_participants),
            recording_enabled: template.recording && recording,
            metadata: unlisted(),
            ..Room::draft(self.clock.now())
        }
    }
}

/// Advances a booking; one at or past this status stays as it is.
async fn advance_booking(tx: &mut Tx, link: &Link, to: BookingStatus) -> Result<(), StoreError> {
    if let Some(mut booking) = tx.lock_booking(link).await?
        && booking.status != to
        && booking.become_status(to).is_ok()
    {
        tx.put_booking(&booking).await?;
    }
    Ok(())
}

/// `individual-829b8d608f60`: the kind and 48 random bits.
fn rtc_name(kind: RoomKind) -> String {
    let tail: u64 = rand::rng().random();
    let kind = serde_json::to_value(kind).ok();
    let kind = kind.as_ref().and_then(serde_json::Value::as_str);
    format!("{}-{:012x}", kind.unwrap_or("room"), tail >> 16)
}
