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

use super::{Cluster, PAUSE};
use crate::hub::Hub;
use crate::model::{EndReason, Room};
use crate::room::News;

/// How often the line is tried.
const PING: Duration = Duration::from_secs(2);

/// What a node tells others of a room.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Post {
    /// Something happened in it.
    News {
        /// What.
        news: News,
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

#[derive(Serialize, Deserialize)]
struct Letter {
    from: String,
    about: Uuid,
    post: Post,
}

fn of_room(room: Uuid) -> String {
    format!("visavis:room:{room}")
}

fn of_node(node: &str) -> String {
    format!("visavis:node:{node}")
}

impl Cluster {
    /// Tells the nodes that have people in the room.
    pub async fn tell_room(&self, room: Uuid, post: Post) {
        self.send(&of_room(room), room, post).await;
    }

    /// Tells one node; whether it is there to hear it.
    pub async fn tell_node(&self, node: &str, room: Uuid, news: News) -> bool {
        self.send(&of_node(node), room, Post::News { news }).await > 0
    }

    /// How many heard it.
    async fn send(&self, channel: &str, about: Uuid, post: Post) -> u32 {
        let from = self.node.clone();
        let Ok(text) = serde_json::to_string(&Letter { from, about, post }) else {
            return 0;
        };
        let heard = self.ask(redis::cmd("PUBLISH").arg(channel).arg(text)).await;
        heard.unwrap_or_default()
    }
}

/// Hears what other nodes tell, as long as the server runs. After a gap every
/// living room catches up with its rows.
pub(crate) async fn listen(hub: Arc<Hub>, cluster: Arc<Cluster>) {
    let cancel = hub.cancel.clone();
    loop {
        let heard = tokio::select! {
            () = cancel.cancelled() => return,
            heard = hear(&hub, &cluster) => heard,
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

async fn hear(hub: &Arc<Hub>, cluster: &Cluster) -> RedisResult<()> {
    let connected = tokio::time::timeout(PING, cluster.client.get_async_pubsub());
    let (mut sink, mut letters) = connected.await.map_err(|_| dead_line())??.split();
    sink.subscribe(of_node(&cluster.node)).await?;
    // Before the living are counted: whoever stirs from here on is seen below.
    cluster.take_moved();
    let mut rooms = HashSet::new();
    for room in hub.living_rooms() {
        sink.subscribe(of_room(room)).await?;
        rooms.insert(room);
    }
    cluster.is_up().await?;
    for room in &rooms {
        hub.catch_up(*room).await;
    }
    let mut ping = tokio::time::interval(PING);
    loop {
        tokio::select! {
            letter = letters.next() => open(hub, cluster, &letter.ok_or_else(dead_line)?).await,
            () = cluster.stirred.notified() => {
                for room in cluster.take_moved() {
                    if hub.living(room).is_none() {
                        if rooms.remove(&room) {
                            sink.unsubscribe(of_room(room)).await?;
                        }
                    } else if rooms.insert(room) {
                        sink.subscribe(of_room(room)).await?;
                        // It was read before it was listened for.
                        hub.catch_up(room).await;
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
async fn open(hub: &Arc<Hub>, cluster: &Cluster, letter: &Msg) {
    let letter = serde_json::from_slice::<Letter>(letter.get_payload_bytes());
    let Ok(Letter { from, about, post }) = letter else {
        tracing::warn!("a message of another node that cannot be read");
        return;
    };
    if from == cluster.node {
        return;
    }
    let Some(handle) = hub.living(about) else {
        return;
    };
    match post {
        Post::News { news } => handle.news(news).await,
        Post::Changed { room } => handle.changed(*room).await,
        Post::Over { room, reason } => handle.over(*room, reason).await,
    }
}
