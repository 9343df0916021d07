//! What administrators do from outside to those inside, wherever these are: the
//! room's task here does it, or tells the node that has them.

use std::sync::Arc;

use serde_json::value::RawValue;
use visavis_protocol::TrackSource;

use super::RoomService;
use crate::id::ClientId;
use crate::model::ParticipantUpdate;
use crate::model::Room;
use crate::refusal::Refusal;

/// A room may fall asleep between being found and being told.
const ATTEMPTS: usize = 3;

/// What is done to someone.
#[derive(Debug, Clone)]
pub(crate) enum AdminAction {
    /// It is put out.
    Remove,
    /// It is asked to mute itself.
    Mute(TrackSource),
    /// Something about it is different from now on.
    Amend(ParticipantUpdate),
}

impl RoomService {
    /// Does something to someone; whether there is such a one.
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

    /// Says something to everyone inside, or to one of them.
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
