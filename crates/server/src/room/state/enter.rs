//! Coming in, and coming back.

use std::sync::Arc;

use visavis_protocol::{
    CloseCode, CreatedRoom, Feature, IceServer, JoinedRoom, RequestId, RoomCreated, RoomJoined,
    ServerMessage,
};

use super::{Effect, RoomState, WasHost};
use crate::access::token::TokenRenewal;
use crate::cluster::ClusterMessage;
use crate::ice::ClientIceServers;
use crate::id::{ClientId, ResumeToken, SocketId};
use crate::model::{Participant, Room, SecretHash, Template};
use crate::refusal::Refusal;
use crate::room::applicant::Applicant;
use crate::room::member::{Attachment, Member};
use crate::room::message::frame;

/// What every way in brings along.
#[derive(Debug)]
pub(crate) struct Entry {
    pub socket: SocketId,
    pub request_id: Option<RequestId>,
    /// The resume token's secret. The store has its hash.
    pub secret: u128,
    pub ice_servers: ClientIceServers,
    /// The server's own STUN server, by the host that the client used.
    pub stun_url: Option<Arc<str>>,
    /// The renewal of the token that it brings, if it brings one.
    pub token: Option<TokenRenewal>,
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
    /// One who is in already, or waits to be, is answered again.
    pub fn rejoin(&mut self, client: ClientId, entry: &mut Entry) -> Option<Vec<Effect>> {
        let Some(index) = self.find(client) else {
            return self.repeat_waiting(client, entry);
        };
        self.gets_list(index);
        self.members[index].gets_credentials(entry);
        let member = &self.members[index];
        let joined = self.joined(
            member,
            entry.request_id.take(),
            entry.ice_servers.servers.clone(),
        );
        Some(vec![Effect::Send {
            to: entry.socket,
            frame: frame(&ServerMessage::RoomJoined(joined)),
        }])
    }

    /// The place that an applicant takes over: one that is kept for a broken socket of
    /// the same identity. An identity that was proved by a token or a gateway counts;
    /// an anonymous one is its client id, which nobody has twice.
    pub fn replaceable(&self, applicant: &Applicant) -> Option<(Participant, WasHost)> {
        if applicant.identity == applicant.client.to_string() {
            return None;
        }
        let is = |member: &&Member| {
            member.is_reconnecting() && member.who.identity == applicant.identity
        };
        let who = self.members.iter().find(is)?.who.clone();
        let was_host = WasHost(self.host == Some(who.client));
        Some((who, was_host))
    }

    /// A place was taken over: its departure is stored.
    pub fn replaced(&mut self, client: ClientId) -> Vec<Effect> {
        let Some(index) = self.find(client) else {
            return Vec::new();
        };
        let mut effects = self.remove_from_list(index);
        effects.push(Effect::Publish(ClusterMessage::Left { client }));
        effects
    }

    /// Someone whom the store has let in is here.
    pub fn enter(&mut self, entry: Entry, who: Participant, room: Room) -> Vec<Effect> {
        let changed = self.changed(room);
        let (to, id) = (entry.socket, who.client);
        let place = self.join_order_index(&who);
        let mut member = Member::new(who, Attachment::Here(to));
        member.secret = entry.secret;
        member.gets_credentials(&entry);
        self.members.insert(place, member);
        let host = self.update_host(Some(id));

        self.membership.expose();
        let member = &self.members[place];
        let ice_servers = entry.ice_servers.servers;
        let reply = if entry.creator {
            ServerMessage::RoomCreated(self.created(member, entry.request_id, ice_servers))
        } else {
            ServerMessage::RoomJoined(self.joined(member, entry.request_id, ice_servers))
        };
        let frame = frame(&reply);
        let mut effects = vec![Effect::Send { to, frame }];
        effects.extend(self.welcome(place));
        effects.extend(self.announce_join(place));
        effects.push(Effect::Publish(self.member_message(place)));
        effects.extend(changed);
        effects.extend(host);
        effects
    }

    /// What a member receives besides `room-joined` or `resumed`.
    fn welcome(&self, index: usize) -> Vec<Effect> {
        let mut effects: Vec<_> = self
            .send_to(index, &mut self.updated())
            .into_iter()
            .collect();
        if self.is_host(index) {
            effects.extend(self.send_pending_joins(index));
        }
        effects
    }

