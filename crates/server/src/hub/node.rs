//! This process among those that share a database: it says that it is alive,
//! and takes out the people of one that is not.

use std::sync::Arc;
use std::time::{Duration, Instant};

use visavis_protocol::Feature;

use super::Hub;
use super::inbound::LIVEKIT;
use crate::clock::Clock;
use crate::model::Participant;
use crate::room::News;
use crate::store::{NODE_LEASE, StoreError};

/// How often a node says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Whoever was without the database for a while does not know who else was: for
/// so long the others may say that they are alive.
const GRACE: Duration = Duration::from_secs(12);

fn lease(node: &str) -> String {
    format!("node:{node}")
}

/// Says so for the first time. A file of this machine has no other users: who
/// is inside by its word was so in a process that has ended, and may come back
/// for a while if it can.
pub(super) async fn enlist(hub: &Hub) -> Result<(), StoreError> {
    if hub.store.is_shared() {
        return renew(hub).await;
    }
    sweep(hub, |who| !who.features.has(Feature::Resume)).await
}

/// Says so as long as this process lives, and looks after the others.
pub(super) async fn stay_alive(hub: Arc<Hub>) {
    if !hub.store.is_shared() {
        tokio::select! {
            () = hub.cancel.cancelled() => return,
            () = tokio::time::sleep(hub.config.limits.resume_window) => {}
        }
        if let Err(error) = sweep(&hub, |_| true).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot clean up");
        }
        return;
    }
    let mut last = Instant::now();
    let mut unbroken_since = last;
    loop {
        tokio::select! {
            () = hub.cancel.cancelled() => break,
            () = tokio::time::sleep(HEARTBEAT) => {}
        }
        let done = async {
            renew(&hub).await?;
            if last.elapsed() > 2 * HEARTBEAT {
                unbroken_since = Instant::now();
            }
            last = Instant::now();
            if unbroken_since.elapsed() < GRACE {
                return Ok(());
            }
            sweep(&hub, |_| true).await
        };
        if let Err(error) = done.await {
            tracing::warn!(error = &error as &dyn std::error::Error, "no heartbeat");
        }
    }
}

async fn renew(hub: &Hub) -> Result<(), StoreError> {
    let now = Clock::real();
    let until = now.after(NODE_LEASE);
    hub.store
        .take_lease(&lease(&hub.node), &hub.node, now, until)
        .await
        .map(drop)
}

/// Takes out whoever is inside by the word of a node that is dead.
async fn sweep(hub: &Hub, over: impl Fn(&Participant) -> bool) -> Result<(), StoreError> {
    for node in hub.store.dead_nodes(Clock::real()).await? {
        if node == hub.node || node == LIVEKIT {
            continue;
        }
        tracing::warn!(node, "a node has died");
        let people = hub.store.participants_of_node(&node).await?;
        for who in people.into_iter().filter(&over) {
            let (room, client) = (who.room, who.client);
            hub.left(who, false).await?;
            hub.announce(room, News::Left { client }).await;
        }
    }
    Ok(())
}
