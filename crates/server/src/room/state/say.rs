//! What members say to each other.

use rand::Rng;
use uuid::Uuid;
use visavis_protocol::limits::MAX_CHAT_ID_BYTES;
use visavis_protocol::{
    ChatDown, ChatEntry, ChatUp, Envelope, ErrorCode, Feature, MemberPatch, RelayDown, RelayKind,
    RelayUp, ServerMessage,
};

use super::{Effect, RoomState};
use crate::clock::Now;
use crate::id::{ClientId, SocketId};
use crate::refusal::Refusal;
use crate::room::member::Attachment;
use crate::room::message::{Frame, Notice, frame};
use crate::room::news::News;

/// Who speaks, and on which socket: one that has been replaced says nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Speaker {
    pub id: ClientId,
    pub socket: SocketId,
}

/// What a member says.
#[derive(Debug)]
pub(crate) enum Saying {
    /// To one member, unread.
    Relay(RelayKind, RelayUp),
    /// To all, or to one.
    Chat(ChatUp),
    /// Of itself.
    Update(MemberPatch),
}

/// A chat message on its way.
#[derive(Debug)]
pub(crate) struct ChatMessage {
    pub entry: ChatEntry,
    pub from: Speaker,
    /// The envelope that it came in.
    pub envelope: Envelope,
    to: Option<ClientId>,
}

impl RoomState {
    /// A member speaks.
    pub fn say(
        &mut self,
        now: Now,
        rng: &mut dyn Rng,
        speaker: Speaker,
        envelope: Envelope,
        saying: Saying,
    ) -> Vec<Effect> {
        let said = match self.position(speaker) {
            None => Err(Refusal::not_in_room()),
            Some(index) => match saying {
                Saying::Relay(kind, relay) => self.relay(speaker.id, kind, relay),
                Saying::Chat(chat) => self.chat(now, rng, index, speaker, &envelope, chat),
                Saying::Update(patch) => self.update(index, patch, rng),
            },
        };
        said.unwrap_or_else(|refusal| refuse(refusal, speaker, envelope))
    }

    fn update(
        &mut self,
        index: usize,
        patch: MemberPatch,
        rng: &mut dyn Rng,
    ) -> Result<Vec<Effect>, Refusal> {
        let before = Box::new(self.members[index].who.clone());
        self.members[index].patch(patch, rng)?;
        let who = Box::new(self.members[index].who.clone());
        let mut effects = self.tell_updated(index);
        effects.push(Effect::Save { before, who });
        Ok(effects)
    }

    fn relay(
        &mut self,
        from: ClientId,
        kind: RelayKind,
        relay: RelayUp,
    ) -> Result<Vec<Effect>, Refusal> {
        if !relay.payload.get().starts_with('{') {
            let why = "the payload must be an object";
            return Err(Refusal::new(ErrorCode::BadMessage, why));
        }
        let to = self.addressee(&relay.to)?;
        self.calls.relayed(kind, from, self.members[to].id());
        let down = RelayDown {
            from: from.to_string(),
            payload: relay.payload,
        };
        let message = match kind {
            RelayKind::Offer => ServerMessage::Offer(down),
            RelayKind::Answer => ServerMessage::Answer(down),
            RelayKind::IceCandidate => ServerMessage::IceCandidate(down),
            RelayKind::Ice => ServerMessage::Ice(down),
        };
        let mut effects = Vec::new();
        self.deliver(to, frame(&message), &mut effects);
        Ok(effects)
    }