    /// Someone comes back, to the place and the id it had.
    pub fn resume(
        &mut self,
        resumer: Resumer,
        ice_servers: impl FnOnce(ClientId, Option<&str>) -> ClientIceServers,
    ) -> Result<(ClientId, Vec<Effect>), Refusal> {
        let Resumer { mut entry, proof } = resumer;
        let Some(index) = self.resumes(proof) else {
            return Err(Refusal::void_token());
        };
        let member = &mut self.members[index];
        let id = member.id();
        let before = Box::new(member.who.clone());
        member.who.secret = SecretHash::of(entry.secret);
        let who = Box::new(member.who.clone());
        entry.ice_servers = ice_servers(id, entry.stun_url.as_deref());
        let mut effects = vec![Effect::Save { before, who }];
        effects.extend(self.attach_socket(index, entry));
        Ok((id, effects))
    }

    /// Whose place it is that this proves, of those of this node.
    pub fn resumes(&self, proof: u128) -> Option<usize> {
        let proof = SecretHash::of(proof);
        let is = |member: &Member| {
            member.is_local()
                && member.who.secret == proof
                && member.features().has(Feature::Resume)
        };
        self.members.iter().position(is)
    }

    /// Someone who was on another node comes back here, as the store has it now.
    pub fn adopt(&mut self, entry: Entry, who: Participant) -> Vec<Effect> {
        let index = match self.find(who.client) {
            Some(index) => {
                self.members[index].who = who;
                index
            }
            None => {
                let place = self.join_order_index(&who);
                let member = Member::new(who, Attachment::elsewhere(true));
                self.members.insert(place, member);
                place
            }
        };
        let host = self.update_host(None);
        let mut effects = self.attach_socket(index, entry);
        effects.extend(host);
        effects
    }

    /// A member is on this socket from now on.
    fn attach_socket(&mut self, index: usize, entry: Entry) -> Vec<Effect> {
        let to = entry.socket;
        let member = &mut self.members[index];
        let before = std::mem::replace(&mut member.attachment, Attachment::Here(to));
        member.secret = entry.secret;
        member.gets_credentials(&entry);
        self.gets_list(index);
        let member = &self.members[index];
        let resumed = self.joined(member, entry.request_id, entry.ice_servers.servers);
        let frame = frame(&ServerMessage::Resumed(resumed));
        let mut effects = vec![Effect::Send { to, frame }];
        effects.extend(self.welcome(index));
        match before {
            Attachment::Here(socket) => effects.push(Effect::Close(socket, CloseCode::Replaced)),
            Attachment::Away { kept, .. } | Attachment::Elsewhere { kept, .. } => {
                let kept = kept.into_frames();
                effects.extend(kept.map(|frame| Effect::Send { to, frame }));
                effects.extend(self.publish_member(index));
            }
        }
        effects
    }

    /// A member gets the current list, so the changes that wait are known to it.
    fn gets_list(&mut self, index: usize) {
        self.membership.expose();
        self.members[index].first_change = self.membership.next_change();
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
                created_at: self.room.created_at.rfc3339(),
                host: self.host.map(|host| host.to_string()).unwrap_or_default(),
                max_participants: self.room.max_participants,
                participants: joined.room.participants,
                metadata: self.room.metadata.clone(),
                members: joined.room.members,
                chat: joined.room.chat,
                viewer_count: joined.room.viewer_count,
            },
            resume_token: joined.resume_token,
            ice_servers: joined.ice_servers,
            seal: joined.seal,
        }
    }

    fn seal_for(&self, member: &Member) -> Option<String> {
        let seals = self.seals.as_ref();
        let seals = seals.filter(|_| member.features().has(Feature::Resume))?;
        let is_host = self.host == Some(member.id());
        Some(if is_host { &seals.host } else { &seals.member }.clone())
    }

    fn joined(
        &self,
        member: &Member,
        request_id: Option<RequestId>,
        ice_servers: Vec<IceServer>,
    ) -> RoomJoined {
        let features = member.features();
        let has_members = features.has(Feature::Members);
        let is_watched = Template::of(self.room.kind).watched;
        // The list of a webinar or broadcast has no viewers but the receiver.
        let is_listed =
            |one: &&Member| !is_watched || one.id() == member.id() || !self.is_viewer(one);
        let members: Option<Vec<_>> = has_members.then(|| {
            let listed = self.visible().filter(is_listed);
            listed.map(|one| one.wire(self.host)).collect()
        });
        let omitted = |listed: &Vec<_>| self.visible().count() - listed.len();
        let viewer_count = members.as_ref().filter(|_| is_watched).map(omitted);
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
                members,
                viewer_count: viewer_count.and_then(|count| u32::try_from(count).ok()),
                chat: features
                    .has(Feature::Chat)
                    .then(|| self.history.for_reader(member.id())),
            },
            resume_token: features.has(Feature::Resume).then(|| token.to_string()),
            ice_servers: (!features.is_empty() && !ice_servers.is_empty()).then_some(ice_servers),
            seal: self.seal_for(member),
        }
    }
}
