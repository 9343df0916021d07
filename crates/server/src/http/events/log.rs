//! Reading a topic's log to its end, and waiting there for more.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::hub::Hub;
use crate::model::Event;
use crate::store::StoreError;

/// Events read at a time.
const PAGE: i64 = 256;
/// Other nodes write into the same database without a word: look this often.
const LOOK: Duration = Duration::from_secs(1);
/// What is not in the log after so long will not be: whoever took a place in it
/// has written there, or has given up.
const SETTLE: Duration = Duration::from_secs(10);

/// Where a listener is in the log.
///
/// PostgreSQL numbers events as they are written, not as they are committed: one
/// with a smaller number may come to light later. So from time to time the last
/// stretch is read again; what was told is not told twice.
pub(super) struct Reader {
    hub: Arc<Hub>,
    topic: String,
    /// Everything up to here is settled.
    floor: i64,
    /// The last place, as of `marked_at`: the next floor.
    mark: i64,
    marked_at: Instant,
    /// When to read the last stretch again.
    look_at: Instant,
    /// The last place that was read.
    place: i64,
    /// What was read above the floor; empty where the order is certain.
    read: BTreeSet<i64>,
    /// Read, and not told yet.
    ready: VecDeque<Event>,
    noted: watch::Receiver<u64>,
}

impl Reader {
    /// From now on.
    pub async fn new(hub: Arc<Hub>, topic: String) -> Result<Self, StoreError> {
        let noted = hub.noted.subscribe();
        let place = hub.store.last_place().await?;
        Ok(Self::at(hub, topic, place, noted))
    }

    /// After this event; from the log's beginning where that is not in it any
    /// more.
    pub async fn after(hub: Arc<Hub>, topic: String, id: &str) -> Result<Self, StoreError> {
        let noted = hub.noted.subscribe();
        let place = hub.store.event_place(&topic, id).await?;
        Ok(Self::at(hub, topic, place.unwrap_or_default(), noted))
    }

    fn at(hub: Arc<Hub>, topic: String, place: i64, mut noted: watch::Receiver<u64>) -> Self {
        noted.mark_changed();
        Self {
            hub,
            topic,
            floor: place,
            mark: place,
            marked_at: Instant::now(),
            look_at: Instant::now() + LOOK,
            place,
            read: BTreeSet::new(),
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
            let again = tokio::select! {
                () = self.hub.cancel.cancelled() => return None,
                noted = self.noted.changed() => {
                    noted.ok()?;
                    false
                }
                () = sleep_until(self.look_at), if self.hub.store.is_shared() => true,
            };
            if let Err(error) = self.read(again).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "cannot read the log of events");
                return None;
            }
        }
    }

    /// Reads what is new; `again`: the last stretch too.
    async fn read(&mut self, again: bool) -> Result<(), StoreError> {
        let shared = self.hub.store.is_shared();
        let mut from = self.place;
        if again {
            from = self.floor;
            self.look_at = Instant::now() + LOOK;
        }
        loop {
            let page = self.hub.store.events_after(&self.topic, from, PAGE).await?;
            let Some((last, _)) = page.last() else {
                break;
            };
            from = *last;
            self.place = self.place.max(from);
            for (place, event) in page {
                if !shared || self.read.insert(place) {
                    self.ready.push_back(event);
                }
            }
            if !self.ready.is_empty() {
                // There may be more: look again once these are told.
                self.noted.mark_changed();
                break;
            }
        }
        if again && self.ready.is_empty() && self.marked_at.elapsed() >= SETTLE {
            self.floor = self.mark;
            self.mark = self.place;
            self.marked_at = Instant::now();
            self.read = self.read.split_off(&(self.floor + 1));
        }
        Ok(())
    }
}
