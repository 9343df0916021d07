//! Messages between nodes, over Redis pub/sub. Each room has a channel, to which the
//! nodes with members in that room subscribe; a message to one member goes to the
//! channel of its node.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use redis::{ErrorKind, Msg, RedisError, RedisResult};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::message::ClusterMessage;
use super::{Cluster, PAUSE, lock};
use crate::model::{EndReason, Room};
use tokio_util::sync::CancellationToken;

/// How often the connection to Redis is probed, and how long an answer may take.
const PING: Duration = Duration::from_secs(2);

/// What a node publishes about a room.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BusMessage {
    /// Something happened in it.
    ClusterMessage {
        /// What.
        cluster_message: ClusterMessage,
    },
    /// The room was changed.
    Changed {
        /// As stored.
        room: Box<Room>,
    },
    /// The room is over.
    Over {
        /// As stored.
        room: Box<Room>,
        /// Why.
        reason: EndReason,
    },
}

/// Who receives what other nodes publish. Nothing here may wait: the bus of the node
/// is one task.
pub(crate) trait BusListener: Send + Sync {
    /// The rooms to subscribe to.
    fn active_rooms(&self) -> Vec<Uuid>;

    /// Whether a room is active on this node.
    fn is_active(&self, room: Uuid) -> bool;

    /// Messages about the room may have been missed.
    fn catch_up(&self, room: Uuid);

    /// A message about a room.
    fn receive(&self, room: Uuid, message: BusMessage);
}

#[derive(Serialize, Deserialize)]
struct BusEnvelope {
    from: String,
    #[serde(rename = "about")]
    room: Uuid,
    #[serde(rename = "post")]
    message: BusMessage,
}

fn of_room(room: Uuid) -> String {
    format!("visavis:room:{room}")
}

fn of_node(node: &str) -> String {
    format!("visavis:node:{node}")
}

impl Cluster {
    /// Publishes to the nodes with members in the room.
    pub async fn publish_to_room(&self, room: Uuid, message: BusMessage) {
        if self.send(&of_room(room), room, message).await.is_err() {
            lock(&self.unpublished).insert(room);
        }
    }

    /// Sends the other nodes to the rows of the rooms of which a message could not be
    /// published. Their own subscriptions may have had no gap.
    async fn publish_catch_ups(&self) {
        let rooms = std::mem::take(&mut *lock(&self.unpublished));
        if rooms.is_empty() {
            return;
        }
        let mut pipeline = redis::pipe();
        for room in &rooms {
            let cluster_message = ClusterMessage::CatchUp;
            if let Some(text) = self.envelope(*room, BusMessage::ClusterMessage { cluster_message })
            {
                pipeline
                    .cmd("PUBLISH")
                    .arg(of_room(*room))
                    .arg(text)
                    .ignore();
            }
        }
        let published = self.guard(async {
            let mut commands = self.commands.clone();
            pipeline.query_async::<()>(&mut commands).await
        });
        if published.await.is_err() {
            lock(&self.unpublished).extend(rooms);
        }
    }

    /// Sends to one node; returns whether that node is subscribed.
    pub async fn send_to_node(
        &self,
        node: &str,
        room: Uuid,
        cluster_message: ClusterMessage,
    ) -> bool {
        let message = BusMessage::ClusterMessage { cluster_message };
        let received = self.send(&of_node(node), room, message).await;
        received.is_ok_and(|nodes| nodes > 0)
    }

    /// Publishes; returns the number of subscribers that received the message.
    async fn send(&self, channel: &str, room: Uuid, message: BusMessage) -> RedisResult<u32> {
        let Some(text) = self.envelope(room, message) else {
            return Ok(0);
        };
        self.ask(redis::cmd("PUBLISH").arg(channel).arg(text)).await
    }

    fn envelope(&self, room: Uuid, message: BusMessage) -> Option<String> {
        let from = self.node.clone();
        serde_json::to_string(&BusEnvelope {
            from,
            room,
            message,
        })
        .ok()
    }
}

/// Receives the messages of other nodes until the server stops. After a gap each
/// active room catches up with its rows.
pub(crate) async fn listen(
    listener: Arc<dyn BusListener>,
    cluster: Arc<Cluster>,
    cancel: CancellationToken,
) {
    loop {
        let ended = tokio::select! {
            () = cancel.cancelled() => return,
            ended = run_subscription(&*listener, &cluster) => ended,
        };
        if let Err(error) = ended {
            cluster.is_down(&error);
        }
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

async fn run_subscription(listener: &dyn BusListener, cluster: &Cluster) -> RedisResult<()> {
    let connected = tokio::time::timeout(PING, cluster.client.get_async_pubsub());
    let (mut sink, mut messages) = connected.await.map_err(|_| disconnected())??.split();
    sink.subscribe(of_node(&cluster.node)).await?;
    // Before the active rooms are listed: later changes are handled below.
    cluster.take_changed_rooms();
    let mut rooms = HashSet::new();
    for room in listener.active_rooms() {
        sink.subscribe(of_room(room)).await?;
        rooms.insert(room);
    }
    cluster.is_up().await?;
    cluster.publish_catch_ups().await;
    for room in &rooms {
        listener.catch_up(*room);
    }
    let mut ping = tokio::time::interval(PING);
    loop {
        tokio::select! {
            message = messages.next() => receive(listener, cluster, &message.ok_or_else(disconnected)?),
            () = cluster.activity_changed.notified() => {
                for room in cluster.take_changed_rooms() {
                    if !listener.is_active(room) {
                        if rooms.remove(&room) {
                            sink.unsubscribe(of_room(room)).await?;
                        }
                    } else if rooms.insert(room) {
                        sink.subscribe(of_room(room)).await?;
                        // Its rows were read before the subscription.
                        listener.catch_up(room);
                    }
                }
            }
            _ = ping.tick() => {
                let answer = tokio::time::timeout(PING, sink.ping::<redis::Value>());
                answer.await.map_err(|_| disconnected())??;
                cluster.is_up().await?;
                cluster.publish_catch_ups().await;
            }
        }
    }
}

fn disconnected() -> RedisError {
    RedisError::from((ErrorKind::Io, "the connection to Redis is lost"))
}

/// Passes a message on. One that cannot be read is of another version.
fn receive(listener: &dyn BusListener, cluster: &Cluster, message: &Msg) {
    let envelope = serde_json::from_slice::<BusEnvelope>(message.get_payload_bytes());
    let Ok(BusEnvelope {
        from,
        room,
        message,
    }) = envelope
    else {
        tracing::warn!("a message of another node that cannot be read");
        return;
    };
    if from != cluster.node {
        listener.receive(room, message);
    }
}
