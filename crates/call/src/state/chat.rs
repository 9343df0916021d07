//! Chat: one list, whichever way a message came.
//!
//! Our own message goes to the server, which echoes it to all. Where the
//! server is away, or no echo comes, it goes over the peers' data channels
//! under the same id, so that whoever gets both shows one.

use std::time::{Duration, Instant};

use crate::view::ChatView;

/// Messages kept for the window; past it the oldest go.
const KEPT: usize = 500;
/// How long the server may take to echo.
const ECHO_LIMIT: Duration = Duration::from_secs(3);

/// The messages of a call, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Chat {
    messages: Vec<ChatView>,
    /// Ours that the server has not echoed, with when to stop waiting.
    unechoed: Vec<(String, Instant)>,
}

impl Chat {
    /// What a window shows.
    pub fn messages(&self) -> &[ChatView] {
        &self.messages
    }

    /// Our own message goes to the server.
    pub fn sent(&mut self, now: Instant, message: ChatView) {
        self.unechoed.push((message.id.clone(), now + ECHO_LIMIT));
        self.add(ChatView {
            pending: true,
            ..message
        });
    }

    /// A message that was not there yet. Whether it was new.
    pub fn add(&mut self, message: ChatView) -> bool {
        if self.messages.iter().any(|known| known.id == message.id) {
            return false;
        }
        self.messages.push(message);
        let surplus = self.messages.len().saturating_sub(KEPT);
        self.messages.drain(..surplus);
        true
    }

    /// The server echoed a message of ours: by its id, or from a server that
    /// knows no ids by its text. Whether it was one that we wait for.
    pub fn echoed(&mut self, id: Option<&str>, text: &str) -> bool {
        let of_text = |(waiting, _): &&(String, Instant)| {
            self.messages
                .iter()
                .any(|message| message.id == *waiting && message.text == text)
        };
        let found = match id {
            Some(id) => self.unechoed.iter().find(|(waiting, _)| waiting == id),
            None => self.unechoed.iter().find(of_text),
        };
        let Some(id) = found.map(|(id, _)| id.clone()) else {
            return false;
        };
        self.settle(&id);
        true
    }

    /// Messages whose echo will not come: they go to the peers instead.
    pub fn overdue(&mut self, now: Instant, service_away: bool) -> Vec<ChatView> {
        let due = self
            .unechoed
            .iter()
            .filter(|(_, until)| service_away || *until <= now);
        let ids: Vec<String> = due.map(|(id, _)| id.clone()).collect();
        ids.iter().for_each(|id| self.settle(id));
        self.messages
            .iter()
            .filter(|message| ids.contains(&message.id))
            .cloned()
            .collect()
    }

    /// When [`Chat::overdue`] has something to say.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.unechoed.iter().map(|(_, until)| *until).min()
    }

    fn settle(&mut self, id: &str) {
        self.unechoed.retain(|(waiting, _)| waiting != id);
        self.messages
            .iter_mut()
            .filter(|message| message.id == id)
            .for_each(|message| message.pending = false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str, text: &str) -> ChatView {
        ChatView {
            id: id.into(),
            from: "me".into(),
            name: String::new(),
            is_mine: true,
            text: text.into(),
            sent_at: 0,
            pending: false,
        }
    }

    #[test]
    fn an_echo_settles_a_message_by_id_or_by_text() {
        let now = Instant::now();
        let mut chat = Chat::default();
        chat.sent(now, message("1", "a"));
        chat.sent(now, message("2", "b"));
        assert!(
            chat.echoed(None, "b") && chat.echoed(Some("1"), "a") && !chat.echoed(Some("1"), "a")
        );
        assert!(chat.messages().iter().all(|message| !message.pending));
        assert_eq!(chat.next_deadline(), None);
    }

    #[test]
    fn a_message_without_echo_goes_to_the_peers_once() {
        let now = Instant::now();
        let mut chat = Chat::default();
        chat.sent(now, message("1", "a"));
        assert!(chat.overdue(now, false).is_empty());
        assert_eq!(chat.overdue(now + ECHO_LIMIT, false).len(), 1);
        assert!(chat.overdue(now + ECHO_LIMIT, true).is_empty());
    }

    #[test]
    fn a_message_that_comes_both_ways_is_shown_once() {
        let mut chat = Chat::default();
        assert!(chat.add(message("1", "a")));
        assert!(!chat.add(message("1", "a")));
        for n in 0..600 {
            chat.add(message(&format!("n{n}"), "x"));
        }
        assert_eq!(chat.messages().len(), KEPT);
    }
}
