//! Restoring a room that a restart in memory lost, from the seal of a member.

use super::RoomService;
use crate::access::seal::SealedRoom;
use crate::id::RoomKey;
use crate::model::Room;
use crate::refusal::{Refusal, store_failed};
use crate::store::StoreError;

impl RoomService {
    /// What a seal says about the room of this name; `None`: it is not valid for it.
    pub fn open_seal(&self, seal: &str, name: &str) -> Option<SealedRoom> {
        let sealed = self.config.state_key.as_ref()?;
        let sealed = sealed.open(seal, self.clock.now())?;
        let is = |key: RoomKey| match key {
            RoomKey::Uid(uid) => uid == sealed.uid,
            RoomKey::Code(text) => text == sealed.code,
            RoomKey::Ro(text) => text == sealed.ro,
            RoomKey::Name(text) => text == sealed.rtc_name,
            RoomKey::Sid(_) => false,
        };
        RoomKey::readings(name)
            .into_iter()
            .any(is)
            .then_some(sealed)
    }

    /// Stores a sealed room again. A room that is stored in any state, also one that
    /// has ended or was deleted, is not lost and is not restored.
    ///
    /// # Errors
    /// `room-not-found` for a room that is not lost, `server-busy` where the store
    /// fails.
    pub async fn restore(&self, sealed: SealedRoom) -> Result<Room, Refusal> {
        let room = sealed.restore(self.clock.now());
        let key = RoomKey::Uid(room.uid);
        let known = self.store.find_room(&key).await.map_err(store_failed)?;
        if known.is_none() {
            match self.insert_restored(room.clone()).await {
                Ok(()) => {
                    tracing::info!(room = room.code, "a room is restored from a seal");
                    return Ok(room);
                }
                // Another member was first.
                Err(StoreError::Taken(_)) => {}
                Err(error) => return Err(store_failed(error)),
            }
        }
        self.find(&room.uid.to_string()).await
    }
}
