//! What may have been written or not: the database failed just when it was to
//! commit. Whoever asked was told that it failed; when the database answers
//! again, the rows tell what became of it, and everyone learns that.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;
use uuid::Uuid;

use super::Hub;
use crate::id::RoomKey;
use crate::model::{EndReason, Participant};
use crate::store::{StoreError, Tx};

/// How long to wait before another try.
const RETRY: Duration = Duration::from_secs(1);

/// One thing that nobody knows.
#[derive(Debug, Clone)]
pub(super) enum Doubt {
    /// Whether someone was let in, who was told otherwise: its place is free again.
    Stay(Box<Participant>),
    /// How a room is stored.
    Room(Uuid),
}

/// As many as there are connections, each time the database fails.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    queue: Mutex<VecDeque<Doubt>>,
    added: Notify,
}

impl Doubts {
    pub fn add(&self, doubt: Doubt) {
        self.queue().push_back(doubt);
        self.added.notify_one();
    }

    fn queue(&self) -> MutexGuard<'_, VecDeque<Doubt>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Settles them, as long as the server runs.
pub(super) async fn settle(hub: Arc<Hub>) {
    loop {
        let doubt = hub.doubts.queue().front().cloned();
        let work = async {
            match doubt {
                None => hub.doubts.added.notified().await,
                Some(doubt) => match hub.look_into(doubt).await {
                    Ok(()) => drop(hub.doubts.queue().pop_front()),
                    Err(_) => sleep(RETRY).await,
                },
            }
        };
        tokio::select! {
            () = hub.cancel.cancelled() => return,
            () = work => {}
        }
    }
}

impl Hub {
    /// Makes a change of a room so; in doubt the rows will tell.
    pub(super) async fn commit(&self, tx: Tx, room: Uuid) -> Result<(), StoreError> {
        let done = tx.commit().await;
        if done.is_err() {
            self.doubts.add(Doubt::Room(room));
        }
        done
    }

    async fn look_into(&self, doubt: Doubt) -> Result<(), StoreError> {
        let uid = match doubt {
            Doubt::Stay(who) => return self.left(*who, false).await,
            Doubt::Room(uid) => uid,
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
