//! What administrators change from outside about those inside, and what they
//! say to them.

use rand::Rng;
use serde_json::value::RawValue;
use uuid::Uuid;
use visavis_protocol::ChatEntry;

use super::{Effect, RoomState};
use crate::clock::Now;
use crate::cluster::ClusterMessage;
use crate::id::ClientId;
use crate::model::ParticipantUpdate;

impl RoomState {
    /// Changes someone at an administrator's request, on the node that it is on;
    /// `None`: nobody such is inside.
    pub fn apply_update(
        &mut self,
        client: ClientId,
        update: ParticipantUpdate,
    ) -> Option<Vec<Effect>> {
        let index = self.find(client)?;
        let member = &mut self.members[index];
        if !member.is_local() {
            return Some(vec![Effect::Publish(ClusterMessage::Amend {
                client,
                update,
            })]);
        }
        let before = Box::new(member.who.clone());
        update.apply(&mut member.who);
        let who = Box::new(member.who.clone());
        if who == before {
            return Some(Vec::new());
        }
        let mut effects = self.publish_member(index);
        effects.push(Effect::Save { before, who });
        Some(effects)
    }

    /// A chat message from nobody inside: its sender's id is nil.
    pub fn server_message(
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
    pub fn server_message_saved(&mut self, entry: ChatEntry, to: Option<ClientId>) -> Vec<Effect> {
        let cluster_message = ClusterMessage::Chat {
            entry: entry.clone(),
        };
        let mut effects = self.spread_chat(entry, None, to);
        effects.push(Effect::Publish(cluster_message));
        effects
    }
}
