//! Opens and ends rooms when they are due; one node does it for all.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use uuid::Uuid;

use super::RoomService;
use crate::clock::Timestamp;
use crate::model::Due;
use crate::model::RoomEvent;
use crate::store::StoreError;

/// Polling interval for rows written by other nodes, and pause after a failure.
const LOOK: Duration = Duration::from_secs(1);
/// Lease of the scheduling node; another takes over after it.
const LEASE: Duration = Duration::from_secs(5);
/// Due rooms read at a time.
const AT_ONCE: i64 = 100;

/// Pause before a room is tried again that could not be opened or ended.
const ROOM_RETRY: Duration = Duration::from_secs(30);

/// Rooms that could not be opened or ended, with the time of the next attempt. Until
/// then they are passed over, so that they hold up no other room.
#[derive(Debug, Default)]
pub(super) struct FailingRooms(HashMap<Uuid, Timestamp>);

impl FailingRooms {
    fn is_paused(&self, uid: Uuid, now: Timestamp) -> bool {
        self.0.get(&uid).is_some_and(|retry_at| *retry_at > now)
    }

    fn next_retry(&self, now: Timestamp) -> Option<Timestamp> {
        let retries = self.0.values().copied();
        retries.filter(|retry_at| *retry_at > now).min()
    }
}

/// Does what is due until the server stops.
pub(super) async fn run_scheduler(service: Arc<RoomService>) {
    loop {
        // From here on every write wakes the scheduler.
        service.awaited.store(i64::MAX, Ordering::SeqCst);
        let wait = match look(&service).await {
            Ok(next) => next,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "due rooms cannot be read");
                Some(service.clock.now().after(LOOK))
            }
        };
        if let Some(at) = wait {
            service.awaited.store(at.0, Ordering::SeqCst);
        }
        let look_again = async {
            if service.store.is_shared() {
                tokio::time::sleep(LOOK).await;
            } else {
                std::future::pending().await
            }
        };
        let due = async {
            match wait {
                Some(at) => service.clock.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = service.cancel.cancelled() => break,
            () = service.due.notified() => {}
            () = due => {}
            () = look_again => {}
        }
    }
    if service.store.is_shared() {
        // Another node need not wait until the lease expires.
        let _ = service.store.drop_lease("scheduler", &service.node).await;
    }
}

/// Does what is due; returns when to look again.
async fn look(service: &RoomService) -> Result<Option<Timestamp>, StoreError> {
    if service.store.is_shared()
        && !service
            .store
            .take_lease("scheduler", &service.node, LEASE)
            .await?
    {
        return Ok(None);
    }
    service.run_all_due().await
}

async fn run_due_room(service: &RoomService, uid: Uuid) -> Result<(), StoreError> {
    let mut tx = service.store.begin().await?;
    let Some(mut room) = tx.lock_room(uid).await? else {
        return Ok(());
    };
    match room.due(service.clock.now()) {
        Some(Due::End(reason)) => {
            drop(tx);
            service.end(uid, reason).await.map(drop)
        }
        Some(Due::Opening) => {
            room.opened = true;
            tx.put_room(&mut room).await?;
            let present = tx.count_present(uid).await?;
            service
                .log_event(&mut tx, &room, present, RoomEvent::Opened)
                .await?;
            service.commit(tx, uid).await?;
            service.changed(&room).await;
            Ok(())
        }
        // It was done meanwhile; storing the room corrects the due column.
        None => {
            tx.put_room(&mut room).await?;
            tx.commit().await
        }
    }
}

impl RoomService {
    /// Does what is due. When it returns, no other task of this node is doing so.
    pub async fn run_due(&self) -> Result<(), StoreError> {
        self.run_all_due().await.map(drop)
    }

    /// Does what is due; returns when something is due next. A room that fails is logged
    /// and passed over for [`ROOM_RETRY`].
    async fn run_all_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut failing = self.due_lock.lock().await;
        loop {
            let now = self.clock.now();
            let paused = i64::try_from(failing.0.len()).unwrap_or(i64::MAX);
            let most = AT_ONCE.saturating_add(paused);
            let mut due = self.store.due_rooms(now, most).await?;
            due.retain(|uid| !failing.is_paused(*uid, now));
            if due.is_empty() {
                let next = self.store.next_due(now).await?;
                // Rooms that are no longer due have been dealt with elsewhere.
                failing.0.retain(|_, retry_at| *retry_at > now);
                return Ok(next.into_iter().chain(failing.next_retry(now)).min());
            }
            for uid in due {
                failing.0.remove(&uid);
                let Err(error) = run_due_room(self, uid).await else {
                    continue;
                };
                failing.0.insert(uid, now.after(ROOM_RETRY));
                if error.is_outage() {
                    return Err(error);
                }
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, room = %uid, "a due room failed");
            }
        }
    }

    /// Does what is due and deletes what is past its retention, in bounded batches.
    pub async fn vacuum(&self) -> Result<(), StoreError> {
        self.run_due().await?;
        self.purge().await?;
        self.store.purge_leases().await
    }
}
