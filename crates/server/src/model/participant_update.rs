//! What an administrator changes about a participant.

use serde::{Deserialize, Serialize};
use visavis_protocol::{Grants, Role};

use super::Participant;

/// What is to be different about someone; what is absent stays.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct ParticipantUpdate {
    pub name: Option<String>,
    pub metadata: Option<String>,
    pub grants: Option<Grants>,
}

impl ParticipantUpdate {
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
