//! The chat: one list of the messages from the server and from peers.
//!
//! A local message is sent to the server, which echoes it to every member. While
//! the server is disconnected, or when no echo arrives in time, it is sent over
//! the data channels with the same id. A receiver of both copies shows one.

use std::time::{Duration, Instant};

use crate::view::ChatView;

/// Messages kept; when exceeded the oldest are dropped.
const MAX_MESSAGES: usize = 500;
/// Messages kept for the server while it is away; the oldest are dropped.
const MAX_UNPOSTED: usize = 200;
/// Bytes of text kept; when exceeded the oldest messages are dropped.
const MAX_BYTES: usize = 1024 * 1024;
/// Longest wait for the server's echo of a message.
const ECHO_TIMEOUT: Duration = Duration::from_secs(3);

/// The messages of a call, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Chat {
    messages: Vec<ChatView>,
    /// Local messages without an echo, with the deadline of their wait.
    awaiting_echo: Vec<(String, Instant)>,
    /// Local messages that were sent without the server, oldest first.
    unposted: Vec<ChatView>,
}

impl Chat {
    /// All messages, oldest first.
    pub fn messages(&self) -> &[ChatView] {
        &self.messages
    }

    /// Adds a local message that was sent to the server and awaits its echo.
    pub fn sent(&mut self, now: Instant, message: ChatView) {
        self.awaiting_echo
            .push((message.id.clone(), now + ECHO_TIMEOUT));
        self.add(ChatView {
            pending: true,
            ..message
        });
    }

    /// Adds a message. Returns false when its sender, or the local user, sent one with
    /// this id before: the history may name the local user by a former client id.
    pub fn add(&mut self, message: ChatView) -> bool {
        let is_same = |known: &ChatView| {
            known.id == message.id && (known.from == message.from || known.is_mine)
        };
        if self.messages.iter().any(is_same) {
            return false;
        }
        self.messages.push(message);
        let bytes =
            |messages: &[ChatView]| messages.iter().map(|one| one.text.len()).sum::<usize>();
        let mut total = bytes(&self.messages);
        let mut surplus = self.messages.len().saturating_sub(MAX_MESSAGES);
        total -= bytes(&self.messages[..surplus]);
        while total > MAX_BYTES {
            total -= self.messages[surplus].text.len();
            surplus += 1;
        }
        self.messages.drain(..surplus);
        true
    }

    /// Keeps a message to be posted when the server is back.
    pub fn post_later(&mut self, message: ChatView) {
        self.unposted.push(message);
        let surplus = self.unposted.len().saturating_sub(MAX_UNPOSTED);
        self.unposted.drain(..surplus);
    }

    /// Takes the messages to post, oldest first.
    pub fn take_unposted(&mut self) -> Vec<ChatView> {
        std::mem::take(&mut self.unposted)
    }

    /// Confirms a local message that the server echoed. Servers without feature
    /// `chat` echo no ids, so the text identifies the message then. Returns whether
    /// a message was awaiting this echo.
    pub fn confirm_echo(&mut self, id: Option<&str>, text: &str) -> bool {
        let of_text = |(waiting, _): &&(String, Instant)| {
            self.messages
                .iter()
                .any(|message| message.id == *waiting && message.text == text)
        };
        let found = match id {
            Some(id) => self.awaiting_echo.iter().find(|(waiting, _)| waiting == id),
            None => self.awaiting_echo.iter().find(of_text),
        };
        let Some(id) = found.map(|(id, _)| id.clone()) else {
            return false;
        };
        self.confirm(&id);
        true
    }

    /// Takes the messages whose wait ended, or all while the server is
    /// disconnected. They must be sent to the peers instead.
    pub fn take_unconfirmed(&mut self, now: Instant, service_away: bool) -> Vec<ChatView> {
        let due = self
            .awaiting_echo
            .iter()
            .filter(|(_, until)| service_away || *until <= now);
        let ids: Vec<String> = due.map(|(id, _)| id.clone()).collect();
        ids.iter().for_each(|id| self.confirm(id));
        self.messages
            .iter()
            .filter(|message| ids.contains(&message.id))
            .cloned()
            .collect()
    }

    /// When [`Chat::take_unconfirmed`] next returns messages.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.awaiting_echo.iter().map(|(_, until)| *until).min()
    }

    fn confirm(&mut self, id: &str) {
        self.awaiting_echo.retain(|(waiting, _)| waiting != id);
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
            is_private: false,
            text: text.into(),
            sent_at: 0,
            pending: false,
        }
    }

    #[test]
    fn an_echo_confirms_a_message_by_id_or_by_text() {
        let now = Instant::now();
        let mut chat = Chat::default();
        chat.sent(now, message("1", "a"));
        chat.sent(now, message("2", "b"));
        assert!(
            chat.confirm_echo(None, "b")
                && chat.confirm_echo(Some("1"), "a")
                && !chat.confirm_echo(Some("1"), "a")
        );
        assert!(chat.messages().iter().all(|message| !message.pending));
        assert_eq!(chat.next_deadline(), None);
    }

    #[test]
    fn a_message_without_an_echo_is_sent_to_the_peers_once() {
        let now = Instant::now();
        let mut chat = Chat::default();
        chat.sent(now, message("1", "a"));
        assert!(chat.take_unconfirmed(now, false).is_empty());
        assert_eq!(chat.take_unconfirmed(now + ECHO_TIMEOUT, false).len(), 1);
        assert!(chat.take_unconfirmed(now + ECHO_TIMEOUT, true).is_empty());
    }

    #[test]
    fn a_message_from_the_server_and_a_peer_is_shown_once() {
        let mut chat = Chat::default();
        assert!(chat.add(message("1", "a")));
        assert!(!chat.add(message("1", "a")));
        for n in 0..600 {
            chat.add(message(&format!("n{n}"), "x"));
        }
        assert_eq!(chat.messages().len(), MAX_MESSAGES);
    }

    #[test]
    fn the_oldest_messages_go_when_the_texts_together_are_too_long() {
        let mut chat = Chat::default();
        let text = "x".repeat(MAX_BYTES / 4);
        for n in 0..6 {
            assert!(chat.add(message(&format!("{n}"), &text)));
        }
        let kept: Vec<_> = chat.messages().iter().map(|one| one.id.as_str()).collect();
        assert_eq!(kept, ["2", "3", "4", "5"]);
    }

    #[test]
    fn one_sender_cannot_take_the_id_of_another_ones_message() {
        let mut chat = Chat::default();
        let from = |from: &str| ChatView {
            from: from.into(),
            is_mine: false,
            ..message("1", "a")
        };
        assert!(chat.add(from("b")) && chat.add(from("c")) && !chat.add(from("b")));
    }

    #[test]
    fn a_local_message_that_the_history_has_under_a_former_client_id_is_shown_once() {
        let mut chat = Chat::default();
        chat.sent(Instant::now(), message("1", "a"));
        let former = ChatView {
            from: "former".into(),
            is_mine: false,
            ..message("1", "a")
        };
        assert!(!chat.add(former));
    }
}
