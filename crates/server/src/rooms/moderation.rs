//! Administrators' actions on participants of any node: the room's task applies
//! them, or forwards them to the participant's node.

use std::sync::Arc;

use serde_json::value::RawValue;
use visavis_protocol::TrackSource;

use super::RoomService;
use crate::id::ClientId;
use crate::model::ParticipantUpdate;
use crate::model::Room;
use crate::refusal::Refusal;

/// A room's task may end between its look-up and the request.
const ATTEMPTS: usize = 3;

/// An action on a participant.
#[derive(Debug, Clone)]
pub(crate) enum AdminAction {
    /// Removes it.
    Remove,
    /// Asks its client to mute a source.
    Mute(TrackSource),
    /// Changes its name, metadata or grants.
    Amend(ParticipantUpdate),
}

impl RoomService {
    /// Applies an action to a participant; returns whether it is present.
    pub async fn moderation(
        self: &Arc<Self>,
        room: &Room,
        client: ClientId,
        moderation: AdminAction,
    ) -> bool {
        for _ in 0..ATTEMPTS {
            let handle = self.activate(room);
            let done = match &moderation {
                AdminAction::Remove => handle.remove(client).await,
                AdminAction::Mute(source) => handle.mute(client, *source).await,
                AdminAction::Amend(update) => handle.apply_update(client, update.clone()).await,
            };
            if done || !handle.is_over() {
                return done;
            }
        }
        false
    }

    /// Sends a chat message to all participants, or to one.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn post(
        self: &Arc<Self>,
        room: &Room,
        payload: Box<RawValue>,
        to: Option<ClientId>,
    ) -> Result<(), Refusal> {
        for _ in 0..ATTEMPTS {
            let handle = self.activate(room);
            if let Ok(posted) = handle.server_chat(payload.clone(), to).await {
                return posted;
            }
        }
        Err(Refusal::server_busy())
    }
}
