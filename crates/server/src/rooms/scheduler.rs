//! Opens and ends rooms when they are due; one node does it for all.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use uuid::Uuid;

use super::RoomService;
use crate::clock::{Clock, Timestamp};
use crate::model::Due;
use crate::model::RoomEvent;
use crate::store::StoreError;

/// Polling interval for rows written by other nodes, and pause after a failure.
const LOOK: Duration = Duration::from_secs(1);
/// Lease of the scheduling node; another takes over after it.
const LEASE: Duration = Duration::from_secs(5);
/// Due rooms read at a time.
const AT_ONCE: i64 = 100;
/// How long deleted rooms are kept.
const MEMORY: Duration = Duration::from_secs(30 * 24 * 3_600);

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
    if service.store.is_shared() {
        let now = Clock::real();
        let until = now.after(LEASE);
        if !service
            .store
            .take_lease("scheduler", &service.node, now, until)
            .await?
        {
            return Ok(None);
        }
    }
    service.run_due().await?;
    service.store.next_due().await
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
        let _alone = self.due_lock.lock().await;
        loop {
            let due = self.store.due_rooms(self.clock.now(), AT_ONCE).await?;
            if due.is_empty() {
                return Ok(());
            }
            for uid in due {
                run_due_room(self, uid).await?;
            }
        }
    }

    /// Does what is due and deletes what is past its retention.
    pub async fn vacuum(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.run_due().await?;
        let mut tx = self.store.begin().await?;
        let before = Timestamp(
            now.0
                .saturating_sub(i64::try_from(MEMORY.as_millis()).unwrap_or(i64::MAX)),
        );
        tx.purge(before).await?;
        tx.purge_leases(Timestamp(Clock::real().0.saturating_sub(60_000)))
            .await?;
        tx.commit().await
    }
}
