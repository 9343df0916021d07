//! What a room's participants did, on its way into the store: in order, and kept
//! while the database is down, so that nobody's place stays taken for ever.

use std::collections::VecDeque;
use std::time::Duration;

use crate::hub::Hub;
use crate::model::Participant;
use crate::store::StoreError;

/// How long to wait before another try.
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// Past this the oldest change of a member is forgotten: the newer ones say more.
const MOST: usize = 1_024;

/// One thing to store.
#[derive(Debug)]
pub(super) enum Record {
    /// Someone has left.
    Left {
        who: Box<Participant>,
        was_host: bool,
    },
    /// Someone has changed.
    Changed {
        before: Box<Participant>,
        who: Box<Participant>,
    },
}

/// What is not stored yet, oldest first.
#[derive(Debug, Default)]
pub(super) struct Recorder(VecDeque<Record>);

impl Recorder {
    /// Takes something on.
    pub fn add(&mut self, record: Record) {
        if self.0.len() >= MOST
            && let Some(index) = self
                .0
                .iter()
                .position(|record| matches!(record, Record::Changed { .. }))
        {
            self.0.remove(index);
        }
        self.0.push_back(record);
    }

    /// Whether everything is stored.
    pub fn is_done(&self) -> bool {
        self.0.is_empty()
    }

    /// Stores what it can; the rest is tried again.
    pub async fn work(&mut self, hub: &Hub) {
        while let Some(record) = self.0.front() {
            if let Err(error) = store(hub, record).await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, waiting = self.0.len(), "cannot store what happened");
                return;
            }
            self.0.pop_front();
        }
    }
}

async fn store(hub: &Hub, record: &Record) -> Result<(), StoreError> {
    match record {
        Record::Left { who, was_host } => hub.left(Participant::clone(who), *was_host).await,
        Record::Changed { before, who } => hub.updated(before, who).await,
    }
}
