//! Messages between nodes, over Redis pub/sub: a room's news goes to a channel
//! of its own, which the nodes that have people in it listen to; what is for one
//! person goes to the channel of that one's node.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use redis::{ErrorKind, Msg, RedisError, RedisResult};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::message::ClusterMessage;
use super::{Cluster, PAUSE};
use crate::model::{EndReason, Room};
use tokio_util::sync::CancellationToken;

/// How often the line is tried.
const PING: Duration = Duration::from_secs(2);

/// What a node tells others of a room.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum BusMessage {
    /// Something happened in it.
    ClusterMessage {
        /// What.
        cluster_message: ClusterMessage,
    },
    /// It is another one now.
    Changed {
        /// As stored.
        room: Box<Room>,
    },
    /// It is over.
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
    about: Uuid,
    post: BusMessage,
}

fn of_room(room: Uuid) -> String {
    format!("visavis:room:{room}")
}

fn of_node(node: &str) -> String {
    format!("visavis:node:{node}")
}

impl Cluster {
    /// Tells the nodes that have people in the room.
    pub async fn publish_to_room(&self, room: Uuid, post: BusMessage) {
        self.send(&of_room(room), room, post).await;
    }

    /// Tells one node; whether it is there to hear it.
    pub async fn send_to_node(
        &self,
        node: &str,
        room: Uuid,
        cluster_message: ClusterMessage,
    ) -> bool {
        self.send(
            &of_node(node),
            room,
            BusMessage::ClusterMessage { cluster_message },
        )
        .await
            > 0
    }

    /// How many heard it.
    async fn send(&self, channel: &str, about: Uuid, post: BusMessage) -> u32 {
        let from = self.node.clone();
        let Ok(text) = serde_json::to_string(&BusEnvelope { from, about, post }) else {
            return 0;
        };
        let heard = self.ask(redis::cmd("PUBLISH").arg(channel).arg(text)).await;
        heard.unwrap_or_default()
    }
}

/// Hears what other nodes tell, as long as the server runs. After a gap every
/// living room catches up with its rows.
pub(crate) async fn listen(
    listener: Arc<dyn BusListener>,
    cluster: Arc<Cluster>,
    cancel: CancellationToken,
) {
    loop {
        let heard = tokio::select! {
            () = cancel.cancelled() => return,
            heard = run_subscription(&*listener, &cluster) => heard,
        };
        if let Err(error) = heard {
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
    let (mut sink, mut letters) = connected.await.map_err(|_| dead_line())??.split();
    sink.subscribe(of_node(&cluster.node)).await?;
    // Before the living are counted: whoever stirs from here on is seen below.
    cluster.take_changed_rooms();
    let mut rooms = HashSet::new();
    for room in listener.active_rooms() {
        sink.subscribe(of_room(room)).await?;
        rooms.insert(room);
    }
    cluster.is_up().await?;
    for room in &rooms {
        listener.catch_up(*room);
    }
    let mut ping = tokio::time::interval(PING);
    loop {
        tokio::select! {
            letter = letters.next() => open(listener, cluster, &letter.ok_or_else(dead_line)?),
            () = cluster.activity_changed.notified() => {
                for room in cluster.take_changed_rooms() {
                    if !listener.is_active(room) {
                        if rooms.remove(&room) {
                            sink.unsubscribe(of_room(room)).await?;
                        }
                    } else if rooms.insert(room) {
                        sink.subscribe(of_room(room)).await?;
                        // It was read before it was listened for.
                        listener.catch_up(room);
                    }
                }
            }
            _ = ping.tick() => {
                let answer = tokio::time::timeout(PING, sink.ping::<redis::Value>());
                answer.await.map_err(|_| dead_line())??;
                cluster.is_up().await?;
            }
        }
    }
}

fn dead_line() -> RedisError {
    RedisError::from((ErrorKind::Io, "the line to Redis is dead"))
}

/// Takes in a letter. One that cannot be read is of another version.
fn open(listener: &dyn BusListener, cluster: &Cluster, letter: &Msg) {
    let letter = serde_json::from_slice::<BusEnvelope>(letter.get_payload_bytes());
    let Ok(BusEnvelope { from, about, post }) = letter else {
        tracing::warn!("a message of another node that cannot be read");
        return;
    };
    if from != cluster.node {
        listener.receive(about, post);
    }
}
