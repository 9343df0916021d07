//! The chat of the call as the page reads it: what changed since it read last. The
//! view is pushed whole with each change, and a long chat would make it large.

use serde::Serialize;
use visavis_call::ChatView;

/// What changed in the chat since a revision.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct ChatUpdate {
    /// The revision after this update.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub revision: u64,
    /// So many of the known messages stay; those after them are replaced.
    pub first: usize,
    /// The messages from there on, oldest first.
    pub messages: Vec<ChatView>,
}

/// The newest chat, with the revision in which each message got its place.
#[derive(Debug, Default)]
pub(crate) struct ChatLog {
    revision: u64,
    /// The revisions never decrease from one message to the next.
    entries: Vec<(u64, ChatView)>,
}

impl ChatLog {
    /// Changes with each change of the chat, and never goes back.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Takes the newest chat.
    pub fn replace(&mut self, chat: Vec<ChatView>) {
        let pairs = self.entries.iter().zip(&chat);
        let same = pairs.take_while(|((_, old), new)| old == *new).count();
        if same == self.entries.len() && same == chat.len() {
            return;
        }
        self.revision += 1;
        self.entries.truncate(same);
        let added = chat.into_iter().skip(same);
        self.entries
            .extend(added.map(|message| (self.revision, message)));
    }

    /// What changed since this revision; 0 knows nothing.
    pub fn since(&self, known: u64) -> ChatUpdate {
        let first = self.entries.partition_point(|(at, _)| *at <= known);
        let changed = self.entries.iter().skip(first);
        ChatUpdate {
            revision: self.revision,
            first,
            messages: changed.map(|(_, message)| message.clone()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: &str, pending: bool) -> ChatView {
        ChatView {
            id: id.into(),
            from: "ann".into(),
            name: "Ann".into(),
            is_mine: false,
            is_private: false,
            text: "x".repeat(4_000),
            sent_at: 0,
            pending,
        }
    }

    /// A page that reads after some of the changes only.
    #[derive(Default)]
    struct Page {
        revision: u64,
        ids: Vec<(String, bool)>,
    }

    impl Page {
        fn read(&mut self, log: &ChatLog) -> usize {
            let update = log.since(self.revision);
            self.revision = update.revision;
            self.ids.truncate(update.first);
            let read = update.messages.len();
            let added = update.messages.into_iter();
            self.ids
                .extend(added.map(|message| (message.id, message.pending)));
            read
        }
    }

    #[test]
    fn a_page_reads_each_message_of_a_long_chat_once() {
        let mut log = ChatLog::default();
        let mut page = Page::default();
        let mut chat = Vec::new();
        let mut read = 0;
        for n in 0..500 {
            chat.push(message(&n.to_string(), false));
            log.replace(chat.clone());
            read += page.read(&log);
        }
        assert_eq!((page.ids.len(), read), (500, 500));
        log.replace(chat);
        assert_eq!(page.read(&log), 0);
    }

    #[test]
    fn confirmed_inserted_and_removed_messages_reach_a_page_that_missed_revisions() {
        let mut log = ChatLog::default();
        let mut page = Page::default();
        let chats: [&[(&str, bool)]; 5] = [
            &[("b", true)],
            &[("b", false)],
            &[("a", false), ("b", false), ("c", true)],
            &[("a", false)],
            &[],
        ];
        for skipped in 1..=chats.len() {
            for (n, chat) in chats.iter().enumerate() {
                let messages = chat.iter().map(|(id, pending)| message(id, *pending));
                log.replace(messages.collect());
                if n % skipped == 0 {
                    page.read(&log);
                    let pairs = chat
                        .iter()
                        .map(|(id, pending)| ((*id).to_owned(), *pending));
                    let ids: Vec<_> = pairs.collect();
                    assert_eq!(page.ids, ids, "{n} of every {skipped}");
                }
            }
        }
    }
}
