//! The session of one connection: parses its messages and passes them to the room
//! service and to its room. Knows no sockets.

mod caller;
mod enter;

use std::sync::Arc;

use uuid::Uuid;
use visavis_protocol::limits::MAX_LISTED_ROOMS;
use visavis_protocol::{
    ClientMessage, ClientRelay, Envelope, ErrorCode, Feature, Features, ListRooms, PROTOCOL,
    Rejected, RelayKind, Request, RoomInfoMessage, RoomsList, ServerMessage, Welcome,
};

pub(crate) use caller::Caller;
use caller::admission;

use crate::id::{ClientId, SocketId};
use crate::model::Room;
use crate::refusal::Refusal;
use crate::room::{
    Control, MemberRequest, Presence, RoomHandle, RoomInactive, Sender, frame, relayed,
};
use crate::rooms::RoomService;
use crate::socket::Outbox;

/// The protocol extensions of this server.
const FEATURES: [Feature; 9] = [
    Feature::Rooms,
    Feature::Members,
    Feature::Resume,
    Feature::Chat,
    Feature::Waiting,
    Feature::Controls,
    Feature::Reactions,
    Feature::Quality,
    Feature::Ice,
];

/// Which budget a message counts against, besides those of messages and bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Other,
    /// Enters a room: a passcode hash, a transaction, a snapshot.
    Entry,
    /// Is stored or announced to the whole room.
    Write,
}

impl Kind {
    fn of(message: &ClientMessage) -> Self {
        match message {
            ClientMessage::CreateRoom(_)
            | ClientMessage::JoinRoom(_)
            | ClientMessage::Resume(_) => Self::Entry,
            ClientMessage::Chat(_) | ClientMessage::UpdateMember(_) => Self::Write,
            _ => Self::Other,
        }
    }
}

pub(crate) struct Session {
    service: Arc<RoomService>,
    caller: Caller,
    outbox: Outbox,
    socket: SocketId,
    id: ClientId,
    /// The room that the client entered or waits for. The room may have removed it
    /// since.
    room: Option<RoomHandle>,
}

impl Session {
    /// Starts the session of a new client and sends it its id.
    pub fn begin(
        service: Arc<RoomService>,
        caller: Caller,
        socket: SocketId,
        outbox: Outbox,
    ) -> Self {
        let session = Self {
            socket,
            id: Uuid::new_v4(),
            service,
            caller,
            outbox,
            room: None,
        };
        session.be_reachable();
        session.answer(&ServerMessage::ClientId(Welcome {
            id: session.id.to_string(),
            protocol: PROTOCOL,
            features: session.features(),
        }));
        session
    }

    /// Handles a message of the client; returns which budget it counts against.
    pub async fn handle_text(&mut self, text: &str) -> Kind {
        match ClientMessage::read(text) {
            Ok((mut envelope, message)) => {
                let kind = Kind::of(&message);
                let received = self.service.metrics.received(&message);
                let done = self.dispatch(&mut envelope, message).await;
                self.service.metrics.answered(received, &done);
                if let Err(refusal) = done {
                    self.refuse(refusal, envelope);
                }
                kind
            }
            Err(rejected) => {
                let Rejected {
                    code,
                    message,
                    envelope,
                } = *rejected;
                self.refuse(Refusal::new(code, message), envelope);
                Kind::Other
            }
        }
    }

    /// Refuses a request, or a text that is no message.
    pub fn refuse(&self, refusal: Refusal, envelope: Envelope) {
        tracing::debug!(code = ?refusal.code, "refused");
        self.answer(&refusal.answer(envelope));
    }

    /// Whether the client is a member of a room. One in a waiting room is not.
    pub async fn is_inside(&self) -> bool {
        matches!(self.place().await, Some((_, Presence::Inside)))
    }

    fn features(&self) -> Features {
        let direct = self.service.config.direct.then_some(Feature::Direct);
        let features: Vec<_> = FEATURES.into_iter().chain(direct).collect();
        Features::of(&features)
    }

