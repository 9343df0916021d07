//! What an administrator changes about a participant.

use serde::{Deserialize, Serialize};
use visavis_protocol::{Grants, Role};

use super::Participant;

/// Changes to a participant; absent fields stay.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct ParticipantUpdate {
    pub name: Option<String>,
    pub metadata: Option<String>,
    pub grants: Option<Grants>,
}

impl ParticipantUpdate {
    /// Applies the changes. Tracks that the new grants forbid are removed; a
    /// participant that may publish nothing becomes a viewer, and the reverse. A
    /// hidden participant gets no grants: it would be seen.
    pub fn apply(&self, who: &mut Participant) {
        if let Some(name) = &self.name {
            who.name.clone_from(name);
        }
        if let Some(metadata) = &self.metadata {
            who.metadata.clone_from(metadata);
        }
        if let Some(grants) = self.grants.as_ref().filter(|_| !who.hidden) {
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
