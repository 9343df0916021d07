//! The lease of this node, and the removal of participants of dead nodes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use visavis_protocol::Feature;

use super::RoomService;
use crate::clock::Clock;
use crate::cluster::ClusterMessage;
use crate::model::{LIVEKIT_NODE, Participant};
use crate::store::{NODE_LEASE, StoreError};

/// Interval of lease renewals.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// After an outage of the database other nodes need time to renew their leases: for
/// this long no node is declared dead.
const GRACE: Duration = Duration::from_secs(12);

fn lease(node: &str) -> String {
    format!("node:{node}")
}

/// Takes the node's lease for the first time. A SQLite file has one server process:
/// participants that it lists as present belong to a process that has ended. Those of
/// one that ended just now may resume for a while; rooms that became due meanwhile
/// end before the server listens.
pub(super) async fn enlist(service: &RoomService) -> Result<(), StoreError> {
    if service.store.is_shared() {
        return renew(service).await;
    }
    let now = Clock::real();
    for node in service.store.nodes_with_participants().await? {
        let lease_end = service.store.lease_end(&lease(&node)).await?;
        let may_resume = lease_end.is_none_or(|until| until > now);
        let last_alive = lease_end.map(|until| now.after(NODE_LEASE).since(until));
        remove_from_list(service, &node, last_alive, |who| {
            !may_resume || !who.features.has(Feature::Resume)
        })
        .await?;
    }
    service.store.purge_leases().await?;
    service.run_due().await
}

/// Renews the lease and sweeps dead nodes until the server stops.
pub(super) async fn stay_alive(service: Arc<RoomService>) {
    match service.store.is_shared() {
        true => among_others(service).await,
        false => alone(service).await,
    }
}

/// Renews the lease while rooms are active, for the next process to read. Once the
/// resume window is over, removes the participants left by the previous process.
async fn alone(service: Arc<RoomService>) {
    let mut beat = tokio::time::interval(HEARTBEAT);
    let window = tokio::time::sleep(service.config.limits.resume_window);
    tokio::pin!(window);
    let mut swept = false;
    loop {
        let done = tokio::select! {
            () = service.cancel.cancelled() => return,
            _ = beat.tick() => match service.active_count() {
                0 => continue,
                _ => renew(&service).await,
            },
            () = &mut window, if !swept => {
                swept = true;
                remove_from_all(&service, service.store.nodes_with_participants().await).await
            }
        };
        if let Err(error) = done {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the node's lease could not be renewed"
            );
        }
    }
}

async fn among_others(service: Arc<RoomService>) {
    let mut last = Instant::now();
    let mut unbroken_since = last;
    let mut was_dead = false;
    loop {
        tokio::select! {
            () = service.cancel.cancelled() => break,
            () = tokio::time::sleep(HEARTBEAT) => {}
        }
        let done = async {
            renew(&service).await?;
            if last.elapsed() > 2 * HEARTBEAT {
                unbroken_since = Instant::now();
                was_dead = last.elapsed() > NODE_LEASE;
            }
            last = Instant::now();
            if unbroken_since.elapsed() < GRACE {
                if was_dead {
                    // Other nodes may have removed participants of this node.
                    service.catch_up_all();
                }
                return Ok(());
            }
            remove_from_all(&service, service.store.dead_nodes().await).await
        };
        if let Err(error) = done.await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the node's lease could not be renewed"
            );
        }
    }
}

async fn renew(service: &RoomService) -> Result<(), StoreError> {
    service
        .store
        .take_lease(&lease(&service.node), &service.node, NODE_LEASE)
        .await
        .map(drop)
}

/// Removes the participants of these nodes.
async fn remove_from_all(
    service: &RoomService,
    nodes: Result<Vec<String>, StoreError>,
) -> Result<(), StoreError> {
    for node in nodes? {
        remove_from_list(service, &node, None, |_| true).await?;
    }
    Ok(())
}

/// Removes participants of a dead node; `ago` is how long it has been dead, if
/// known.
async fn remove_from_list(
    service: &RoomService,
    node: &str,
    ago: Option<Duration>,
    over: impl Fn(&Participant) -> bool,
) -> Result<(), StoreError> {
    if node == service.node || node == LIVEKIT_NODE {
        return Ok(());
    }
    tracing::warn!(node, "a node is dead");
    let people = service.store.participants_of_node(node).await?;
    for mut who in people.into_iter().filter(&over) {
        let (room, client) = (who.room, who.client);
        who.left_at = ago.map(|ago| who.joined_at.max(service.clock.now().before(ago)));
        match service.left(who, false).await {
            // One unreadable room keeps neither the others nor the server from starting.
            Err(error) if !error.is_outage() => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, %room, "a departure could not be stored");
            }
            done => done?,
        }
        service
            .announce(room, ClusterMessage::Left { client })
            .await;
    }
    Ok(())
}
