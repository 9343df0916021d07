//! What administrators change from outside about those inside, and what they
//! say to them.

use rand::Rng;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;
use visavis_protocol::{ChatEntry, Grants, Role};

use super::{Effect, RoomState};
use crate::clock::Now;
use crate::id::ClientId;
use crate::model::Participant;
use crate::room::news::News;

/// What is to be different about someone; what is absent stays.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Amendment {
    pub name: Option<String>,
    pub metadata: Option<String>,
    pub grants: Option<Grants>,
}

impl Amendment {
    /// Changes someone. Who may no longer send a track sends it no more; who may
    /// send none is a viewer, and one who may again is none.
    pub fn apply(&self, who: &mut Participant) {
        if let Some(name) = &self.name {
            who.name.clone_from(name);
        }
        if let Some(metadata) = &self.metadata {
            who.metadata.clone_from(metadata);
        }
        if let Some(grants) = &self.grants {
            who.tracks.retain(|track| grants.may_publish(track.source));
            who.role = match who.role {
                Role::Host => Role::Host,
                Role::Participant | Role::Viewer if grants.can_publish => Role::Participant,
                Role::Participant | Role::Viewer => Role::Viewer,
            };
            who.grants = grants.clone();
        }
    }
}

impl RoomState {
    /// Changes someone by an administrator's word, on the node that it is on;
    /// `None`: nobody such is inside.
    pub fn amend(&mut self, client: ClientId, amendment: Amendment) -> Option<Vec<Effect>> {
        let index = self.find(client)?;
        let member = &mut self.members[index];
        if !member.is_local() {
            return Some(vec![Effect::Publish(News::Amend { client, amendment })]);
        }
        let before = Box::new(member.who.clone());
        amendment.apply(&mut member.who);
        let who = Box::new(member.who.clone());
        if who == before {
            return Some(Vec::new());
        }
        let mut effects = self.tell_updated(index);
        effects.push(Effect::Save { before, who });
        Some(effects)
    }

    /// A chat message from nobody inside: its sender's id is nil.
    pub fn notice(
        &self,
        now: Now,
        rng: &mut dyn Rng,
        payload: Box<RawValue>,
        to: Option<ClientId>,
    ) -> ChatEntry {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        ChatEntry {
            id: uuid::Builder::from_random_bytes(bytes)
                .into_uuid()
                .to_string(),
            from: Uuid::nil().to_string(),
            name: String::new(),
            payload,
            sent_at: now.utc.rfc3339_millis(),
            to: to.as_ref().map(Uuid::to_string),
        }
    }

    /// Such a message is stored.
    pub fn noticed(&mut self, entry: ChatEntry, to: Option<ClientId>) -> Vec<Effect> {
        let news = News::Chat {
            entry: entry.clone(),
        };
        let mut effects = self.spread_chat(entry, None, to);
        effects.push(Effect::Publish(news));
        effects
    }
}
