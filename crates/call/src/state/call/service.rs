//! The messages of the server, and those to it.

use std::time::{Duration, Instant};

use serde_json::value::{RawValue, to_raw_value};
use visavis_protocol::{
    ChatBody, ChatEntry, ClientChat, ClientMessage, CreateRoom, CreatedRoom, ErrorCode,
    ErrorMessage, Feature, Features, JoinRoom, JoinedRoom, LeaveRoom, Metadata, PeerChat,
    PeerMessage, Request, Resume, Role, RoomCreated, RoomJoined, ServerChat, ServerMessage,
    Welcome, limits,
};

use super::{CallState, REQUESTED_FEATURES, jitter};
use crate::command::RoomChoice;
use crate::event::CallEvent;
use crate::state::session::Session;
use crate::state::{Effect, Now};
use crate::time::unix_ms_of;
use crate::view::{ChatView, EndReason, RoomView};

/// Delay before the next attempt to join a room that the server does not know.
const ROOM_GONE_BACKOFF: Duration = Duration::from_secs(10);

impl CallState {
    pub(super) fn server_message(&mut self, now: Now, message: ServerMessage) {
        match message {
            ServerMessage::ClientId(welcome) => self.on_welcomed(now, welcome),
            ServerMessage::RoomCreated(created) => self.on_created(now, created),
            ServerMessage::RoomJoined(joined) => self.on_joined(now, joined),
            ServerMessage::Resumed(joined) => self.on_resumed(now, joined),
            ServerMessage::MemberJoined(joined) => {
                self.member_joined(now, joined.member_id, joined.member.as_ref());
            }
            ServerMessage::MemberLeft(left) => self.member_left(&left.member_id),
            ServerMessage::MembersChanged(changed) => {
                // A member in both lists left and joined again.
                for id in &changed.left {
                    self.member_left(id);
                }
                for member in &changed.joined {
                    self.member_joined(now, member.id.clone(), Some(member));
                }
            }
            ServerMessage::MemberUpdated(updated) => self.member_updated(&updated.member),
            ServerMessage::Offer(relay) => {
                self.relayed_description(now, &relay.from, &relay.payload)
            }
            ServerMessage::Answer(relay) => {
                self.relayed_description(now, &relay.from, &relay.payload)
            }
            ServerMessage::IceCandidate(relay) | ServerMessage::Ice(relay) => {
                self.relayed_candidate(&relay.from, &relay.payload);
            }
            ServerMessage::Chat(chat) => self.chat_from_server(now, chat),
            ServerMessage::Error(error) => self.server_error(now, &error),
            // Replies to requests that a call does not send.
            ServerMessage::RoomsList(_) | ServerMessage::RoomInfo(_) => {}
            // Messages of features that a call does not request.
            ServerMessage::Reaction(_)
            | ServerMessage::RoomUpdated(_)
            | ServerMessage::RoomClosed(_)
            | ServerMessage::MemberRemoved(_)
            | ServerMessage::MuteMember(_)
            | ServerMessage::IceServers(_)
            | ServerMessage::TokenRenewed(_)
            | ServerMessage::JoinWaiting(_)
            | ServerMessage::JoinRequest(_) => {}
        }
    }

    pub(super) fn signalling_closed(&mut self, now: Now) {
        match &self.session {
            Session::Connecting { .. } | Session::Joining { .. } => {
                self.end(EndReason::ServerUnreachable)
            }
            Session::Joined | Session::Disconnected(..) | Session::Reconnecting { .. } => {
                self.session = self
                    .session
                    .disconnected(now.instant, jitter(&self.local.id));
            }
            Session::Ended(_) => {}
        }
    }

