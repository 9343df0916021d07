//! Deletes rows that are past their retention: in the background on every node, and for
//! the vacuum.

use std::sync::Arc;
use std::time::Duration;

use super::RoomService;
use crate::clock::Timestamp;
use crate::store::{AgedRows, BATCH, RoomCursor, StoreError};

/// Time from one background run to the next, by the clock of rooms.
const INTERVAL: Duration = Duration::from_secs(3_600);
/// Pause between batches, so that the transactions of joins get their turn.
const PAUSE: Duration = Duration::from_millis(25);

/// Deletes what is past its retention, now and every [`INTERVAL`], until the server
/// stops. Nodes that share a database all do so: their batches take different rows.
pub(super) async fn run_retention(service: Arc<RoomService>) {
    let runs = async {
        loop {
            let begun = service.clock.now();
            // A failure is logged; the rows are tried again at the next run.
            let _ = service.purge().await;
            service.clock.sleep_until(begun.after(INTERVAL)).await;
        }
    };
    tokio::select! {
        () = service.cancel.cancelled() => {}
        () = runs => {}
    }
}

impl RoomService {
    /// Deletes everything that is past its retention now. A batch that fails is logged
    /// and ends the deletion of its kind of rows, not of the others.
    ///
    /// # Errors
    /// The first failure.
    pub(super) async fn purge(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let young = now.before(self.config.keep_days);
        let history = now.before(self.config.keep_history);
        let mut done = Ok(());
        for (rows, before) in [
            (AgedRows::Chat, young),
            (AgedRows::Events, young),
            (AgedRows::Webhooks, young),
            (AgedRows::Stays, history),
            (AgedRows::RoomInstances, history),
        ] {
            let purged = self.purge_aged(rows, before).await;
            done = done.and(logged(&format!("{rows:?}"), purged));
        }
        done.and(logged("Rooms", self.purge_ended_rooms(history).await))
    }

    async fn purge_aged(&self, rows: AgedRows, before: Timestamp) -> Result<(), StoreError> {
        while self.store.purge_aged(rows, before).await? >= BATCH {
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn purge_ended_rooms(&self, before: Timestamp) -> Result<(), StoreError> {
        let mut from = Some(RoomCursor::default());
        while let Some(cursor) = from {
            let purged = self.store.purge_ended_rooms(before, &cursor).await?;
            for code in &purged.codes {
                self.cache.remove(code).await;
            }
            from = purged.next;
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }
}

fn logged(rows: &str, purged: Result<(), StoreError>) -> Result<(), StoreError> {
    purged.inspect_err(|error| {
        let error = error as &dyn std::error::Error;
        tracing::warn!(error, rows, "rows past their retention were not deleted");
    })
}
