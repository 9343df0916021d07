//! What one connection is to the rooms. It knows messages, not sockets.

mod caller;
mod enter;

use std::sync::Arc;

use uuid::Uuid;
use visavis_protocol::{
    ClientMessage, Envelope, ErrorCode, Feature, Features, PROTOCOL, Rejected, RelayKind, RelayUp,
    Request, RoomInfoMessage, RoomsList, ServerMessage, Welcome,
};

pub(crate) use caller::Caller;

use crate::hub::Hub;
use crate::id::{ClientId, SocketId};
use crate::refusal::Refusal;
use crate::room::{Asleep, Control, Place, RoomHandle, Saying, Speaker, frame, relayed};
use crate::ws::Outbox;

/// What this server has.
const FEATURES: [Feature; 8] = [
    Feature::Rooms,
    Feature::Members,
    Feature::Resume,
    Feature::Chat,
    Feature::Waiting,
    Feature::Controls,
    Feature::Reactions,
    Feature::Quality,
];

pub(crate) struct Session {
    hub: Arc<Hub>,
    caller: Caller,
    outbox: Outbox,
    socket: SocketId,
    id: ClientId,
    /// The room that the client entered or waits for. It may be out again: the
    /// room knows.
    room: Option<RoomHandle>,
}

impl Session {
    /// A new client, who is told its id.
    pub fn begin(hub: Arc<Hub>, caller: Caller, socket: SocketId, outbox: Outbox) -> Self {
        let session = Self {
            socket,
            id: Uuid::new_v4(),
            hub,
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

    /// A message of the client.
    pub async fn hear(&mut self, text: &str) {
        match ClientMessage::read(text) {
            Ok((mut envelope, message)) => {
                let heard = self.hub.metrics.heard(&message);
                let done = self.act(&mut envelope, message).await;
                self.hub.metrics.answered(heard, &done);
                if let Err(refusal) = done {
                    self.refuse(refusal, envelope);
                }
            }
            Err(rejected) => {
                let Rejected {
                    code,
                    message,
                    envelope,
                } = *rejected;
                self.refuse(Refusal::new(code, message), envelope);
            }
        }
    }

    /// Answers what is no message.
    pub fn refuse(&self, refusal: Refusal, envelope: Envelope) {
        tracing::debug!(code = ?refusal.code, "refused");
        self.answer(&refusal.answer(envelope));
    }

    fn features(&self) -> Features {
        let direct = self.hub.config.direct.then_some(Feature::Direct);
        let features: Vec<_> = FEATURES.into_iter().chain(direct).collect();
        Features::of(&features)
    }

    /// Others may reach this client without a room, where the server allows it.
    fn be_reachable(&self) {
        if self.hub.config.direct {
            let outbox = self.outbox.clone();
            self.hub.directory.enter(self.id, self.socket, outbox);
        }
    }

    /// The socket has ended; `broken` = without a close frame.
    pub async fn end(mut self, broken: bool) {
        self.hub.directory.leave(self.id, self.socket);
        if let Some(room) = self.room.take() {
            // A room that is over has nobody to take out.
            let _ = room.gone(self.speaker(), broken).await;
        }
    }

    async fn act(
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
            ClientMessage::ListRooms(_) => {
                self.answer(&ServerMessage::RoomsList(RoomsList {
                    request_id: envelope.request_id.take(),
                    rooms: self.hub.list().await?,
                }));
                Ok(())
            }
            ClientMessage::GetRoom(Request { payload, .. }) => {
                let room = self
                    .hub
                    .info(envelope.room_id.insert(payload.room_id))
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
                let left = room.leave(self.speaker()).await;
                self.room = None;
                left.ok().filter(|()| here).ok_or_else(|| self.not_inside())
            }
            ClientMessage::Offer(up) => self.relay(envelope, RelayKind::Offer, up).await,
            ClientMessage::Answer(up) => self.relay(envelope, RelayKind::Answer, up).await,
            ClientMessage::IceCandidate(up) => {
                self.relay(envelope, RelayKind::IceCandidate, up).await
            }
            ClientMessage::Ice(up) => self.relay(envelope, RelayKind::Ice, up).await,
            ClientMessage::Chat(chat) => self.say(envelope, Saying::Chat(chat)).await,
            ClientMessage::UpdateMember(update) => {
                self.say(envelope, Saying::Update(update.payload)).await
            }
            ClientMessage::Reaction(sign) => {
                self.say(envelope, Saying::Reaction(sign.payload)).await
            }
            ClientMessage::ReportQuality(report) => {
                self.say(envelope, Saying::Report(report.payload)).await
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
        self.say(envelope, Saying::Control(control)).await
    }

    /// To a member of the client's room; or, in the oldest form and where the
    /// server allows it, to any client.
    async fn relay(
        &self,
        envelope: &Envelope,
        kind: RelayKind,
        up: RelayUp,
    ) -> Result<(), Refusal> {
        let direct = self.hub.config.direct && envelope.room_id.is_none();
        if !direct || self.shares_room_with(&up.to).await {
            return self.say(envelope, Saying::Relay(kind, up)).await;
        }
        let message = relayed(kind, self.id, up.payload)?;
        let to = Uuid::try_parse(&up.to).ok();
        let outbox = to.and_then(|to| self.hub.directory.find(to));
        outbox
            .ok_or_else(Refusal::member_not_found)?
            .send(frame(&message));
        Ok(())
    }

    async fn shares_room_with(&self, to: &str) -> bool {
        match (self.place().await, Uuid::try_parse(to)) {
            (Some((room, Place::Inside)), Ok(to)) => room.find(to).await == Place::Inside,
            _ => false,
        }
    }

    async fn say(&self, envelope: &Envelope, saying: Saying) -> Result<(), Refusal> {
        let room = self.room_named(envelope).await?;
        let said = room.say(self.speaker(), envelope.clone(), saying).await;
        said.map_err(|Asleep| self.not_inside())
    }

    /// The room that the client entered or waits for, as far as this side knows.
    fn room(&self) -> Option<&RoomHandle> {
        self.room.as_ref().filter(|room| !room.is_over())
    }

    /// Forgets a room that the client is out of, and has it forget the socket.
    async fn vacate(&mut self) {
        if let Some(room) = self.room.take() {
            let _ = room.leave(self.speaker()).await;
        }
    }

    /// The room that the client is in, or waits for.
    async fn place(&self) -> Option<(&RoomHandle, Place)> {
        let room = self.room()?;
        match room.find(self.id).await {
            Place::Outside => None,
            place => Some((room, place)),
        }
    }

    /// The client's room, when it is the one named, or none is.
    async fn room_named(&self, envelope: &Envelope) -> Result<&RoomHandle, Refusal> {
        let room = self.room().ok_or_else(|| self.not_inside())?;
        match &envelope.room_id {
            None => Ok(room),
            Some(name) if room.is_called(name) => Ok(room),
            Some(name) => match self.hub.find(name).await {
                Ok(named) if named.uid == room.uid() => Ok(room),
                _ => Err(Refusal::not_in_room()),
            },
        }
    }

    /// Where the server stops, the rooms end before the sockets, and whoever was in
    /// one may come back to it elsewhere.
    fn not_inside(&self) -> Refusal {
        match self.hub.cancel.is_cancelled() {
            true => Refusal::server_busy(),
            false => Refusal::not_in_room(),
        }
    }

    fn speaker(&self) -> Speaker {
        Speaker {
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