    fn chat(
        &mut self,
        now: Now,
        rng: &mut dyn Rng,
        index: usize,
        from: Speaker,
        envelope: &Envelope,
        chat: ChatUp,
    ) -> Result<Vec<Effect>, Refusal> {
        let to = chat
            .to
            .as_deref()
            .map(|to| self.addressee(to))
            .transpose()?;
        let to = to.map(|index| self.members[index].id());
        let own =
            |id: &String| !id.is_empty() && id.len() <= MAX_CHAT_ID_BYTES && !self.history.has(id);
        let id = chat.id.filter(own).unwrap_or_else(|| {
            let mut bytes = [0; 16];
            rng.fill_bytes(&mut bytes);
            uuid::Builder::from_random_bytes(bytes)
                .into_uuid()
                .to_string()
        });
        let entry = ChatEntry {
            id,
            from: from.id.to_string(),
            name: self.members[index].who.name.clone(),
            payload: chat.payload,
            sent_at: now.utc.rfc3339_millis(),
            to: to.as_ref().map(Uuid::to_string),
        };
        Ok(vec![Effect::SaveChat(ChatMessage {
            entry,
            from,
            envelope: envelope.clone(),
            to,
        })])
    }

    /// A chat message is stored: everyone whom it is for gets it, the sender too.
    pub fn chat_saved(&mut self, chat: ChatMessage) -> Vec<Effect> {
        let ChatMessage {
            entry, from, to, ..
        } = chat;
        let news = News::Chat {
            entry: entry.clone(),
        };
        let mut effects = self.spread_chat(entry, Some(from.id), to);
        effects.push(Effect::Publish(news));
        effects
    }

    /// Gives a chat message to those of this node whom it is for.
    pub(super) fn spread_chat(
        &mut self,
        entry: ChatEntry,
        from: Option<ClientId>,
        to: Option<ClientId>,
    ) -> Vec<Effect> {
        let plain = ChatDown {
            room_id: self.room.code.clone(),
            from: entry.from.clone(),
            payload: entry.payload.clone(),
            id: None,
            sent_at: None,
            name: None,
            to: None,
        };
        let rich = ChatDown {
            id: Some(entry.id.clone()),
            sent_at: Some(entry.sent_at.clone()),
            name: Some(entry.name.clone()),
            to: entry.to.clone(),
            ..plain.clone()
        };
        self.history.push(entry);
        let mut notice = Notice::extended(
            Feature::Chat,
            ServerMessage::Chat(rich),
            ServerMessage::Chat(plain),
        );
        let mut effects = Vec::new();
        for index in 0..self.members.len() {
            let member = &self.members[index];
            let id = member.id();
            let is_for = to.is_none_or(|to| id == to || Some(id) == from);
            if is_for
                && member.is_local()
                && let Some(frame) = notice.frame_for(member.features())
            {
                self.deliver(index, frame, &mut effects);
            }
        }
        effects
    }

    /// A chat message could not be stored: its sender is told.
    pub fn chat_lost(&self, chat: ChatMessage) -> Vec<Effect> {
        refuse(Refusal::server_busy(), chat.from, chat.envelope)
    }

    /// Sends to a member, keeps it for one who is away, or passes it on to the
    /// node that the member is on.
    pub(super) fn deliver(&mut self, index: usize, frame: Frame, effects: &mut Vec<Effect>) {
        match &mut self.members[index].attachment {
            Attachment::Here(to) => effects.push(Effect::Send { to: *to, frame }),
            Attachment::Away { kept, .. } => kept.push(frame),
            Attachment::Elsewhere { .. } => effects.push(Effect::Publish(News::Relay {
                to: self.members[index].id(),
                frame: frame.as_str().to_owned(),
            })),
        }
    }

    fn addressee(&self, id: &str) -> Result<usize, Refusal> {
        let is = |id: Uuid| self.find(id);
        let found = Uuid::try_parse(id).ok().and_then(is);
        found.ok_or_else(|| Refusal::new(ErrorCode::MemberNotFound, "no such member in this room"))
    }
}

fn refuse(refusal: Refusal, speaker: Speaker, envelope: Envelope) -> Vec<Effect> {
    vec![Effect::Send {
        to: speaker.socket,
        frame: frame(&refusal.answer(envelope)),
    }]
}
