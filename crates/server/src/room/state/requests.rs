//! What members say to each other.

use rand::Rng;
use serde_json::value::RawValue;
use uuid::Uuid;
use visavis_protocol::limits::{MAX_CHAT_ID_BYTES, MAX_REACTION_BYTES};
use visavis_protocol::{
    ChatEntry, ClientChat, ClientRelay, Envelope, ErrorCode, Feature, MemberPatch, QualityReport,
    RelayKind, ServerChat, ServerMessage, ServerReaction,
};

use super::cluster::relay;
use super::{Control, Effect, RoomState};
use crate::clock::Now;
use crate::cluster::ClusterMessage;
use crate::id::{ClientId, SocketId};
use crate::model::Template;
use crate::refusal::Refusal;
use crate::room::member::{Attachment, Member};
use crate::room::message::{Broadcast, frame, relayed};
use crate::socket::Frame;

/// Who speaks, and on which socket: one that has been replaced says nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sender {
    pub id: ClientId,
    pub socket: SocketId,
}

/// What a member says.
#[derive(Debug)]
pub(crate) enum MemberRequest {
    /// To one member, unread.
    Relay(RelayKind, ClientRelay),
    /// To all, or to one.
    Chat(ClientChat),
    /// Of itself.
    Update(MemberPatch),
    /// A passing sign.
    Reaction(Box<RawValue>),
    /// How well it hears the others.
    Report(QualityReport),
    /// As a host.
    Control(Control),
}

/// A chat message on its way.
#[derive(Debug)]
pub(crate) struct ChatMessage {
    pub entry: ChatEntry,
    pub from: Sender,
    /// The envelope that it came in.
    pub envelope: Envelope,
    to: Option<ClientId>,
}

impl RoomState {
    /// A member speaks.
    pub fn handle_request(
        &mut self,
        now: Now,
        rng: &mut dyn Rng,
        sender: Sender,
        envelope: Envelope,
        request: MemberRequest,
    ) -> Vec<Effect> {
        let said = match self.position(sender) {
            None => Err(Refusal::not_in_room()),
            Some(index) => match request {
                MemberRequest::Relay(kind, relay) => self.relay(sender.id, kind, relay),
                MemberRequest::Chat(chat) => self.chat(now, rng, index, sender, &envelope, chat),
                MemberRequest::Update(patch) => self.update(index, patch, rng),
                MemberRequest::Reaction(payload) => self.reaction(index, payload),
                MemberRequest::Report(report) => self.report(now, index, report),
                MemberRequest::Control(control) => self.control(sender, index, &envelope, control),
            },
        };
        said.unwrap_or_else(|refusal| refuse(refusal, sender, envelope))
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
        let mut effects = self.publish_member(index);
        effects.push(Effect::Save { before, who });
        Ok(effects)
    }

    fn relay(
        &mut self,
        from: ClientId,
        kind: RelayKind,
        relay: ClientRelay,
    ) -> Result<Vec<Effect>, Refusal> {
        let message = relayed(kind, from, relay.payload)?;
        let is_hidden = |index: usize| self.members[index].who.hidden;
        if self.find(from).is_some_and(is_hidden) {
            let why = "a hidden participant connects to nobody";
            return Err(Refusal::new(ErrorCode::Forbidden, why));
        }
        let to = self.addressee(&relay.to)?;
        let whom = self.members[to].id();
        self.calls.relayed(kind, from, whom);
        let mut effects = Vec::new();
        if !self.members[to].is_local() && matches!(kind, RelayKind::Offer | RelayKind::Answer) {
            let to = whom;
            effects.push(Effect::Publish(ClusterMessage::Relayed { kind, from, to }));
        }
        if kind == RelayKind::Offer {
            effects.extend(self.announce_to(from, to));
        }
        self.deliver(to, frame(&message), &mut effects);
        Ok(effects)
    }

    fn chat(
        &mut self,
        now: Now,
        rng: &mut dyn Rng,
        index: usize,
        from: Sender,
        envelope: &Envelope,
        chat: ClientChat,
    ) -> Result<Vec<Effect>, Refusal> {
        self.may_send_data(index)?;
        if !Template::of(self.room.kind).chat {
            let why = "there is no chat in a room of this kind";
            return Err(Refusal::new(ErrorCode::Forbidden, why));
        }
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
        let cluster_message = ClusterMessage::Chat {
            entry: entry.clone(),
        };
        let mut effects = self.spread_chat(entry, Some(from.id), to);
        effects.push(Effect::Publish(cluster_message));
        effects
    }

