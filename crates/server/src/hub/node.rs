//! This process among those that share a database: it says that it is alive,
//! and takes out the people of one that is not.

use std::sync::Arc;
use std::time::Duration;

use super::Hub;
use crate::clock::Clock;
use crate::store::{NODE_LEASE, StoreError};

/// How often a node says that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(5);

fn lease(node: &str) -> String {
    format!("node:{node}")
}

/// Says so for the first time. A file of this machine has no other users: who
/// is inside by its word was so in a process that has ended.
pub(super) async fn enlist(hub: &Hub) -> Result<(), StoreError> {
    if hub.store.is_shared() {
        renew(hub).await?;
    }
    sweep(hub).await
}

/// Says so as long as this process lives, and looks after the others.
pub(super) async fn stay_alive(hub: Arc<Hub>) {
    if !hub.store.is_shared() {
        return;
    }
    loop {
        tokio::select! {
            () = hub.cancel.cancelled() => break,
            () = tokio::time::sleep(HEARTBEAT) => {}
        }
        let done = async {
            renew(&hub).await?;
            sweep(&hub).await
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
async fn sweep(hub: &Hub) -> Result<(), StoreError> {
    for node in hub.store.dead_nodes(Clock::real()).await? {
        if node == hub.node {
            continue;
        }
        tracing::warn!(node, "a node has died");
        for who in hub.store.participants_of_node(&node).await? {
            hub.left(who, false).await?;
        }
    }
    Ok(())
}
