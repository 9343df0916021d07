//! Several processes that are one service: what they tell each other over Redis,
//! and the places that they reserve there.
//!
//! Redis makes it fast, never right: the rows decide. While it is down, rooms
//! work on each node, and joins are as exact; when it is back, each node reads
//! what it may have missed from the rows.

mod admission;
mod bus;
mod message;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ErrorKind, FromRedisValue, RedisError, RedisResult};
use tokio::sync::Notify;
use uuid::Uuid;

pub(crate) use admission::Reserved;
pub(crate) use bus::{BusListener, BusMessage, listen};
pub(crate) use message::{ClusterMessage, QueuedClient};

/// How long an answer may take before Redis counts as down.
const ANSWER_LIMIT: Duration = Duration::from_millis(500);
/// How long it is left alone then.
const PAUSE: Duration = Duration::from_millis(500);

/// The connection to Redis.
pub(crate) struct Cluster {
    client: Client,
    commands: ConnectionManager,
    node: String,
    down: AtomicBool,
    /// Keys that could not be written while Redis was down: they are removed when
    /// it is back, and rebuilt from the rows.
    stale: Mutex<HashSet<String>>,
    /// Rooms that woke or fell asleep, until the listener has seen it.
    changed_rooms: Mutex<HashSet<Uuid>>,
    activity_changed: Notify,
    /// Rooms of which a message could not be published: when Redis is back, the other
    /// nodes are sent to the rows.
    unpublished: Mutex<HashSet<Uuid>>,
}

impl Cluster {
    /// Makes ready to talk to Redis, which need not be up yet.
    ///
    /// # Errors
    /// When the URL is none.
    pub fn new(url: &str, node: &str) -> RedisResult<Self> {
        let client = Client::open(url)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(ANSWER_LIMIT))
            .set_response_timeout(Some(ANSWER_LIMIT))
            .set_number_of_retries(1)
            .set_max_delay(PAUSE);
        Ok(Self {
            commands: client.get_connection_manager_lazy(config)?,
            client,
            node: node.to_owned(),
            down: AtomicBool::new(false),
            stale: Mutex::default(),
            changed_rooms: Mutex::default(),
            activity_changed: Notify::new(),
            unpublished: Mutex::default(),
        })
    }

    /// Whether Redis answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn check(&self) -> RedisResult<()> {
        self.ask(&redis::cmd("PING")).await.map(|_: String| ())
    }

    /// Asks Redis, unless it is known to be down.
    pub async fn ask<T: FromRedisValue>(&self, command: &redis::Cmd) -> RedisResult<T> {
        self.guard(async {
            let mut commands = self.commands.clone();
            command.query_async(&mut commands).await
        })
        .await
    }

    /// Runs a script there, unless it is known to be down.
    pub async fn invoke<T: FromRedisValue>(
        &self,
        call: &redis::ScriptInvocation<'_>,
    ) -> RedisResult<T> {
        self.guard(async {
            let mut commands = self.commands.clone();
            call.invoke_async(&mut commands).await
        })
        .await
    }

    async fn guard<T>(&self, answer: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
        if self.down.load(Ordering::Relaxed) {
            return Err(RedisError::from((ErrorKind::Io, "Redis is down")));
        }
        // The manager's own limits hold for one try each.
        let result = tokio::time::timeout(2 * ANSWER_LIMIT, answer).await;
        let result =
            result.unwrap_or_else(|_| Err(RedisError::from((ErrorKind::Io, "no answer in time"))));
        if let Err(error) = &result
            && (error.is_io_error() || error.is_connection_dropped() || error.is_timeout())
        {
            self.is_down(error);
        }
        result
    }

    fn is_down(&self, error: &RedisError) {
        if !self.down.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "Redis is down; rooms go on without it");
        }
    }

    /// Redis answers again: first what it has wrong is removed.
    async fn is_up(&self) -> RedisResult<()> {
        let stale: Vec<String> = lock(&self.stale).iter().cloned().collect();
        if !stale.is_empty() {
            let mut commands = self.commands.clone();
            let mut remove = redis::cmd("DEL");
            remove.arg(&stale);
            let removed: RedisResult<i64> = remove.query_async(&mut commands).await;
            removed?;
            lock(&self.stale).retain(|key| !stale.contains(key));
        }
        if self.down.swap(false, Ordering::Relaxed) {
            tracing::info!("Redis is back");
        }
        Ok(())
    }

    /// Remembers a key that could not be written.
    pub fn is_stale(&self, key: &str) {
        lock(&self.stale).insert(key.to_owned());
    }

    /// A room woke or fell asleep on this node.
    pub fn room_activity_changed(&self, room: Uuid) {
        lock(&self.changed_rooms).insert(room);
        self.activity_changed.notify_one();
    }

    fn take_changed_rooms(&self) -> HashSet<Uuid> {
        std::mem::take(&mut *lock(&self.changed_rooms))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
