//! All rooms: those that are stored, and the tasks of those that are alive.
//! Every dialect and every socket changes rooms through here.

mod admission;
mod bookings;
mod change;
mod create;
mod departure;
mod direct_clients;
mod directory;
mod event_log;
mod link;
mod livekit;
mod moderation;
mod node;
mod passcodes;
mod reconciliation;
mod restore;
mod retention;
mod room_services;
mod scheduler;
mod sessions;
mod takeover;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub(crate) use bookings::{BookingError, RoomOptions};
pub(crate) use change::ChangeError;
pub(crate) use event_log::test_event;
pub(crate) use moderation::AdminAction;
pub(crate) use sessions::{MOST_SESSIONS, SessionError};

use crate::cache::{LocalCache, RoomCache};
use crate::clock::Clock;
use crate::cluster::{self, BusListener, BusMessage, Cluster, ClusterMessage};
use crate::config::ServerConfig;
use crate::egress::{Egress, NoEgress};
use crate::ice::IceServers;
use crate::id::ulid::UlidSource;
use crate::id::{SocketId, short_id};
use crate::metrics::Metrics;
use crate::model::Room;
use crate::room::{self, RoomHandle, RoomServices, RoomSettings};
use crate::store::{Claim, Store, StoreError};
use direct_clients::DirectClients;
use passcodes::Passcodes;
use reconciliation::Reconciliation;

/// How long rooms may take to end, before the sockets are closed.
const LAST_WORDS: Duration = Duration::from_secs(1);

pub(crate) struct RoomService {
    pub store: Store,
    pub cache: RoomCache,
    /// The other nodes, where there may be some.
    pub cluster: Option<Arc<Cluster>>,
    pub clock: Clock,
    pub config: ServerConfig,
    pub ice: IceServers,
    pub ulids: UlidSource,
    pub metrics: Arc<Metrics>,
    pub passcodes: Passcodes,
    /// Who carries rooms elsewhere.
    pub egress: Box<dyn Egress>,
    /// Those who may be reached without a room, where any may.
    pub direct_clients: DirectClients,
    /// This process, among those that share a database.
    pub node: String,
    /// The server is about to stop: load balancers should send clients to another node.
    pub leaving: CancellationToken,
    /// Ends everything, rooms first.
    pub cancel: CancellationToken,
    /// The rooms have ended: sockets are closed once what they said is sent.
    pub parting: CancellationToken,
    /// The tasks of rooms.
    pub room_tasks: TaskTracker,
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
    due_lock: tokio::sync::Mutex<scheduler::FailingRooms>,
    reconciliation: Reconciliation,
    active: Mutex<HashMap<Uuid, RoomHandle>>,
    _claim: Claim,
    sockets: AtomicU64,
}

