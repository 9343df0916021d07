//! Chat: through the server, and over the data channels while it is away.

use serde_json::value::{RawValue, to_raw_value};
use visavis_protocol::{
    ChatBody, ChatEntry, ClientChat, ClientMessage, ErrorCode, Feature, PeerChat, PeerMessage,
    ServerChat, limits,
};

use super::CallState;
use crate::event::CallEvent;
use crate::state::session::Session;
use crate::state::{Effect, Now};
use crate::time::{rfc_3339_of, unix_ms_of};
use crate::view::ChatView;

impl CallState {
    pub(super) fn send_chat(&mut self, now: Now, text: String) {
        let text = text.trim();
        if text.is_empty() || self.room.is_none() {
            return;
        }
        if text.len() > limits::MAX_CHAT_TEXT_BYTES {
            let code = ErrorCode::MessageTooLarge;
            self.emit(CallEvent::Error { code });
            return;
        }
        self.chats_sent += 1;
        let message = ChatView {
            id: format!("{}-{}", self.local.id, self.chats_sent),
            from: self.local.participant.clone(),
            name: self.local.name.clone(),
            is_mine: true,
            is_private: false,
            text: text.to_owned(),
            sent_at: now.unix_ms,
            pending: false,
        };
        if self.session == Session::Joined {
            self.post(&message, None);
            self.chat.sent(now.instant, message);
        } else {
            self.chat.add(message.clone());
            self.chat_to_peers(&message);
        }
    }

    /// Sends a message to the server.
    fn post(&mut self, message: &ChatView, sent_at: Option<String>) {
        let chat = ClientChat {
            room_id: self.room.as_ref().map(|room| room.id.clone()),
            to: None,
            id: self.features.has(Feature::Chat).then(|| message.id.clone()),
            sent_at,
            payload: payload(&message.text),
        };
        self.effects.push(Effect::Send(ClientMessage::Chat(chat)));
    }

    /// Posts what was sent over the data channels to the server, which adds it to
    /// the history and drops repeats. A server without ids would repeat it.
    pub(super) fn post_chat(&mut self) {
        let unposted = self.chat.take_unposted();
        if !self.features.has(Feature::Chat) {
            return;
        }
        for message in unposted {
            let sent_at = rfc_3339_of(message.sent_at);
            self.post(&message, sent_at);
        }
    }

    /// Sends a message over the data channels instead of the server, and reports it
    /// as sent.
    pub(super) fn chat_to_peers(&mut self, message: &ChatView) {
        self.chat.post_later(message.clone());
        let chat = PeerChat {
            id: message.id.clone(),
            payload: payload(&message.text),
        };
        self.send_to_peers(&PeerMessage::Chat(chat));
        self.emit(CallEvent::Chat {
            member: message.from.clone(),
            text: message.text.clone(),
        });
    }

    pub(super) fn chat_from_server(&mut self, now: Now, chat: ServerChat) {
        let ServerChat {
            from,
            payload,
            id,
            sent_at,
            name,
            to,
            ..
        } = chat;
        self.chats_sent += 1;
        let made = || format!("{from}-{}-{}", now.unix_ms, self.chats_sent);
        let sent_at = sent_at.as_deref().and_then(unix_ms_of);
        let view = ChatView {
            id: id.clone().unwrap_or_else(made),
            name: name.unwrap_or_else(|| self.name_of(&from)),
            is_mine: from == self.local.id,
            from: self.participant_of(&from),
            is_private: to.is_some(),
            text: text_of(&payload),
            sent_at: sent_at.unwrap_or(now.unix_ms),
            pending: false,
        };
        self.received(view, id.as_deref());
    }

    pub(super) fn chat_from_peer(&mut self, now: Now, index: usize, chat: &PeerChat) {
        let remote = &self.remotes[index];
        let view = ChatView {
            id: chat.id.clone(),
            from: remote.id.clone(),
            name: remote.name.clone(),
            is_mine: false,
            is_private: false,
            text: text_of(&chat.payload),
            sent_at: now.unix_ms,
            pending: false,
        };
        self.received(view, Some(&chat.id));
    }

    /// A message of the room's history. After an outage it may be `news`.
    pub(super) fn chat_from_history(&mut self, entry: ChatEntry, news: bool) {
        let view = ChatView {
            is_mine: entry.from == self.local.id,
            from: self.participant_of(&entry.from),
            is_private: entry.to.is_some(),
            text: text_of(&entry.payload),
            sent_at: unix_ms_of(&entry.sent_at).unwrap_or_default(),
            pending: false,
            id: entry.id,
            name: entry.name,
        };
        if news {
            let id = view.id.clone();
            self.received(view, Some(&id));
        } else {
            self.chat.add(view);
        }
    }

    /// A message arrived; `id` is the one that its sender chose, if it came along.
    fn received(&mut self, view: ChatView, id: Option<&str>) {
        let event = CallEvent::Chat {
            member: view.from.clone(),
            text: view.text.clone(),
        };
        let is_echo = view.is_mine && self.chat.confirm_echo(id, &view.text);
        if is_echo || self.chat.add(view) {
            self.emit(event);
        }
    }

    /// The id in this call's views of the participant with this client id.
    fn participant_of(&self, member: &str) -> String {
        if member == self.local.id {
            return self.local.participant.clone();
        }
        let is_claimed = |id: &Option<String>| id.as_deref() == Some(member);
        let mut remotes = self.remotes.iter();
        let found = remotes.find(|one| one.member == member || is_claimed(&one.claim));
        found.map_or_else(|| member.to_owned(), |remote| remote.id.clone())
    }

    pub(super) fn name_of(&self, id: &str) -> String {
        self.index_of_member(id)
            .map(|index| self.remotes[index].name.clone())
            .unwrap_or_default()
    }
}

/// The text of a message, cut to the limit of what is kept.
fn text_of(payload: &RawValue) -> String {
    let mut text = ChatBody::read(payload).text;
    text.truncate(text.floor_char_boundary(limits::MAX_CHAT_TEXT_BYTES));
    text
}

fn payload(text: &str) -> Box<RawValue> {
    // Serialising a struct of one string does not fail.
    to_raw_value(&ChatBody {
        text: text.to_owned(),
    })
    .unwrap_or_else(|_| RawValue::NULL.to_owned())
}
