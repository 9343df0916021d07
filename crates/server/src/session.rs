//! What one connection is to the rooms. It knows messages, not sockets.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;
use visavis_protocol::{
    ClientMessage, CreateRoom, Envelope, ErrorCode, Feature, Features, Grants, JoinRoom, Metadata,
    PROTOCOL, Rejected, RelayKind, Request, Resume, Role, RoomInfoMessage, RoomsList,
    ServerMessage, Welcome,
};

use crate::hub::{Applicant, Hub, store_failed};
use crate::id::{ClientId, ResumeToken, SocketId};
use crate::model::{ParticipantKind, Room};
use crate::refusal::{Refusal, description, person_name, room_name};
use crate::room::{Asleep, Entry, Resumer, RoomHandle, Saying, Speaker, frame};
use crate::ws::Outbox;

/// A room may fall asleep between being found and being entered, and be woken
/// again; more often in a row than this it is no chance.
const WAKE_ATTEMPTS: usize = 3;

/// A room that nobody but its creator ever entered ends after this.
const IDLE_TTL: Duration = Duration::from_secs(24 * 3_600);

pub(crate) struct Session {
    hub: Arc<Hub>,
    outbox: Outbox,
    socket: SocketId,
    id: ClientId,
    room: Option<RoomHandle>,
}

impl Session {
    /// A new client, who is told its id.
    pub fn begin(hub: Arc<Hub>, socket: SocketId, outbox: Outbox) -> Self {
        let session = Self {
            socket,
            id: Uuid::new_v4(),
            hub,
            outbox,
            room: None,
        };
        session.answer(&ServerMessage::ClientId(Welcome {
            id: session.id.to_string(),
            protocol: PROTOCOL,
            features: Features::of(&[
                Feature::Rooms,
                Feature::Members,
                Feature::Resume,
                Feature::Chat,
            ]),
        }));
        session
    }

