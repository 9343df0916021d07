//! All rooms: those that are stored, and the tasks of those that are alive.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;
use visavis_protocol::{ListedRoom, Metadata, RoomInfo, RoomState as Occupancy};

use crate::ServerConfig;
use crate::ice::IceServers;
use crate::id::{RoomKey, SocketId, room_code};
use crate::refusal::Refusal;
use crate::room::{self, RoomHandle};
use crate::store::{RoomRecord, Store, StoreError};

/// A code is one of 1.4e14: more collisions in a row than this are no chance.
const CODE_ATTEMPTS: usize = 8;

pub(crate) struct Hub {
    pub store: Arc<dyn Store>,
    pub config: ServerConfig,
    pub ice: IceServers,
    /// Ends everything.
    pub cancel: CancellationToken,
    /// Rooms and connections.
    pub tasks: TaskTracker,
    live: Mutex<HashMap<Uuid, RoomHandle>>,
    sockets: AtomicU64,
}

/// A room to make.
#[derive(Debug, Default)]
pub(crate) struct NewRoom {
    pub name: String,
    pub host: Option<Uuid>,
    pub max_participants: u32,
    pub metadata: Option<Metadata>,
    pub empty_timeout: Option<Duration>,
}

impl Hub {
    pub fn new(config: ServerConfig, store: Arc<dyn Store>) -> Self {
        Self {
            store,
            ice: IceServers {
                servers: config.ice_servers.clone(),
                turn_secret: config.turn_secret.clone(),
            },
            config,
            cancel: CancellationToken::new(),
            tasks: TaskTracker::new(),
            live: Mutex::default(),
            sockets: AtomicU64::default(),
        }
    }

    pub fn next_socket(&self) -> SocketId {
        SocketId(self.sockets.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes and stores a room.
    pub async fn create(&self, new: NewRoom) -> Result<RoomRecord, StoreError> {
        let mut room = RoomRecord {
            uid: Uuid::new_v4(),
            code: String::new(),
            name: new.name,
            host: new.host,
            max_participants: new.max_participants,
            metadata: new.metadata,
            empty_timeout: new.empty_timeout,
            created_at: OffsetDateTime::now_utc(),
        };
        for _ in 0..CODE_ATTEMPTS {
            room.code = room_code(&mut rand::rng());
            match self.store.create_room(&room).await {
                Err(StoreError::Taken) => {}
                result => return result.map(|()| room),
            }
        }
        Err(StoreError::Taken)
    }

    /// A stored room.
    pub async fn find(&self, key: &RoomKey) -> Result<RoomRecord, Refusal> {
        let found = self.store.find_room(key).await.map_err(store_failed)?;
        found.ok_or_else(Refusal::room_not_found)
    }

    /// The task of a stored room; there is one from now on.
    pub fn wake(self: &Arc<Self>, room: &RoomRecord) -> RoomHandle {
        let mut live = self.live();
        live.entry(room.uid)
            .or_insert_with(|| room::spawn(Arc::clone(self), room))
            .clone()
    }

    /// The task of a room that is alive.
    pub fn living(&self, uid: Uuid) -> Option<RoomHandle> {
        self.live().get(&uid).cloned()
    }

    /// A room's task is at its end.
    pub fn forget(&self, uid: Uuid) {
        self.live().remove(&uid);
    }

    /// The rooms that are not private.
    pub async fn list(&self) -> Result<Vec<ListedRoom>, Refusal> {
        let rooms = self.store.public_rooms().await.map_err(store_failed)?;
        let live = self.live();
        let listed = |room: RoomRecord| ListedRoom {
            participant_count: live.get(&room.uid).map_or(0, RoomHandle::count),
            id: room.code,
            name: room.name,
        };
        Ok(rooms.into_iter().map(listed).collect())
    }

    /// What a lobby shows of a room.
    pub async fn info(&self, key: &RoomKey) -> Result<RoomInfo, Refusal> {
        let room = self.find(key).await?;
        let overview = match self.living(room.uid) {
            Some(handle) => handle.overview().await,
            None => None,
        };
        let public = !room.is_private();
        let (state, count, names) = overview.map_or((Occupancy::Empty, 0, Vec::new()), |o| {
            (o.occupancy, o.count, o.names)
        });
        Ok(RoomInfo {
            id: room.code,
            name: room.name,
            state,
            participant_count: u32::try_from(count).unwrap_or(u32::MAX),
            needs_passcode: false,
            waiting_room: false,
            opens_at: None,
            names: public.then_some(names),
        })
    }

    fn live(&self) -> MutexGuard<'_, HashMap<Uuid, RoomHandle>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Logs the inside, tells the outside.
pub(crate) fn store_failed(error: StoreError) -> Refusal {
    tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
    Refusal::server_busy()
}
