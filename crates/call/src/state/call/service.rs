//! The messages of the server, and those to it.

use std::time::{Duration, Instant};

use visavis_protocol::{
    ClientMessage, CreateRoom, CreatedRoom, ErrorCode, ErrorMessage, Feature, Features, JoinRoom,
    JoinWaiting, JoinedRoom, LeaveRoom, Member, Metadata, PeerMessage, Rejoined, Request, Resume,
    Role, RoomCreated, RoomJoined, ServerMessage, Welcome,
};

use super::{CallState, REQUESTED_FEATURES, jitter};
use crate::command::RoomChoice;
use crate::event::CallEvent;
use crate::state::participant::RemoteParticipant;
use crate::state::session::{ReconnectRequest, Session};
use crate::state::{Effect, Now};
use crate::time::unix_ms_of;
use crate::view::{EndReason, RoomView};

/// Delay before the next attempt to join a room that the server does not know.
const ROOM_GONE_BACKOFF: Duration = Duration::from_secs(10);
/// Longest wait of a rejoin for a place or for a host.
const WAITING_LIMIT: Duration = Duration::from_secs(600);
/// Shortest and longest pause before asking again for a room that is not open.
const ASK_AGAIN: Duration = Duration::from_secs(2);
const ASK_AT_LATEST: Duration = Duration::from_secs(60);

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
            ServerMessage::MemberUpdated(updated) => self.member_updated(now, &updated.member),
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
            ServerMessage::RoomUpdated(updated) => self.host = updated.room.host,
            ServerMessage::RoomClosed(closed) if self.is_inside(&closed.room_id) => {
                self.end(EndReason::RoomClosed { why: closed.reason });
            }
            ServerMessage::MemberRemoved(removed) if removed.member_id == self.local.id => {
                self.end(EndReason::Removed {
                    why: removed.reason,
                });
            }
            ServerMessage::MuteMember(mute) => {
                self.muted_by(mute.from.as_deref(), mute.payload.source);
            }
            ServerMessage::IceServers(renewed) => {
                self.use_ice_servers(renewed.payload.ice_servers);
            }
            ServerMessage::JoinWaiting(waiting) => self.join_waits(now, &waiting),
            ServerMessage::TokenRenewed(renewed) => self.token = Some(renewed.payload.token),
            // About another room or member.
            ServerMessage::RoomClosed(_) | ServerMessage::MemberRemoved(_) => {}
            // Replies to requests that a call does not send.
            ServerMessage::RoomsList(_) | ServerMessage::RoomInfo(_) => {}
            // Messages of features that a call does not request.
            ServerMessage::Reaction(_) | ServerMessage::JoinRequest(_) => {}
        }
    }

    pub(super) fn signalling_closed(&mut self, now: Now) {
        match &self.session {
            Session::Connecting { .. } | Session::Joining { .. } => {
                self.end(EndReason::ServerUnreachable)
            }
            // The place in the queue is lost; the join begins again.
            Session::Waiting { .. } | Session::NotOpen { .. } | Session::PasscodeNeeded { .. } => {
                self.session = Session::Connecting {
                    until: now.instant + super::JOIN_TIMEOUT,
                };
                self.effects.push(Effect::Connect);
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
            Session::NotOpen { .. } => self.request_join(now),
            Session::Waiting { .. }
            | Session::PasscodeNeeded { .. }
            | Session::Joined
            | Session::Ended(_) => {}
        }
    }

    /// Asks the server for the room, for the first time or again.
    fn request_join(&mut self, now: Now) {
        self.join_sent_at = Some(now.instant);
        self.session = Session::Joining {
            until: now.instant + super::JOIN_TIMEOUT,
        };
        let message = self.join_request();
        self.effects.push(Effect::Send(message));
    }

    pub(super) fn enter_passcode(&mut self, now: Now, passcode: String) {
        if matches!(self.session, Session::PasscodeNeeded { .. }) {
            self.passcode = Some(passcode);
            self.request_join(now);
        }
    }

    fn join_waits(&mut self, now: Now, waiting: &JoinWaiting) {
        match &mut self.session {
            session if session.is_entering() => {
                *session = Session::Waiting {
                    reason: waiting.reason,
                    position: waiting.position,
                };
            }
            // A rejoin waits too; the mesh goes on meanwhile.
            Session::Reconnecting { until, .. } => *until = now.instant + WAITING_LIMIT,
            _ => {}
        }
    }

    fn on_welcomed(&mut self, now: Now, welcome: Welcome) {
        self.features = welcome.features;
        match &mut self.session {
            Session::Connecting { .. } => {
                self.local.participant.clone_from(&welcome.id);
                self.local.id = welcome.id;
                self.request_join(now);
            }
            Session::Reconnecting { request, .. } => {
                let token = self
                    .resume_token
                    .clone()
                    .filter(|_| self.features.has(Feature::Resume));
                let message = if let Some(resume_token) = token {
                    *request = ReconnectRequest::Resume;
                    ClientMessage::Resume(Request {
                        request_id: None,
                        payload: Resume { resume_token },
                    })
                } else {
                    *request = ReconnectRequest::Join(welcome.id);
                    self.join_request()
                };
                self.effects.push(Effect::Send(message));
            }
            _ => {}
        }
    }

    /// The request to create or join the chosen room, or to rejoin the current one.
    fn join_request(&self) -> ClientMessage {
        // A server without extensions gets the plain protocol.
        let extended = !self.features.is_empty();
        let features = if extended {
            let waiting = self.wait.then_some(Feature::Waiting);
            let requested: Vec<_> = REQUESTED_FEATURES.into_iter().chain(waiting).collect();
            Features::of(&requested)
        } else {
            Features::default()
        };
        let display_name = extended
            .then(|| self.local.name.clone())
            .filter(|name| !name.is_empty());
        let seal = self.seal.clone().filter(|_| extended);
        let (token, passcode) = (self.token.clone(), self.passcode.clone());
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
                    token,
                    features,
                    ..CreateRoom::default()
                };
                ClientMessage::CreateRoom(Request {
                    request_id: None,
                    payload,
                })
            }
            (RoomChoice::Join(id), None) => {
                join(id.clone(), token, passcode, display_name, features, None)
            }
            (_, Some(room)) => join(
                room.id.clone(),
                token,
                passcode,
                display_name,
                features,
                seal,
            ),
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
        if let Session::Reconnecting {
            request: ReconnectRequest::Join(id),
            ..
        } = &self.session
        {
            let id = id.clone();
            self.rejoined_as(id, &message.room.participants);
        }
        self.room_entered(now, message);
    }

    /// The local user is in the room again, under a new client id. Its links stay
    /// with those peers that can be told the new id over the data channel. To the
    /// others it is a new member: their links are replaced.
    fn rejoined_as(&mut self, id: String, inside: &[String]) {
        self.local.id.clone_from(&id);
        let message = PeerMessage::Rejoined(Rejoined { id });
        self.send_to_peers(&message);
        let untold = |remote: &RemoteParticipant| {
            let link = remote.link.as_ref();
            link.is_some_and(|link| !link.delivers())
        };
        for index in 0..self.remotes.len() {
            if untold(&self.remotes[index])
                && let Some(link) = self.remotes[index].link.take()
            {
                self.remotes[index].link_closed();
                self.effects.push(Effect::Close(link.id));
            }
        }
        self.keep_listed(inside);
    }

    fn room_entered(&mut self, now: Now, message: RoomJoined) {
        let first = self.session.is_entering();
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
            self.publish_tracks();
        } else {
            self.joined_again(now);
        }
    }

    fn on_resumed(&mut self, now: Now, message: RoomJoined) {
        let resuming = ReconnectRequest::Resume;
        if !matches!(&self.session, Session::Reconnecting { request, .. } if *request == resuming) {
            return;
        }
        self.session = Session::Joined;
        self.keep_listed(&message.room.participants);
        self.apply_room(now, now.instant, message);
        self.joined_again(now);
    }

    /// Continues what an outage interrupted.
    fn joined_again(&mut self, now: Now) {
        self.reopen_negotiations(now.instant);
        self.publish_tracks();
        self.post_chat();
    }

    /// Applies the server's state of the room, and offers to members that are new here.
    fn apply_room(&mut self, now: Now, since: Instant, message: RoomJoined) {
        self.resume_token = message.resume_token;
        self.seal = message.seal;
        if let Some(ice_servers) = message.ice_servers {
            self.use_ice_servers(ice_servers);
        }
        let JoinedRoom {
            id,
            participants,
            name,
            members,
            viewer_count,
            chat,
        } = message.room;
        let known = self.room.take().map(|room| room.name);
        let known_room = known.is_some();
        let name = name
            .filter(|name| !name.is_empty())
            .or(known)
            .unwrap_or_else(|| id.clone());
        self.room = Some(RoomView { id, name });
        let members = members.unwrap_or_default();
        let find = |id: &str| members.iter().find(|member| member.id == id);
        // First the local user's grants: they decide who is linked.
        match find(&self.local.id) {
            Some(me) => self.local_updated(now.instant, me),
            // The list leaves out those who may not publish.
            None if viewer_count.is_some() => {
                let me = Member {
                    id: self.local.id.clone(),
                    role: Role::Viewer,
                    ..Member::default()
                };
                self.local_updated(now.instant, &me);
            }
            None => {}
        }
        for id in participants {
            let member = find(&id);
            let is_viewer = member.is_none() && viewer_count.is_some();
            if id != self.local.id && !is_viewer {
                self.add_remote(now.instant, &id, member, since, true);
            }
        }
        for entry in chat.unwrap_or_default() {
            self.chat_from_history(entry, known_room);
        }
    }

    fn server_error(&mut self, now: Now, error: &ErrorMessage) {
        tracing::info!(code = ?error.code, "the server sent an error");
        let opens_at = error.opens_at.as_deref().and_then(unix_ms_of);
        match (&mut self.session, error.code, opens_at) {
            (session, ErrorCode::RoomNotOpen, Some(opens_at)) if session.is_entering() => {
                let wait = Duration::from_millis(opens_at.saturating_sub(now.unix_ms));
                *session = Session::NotOpen {
                    opens_at,
                    // The clocks of server and client differ a little.
                    ask_at: now.instant + wait.clamp(ASK_AGAIN, ASK_AT_LATEST),
                };
            }
            (session, ErrorCode::WrongPasscode, _) if session.is_entering() => {
                *session = Session::PasscodeNeeded {
                    wrong: self.passcode.is_some(),
                };
                self.emit(CallEvent::PasscodeNeeded);
            }
            (session, ..) if session.is_entering() => {
                self.emit(CallEvent::Error { code: error.code });
                self.end(EndReason::Refused { code: error.code });
            }
            // Resume was rejected: rejoin with a new id. The server sends the id of
            // a connection only in its first message, so reconnect to get one.
            (
                Session::Reconnecting {
                    request: ReconnectRequest::Resume,
                    ..
                },
                ErrorCode::Unauthorized,
                _,
            ) => {
                self.resume_token = None;
                self.session = self
                    .session
                    .disconnected(now.instant, jitter(&self.local.id));
            }
            // The server does not know the room any more; the peers stay connected.
            (Session::Reconnecting { outage, .. }, ..) => {
                self.session = Session::Disconnected(*outage, now.instant + ROOM_GONE_BACKOFF);
            }
            _ => self.emit(CallEvent::Error { code: error.code }),
        }
    }

    fn is_inside(&self, room_id: &str) -> bool {
        self.room.as_ref().is_some_and(|room| room.id == room_id)
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
}

fn join(
    room_id: String,
    token: Option<String>,
    passcode: Option<String>,
    display_name: Option<String>,
    features: Features,
    seal: Option<String>,
) -> ClientMessage {
    let payload = JoinRoom {
        room_id,
        display_name,
        features,
        seal,
        token,
        passcode,
        ..JoinRoom::default()
    };
    ClientMessage::JoinRoom(Request {
        request_id: None,
        payload,
    })
}
