//! A store that lasts as long as the process.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use uuid::Uuid;
use visavis_protocol::ChatEntry;
use visavis_protocol::limits::CHAT_HISTORY;

use super::{RoomKey, RoomRecord, Store, StoreError};

/// Keeps rooms, and as much of their chat as a newcomer is given.
#[derive(Default)]
pub struct MemoryStore(Mutex<Tables>);

#[derive(Default)]
struct Tables {
    rooms: HashMap<Uuid, Row>,
    codes: HashMap<String, Uuid>,
}

struct Row {
    room: RoomRecord,
    chat: VecDeque<Arc<ChatEntry>>,
}

impl MemoryStore {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn create_room(&self, room: &RoomRecord) -> Result<(), StoreError> {
        let mut tables = self.tables();
        if tables.codes.contains_key(&room.code) {
            return Err(StoreError::Taken);
        }
        tables.codes.insert(room.code.clone(), room.uid);
        let row = Row {
            room: room.clone(),
            chat: VecDeque::new(),
        };
        tables.rooms.insert(room.uid, row);
        Ok(())
    }

    async fn find_room(&self, key: &RoomKey) -> Result<Option<RoomRecord>, StoreError> {
        let tables = self.tables();
        let uid = match key {
            RoomKey::Uid(uid) => Some(uid),
            RoomKey::Code(code) => tables.codes.get(code),
        };
        Ok(uid.and_then(|uid| Some(tables.rooms.get(uid)?.room.clone())))
    }

    async fn public_rooms(&self) -> Result<Vec<RoomRecord>, StoreError> {
        let tables = self.tables();
        let public = tables.rooms.values().filter(|row| !row.room.is_private());
        let mut rooms: Vec<RoomRecord> = public.map(|row| row.room.clone()).collect();
        rooms.sort_by_key(|room| room.created_at);
        Ok(rooms)
    }

    async fn set_host(&self, room: Uuid, host: Uuid) -> Result<(), StoreError> {
        if let Some(row) = self.tables().rooms.get_mut(&room) {
            row.room.host = Some(host);
        }
        Ok(())
    }

    async fn delete_room(&self, room: Uuid) -> Result<(), StoreError> {
        let mut tables = self.tables();
        if let Some(row) = tables.rooms.remove(&room) {
            tables.codes.remove(&row.room.code);
        }
        Ok(())
    }

    async fn append_chat(&self, room: Uuid, entry: Arc<ChatEntry>) -> Result<(), StoreError> {
        if let Some(row) = self.tables().rooms.get_mut(&room) {
            row.chat.push_back(entry);
            if row.chat.len() > CHAT_HISTORY {
                row.chat.pop_front();
            }
        }
        Ok(())
    }

    async fn recent_chat(
        &self,
        room: Uuid,
        most: usize,
    ) -> Result<Vec<Arc<ChatEntry>>, StoreError> {
        let tables = self.tables();
        let chat = tables.rooms.get(&room).map(|row| &row.chat);
        Ok(chat.map_or_else(Vec::new, |chat| {
            let skipped = chat.len().saturating_sub(most);
            chat.iter().skip(skipped).cloned().collect()
        }))
    }
}
