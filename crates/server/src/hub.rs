//! All rooms: those that are stored, and the tasks of those that are alive.
//! Every dialect and every socket changes rooms through here.

mod act;
mod admit;
mod bookings;
mod change;
mod create;
mod directory;
mod doubts;
mod find;
mod inbound;
mod journal;
mod leave;
mod node;
mod passcodes;
mod purpose;
mod sessions;
mod take_over;
mod warden;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub(crate) use act::Act;
pub(crate) use admit::{Admitted, Applicant, Pass};
pub(crate) use bookings::{BookingError, RoomWishes};
pub(crate) use change::ChangeError;
pub(crate) use inbound::LIVEKIT;
pub(crate) use journal::{Happening, test_event};
pub(crate) use sessions::{MOST_SESSIONS, SessionError};

use crate::ServerConfig;
use crate::cache::{LocalCache, RoomCache};
use crate::clock::Clock;
use crate::cluster::{self, Cluster, Post};
use crate::egress::{Egress, NoEgress};
use crate::ice::IceServers;
use crate::id::ulid::UlidSource;
use crate::id::{SocketId, short_id};
use crate::metrics::Metrics;
use crate::model::Room;
use crate::refusal::Refusal;
use crate::room::{self, News, RoomHandle};
use crate::store::{Claim, Store, StoreError};
use crate::webhook::deliver::Attempts;
use crate::webhook::receive::Seen;
use directory::Directory;
use doubts::Doubts;
use passcodes::Passcodes;

/// How long rooms may take to end, before the sockets are closed.
const LAST_WORDS: Duration = Duration::from_secs(1);

pub(crate) struct Hub {
    pub store: Store,
    pub cache: RoomCache,
    /// The other nodes, where there may be some.
    pub cluster: Option<Arc<Cluster>>,
    pub clock: Clock,
    pub config: ServerConfig,
    pub ice: IceServers,
    pub ulids: UlidSource,
    pub metrics: Metrics,
    /// The last attempts to deliver webhooks.
    pub attempts: Attempts,
    pub passcodes: Passcodes,
    /// Who carries rooms elsewhere.
    pub egress: Box<dyn Egress>,
    /// The webhooks that came in lately.
    pub seen: Mutex<Seen>,
    /// Those who may be reached without a room, where any may.
    pub directory: Directory,
    /// This process, among those that share a database.
    pub node: String,
    /// It is about to stop: whoever chooses a node chooses another.
    pub leaving: CancellationToken,
    /// Ends everything, rooms first.
    pub cancel: CancellationToken,
    /// The rooms have ended: sockets are closed once what they said is sent.
    pub parting: CancellationToken,
    /// The tasks of rooms.
    pub rooms: TaskTracker,
    /// All others.
    pub tasks: TaskTracker,
    /// Counts up whenever something was added to the log of events.
    pub noted: watch::Sender<u64>,
    /// Wakes who does what is due, before the moment that it waits for.
    due: Notify,
    /// That moment, in ms since 1970 UTC; at the end of time while nobody waits
    /// for any.
    awaited: AtomicI64,
    /// What is due is done by one at a time.
    tending: tokio::sync::Mutex<()>,
    doubts: Doubts,
    live: Mutex<HashMap<Uuid, RoomHandle>>,
    _claim: Claim,
    sockets: AtomicU64,
}