    pub(super) fn run_session_due(&mut self, now: Now) {
        if self
            .session
            .next_deadline()
            .is_none_or(|deadline| now.instant < deadline)
        {
            return;
        }
        match &self.session {
            Session::Connecting { .. } | Session::Joining { .. } => {
                self.end(EndReason::ServerUnreachable)
            }
            Session::Reconnecting { .. } => {
                self.session = self
                    .session
                    .disconnected(now.instant, jitter(&self.local.id));
            }
            Session::Disconnected(outage, _) => {
                self.session = Session::reconnecting(*outage, now.instant);
                self.effects.push(Effect::Connect);
            }
            Session::Joined | Session::Ended(_) => {}
        }
    }

    fn on_welcomed(&mut self, now: Now, welcome: Welcome) {
        self.features = welcome.features;
        match &mut self.session {
            Session::Connecting { .. } => {
                self.local.id = welcome.id;
                self.join_sent_at = Some(now.instant);
                self.session = Session::Joining {
                    until: now.instant + super::JOIN_TIMEOUT,
                };
                let message = self.join_request();
                self.effects.push(Effect::Send(message));
            }
            Session::Reconnecting { resuming, .. } => {
                let token = self
                    .resume_token
                    .clone()
                    .filter(|_| welcome.features.has(Feature::Resume));
                *resuming = token.is_some();
                if let Some(resume_token) = token {
                    let request = Request {
                        request_id: None,
                        payload: Resume { resume_token },
                    };
                    self.effects
                        .push(Effect::Send(ClientMessage::Resume(request)));
                } else {
                    self.local.id = welcome.id;
                    let message = self.join_request();
                    self.effects.push(Effect::Send(message));
                }
            }
            _ => {}
        }
    }

    /// The request to create or join the chosen room, or to rejoin the current one.
    fn join_request(&self) -> ClientMessage {
        // A server without extensions gets the plain protocol.
        let extended = !self.features.is_empty();
        let features = if extended {
            Features::of(&REQUESTED_FEATURES)
        } else {
            Features::default()
        };
        let display_name = extended
            .then(|| self.local.name.clone())
            .filter(|name| !name.is_empty());
        let seal = self.seal.clone().filter(|_| extended);
        match (&self.choice, &self.room) {
            (RoomChoice::Create { name, private }, None) => {
                let metadata = private.then(|| Metadata {
                    description: None,
                    private: Some(true),
                });
                let payload = CreateRoom {
                    name: name.clone(),
                    metadata,
                    display_name,
                    features,
                    ..CreateRoom::default()
                };
                ClientMessage::CreateRoom(Request {
                    request_id: None,
                    payload,
                })
            }
            (RoomChoice::Join(id), None) => join(id.clone(), display_name, features, None),
            (_, Some(room)) => join(room.id.clone(), display_name, features, seal),
        }
    }

    fn on_created(&mut self, now: Now, message: RoomCreated) {
        let CreatedRoom {
            id,
            name,
            host,
            participants,
            members,
            chat,
            ..
        } = message.room;
        if host == self.local.id {
            self.local.role = Role::Host;
        }
        let room = JoinedRoom {
            id,
            participants,
            name: Some(name),
            members,
            chat,
            ..JoinedRoom::default()
        };
        let RoomCreated {
            request_id,
            resume_token,
            ice_servers,
            seal,
            ..
        } = message;
        self.room_entered(
            now,
            RoomJoined {
                request_id,
                room,
                resume_token,
                ice_servers,
                seal,
            },
        );
    }

    fn on_joined(&mut self, now: Now, message: RoomJoined) {
        // A rejoin has a new client id: to the others this is a new member, and
        // the old connections end.
        let links: Vec<_> = self.links().collect();
        self.effects.extend(links.into_iter().map(Effect::Close));
        self.remotes.clear();
        self.room_entered(now, message);
    }

