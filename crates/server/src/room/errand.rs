//! What a host wants done to the stored room. The hub tells the room's task of
//! it, so the task does not wait for it.

use std::convert::Infallible;
use std::sync::Arc;

use tokio::task::JoinHandle;
use uuid::Uuid;
use visavis_protocol::Envelope;

use super::message::frame;
use super::state::Order;
use crate::hub::{ChangeError, Hub, store_failed};
use crate::model::EndReason;
use crate::refusal::Refusal;
use crate::store::StoreError;
use crate::ws::Outbox;

/// One after the other, in the order of asking.
#[derive(Default)]
pub(super) struct Errands {
    last: Option<JoinHandle<()>>,
}

impl Errands {
    /// Does it; who asked is told only where it fails.
    pub fn run(
        &mut self,
        hub: Arc<Hub>,
        uid: Uuid,
        order: Order,
        outbox: Option<Outbox>,
        envelope: Envelope,
    ) {
        let before = self.last.take();
        let tasks = hub.tasks.clone();
        self.last = Some(tasks.spawn(async move {
            if let Some(before) = before {
                // Whether it did what it was to is its own affair.
                let _ = before.await;
            }
            if let Err(refusal) = carry_out(&hub, uid, order).await
                && let Some(outbox) = outbox
            {
                outbox.send(frame(&refusal.answer(envelope)));
            }
        }));
    }
}

async fn carry_out(hub: &Hub, uid: Uuid, order: Order) -> Result<(), Refusal> {
    match order {
        Order::Lock(locked) => {
            let lock = hub.change(uid, |room| {
                room.locked = locked;
                Ok::<_, Infallible>(())
            });
            match lock.await {
                // One who is told that the room is over needs no more.
                Ok(_) | Err(ChangeError::Gone) => Ok(()),
                Err(ChangeError::Store(error)) => Err(store_failed(error)),
            }
        }
        Order::End => {
            let ended: Result<_, StoreError> = hub.end(uid, EndReason::Ended).await;
            ended.map(drop).map_err(store_failed)
        }
    }
}
