//! Coming in, and coming back.

use uuid::Uuid;
use visavis_protocol::{
    CreatedRoom, ErrorCode, Feature, Features, IceServer, JoinedRoom, MemberJoined, RequestId,
    RoomCreated, RoomJoined, ServerMessage,
};

use super::{Effect, RoomState};
use crate::clock::{self, Now};
use crate::id::{ClientId, ResumeToken, SocketId};
use crate::refusal::Refusal;
use crate::room::member::{Attachment, Member};
use crate::room::message::{Notice, frame};
use crate::room::policy;

/// What every way in brings along.
#[derive(Debug)]
pub(crate) struct Entry {
    pub socket: SocketId,
    pub request_id: Option<RequestId>,
    /// Made for this entry.
    pub secret: u128,
}

/// One who wants to come in.
#[derive(Debug)]
pub(crate) struct Joiner {
    pub entry: Entry,
    pub id: ClientId,
    pub name: String,
    pub features: Features,
    pub ice_servers: Vec<IceServer>,
    /// Whether it has just made the room: the reply is `room-created`.
    pub creator: bool,
}

/// One who wants to come back.
#[derive(Debug)]
pub(crate) struct Resumer {
    pub entry: Entry,
    /// What proves that it is the one who was here.
    pub proof: u128,
}

impl RoomState {
    /// Someone comes in; one who is in already is answered again.
    pub fn join(&mut self, now: Now, joiner: Joiner) -> Result<Vec<Effect>, Refusal> {
        let Joiner {
            entry,
            id,
            name,
            features,
            ice_servers,
            creator,
        } = joiner;
        let to = entry.socket;
        if let Some(member) = self.members.iter().find(|member| member.id == id) {
            let joined = self.joined(member, entry.request_id, ice_servers);
            let frame = frame(&ServerMessage::RoomJoined(joined));
            return Ok(vec![Effect::Send { to, frame }]);
        }
        if !policy::admits(self.members.len(), self.room.max_participants) {
            return Err(Refusal::new(ErrorCode::RoomFull, "the room is full"));
        }
        let member = Member::new(id, to, name, features, entry.secret, now.utc);
        self.members.push(member);
        self.empty_since = None;
        let mut effects = Vec::new();
        self.settle_host(&mut effects);

        let member = &self.members[self.members.len() - 1];
        let reply = if creator {
            ServerMessage::RoomCreated(self.created(member, entry.request_id, ice_servers))
        } else {
            ServerMessage::RoomJoined(self.joined(member, entry.request_id, ice_servers))
        };
        let frame = frame(&reply);
        effects.push(Effect::Send { to, frame });
        effects.extend(self.tell(Some(id), self.arrival(member)));
        Ok(effects)
    }

    /// Someone comes back, to the place and the id it had.
    pub fn resume(
        &mut self,
        resumer: Resumer,
        ice_servers: impl FnOnce(ClientId) -> Vec<IceServer>,
    ) -> Result<(ClientId, Vec<Effect>), Refusal> {
        let Resumer { entry, proof } = resumer;
        let known =
            |member: &Member| member.secret == proof && member.features.has(Feature::Resume);
        let Some(index) = self.members.iter().position(known) else {
            return Err(Refusal::void_token());
        };
        let to = entry.socket;
        let member = &mut self.members[index];
        let id = member.id;
        member.secret = entry.secret;
        let before = std::mem::replace(&mut member.attachment, Attachment::Here(to));
        let member = &self.members[index];
        let resumed = self.joined(member, entry.request_id, ice_servers(id));
        let frame = frame(&ServerMessage::Resumed(resumed));
        let mut effects = vec![Effect::Send { to, frame }];
        match before {
            Attachment::Here(socket) => effects.push(Effect::Replace(socket)),
            Attachment::Away { kept, .. } => {
                let kept = kept.into_frames();
                effects.extend(kept.map(|frame| Effect::Send { to, frame }));
                effects.extend(self.tell_updated(index));
            }
        }
        Ok((id, effects))
    }

    fn arrival(&self, member: &Member) -> Notice {
        let plain = MemberJoined {
            room_id: self.room.code.clone(),
            member_id: member.id.to_string(),
            participants: self.participants(),
            member: None,
        };
        let rich = MemberJoined {
            member: Some(member.wire(self.host)),
            ..plain.clone()
        };
        Notice::extended(
            Feature::Members,
            ServerMessage::MemberJoined(rich),
            ServerMessage::MemberJoined(plain),
        )
    }

    fn created(
        &self,
        member: &Member,
        request_id: Option<RequestId>,
        ice_servers: Vec<IceServer>,
    ) -> RoomCreated {
        let joined = self.joined(member, request_id, ice_servers);
        RoomCreated {
            request_id: joined.request_id,
            room: CreatedRoom {
                id: joined.room.id,
                name: self.room.name.clone(),
                created_at: clock::seconds(self.room.created_at),
                host: self.host.as_ref().map(Uuid::to_string).unwrap_or_default(),
                max_participants: self.room.max_participants,
                participants: joined.room.participants,
                metadata: self.room.metadata.clone(),
                members: joined.room.members,
                chat: joined.room.chat,
            },
            resume_token: joined.resume_token,
            ice_servers: joined.ice_servers,
        }
    }

    fn joined(
        &self,
        member: &Member,
        request_id: Option<RequestId>,
        ice_servers: Vec<IceServer>,
    ) -> RoomJoined {
        let features = member.features;
        let members = || self.members.iter().map(|member| member.wire(self.host));
        let token = ResumeToken {
            room: self.room.uid,
            secret: member.secret,
        };
        RoomJoined {
            request_id,
            room: JoinedRoom {
                id: self.room.code.clone(),
                participants: self.participants(),
                name: (!features.is_empty()).then(|| self.room.name.clone()),
                members: features.has(Feature::Members).then(|| members().collect()),
                chat: features
                    .has(Feature::Chat)
                    .then(|| self.history.for_reader(member.id)),
            },
            resume_token: features.has(Feature::Resume).then(|| token.to_string()),
            ice_servers: (!features.is_empty() && !ice_servers.is_empty()).then_some(ice_servers),
        }
    }
}
