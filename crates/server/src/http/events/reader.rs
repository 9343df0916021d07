//! Reads a topic of the event log, then waits for new events.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::model::Event;
use crate::rooms::RoomService;
use crate::store::StoreError;

/// Events read at a time.
const PAGE: i64 = 256;
/// Poll interval for events that other nodes write into a shared database.
const LOOK: Duration = Duration::from_secs(1);

/// A listener's position in the event log.
pub(super) struct Reader {
    service: Arc<RoomService>,
    topic: String,
    /// The last position read.
    place: i64,
    /// Read but not sent yet.
    ready: VecDeque<Event>,
    noted: watch::Receiver<u64>,
}

impl Reader {
    /// Starts with the next new event.
    pub async fn new(service: Arc<RoomService>, topic: String) -> Result<Self, StoreError> {
        let noted = service.noted.subscribe();
        let place = service.store.last_place(&topic).await?;
        Ok(Self::at(service, topic, place, noted))
    }

    /// Starts after this event, or at the log's beginning if the event was
    /// purged.
    pub async fn after(
        service: Arc<RoomService>,
        topic: String,
        id: &str,
    ) -> Result<Self, StoreError> {
        let noted = service.noted.subscribe();
        let place = service.store.event_place(&topic, id).await?;
        Ok(Self::at(service, topic, place.unwrap_or_default(), noted))
    }

    fn at(
        service: Arc<RoomService>,
        topic: String,
        place: i64,
        mut noted: watch::Receiver<u64>,
    ) -> Self {
        noted.mark_changed();
        Self {
            service,
            topic,
            place,
            ready: VecDeque::new(),
            noted,
        }
    }

    /// The next event; `None` when the server stops or the log cannot be read.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            tokio::select! {
                () = self.service.cancel.cancelled() => return None,
                noted = self.noted.changed() => noted.ok()?,
                () = sleep(LOOK), if self.service.store.is_shared() => {}
            }
            if let Err(error) = self.read().await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "cannot read the log of events");
                return None;
            }
        }
    }

    /// Reads the next page.
    async fn read(&mut self) -> Result<(), StoreError> {
        let page = self
            .service
            .store
            .events_after(&self.topic, self.place, PAGE);
        for (place, event) in page.await? {
            self.place = place;
            self.ready.push_back(event);
        }
        if !self.ready.is_empty() {
            // There may be more pages: read again once these are sent.
            self.noted.mark_changed();
        }
        Ok(())
    }
}
