//! Creates rooms.

use std::collections::HashMap;
use std::time::Instant;

use uuid::Uuid;
use visavis_protocol::limits::MAX_NAME_CHARS;

use super::RoomService;
use crate::access::creation::{Creation, MOST_UNOCCUPIED, QUOTA_RETRY, SharedCreations};
use crate::id::ulid::UlidKind;
use crate::id::{room_code, short_id};
use crate::lifecycle::booking::Booking;
use crate::lifecycle::session::Session;
use crate::model::RoomEvent;
use crate::model::{Participant, Room};
use crate::refusal::{Refusal, store_failed};
use crate::room::{Admitted, Applicant};
use crate::store::StoreError;

/// Codes tried before giving up: of 1.4e14 codes, repeated collisions mean a fault.
const CODE_ATTEMPTS: usize = 8;

/// What a room is created for, stored in the same transaction.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose<'a> {
    None,
    Session(&'a Session),
    Booking(&'a Booking),
    /// A first participant.
    First(&'a Applicant),
}

impl RoomService {
    /// Counts the creation of a room against the limits of its network.
    ///
    /// # Errors
    /// A limit is exceeded, or the store failed.
    pub async fn count_creation(
        &self,
        creations: Option<SharedCreations>,
    ) -> Result<Creation, Refusal> {
        let Some(creations) = creations else {
            return Ok(Creation::unlimited());
        };
        let mut creations = creations.lock_owned().await;
        let now = Instant::now();
        creations.take(now).map_err(|wait| {
            let why = "too many new rooms from this address without authentication";
            Refusal::rate_limited(wait, why)
        })?;
        if let Some(rooms) = creations.uncounted() {
            let open = self.store.crowds(rooms).await.map_err(store_failed)?;
            let open: HashMap<Uuid, u32> = open.into_iter().collect();
            creations.retain(|room| open.contains_key(room));
            if open.values().filter(|present| **present == 0).count() >= MOST_UNOCCUPIED {
                let why = "too many empty rooms of this address; end some or authenticate";
                return Err(Refusal::rate_limited(QUOTA_RETRY, why));
            }
        }
        Ok(Creation::limited(now, creations))
    }

    /// Gives a draft its names, and stores it. A draft that has a `ro` or an
    /// `rtc_name` keeps it.
    ///
    /// # Errors
    /// [`StoreError::Taken`] where its `rtc_name` is another room's.
    pub async fn create(&self, draft: Room) -> Result<Room, StoreError> {
        self.create_for(draft, Purpose::None).await
    }

    /// The same, with its purpose, in one transaction.
    ///
    /// # Errors
    /// [`StoreError::Taken`] also where the purpose exists already.
    pub(super) async fn create_for(
        &self,
        draft: Room,
        purpose: Purpose<'_>,
    ) -> Result<Room, StoreError> {
        let code = || room_code(&mut rand::rng());
        let (room, _) = self.create_with(draft, purpose, code).await?;
        Ok(room)
    }

    /// Creates a room with its first participant in one transaction.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn create_for_first(
        &self,
        draft: Room,
        first: &Applicant,
    ) -> Result<Admitted, StoreError> {
        let code = || room_code(&mut rand::rng());
        match self.create_with(draft, Purpose::First(first), code).await? {
            (room, Some(who)) => Ok(Admitted { who, room }),
            (_, None) => Err(StoreError::Dangling(
                "the first participant was not inserted".to_owned(),
            )),
        }
    }

    async fn create_with(
        &self,
        draft: Room,
        purpose: Purpose<'_>,
        mut code: impl FnMut() -> String,
    ) -> Result<(Room, Option<Participant>), StoreError> {
        let mut room = draft;
        if room.ro.is_empty() {
            room.ro = self.ulid(UlidKind::Room);
        }
        if room.rtc_name.is_empty() {
            room.rtc_name.clone_from(&room.ro);
        }
        for _ in 0..CODE_ATTEMPTS {
            room.code = code();
            match self.insert(&room, purpose).await {
                Err(StoreError::Taken(what)) if what.contains("code") => {}
                result => {
                    let (room, first) = result?;
                    self.cache.put(&room, self.clock.now()).await;
                    self.room_written(&room);
                    return Ok((room, first));
                }
            }
        }
        Err(StoreError::Taken("a code".to_owned()))
    }

    /// Inserts the user's row unless it exists.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn ensure_user_row(&self, user: Uuid) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        tx.ensure_user(user, self.clock.now()).await?;
        tx.commit().await
    }

    /// A new identifier for S1.
    pub(super) fn ulid(&self, kind: UlidKind) -> String {
        self.ulids.make(kind, self.clock.now(), &mut rand::rng())
    }

    /// The stored room and its first participant.
    async fn insert(
        &self,
        room: &Room,
        purpose: Purpose<'_>,
    ) -> Result<(Room, Option<Participant>), StoreError> {
        debug_assert!(room.name.chars().count() <= MAX_NAME_CHARS);
        let mut tx = self.store.begin().await?;
        if room.rtc_name != room.ro {
            tx.free_rtc_name(&room.rtc_name).await?;
        }
        match purpose {
            Purpose::None | Purpose::First(_) => {}
            Purpose::Session(session) => tx.insert_session(session).await?,
            Purpose::Booking(booking) => tx.insert_booking(booking).await?,
        }
        if let Some(host) = room.host {
            tx.ensure_user(host, self.clock.now()).await?;
        }
        tx.insert_room(room).await?;
        self.log_event(&mut tx, room, 0, RoomEvent::Created).await?;
        if let Purpose::First(first) = purpose {
            let sid = short_id("PA_", &mut rand::rng());
            let (room, first) = (room.clone(), first.clone());
            let entered = self.enter(tx, sid, room, 0, first, self.clock.now());
            let (Admitted { who, room }, _) = entered.await?;
            return Ok((room, Some(who)));
        }
        tx.commit().await?;
        Ok((room.clone(), None))
    }

    /// Stores a room that has its names already.
    pub(super) async fn insert_restored(&self, room: Room) -> Result<(), StoreError> {
        let (room, _) = self.insert(&room, Purpose::None).await?;
        self.cache.put(&room, self.clock.now()).await;
        self.room_written(&room);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ServerConfig;
    use crate::store::{Database, Store};

    #[tokio::test]
    async fn a_network_has_a_hundred_unoccupied_rooms_at_most() {
        let store = Store::open(&Database::Memory).await.unwrap();
        let service = RoomService::start(ServerConfig::default(), store)
            .await
            .unwrap();
        let network = SharedCreations::default();
        let mut rooms = Vec::new();
        for _ in 0..MOST_UNOCCUPIED {
            let room = service.create(Room::draft(service.clock.now())).await;
            let room = room.unwrap();
            network.lock().await.add(Instant::now(), room.uid);
            rooms.push(room);
        }
        let count = || service.count_creation(Some(SharedCreations::clone(&network)));
        let Err(refused) = count().await else {
            panic!("one room too many");
        };
        assert_eq!(refused.code, visavis_protocol::ErrorCode::RateLimited);
        assert_eq!(refused.retry_after, Some(QUOTA_RETRY.as_secs() + 1));
        let other = service.count_creation(Some(SharedCreations::default()));
        drop(other.await.unwrap());
        // An ended room does not count any more.
        let reason = crate::model::EndReason::Deleted;
        service.end(rooms[0].uid, reason).await.unwrap();
        count().await.unwrap().done(rooms[0].uid);
        let another = service.create(Room::draft(service.clock.now())).await;
        network
            .lock()
            .await
            .add(Instant::now(), another.unwrap().uid);
        assert!(count().await.is_err());
        // Neither does an occupied one.
        let applicant = Applicant {
            client: Uuid::new_v4(),
            user: Uuid::new_v4(),
            identity: "ann".to_owned(),
            name: "Ann".to_owned(),
            role: visavis_protocol::Role::Participant,
            kind: crate::model::ParticipantKind::Video,
            grants: visavis_protocol::Grants::default(),
            speaks: false,
            pass: crate::room::Pass::None,
            hidden: false,
            metadata: String::new(),
            features: visavis_protocol::Features::default(),
            secret: 1,
        };
        service.admit(rooms[1].uid, applicant).await.unwrap();
        assert!(count().await.is_ok());
    }

    #[tokio::test]
    async fn s4_07_a_code_that_is_taken_is_replaced_by_another() {
        let store = Store::open(&Database::Memory).await.unwrap();
        let service = RoomService::start(ServerConfig::default(), store)
            .await
            .unwrap();
        let draft = || Room::draft(service.clock.now());
        let mut codes = ["abc-defg-hij", "abc-defg-hij", "abc-defg-hik"].into_iter();
        let mut next = || codes.next().unwrap().to_owned();
        let (first, _) = service
            .create_with(draft(), Purpose::None, &mut next)
            .await
            .unwrap();
        let (second, _) = service
            .create_with(draft(), Purpose::None, &mut next)
            .await
            .unwrap();
        assert_eq!(
            (first.code.as_str(), second.code.as_str()),
            ("abc-defg-hij", "abc-defg-hik")
        );
        let always = || "abc-defg-hij".to_owned();
        assert!(
            service
                .create_with(draft(), Purpose::None, always)
                .await
                .is_err()
        );
    }
}
