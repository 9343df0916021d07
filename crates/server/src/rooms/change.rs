//! Changing and ending rooms.

use uuid::Uuid;

use super::RoomService;
use crate::cluster::BusMessage;
use crate::model::RoomEvent;
use crate::model::{Closing, EndReason, Phase, Room};
use crate::store::{StoreError, Tx};

/// Why a room was not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeError<E> {
    /// There is no such room, or it was deleted.
    #[error("there is no such room")]
    Gone,
    /// The change was refused.
    #[error("refused")]
    Refused(E),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RoomService {
    /// Changes a room that is not deleted: in the store, in the cache, and on every
    /// node where it is active. A change without effect is not announced.
    ///
    /// It sends to the room's task: that task polls it beside its inbox, and never
    /// awaits it in the handling of an input.
    pub async fn change<E>(
        &self,
        uid: Uuid,
        change: impl FnOnce(&mut Room) -> Result<(), E>,
    ) -> Result<Room, ChangeError<E>> {
        let mut tx = self.store.begin().await?;
        let before = tx
            .lock_room(uid)
            .await?
            .filter(|room| room.deleted_at.is_none());
        let before = before.ok_or(ChangeError::Gone)?;
        let mut room = before.clone();
        change(&mut room).map_err(ChangeError::Refused)?;
        if room == before {
            return Ok(room);
        }
        let now = self.clock.now();
        if let Some(host) = room.host {
            tx.ensure_user(host, now).await?;
        }
        let present = tx.count_present(uid).await?;
        self.log_event(&mut tx, &room, present, RoomEvent::Updated)
            .await?;
        // A closing time in the past closes the room at once.
        if before.phase(now) != Phase::Closed && room.phase(now) == Phase::Closed {
            return Ok(self.finish(tx, room, EndReason::Time).await?);
        }
        tx.put_room(&mut room).await?;
        self.commit(tx, uid).await?;
        self.changed(&room).await;
        Ok(room)
    }

    /// Sends a changed room to the cache, its task and the other nodes.
    pub async fn changed(&self, room: &Room) {
        self.cache.put(room, self.clock.now()).await;
        self.room_written(room);
        if let Some(handle) = self.active_room(room.uid) {
            handle.changed(room.clone()).await;
        }
        if let Some(cluster) = &self.cluster {
            let copy = Box::new(room.clone());
            cluster
                .publish_to_room(room.uid, BusMessage::Changed { room: copy })
                .await;
        }
    }

    /// Ends a room: its participants leave, its instance ends, and it is closed or,
    /// if it is fleeting, deleted. `None`: there is no such room.
    ///
    /// The task of the room is told through its inbox, as for a change.
    pub async fn end(&self, uid: Uuid, reason: EndReason) -> Result<Option<Room>, StoreError> {
        let mut tx = self.store.begin().await?;
        let room = tx.lock_room(uid).await?;
        match room.filter(|room| room.deleted_at.is_none()) {
            Some(room) => self.finish(tx, room, reason).await.map(Some),
            None => Ok(None),
        }
    }

    /// Ends a room that this transaction has locked.
    async fn finish(
        &self,
        mut tx: Tx,
        mut room: Room,
        reason: EndReason,
    ) -> Result<Room, StoreError> {
        let now = self.clock.now();
        let uid = room.uid;
        let was_closed = room.closed.is_some();
        let fleeting = matches!(reason, EndReason::Empty | EndReason::Idle) && room.is_fleeting();
        if fleeting || reason == EndReason::Deleted {
            room.deleted_at = Some(now);
        }
        if !was_closed {
            room.closed = Some(Closing { at: now, reason });
        }
        self.empty(&mut tx, &mut room).await?;
        room.empty_since = None;
        room.host_left_at = None;
        tx.put_room(&mut room).await?;
        if !was_closed {
            self.log_event(&mut tx, &room, 0, RoomEvent::Closed).await?;
            self.purpose_over(&mut tx, &room, now).await?;
        }
        if reason == EndReason::Deleted {
            self.log_event(&mut tx, &room, 0, RoomEvent::Deleted)
                .await?;
        }
        self.commit(tx, uid).await?;
        self.is_over(&room, reason).await;
        tracing::info!(room = room.code, ?reason, "the room has ended");
        Ok(room)
    }

    /// Sends a room's end to the cache, its task and the other nodes.
    pub(super) async fn is_over(&self, room: &Room, reason: EndReason) {
        let uid = room.uid;
        match room.deleted_at {
            Some(_) => self.cache.remove(&room.code).await,
            None => self.cache.put(room, self.clock.now()).await,
        }
        self.written();
        if let Some(handle) = self.active_room(uid) {
            handle.over(room.clone(), reason).await;
        }
        if let Some(cluster) = &self.cluster {
            cluster.forget(uid).await;
            let copy = Box::new(room.clone());
            cluster
                .publish_to_room(uid, BusMessage::Over { room: copy, reason })
                .await;
        }
    }

    /// Records the departure of every participant and the end of the instance.
    async fn empty(&self, tx: &mut Tx, room: &mut Room) -> Result<(), StoreError> {
        let mut left = tx.count_present(room.uid).await?;
        for who in tx.present(room.uid).await? {
            left = left.saturating_sub(1);
            self.record_departure(tx, room, left, who).await?;
        }
        if let Some(instance) = room.instance.take() {
            tx.end_instance(&instance.sid, self.clock.now()).await?;
            let ended = Room {
                instance: Some(instance),
                ..room.clone()
            };
            self.log_event(tx, &ended, 0, RoomEvent::Finished).await?;
        }
        Ok(())
    }
}