    /// Lets other clients reach this one without a room, if the server has feature
    /// `direct`.
    fn be_reachable(&self) {
        if self.service.config.direct {
            let outbox = self.outbox.clone();
            self.service
                .direct_clients
                .enter(self.id, self.socket, outbox);
        }
    }

    /// Ends the session with its socket; `broken`: without a close frame.
    pub async fn end(mut self, broken: bool) {
        self.service.direct_clients.leave(self.id, self.socket);
        if let Some(room) = self.room.take() {
            // A room that has ended has no members.
            let _ = room.gone(self.sender(), broken).await;
        }
    }

    async fn dispatch(
        &mut self,
        envelope: &mut Envelope,
        message: ClientMessage,
    ) -> Result<(), Refusal> {
        match message {
            ClientMessage::CreateRoom(Request { payload, .. }) => {
                self.create(envelope, payload).await
            }
            ClientMessage::JoinRoom(Request { payload, .. }) => {
                envelope.room_id = Some(payload.room_id.clone());
                self.join(envelope, payload).await
            }
            ClientMessage::Resume(Request { payload, .. }) => self.resume(envelope, payload).await,
            ClientMessage::ListRooms(ListRooms { payload, .. }) => {
                let page = payload.unwrap_or_default();
                let limit = page.limit.unwrap_or(MAX_LISTED_ROOMS).min(MAX_LISTED_ROOMS);
                self.answer(&ServerMessage::RoomsList(RoomsList {
                    request_id: envelope.request_id.take(),
                    rooms: self.service.list(page.offset, limit).await?,
                }));
                Ok(())
            }
            ClientMessage::GetRoom(Request { payload, .. }) => {
                let principal = self.caller.principal(&self.service, None).ok();
                let may_join = |room: &Room| {
                    let principal = principal.as_ref();
                    principal.is_some_and(|principal| admission(principal, room).is_ok())
                };
                let room = self
                    .service
                    .info(envelope.room_id.insert(payload.room_id), may_join)
                    .await?;
                let request_id = envelope.request_id.take();
                self.answer(&ServerMessage::RoomInfo(RoomInfoMessage {
                    request_id,
                    room,
                }));
                Ok(())
            }
            ClientMessage::LeaveRoom(leave) => {
                envelope.room_id = leave.room_id;
                let here = self.place().await.is_some();
                let room = self.room_named(envelope).await?;
                let left = room.leave(self.sender()).await;
                self.room = None;
                left.ok().filter(|()| here).ok_or_else(|| self.not_inside())
            }
            ClientMessage::Offer(relay) => self.relay(envelope, RelayKind::Offer, relay).await,
            ClientMessage::Answer(relay) => self.relay(envelope, RelayKind::Answer, relay).await,
            ClientMessage::IceCandidate(relay) => {
                self.relay(envelope, RelayKind::IceCandidate, relay).await
            }
            ClientMessage::Ice(relay) => self.relay(envelope, RelayKind::Ice, relay).await,
            ClientMessage::Chat(chat) => self.request(envelope, MemberRequest::Chat(chat)).await,
            ClientMessage::UpdateMember(update) => {
                self.request(envelope, MemberRequest::Update(update.payload))
                    .await
            }
            ClientMessage::Reaction(reaction) => {
                self.request(envelope, MemberRequest::Reaction(reaction.payload))
                    .await
            }
            ClientMessage::ReportQuality(report) => {
                self.request(envelope, MemberRequest::Report(report.payload))
                    .await
            }
            ClientMessage::MuteMember(mute) => {
                let (to, source) = (mute.to, mute.payload.source);
                self.control(envelope, Control::Mute { to, source }).await
            }
            ClientMessage::RemoveMember(at) => {
                self.control(envelope, Control::Remove { to: at.to }).await
            }
            ClientMessage::TransferHost(at) => {
                self.control(envelope, Control::Transfer { to: at.to })
                    .await
            }
            ClientMessage::AdmitMember(at) => {
                self.control(envelope, Control::Admit { to: at.to }).await
            }
            ClientMessage::DenyMember(at) => {
                self.control(envelope, Control::Deny { to: at.to }).await
            }
            ClientMessage::LockRoom(_) => self.control(envelope, Control::Lock(true)).await,
            ClientMessage::UnlockRoom(_) => self.control(envelope, Control::Lock(false)).await,
            ClientMessage::EndRoom(_) => self.control(envelope, Control::End).await,
        }
    }

