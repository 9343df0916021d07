//! The last of a room's chat, as a newcomer is given it.

use std::collections::VecDeque;

use visavis_protocol::ChatEntry;
use visavis_protocol::limits::CHAT_HISTORY;

use crate::id::ClientId;

/// The most payload that a newcomer is given, in bytes; past it the oldest goes.
const HISTORY_BYTES: usize = 512 * 1024;

#[derive(Default)]
pub(super) struct History {
    entries: VecDeque<ChatEntry>,
    bytes: usize,
}

impl History {
    pub fn new(entries: Vec<ChatEntry>) -> Self {
        let mut history = Self::default();
        for entry in entries {
            history.push(entry);
        }
        history
    }

    pub fn push(&mut self, entry: ChatEntry) {
        self.bytes += entry.payload.get().len();
        self.entries.push_back(entry);
        while self.entries.len() > CHAT_HISTORY || self.bytes > HISTORY_BYTES {
            let Some(oldest) = self.entries.pop_front() else {
                break;
            };
            self.bytes -= oldest.payload.get().len();
        }
    }

    pub fn has(&self, id: &str) -> bool {
        self.entries.iter().any(|entry| entry.id == id)
    }

    /// What this one may read, oldest first.
    pub fn for_reader(&self, reader: ClientId) -> Vec<ChatEntry> {
        let reader = reader.to_string();
        let readable = |entry: &&ChatEntry| {
            entry.from == reader || entry.to.as_ref().is_none_or(|to| *to == reader)
        };
        let readable = self.entries.iter().filter(readable);
        readable.cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    fn entry(id: &str, bytes: usize) -> ChatEntry {
        let payload = format!("{:?}", "x".repeat(bytes - 2));
        ChatEntry {
            id: id.to_owned(),
            from: String::new(),
            name: String::new(),
            payload: RawValue::from_string(payload).unwrap(),
            sent_at: String::new(),
            to: None,
        }
    }

    #[test]
    fn the_oldest_goes_when_there_is_a_byte_too_much() {
        let half = HISTORY_BYTES / 2;
        let mut history = History::new(vec![entry("a", half), entry("b", half)]);
        assert!(history.has("a") && history.has("b"));
        history.push(entry("c", 2));
        assert!(!history.has("a") && history.has("b") && history.has("c"));
    }
}
