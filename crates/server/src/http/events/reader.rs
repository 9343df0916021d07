//! Reading a topic's log to its end, and waiting there for more.

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
/// Other nodes write into the same database without a word: look this often.
const LOOK: Duration = Duration::from_secs(1);

/// Where a listener is in the log.
pub(super) struct Reader {
    service: Arc<RoomService>,
    topic: String,
    /// The last place that was read.
    place: i64,
    /// Read, and not told yet.
    ready: VecDeque<Event>,
    noted: watch::Receiver<u64>,
}

impl Reader {
    /// From now on.
    pub async fn new(service: Arc<RoomService>, topic: String) -> Result<Self, StoreError> {
        let noted = service.noted.subscribe();
        let place = service.store.last_place(&topic).await?;
        Ok(Self::at(service, topic, place, noted))
    }

    /// After this event; from the log's beginning where that is not in it any
    /// more.
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

    /// The next event; `None` at the service's end, and where the log cannot be
    /// read.
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

    /// Reads what is new.
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
            // There may be more: look again once these are told.
            self.noted.mark_changed();
        }
        Ok(())
    }
}