    async fn control(&self, envelope: &Envelope, control: Control) -> Result<(), Refusal> {
        self.request(envelope, MemberRequest::Control(control))
            .await
    }

    /// Relays to a member of the client's room. With feature `direct` a message without
    /// `roomId` goes to any client.
    async fn relay(
        &self,
        envelope: &Envelope,
        kind: RelayKind,
        relay: ClientRelay,
    ) -> Result<(), Refusal> {
        let direct = self.service.config.direct && envelope.room_id.is_none();
        if !direct || self.shares_room_with(&relay.to).await {
            return self
                .request(envelope, MemberRequest::Relay(kind, relay))
                .await;
        }
        let message = relayed(kind, self.id, relay.payload)?;
        let to = Uuid::try_parse(&relay.to).ok();
        let outbox = to.and_then(|to| self.service.direct_clients.find(to));
        outbox
            .ok_or_else(Refusal::member_not_found)?
            .send(frame(&message));
        Ok(())
    }

    async fn shares_room_with(&self, to: &str) -> bool {
        match (self.place().await, Uuid::try_parse(to)) {
            (Some((room, Presence::Inside)), Ok(to)) => room.find(to).await == Presence::Inside,
            _ => false,
        }
    }

    async fn request(&self, envelope: &Envelope, request: MemberRequest) -> Result<(), Refusal> {
        let room = self.room_named(envelope).await?;
        let done = room.request(self.sender(), envelope.clone(), request).await;
        done.map_err(|RoomInactive| self.not_inside())
    }

    /// The room that the client entered or waits for, unless it has ended.
    fn room(&self) -> Option<&RoomHandle> {
        self.room.as_ref().filter(|room| !room.is_over())
    }

    /// Leaves a room whose member the client is no longer.
    async fn vacate(&mut self) {
        if let Some(room) = self.room.take() {
            let _ = room.leave(self.sender()).await;
        }
    }

    /// The room whose member the client is, or that it waits for.
    async fn place(&self) -> Option<(&RoomHandle, Presence)> {
        let room = self.room()?;
        match room.find(self.id).await {
            Presence::Outside => None,
            place => Some((room, place)),
        }
    }

    /// The client's room, if the message names it or none.
    async fn room_named(&self, envelope: &Envelope) -> Result<&RoomHandle, Refusal> {
        let room = self.room().ok_or_else(|| self.not_inside())?;
        match &envelope.room_id {
            None => Ok(room),
            Some(name) if room.is_called(name) => Ok(room),
            Some(name) => match self.service.find(name).await {
                Ok(named) if named.uid == room.uid() => Ok(room),
                _ => Err(Refusal::not_in_room()),
            },
        }
    }

    /// While the server stops, rooms end before sockets. Their members may rejoin on
    /// another node, so they are not told that they left.
    fn not_inside(&self) -> Refusal {
        match self.service.cancel.is_cancelled() {
            true => Refusal::server_busy(),
            false => Refusal::not_in_room(),
        }
    }

    fn sender(&self) -> Sender {
        Sender {
            id: self.id,
            socket: self.socket,
        }
    }

    fn answer(&self, message: &ServerMessage) {
        self.outbox.send(frame(message));
    }
}

fn already_in_room() -> Refusal {
    Refusal::new(
        ErrorCode::AlreadyInRoom,
        "leave your room first: one room per connection",
    )
}
