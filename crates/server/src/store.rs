//! What outlives a moment: rooms, and chat before its echo.

mod memory;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use time::OffsetDateTime;
use uuid::Uuid;
use visavis_protocol::{ChatEntry, Metadata};

pub use crate::id::RoomKey;
pub use memory::MemoryStore;

/// A room as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomRecord {
    /// The room's own identity.
    pub uid: Uuid,
    /// What people join by: `abc-defg-hij`.
    pub code: String,
    /// What people call it; may be empty.
    pub name: String,
    /// The client id of its host; none until somebody was inside.
    pub host: Option<Uuid>,
    /// The most that may be inside; 0 = unlimited.
    pub max_participants: u32,
    /// What the creator said of it.
    pub metadata: Option<Metadata>,
    /// How long it outlives the last leave; `None` = it stays.
    pub empty_timeout: Option<Duration>,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

impl RoomRecord {
    /// Whether it is joined by id alone, and not listed.
    pub fn is_private(&self) -> bool {
        let private = self.metadata.as_ref().and_then(|metadata| metadata.private);
        private.unwrap_or(false)
    }
}

/// Why something is not stored.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another room has this code.
    #[error("the code is taken")]
    Taken,
    /// The store is out of reach, or failed.
    #[error("the store failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Where rooms and chat are kept. What a call acknowledged is stored.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Adds a room.
    ///
    /// # Errors
    /// [`StoreError::Taken`] where the code is another room's.
    async fn create_room(&self, room: &RoomRecord) -> Result<(), StoreError>;

    /// The room with this identifier: the one place where they are resolved.
    async fn find_room(&self, key: &RoomKey) -> Result<Option<RoomRecord>, StoreError>;

    /// The rooms that are not private, oldest first.
    async fn public_rooms(&self) -> Result<Vec<RoomRecord>, StoreError>;

    /// Gives the room another host.
    async fn set_host(&self, room: Uuid, host: Uuid) -> Result<(), StoreError>;

    /// Removes a room; a room that is not there is removed already.
    async fn delete_room(&self, room: Uuid) -> Result<(), StoreError>;

    /// Adds a chat message.
    async fn append_chat(&self, room: Uuid, entry: Arc<ChatEntry>) -> Result<(), StoreError>;

    /// The last chat messages, oldest first.
    async fn recent_chat(&self, room: Uuid, most: usize)
    -> Result<Vec<Arc<ChatEntry>>, StoreError>;
}