    /// Gives a chat message to those of this node whom it is for.
    pub(super) fn spread_chat(
        &mut self,
        entry: ChatEntry,
        from: Option<ClientId>,
        to: Option<ClientId>,
    ) -> Vec<Effect> {
        let plain = ServerChat {
            room_id: self.room.code.clone(),
            from: entry.from.clone(),
            payload: entry.payload.clone(),
            id: None,
            sent_at: None,
            name: None,
            to: None,
        };
        let rich = ServerChat {
            id: Some(entry.id.clone()),
            sent_at: Some(entry.sent_at.clone()),
            name: Some(entry.name.clone()),
            to: entry.to.clone(),
            ..plain.clone()
        };
        self.history.push(entry);
        let mut notice = Broadcast::extended(
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

    /// A chat message could not be stored: its sender receives an error.
    pub fn chat_lost(&self, chat: ChatMessage, refusal: Refusal) -> Vec<Effect> {
        refuse(refusal, chat.from, chat.envelope)
    }

    /// Sends to a member, keeps it for one who is away, or passes it on to the
    /// node that the member is on.
    pub(super) fn deliver(&mut self, index: usize, frame: Frame, effects: &mut Vec<Effect>) {
        // Clients without feature `members` know the sender of every message.
        if !self.members[index].features().has(Feature::Members) {
            effects.extend(self.flush_plain());
        }
        match &mut self.members[index].attachment {
            Attachment::Here(to) => effects.push(Effect::Send { to: *to, frame }),
            Attachment::Away { kept, .. } => kept.push(frame),
            Attachment::Elsewhere { .. } => {
                let to = self.members[index].id();
                effects.push(Effect::Publish(relay(to, &frame)));
            }
        }
    }

    fn reaction(&mut self, index: usize, payload: Box<RawValue>) -> Result<Vec<Effect>, Refusal> {
        self.may_send_data(index)?;
        let text = payload.get();
        if !text.starts_with('{') || text.len() > MAX_REACTION_BYTES {
            let why = format!("a reaction is an object of at most {MAX_REACTION_BYTES} bytes");
            return Err(Refusal::new(ErrorCode::BadMessage, why));
        }
        let down = ServerReaction {
            room_id: self.room.code.clone(),
            from: self.members[index].id().to_string(),
            payload,
        };
        let frame = frame(&ServerMessage::Reaction(down));
        let mut effects = self.spread_reaction(&frame);
        effects.push(Effect::Publish(ClusterMessage::Reaction {
            frame: frame.to_string(),
        }));
        Ok(effects)
    }

    /// Gives a reaction to those of this node who asked for them.
    pub(super) fn spread_reaction(&self, frame: &Frame) -> Vec<Effect> {
        let hears = |member: &&Member| member.features().has(Feature::Reactions);
        let heard = self.members.iter().filter(hears);
        heard
            .filter_map(|member| match member.attachment {
                Attachment::Here(to) => Some(Effect::Send {
                    to,
                    frame: frame.clone(),
                }),
                Attachment::Away { .. } | Attachment::Elsewhere { .. } => None,
            })
            .collect()
    }

    fn may_send_data(&self, index: usize) -> Result<(), Refusal> {
        if self.members[index].who.grants.may_publish_data() {
            return Ok(());
        }
        let why = "you may not send messages in this room";
        Err(Refusal::new(ErrorCode::Forbidden, why))
    }

    pub(super) fn addressee(&self, id: &str) -> Result<usize, Refusal> {
        let is_visible = |index: &usize| !self.members[*index].who.hidden;
        let is = |id: Uuid| self.find(id).filter(is_visible);
        let found = Uuid::try_parse(id).ok().and_then(is);
        found.ok_or_else(Refusal::member_not_found)
    }
}

fn refuse(refusal: Refusal, sender: Sender, envelope: Envelope) -> Vec<Effect> {
    vec![Effect::Send {
        to: sender.socket,
        frame: frame(&refusal.answer(envelope)),
    }]
}
