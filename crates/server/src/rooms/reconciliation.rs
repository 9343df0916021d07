//! Commits whose outcome is unknown, because the database failed during them. The
//! caller got an error. When the database answers again, the stored rows decide, and
//! caches, members and other nodes are updated from them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;
use uuid::Uuid;

use super::RoomService;
use crate::id::RoomKey;
use crate::model::{EndReason, Participant};
use crate::store::{StoreError, Tx};

/// Pause after a failed attempt.
const RETRY: Duration = Duration::from_secs(1);

/// A commit whose outcome is unknown.
#[derive(Debug, Clone)]
pub(super) enum UncertainCommit {
    /// An admission that was answered with an error: if it was committed, the
    /// participant is removed.
    Stay(Box<Participant>),
    /// A change of a room.
    Room(Uuid),
}

/// The queue. Each failure of the database adds at most one entry per connection.
#[derive(Debug, Default)]
pub(super) struct Reconciliation {
    queue: Mutex<VecDeque<UncertainCommit>>,
    added: Notify,
}

impl Reconciliation {
    pub fn add(&self, commit: UncertainCommit) {
        self.queue().push_back(commit);
        self.added.notify_one();
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<UncertainCommit>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reconciles queued commits until the server stops.
pub(super) async fn run_reconciliation(service: Arc<RoomService>) {
    loop {
        let commit = service.reconciliation.queue().front().cloned();
        let work = async {
            match commit {
                None => service.reconciliation.added.notified().await,
                Some(commit) => match service.reconcile(commit).await {
                    Ok(()) => drop(service.reconciliation.queue().pop_front()),
                    Err(error) if error.is_outage() => sleep(RETRY).await,
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(error, "a commit could not be reconciled");
                        service.reconciliation.queue().pop_front();
                    }
                },
            }
        };
        tokio::select! {
            () = service.cancel.cancelled() => return,
            () = work => {}
        }
    }
}

impl RoomService {
    /// Commits a change of a room; a failed commit is reconciled later.
    pub(super) async fn commit(&self, tx: Tx, room: Uuid) -> Result<(), StoreError> {
        let done = tx.commit().await;
        if done.is_err() {
            self.reconciliation.add(UncertainCommit::Room(room));
        }
        done
    }

    async fn reconcile(&self, commit: UncertainCommit) -> Result<(), StoreError> {
        let uid = match commit {
            UncertainCommit::Stay(who) => return self.left(*who, false).await,
            UncertainCommit::Room(uid) => uid,
        };
        let Some(room) = self.store.find_room(&RoomKey::Uid(uid)).await? else {
            return Ok(());
        };
        match &room.closed {
            Some(closing) if room.deleted_at.is_none() => {
                let reason = closing.reason;
                self.is_over(&room, reason).await;
            }
            _ if room.deleted_at.is_some() => self.is_over(&room, EndReason::Deleted).await,
            _ => self.changed(&room).await,
        }
        Ok(())
    }
}
