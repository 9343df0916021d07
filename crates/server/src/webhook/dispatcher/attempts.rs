//! The last attempts to deliver, for who looks for what went wrong.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::Answer;
use crate::clock::Timestamp;
use crate::store::Delivery;

/// Attempts that are remembered for each receiver.
const REMEMBERED: usize = 100;

/// One attempt.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Attempt {
    at: String,
    event: String,
    room: String,
    /// The status, or why there was none.
    answer: String,
    taken: bool,
    milliseconds: u128,
}

/// The last attempts at each receiver, the newest last.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<BTreeMap<String, VecDeque<Attempt>>>);

impl Attempts {
    pub fn record(&self, delivery: &Delivery, answer: &Answer, now: Timestamp) {
        let attempt = Attempt {
            at: now.rfc3339_millis(),
            event: delivery.event.clone(),
            room: delivery.room.clone(),
            answer: answer.to_string(),
            taken: answer.is_taken(),
            milliseconds: answer.elapsed.as_millis(),
        };
        let mut receivers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let attempts = receivers.entry(delivery.url.clone()).or_default();
        attempts.push_back(attempt);
        if attempts.len() > REMEMBERED {
            attempts.pop_front();
        }
    }

    pub fn all(&self) -> BTreeMap<String, VecDeque<Attempt>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