    fn room_entered(&mut self, now: Now, message: RoomJoined) {
        let first = matches!(self.session, Session::Joining { .. });
        if !first && !matches!(self.session, Session::Reconnecting { .. }) {
            return;
        }
        self.session = Session::Joined;
        let join_sent_at = self.join_sent_at.unwrap_or(now.instant);
        self.apply_room(now, if first { join_sent_at } else { now.instant }, message);
        if first {
            let ms = now.instant.duration_since(join_sent_at).as_millis() as u64;
            let room = self
                .room
                .as_ref()
                .map(|room| room.id.clone())
                .unwrap_or_default();
            self.emit(CallEvent::Joined {
                room,
                member: self.local.id.clone(),
                ms,
            });
        }
        self.publish_tracks();
    }

    fn on_resumed(&mut self, now: Now, message: RoomJoined) {
        if !matches!(self.session, Session::Reconnecting { resuming: true, .. }) {
            return;
        }
        self.session = Session::Joined;
        let inside = message.room.participants.clone();
        let gone: Vec<_> = self
            .remotes
            .iter()
            .map(|remote| remote.member.clone())
            .filter(|id| !inside.contains(id))
            .collect();
        gone.iter().for_each(|id| self.member_left(id));
        self.apply_room(now, now.instant, message);
        self.reopen_negotiations(now.instant);
        self.publish_tracks();
    }

    /// Applies the server's state of the room, and offers to members that are new here.
    fn apply_room(&mut self, now: Now, since: Instant, message: RoomJoined) {
        self.resume_token = message.resume_token;
        self.seal = message.seal;
        if let Some(ice_servers) = message.ice_servers {
            self.ice_servers = ice_servers;
        }
        let JoinedRoom {
            id,
            participants,
            name,
            members,
            chat,
            ..
        } = message.room;
        let known = self.room.take().map(|room| room.name);
        let name = name
            .filter(|name| !name.is_empty())
            .or(known)
            .unwrap_or_else(|| id.clone());
        self.room = Some(RoomView { id, name });
        let members = members.unwrap_or_default();
        for participant in participants {
            if participant != self.local.id {
                self.add_remote(now.instant, &participant, since, true);
            }
        }
        members
            .iter()
            .for_each(|member| self.member_updated(member));
        for entry in chat.unwrap_or_default() {
            self.chat_from_history(entry);
        }
    }

    fn server_error(&mut self, now: Now, error: &ErrorMessage) {
        tracing::info!(code = ?error.code, "the server sent an error");
        match &mut self.session {
            Session::Joining { .. } => {
                self.emit(CallEvent::Error { code: error.code });
                self.end(EndReason::Refused { code: error.code });
            }
            // Resume was rejected: rejoin with a new id. The server sends the id of
            // a connection only in its first message, so reconnect to get one.
            Session::Reconnecting { resuming: true, .. }
                if error.code == ErrorCode::Unauthorized =>
            {
                self.resume_token = None;
                self.session = self
                    .session
                    .disconnected(now.instant, jitter(&self.local.id));
            }
            // The server does not know the room any more; the peers stay connected.
            Session::Reconnecting { outage, .. } => {
                self.session = Session::Disconnected(*outage, now.instant + ROOM_GONE_BACKOFF);
            }
            _ => self.emit(CallEvent::Error { code: error.code }),
        }
    }

    pub(super) fn leave(&mut self) {
        if let (Session::Joined, Some(room)) = (&self.session, &self.room) {
            let message = LeaveRoom {
                room_id: Some(room.id.clone()),
            };
            self.effects
                .push(Effect::Send(ClientMessage::LeaveRoom(message)));
        }
        self.end(EndReason::Left);
    }

    pub(super) fn send_chat(&mut self, now: Now, text: String) {
        let text = text.trim();
        if text.is_empty() || text.len() > limits::MAX_CHAT_TEXT_BYTES || self.room.is_none() {
            return;
        }
        self.chats_sent += 1;
        let id = format!("{}-{}", self.local.id, self.chats_sent);
        let message = self.chat_view(now, id.clone(), text.to_owned());
        if self.session == Session::Joined {
            self.chat.sent(now.instant, message);
            let room_id = self.room.as_ref().map(|room| room.id.clone());
            let id = self.features.has(Feature::Chat).then_some(id);
            let chat = ClientChat {
                room_id,
                to: None,
                id,
                sent_at: None,
                payload: chat_payload(text),
            };
            self.effects.push(Effect::Send(ClientMessage::Chat(chat)));
        } else {
            self.chat.add(message.clone());
            self.chat_to_peers(&message);
        }
    }

