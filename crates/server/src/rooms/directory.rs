//! Room lookup and listing.

use uuid::Uuid;
use visavis_protocol::{ListedRoom, RoomInfo, RoomState as Occupancy};

use super::RoomService;
use crate::config::Discovery;
use crate::id::RoomKey;
use crate::model::{Phase, Room};
use crate::refusal::Refusal;
use crate::refusal::store_failed;
use crate::store::{Stay, StoreError};

impl RoomService {
    /// A stored room by any of its names, over or not, unless it was deleted.
    ///
    /// # Errors
    /// When the store failed, and the room is not in the cache.
    pub async fn look_up(&self, name: &str) -> Result<Option<Room>, StoreError> {
        let now = self.clock.now();
        for key in RoomKey::readings(name) {
            let by_code = matches!(key, RoomKey::Code(_));
            if let RoomKey::Code(code) = &key
                && let Some(room) = self.cache.get(code, now).await
            {
                return Ok(Some(room));
            }
            let Some(room) = self.store.find_room(&key).await? else {
                continue;
            };
            if room.deleted_at.is_some() {
                return Ok(None);
            }
            if by_code {
                self.keep_close(&room).await;
            }
            return Ok(Some(room));
        }
        Ok(None)
    }

    /// Caches a room that was read. A room that changed between the read and the
    /// cache write is removed again, since the cached copy may be stale.
    async fn keep_close(&self, room: &Room) {
        self.cache.put(room, self.clock.now()).await;
        let now = self.store.find_room(&RoomKey::Uid(room.uid)).await;
        if !now.is_ok_and(|now| now.is_some_and(|now| now.version == room.version)) {
            self.cache.remove(&room.code).await;
        }
    }

    /// The same, with a refusal where there is none.
    ///
    /// # Errors
    /// Where there is none, or the store failed.
    pub async fn find(&self, name: &str) -> Result<Room, Refusal> {
        let found = self.look_up(name).await.map_err(store_failed)?;
        found.ok_or_else(Refusal::room_not_found)
    }

    /// The number of participants present, without hidden ones.
    pub async fn present(&self, room: Uuid) -> Result<u32, StoreError> {
        let present = self.store.participants(room, Stay::Present).await?;
        let visible = present.iter().filter(|who| !who.hidden).count();
        Ok(u32::try_from(visible).unwrap_or(u32::MAX))
    }

    /// A page of the open rooms that the discovery setting shows: occupied ones first,
    /// then the newest first.
    pub async fn list(&self, offset: u32, limit: u32) -> Result<Vec<ListedRoom>, Refusal> {
        let with_private = match self.config.discovery {
            Discovery::IdOnly => return Ok(Vec::new()),
            Discovery::Hybrid => false,
            Discovery::Public => true,
        };
        let now = self.clock.now();
        let rooms = self.store.open_rooms(with_private, now, offset, limit);
        let rooms = rooms.await.map_err(store_failed)?;
        // One whose time is over may not have been closed yet.
        let open = rooms
            .into_iter()
            .filter(|(room, _)| room.phase(now) == Phase::Open);
        let listed = |(room, present): (Room, u32)| ListedRoom {
            participant_count: present,
            id: room.code,
            name: room.name,
        };
        Ok(open.map(listed).collect())
    }

    /// What a lobby shows before joining: the names of those inside only to one
    /// who may join.
    pub async fn info(
        &self,
        name: &str,
        may_join: impl Fn(&Room) -> bool,
    ) -> Result<RoomInfo, Refusal> {
        let room = self.find(name).await?;
        let now = self.clock.now();
        if room.phase(now) == Phase::Closed {
            return Err(Refusal::room_ended());
        }
        let inside = self.store.participants(room.uid, Stay::Present).await;
        let mut inside = inside.map_err(store_failed)?;
        inside.retain(|who| !who.hidden);
        let in_call = match self.active_room(room.uid) {
            Some(handle) => handle.in_call().await,
            None => false,
        };
        let names = inside.iter().map(|who| who.name.clone());
        Ok(RoomInfo {
            state: match inside.len() {
                0 => Occupancy::Empty,
                _ if in_call => Occupancy::InCall,
                _ => Occupancy::Active,
            },
            participant_count: u32::try_from(inside.len()).unwrap_or(u32::MAX),
            needs_passcode: room.passcode.is_some(),
            waiting_room: room.waiting_room,
            opens_at: (room.phase(now) == Phase::Pending).then(|| room.opens_at.rfc3339()),
            names: (!room.is_private() && may_join(&room))
                .then(|| names.filter(|name| !name.is_empty()).collect()),
            id: room.code,
            name: room.name,
        })
    }
}
