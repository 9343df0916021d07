//! What may have been written or not: the database failed just when it was to
//! commit. Whoever asked was told that it failed; when the database answers
//! again, the rows tell what became of it, and everyone learns that.

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

/// How long to wait before another try.
const RETRY: Duration = Duration::from_secs(1);

/// One thing that nobody knows.
#[derive(Debug, Clone)]
pub(super) enum UncertainCommit {
    /// Whether someone was let in, who was told otherwise: its place is free again.
    Stay(Box<Participant>),
    /// How a room is stored.
    Room(Uuid),
}

/// As many as there are connections, each time the database fails.
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

/// Settles them, as long as the server runs.
pub(super) async fn run_reconciliation(service: Arc<RoomService>) {
    loop {
        let commit = service.reconciliation.queue().front().cloned();
        let work = async {
            match commit {
                None => service.reconciliation.added.notified().await,
                Some(commit) => match service.reconcile(commit).await {
                    Ok(()) => drop(service.reconciliation.queue().pop_front()),
                    Err(_) => sleep(RETRY).await,
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
    /// Makes a change of a room so; in doubt the rows will tell.
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