impl Hub {
    /// Begins to keep rooms: says that this node is alive, and watches over the
    /// times of all rooms.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn start(config: ServerConfig, store: Store) -> Result<Arc<Self>, StoreError> {
        let claim = store.claim()?;
        let node = short_id("ND_", &mut rand::rng());
        let cluster = match &config.redis {
            Some(url) => {
                let cluster = Cluster::new(url, &node);
                Some(Arc::new(
                    cluster.map_err(|error| StoreError::Failed(error.into()))?,
                ))
            }
            None => None,
        };
        let hub = Arc::new(Self {
            cache: match &cluster {
                Some(cluster) => RoomCache::Shared(Arc::clone(cluster)),
                None => RoomCache::Local(LocalCache::default()),
            },
            cluster,
            clock: Clock::new(config.manual_clock),
            ice: IceServers {
                servers: config.ice_servers.clone(),
                turn_secret: config.turn_secret.clone(),
            },
            ulids: UlidSource::default(),
            metrics: Metrics::default(),
            attempts: Attempts::default(),
            passcodes: Passcodes::default(),
            egress: Box::new(NoEgress),
            seen: Mutex::default(),
            directory: Directory::default(),
            node,
            store,
            config,
            leaving: CancellationToken::new(),
            cancel: CancellationToken::new(),
            parting: CancellationToken::new(),
            rooms: TaskTracker::new(),
            tasks: TaskTracker::new(),
            noted: watch::Sender::new(0),
            due: Notify::new(),
            awaited: AtomicI64::new(i64::MAX),
            tending: tokio::sync::Mutex::default(),
            doubts: Doubts::default(),
            live: Mutex::default(),
            _claim: claim,
            sockets: AtomicU64::default(),
        });
        node::enlist(&hub).await?;
        hub.tasks.spawn(part(Arc::clone(&hub)));
        hub.tasks.spawn(node::stay_alive(Arc::clone(&hub)));
        hub.tasks.spawn(warden::watch_over(Arc::clone(&hub)));
        hub.tasks.spawn(doubts::settle(Arc::clone(&hub)));
        if let Some(cluster) = hub.cluster.clone() {
            hub.tasks.spawn(cluster::listen(Arc::clone(&hub), cluster));
        }
        Ok(hub)
    }

    pub fn next_socket(&self) -> SocketId {
        SocketId(self.sockets.fetch_add(1, Ordering::Relaxed))
    }

    /// The task of a stored room; there is one from now on.
    pub fn wake(self: &Arc<Self>, room: &Room) -> RoomHandle {
        self.wake_as(room, None)
    }

    /// The same for a room that was just made, about which there is nothing to
    /// read.
    pub fn wake_new(self: &Arc<Self>, room: Room) -> RoomHandle {
        self.wake_as(&room, Some(room.clone()))
    }

    fn wake_as(self: &Arc<Self>, room: &Room, new: Option<Room>) -> RoomHandle {
        let mut live = self.live();
        let handle = live.entry(room.uid).or_insert_with(|| {
            self.moved(room.uid);
            room::spawn(Arc::clone(self), room, new)
        });
        handle.clone()
    }

    /// The rooms that are alive on this node.
    pub fn living_rooms(&self) -> Vec<Uuid> {
        self.live().keys().copied().collect()
    }

    /// The task of a room that is alive on this node.
    pub fn living(&self, uid: Uuid) -> Option<RoomHandle> {
        self.live().get(&uid).cloned()
    }

    /// How many rooms are alive on this node.
    pub fn awake(&self) -> usize {
        self.live().len()
    }

    /// A room's task is at its end.
    pub fn forget(&self, uid: Uuid) {
        self.live().remove(&uid);
        self.moved(uid);
    }

    fn moved(&self, uid: Uuid) {
        if let Some(cluster) = &self.cluster {
            cluster.room_moved(uid);
        }
    }

    /// Reads what may have been missed of a room.
    pub async fn catch_up(&self, uid: Uuid) {
        if let Some(handle) = self.living(uid) {
            handle.catch_up().await;
        }
    }

    /// The same of all rooms that are awake here.
    async fn catch_up_all(&self) {
        let awake: Vec<Uuid> = self.live().keys().copied().collect();
        for uid in awake {
            self.catch_up(uid).await;
        }
    }

    /// Tells everyone in a room, here and on other nodes.
    async fn announce(&self, uid: Uuid, news: News) {
        if let Some(handle) = self.living(uid) {
            handle.news(news.clone()).await;
        }
        if let Some(cluster) = &self.cluster {
            cluster.tell_room(uid, Post::News { news }).await;
        }
    }

    /// Something was written: the log has grown.
    fn written(&self) {
        self.noted
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// The same of a room, in whose life something may be due earlier now.
    fn room_written(&self, room: &Room) {
        self.written();
        let due = room.next_due();
        if due.is_some_and(|at| at.0 < self.awaited.load(Ordering::SeqCst)) {
            self.due.notify_one();
        }
    }

    fn live(&self) -> MutexGuard<'_, HashMap<Uuid, RoomHandle>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// At the end sockets outlive the rooms, whose last words they bring.
async fn part(hub: Arc<Hub>) {
    hub.cancel.cancelled().await;
    hub.rooms.close();
    if tokio::time::timeout(LAST_WORDS, hub.rooms.wait())
        .await
        .is_err()
    {
        tracing::warn!(rooms = hub.rooms.len(), "rooms did not end in time");
    }
    hub.parting.cancel();
}

/// Logs the inside, tells the outside.
pub(crate) fn store_failed(error: StoreError) -> Refusal {
    tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
    Refusal::server_busy()
}