impl RoomService {
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
        let service = Arc::new(Self {
            cache: match &cluster {
                Some(cluster) => RoomCache::Shared(Arc::clone(cluster)),
                None => RoomCache::Local(LocalCache::default()),
            },
            cluster,
            clock: Clock::new(config.manual_clock),
            ice: IceServers {
                servers: config.ice_servers.clone(),
                turn_secret: config.turn_secret.clone(),
                lifetime: config.limits.turn_lifetime,
            },
            ulids: UlidSource::default(),
            metrics: Arc::default(),
            passcodes: Passcodes::default(),
            egress: Box::new(NoEgress),
            direct_clients: DirectClients::default(),
            node,
            store,
            config,
            leaving: CancellationToken::new(),
            cancel: CancellationToken::new(),
            parting: CancellationToken::new(),
            room_tasks: TaskTracker::new(),
            tasks: TaskTracker::new(),
            noted: watch::Sender::new(0),
            due: Notify::new(),
            awaited: AtomicI64::new(i64::MAX),
            due_lock: tokio::sync::Mutex::default(),
            reconciliation: Reconciliation::default(),
            active: Mutex::default(),
            _claim: claim,
            sockets: AtomicU64::default(),
        });
        node::enlist(&service).await?;
        service.tasks.spawn(part(Arc::clone(&service)));
        service.tasks.spawn(node::stay_alive(Arc::clone(&service)));
        service
            .tasks
            .spawn(scheduler::run_scheduler(Arc::clone(&service)));
        service
            .tasks
            .spawn(retention::run_retention(Arc::clone(&service)));
        service
            .tasks
            .spawn(reconciliation::run_reconciliation(Arc::clone(&service)));
        if let Some(cluster) = service.cluster.clone() {
            service.tasks.spawn(cluster::listen(
                Arc::clone(&service) as Arc<dyn BusListener>,
                cluster,
                service.cancel.clone(),
            ));
        }
        Ok(service)
    }

    pub fn next_socket(&self) -> SocketId {
        SocketId(self.sockets.fetch_add(1, Ordering::Relaxed))
    }

    /// The task of a stored room, which is started where it does not run.
    pub fn activate(self: &Arc<Self>, room: &Room) -> RoomHandle {
        self.activate_with(room, None)
    }

    /// The same for a room that was just created: nothing of it has to be read.
    pub fn activate_new(self: &Arc<Self>, room: Room) -> RoomHandle {
        self.activate_with(&room, Some(room.clone()))
    }

    fn activate_with(self: &Arc<Self>, room: &Room, new: Option<Room>) -> RoomHandle {
        let mut active = self.active();
        let handle = active.entry(room.uid).or_insert_with(|| {
            self.activity_changed(room.uid);
            let settings = RoomSettings {
                node: self.node.clone(),
                resume_window: self.config.limits.resume_window,
                cancel: self.cancel.clone(),
            };
            let services = Arc::clone(self) as Arc<dyn RoomServices>;
            let (handle, task) = room::start(services, settings, room, new);
            self.room_tasks.spawn(task);
            handle
        });
        handle.clone()
    }

    /// The task of a room that is active on this node.
    pub fn active_room(&self, uid: Uuid) -> Option<RoomHandle> {
        self.active().get(&uid).cloned()
    }

    /// How many rooms are active on this node.
    pub fn active_count(&self) -> usize {
        self.active().len()
    }

    /// The room's task has ended.
    fn forget(&self, uid: Uuid) {
        self.active().remove(&uid);
        self.activity_changed(uid);
    }

    fn activity_changed(&self, uid: Uuid) {
        if let Some(cluster) = &self.cluster {
            cluster.room_activity_changed(uid);
        }
    }

    /// Every active room reads its rows.
    fn catch_up_all(&self) {
        for handle in self.active().values() {
            handle.catch_up();
        }
    }

    /// Tells the members of a room on all nodes.
    async fn announce(&self, uid: Uuid, message: ClusterMessage) {
        if let Some(handle) = self.active_room(uid) {
            handle.deliver(message.clone());
        }
        self.publish(uid, message).await;
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

    fn active(&self) -> MutexGuard<'_, HashMap<Uuid, RoomHandle>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// At the end sockets outlive the rooms, whose last words they bring.
async fn part(service: Arc<RoomService>) {
    service.cancel.cancelled().await;
    service.room_tasks.close();
    if tokio::time::timeout(LAST_WORDS, service.room_tasks.wait())
        .await
        .is_err()
    {
        tracing::warn!(
            rooms = service.room_tasks.len(),
            "rooms did not end in time"
        );
    }
    service.parting.cancel();
}

impl BusListener for RoomService {
    fn active_rooms(&self) -> Vec<Uuid> {
        self.active().keys().copied().collect()
    }

    fn is_active(&self, room: Uuid) -> bool {
        self.active().contains_key(&room)
    }

    fn catch_up(&self, room: Uuid) {
        if let Some(handle) = self.active_room(room) {
            handle.catch_up();
        }
    }

    fn receive(&self, room: Uuid, message: BusMessage) {
        let Some(handle) = self.active_room(room) else {
            return;
        };
        match message {
            BusMessage::ClusterMessage { cluster_message } => handle.deliver(cluster_message),
            BusMessage::Changed { room } => handle.deliver_changed(*room),
            BusMessage::Over { room, reason } => handle.deliver_over(*room, reason),
        }
    }
}