    /// Sends a message over the data channels instead of the server, and reports it
    /// as sent.
    pub(super) fn chat_to_peers(&mut self, message: &ChatView) {
        let chat = PeerChat {
            id: message.id.clone(),
            payload: chat_payload(&message.text),
        };
        self.send_to_peers(&PeerMessage::Chat(chat));
        self.emit(CallEvent::Chat {
            member: message.from.clone(),
            text: message.text.clone(),
        });
    }

    fn chat_from_server(&mut self, now: Now, chat: ServerChat) {
        let text = ChatBody::read(&chat.payload).text;
        let is_mine = chat.from == self.local.id;
        if is_mine && self.chat.confirm_echo(chat.id.as_deref(), &text) {
            self.emit(CallEvent::Chat {
                member: chat.from,
                text,
            });
            return;
        }
        self.chats_sent += 1;
        let id = chat
            .id
            .unwrap_or_else(|| format!("{}-{}-{}", chat.from, now.unix_ms, self.chats_sent));
        let sent_at = chat
            .sent_at
            .as_deref()
            .and_then(unix_ms_of)
            .unwrap_or(now.unix_ms);
        let name = chat.name.unwrap_or_else(|| self.name_of(&chat.from));
        let view = ChatView {
            id,
            from: chat.from.clone(),
            name,
            is_mine,
            text: text.clone(),
            sent_at,
            pending: false,
        };
        if self.chat.add(view) {
            self.emit(CallEvent::Chat {
                member: chat.from,
                text,
            });
        }
    }

    pub(super) fn chat_from_peer(&mut self, now: Now, index: usize, chat: &PeerChat) {
        let (from, name) = (&self.remotes[index].id, &self.remotes[index].name);
        let text = ChatBody::read(&chat.payload).text;
        let view = ChatView {
            id: chat.id.clone(),
            from: from.clone(),
            name: name.clone(),
            is_mine: false,
            text: text.clone(),
            sent_at: now.unix_ms,
            pending: false,
        };
        let member = from.clone();
        if self.chat.add(view) {
            self.emit(CallEvent::Chat { member, text });
        }
    }

    fn chat_from_history(&mut self, entry: ChatEntry) {
        let is_mine = entry.from == self.local.id;
        let text = ChatBody::read(&entry.payload).text;
        if is_mine && self.chat.confirm_echo(Some(&entry.id), &text) {
            self.emit(CallEvent::Chat {
                member: entry.from,
                text,
            });
            return;
        }
        let sent_at = unix_ms_of(&entry.sent_at).unwrap_or_default();
        let ChatEntry { id, from, name, .. } = entry;
        self.chat.add(ChatView {
            id,
            from,
            name,
            is_mine,
            text,
            sent_at,
            pending: false,
        });
    }

    fn name_of(&self, id: &str) -> String {
        self.index_of_member(id)
            .map(|index| self.remotes[index].name.clone())
            .unwrap_or_default()
    }
}

fn join(
    room_id: String,
    display_name: Option<String>,
    features: Features,
    seal: Option<String>,
) -> ClientMessage {
    let payload = JoinRoom {
        room_id,
        display_name,
        features,
        seal,
        ..JoinRoom::default()
    };
    ClientMessage::JoinRoom(Request {
        request_id: None,
        payload,
    })
}

fn chat_payload(text: &str) -> Box<RawValue> {
    // Serialising a struct of one string does not fail.
    to_raw_value(&ChatBody {
        text: text.to_owned(),
    })
    .unwrap_or_else(|_| RawValue::NULL.to_owned())
}