    /// A message of the client.
    pub async fn hear(&mut self, text: &str) {
        match ClientMessage::read(text) {
            Ok((mut envelope, message)) => {
                if let Err(refusal) = self.act(&mut envelope, message).await {
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

    /// The socket has ended; `broken` = without a close frame.
    pub async fn end(mut self, broken: bool) {
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
                let room = self.room_named(envelope).await?;
                let left = room.leave(self.speaker()).await;
                self.room = None;
                left.map_err(not_in_room)
            }
            ClientMessage::Offer(up) => {
                self.say(envelope, Saying::Relay(RelayKind::Offer, up))
                    .await
            }
            ClientMessage::Answer(up) => {
                self.say(envelope, Saying::Relay(RelayKind::Answer, up))
                    .await
            }
            ClientMessage::IceCandidate(up) => {
                self.say(envelope, Saying::Relay(RelayKind::IceCandidate, up))
                    .await
            }
            ClientMessage::Ice(up) => self.say(envelope, Saying::Relay(RelayKind::Ice, up)).await,
            ClientMessage::Chat(chat) => self.say(envelope, Saying::Chat(chat)).await,
            ClientMessage::UpdateMember(update) => {
                self.say(envelope, Saying::Update(update.payload)).await
            }
            // Of features that the server does not announce yet.
            ClientMessage::ReportQuality(_)
            | ClientMessage::Reaction(_)
            | ClientMessage::MuteMember(_)
            | ClientMessage::RemoveMember(_)
            | ClientMessage::LockRoom(_)
            | ClientMessage::UnlockRoom(_)
            | ClientMessage::TransferHost(_)
            | ClientMessage::EndRoom(_)
            | ClientMessage::AdmitMember(_)
            | ClientMessage::DenyMember(_) => {
                let why = "this server does not know this type of message";
                Err(Refusal::new(ErrorCode::UnknownType, why))
            }
        }
    }

    async fn create(&mut self, envelope: &Envelope, create: CreateRoom) -> Result<(), Refusal> {
        if self.room().is_some() {
            return Err(already_in_room());
        }
        let applicant = self.applicant(create.display_name.as_deref(), create.features)?;
        let draft = Room {
            name: room_name(&create.name)?,
            host: Some(self.id),
            max_participants: create.max_participants.unwrap_or_default(),
            metadata: create.metadata.map(metadata).transpose()?,
            empty_timeout: Some(self.hub.config.empty_timeout),
            idle_ttl: Some(IDLE_TTL),
            ..Room::draft(self.hub.clock.now())
        };
        let room = self.hub.create(draft).await.map_err(store_failed)?;
        let handle = self.hub.wake(&room);
        let entry = self.entry(envelope, true);
        handle
            .join(applicant, entry, self.outbox.clone())
            .await
            .unwrap_or_else(|Asleep| Err(Refusal::server_busy()))?;
        self.room = Some(handle);
        Ok(())
    }

    async fn join(&mut self, envelope: &Envelope, join: JoinRoom) -> Result<(), Refusal> {
        let applicant = self.applicant(join.display_name.as_deref(), join.features)?;
        for _ in 0..WAKE_ATTEMPTS {
            let room = self.hub.find(&join.room_id).await?;
            if self.room().is_some_and(|inside| inside.uid() != room.uid) {
                return Err(already_in_room());
            }
            let handle = self.hub.wake(&room);
            let entry = self.entry(envelope, false);
            match handle
                .join(applicant.clone(), entry, self.outbox.clone())
                .await
            {
                Err(Asleep) => continue,
                Ok(joined) => joined?,
            }
            self.room = Some(handle);
            return Ok(());
        }
        Err(Refusal::server_busy())
    }

    async fn resume(&mut self, envelope: &Envelope, resume: Resume) -> Result<(), Refusal> {
        if self.room().is_some() {
            return Err(already_in_room());
        }
        let token = ResumeToken::parse(&resume.resume_token).ok_or_else(Refusal::void_token)?;
        let handle = self
            .hub
            .living(token.room)
            .ok_or_else(Refusal::void_token)?;
        let resumer = Resumer {
            entry: self.entry(envelope, false),
            proof: token.secret,
        };
        let resumed = handle.resume(resumer, self.outbox.clone()).await;
        self.id = resumed.unwrap_or_else(|Asleep| Err(Refusal::void_token()))?;
        self.room = Some(handle);
        Ok(())
    }

    async fn say(&self, envelope: &Envelope, saying: Saying) -> Result<(), Refusal> {
        let room = self.room_named(envelope).await?;
        let said = room.say(self.speaker(), envelope.clone(), saying).await;
        said.map_err(not_in_room)
    }

    /// The room that the client is in.
    fn room(&self) -> Option<&RoomHandle> {
        self.room.as_ref().filter(|room| !room.is_over())
    }

    /// The client's room, when it is the one named, or none is.
    async fn room_named(&self, envelope: &Envelope) -> Result<&RoomHandle, Refusal> {
        let room = self.room().ok_or_else(Refusal::not_in_room)?;
        match &envelope.room_id {
            None => Ok(room),
            Some(name) if room.is_called(name) => Ok(room),
            Some(name) => match self.hub.find(name).await {
                Ok(named) if named.uid == room.uid() => Ok(room),
                _ => Err(Refusal::not_in_room()),
            },
        }
    }

    fn applicant(
        &self,
        display_name: Option<&str>,
        features: Features,
    ) -> Result<Applicant, Refusal> {
        Ok(Applicant {
            client: self.id,
            user: self.id,
            identity: self.id.to_string(),
            name: person_name(display_name.unwrap_or_default())?,
            role: Role::Participant,
            kind: ParticipantKind::Video,
            grants: Grants::default(),
            metadata: String::new(),
            features,
            secret: rand::random(),
        })
    }

    fn entry(&self, envelope: &Envelope, creator: bool) -> Entry {
        Entry {
            socket: self.socket,
            request_id: envelope.request_id.clone(),
            secret: rand::random(),
            ice_servers: self.hub.ice.for_client(self.id, self.hub.clock.now()),
            creator,
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

fn metadata(metadata: Metadata) -> Result<Metadata, Refusal> {
    Ok(Metadata {
        description: metadata
            .description
            .as_deref()
            .map(description)
            .transpose()?,
        private: metadata.private,
    })
}

fn already_in_room() -> Refusal {
    Refusal::new(
        ErrorCode::AlreadyInRoom,
        "leave your room first: one room per connection",
    )
}

fn not_in_room(_: Asleep) -> Refusal {
    Refusal::not_in_room()
}
