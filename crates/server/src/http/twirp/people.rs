//! Participants in LiveKit's admin API.

use livekit_protocol::{
    ListParticipantsRequest, ListParticipantsResponse, MuteRoomTrackRequest, MuteRoomTrackResponse,
    ParticipantInfo, ParticipantPermission, RemoveParticipantResponse, RoomParticipantIdentity,
    SendDataRequest, SendDataResponse, UpdateParticipantRequest,
};
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use visavis_protocol::{Feature, Grants};

use super::error::{Code, TwirpError};
use super::{Caller, checked_metadata};
use crate::model::ParticipantUpdate;
use crate::model::{Participant, Room};
use crate::refusal::display_name;
use crate::render::livekit::{self, permitted_source};
use crate::rooms::AdminAction;

/// Topics whose data is a chat message: none, ours, and that of LiveKit's
/// components.
const CHAT_TOPICS: [&str; 3] = ["", "chat", "lk-chat-topic"];

impl Caller<'_> {
    pub(super) async fn list_participants(
        &self,
        request: ListParticipantsRequest,
    ) -> Result<ListParticipantsResponse, TwirpError> {
        let room = self.room(&request.room).await?;
        let inside = self.app.service.inside(room.uid).await?;
        Ok(ListParticipantsResponse {
            participants: inside.iter().map(livekit::participant).collect(),
        })
    }

    pub(super) async fn get_participant(
        &self,
        request: RoomParticipantIdentity,
    ) -> Result<ParticipantInfo, TwirpError> {
        let (_, sessions) = self.sessions(&request.room, &request.identity).await?;
        there(sessions.last().map(livekit::participant))
    }

    /// Removes every session of an identity. A valid token lets it join again.
    pub(super) async fn remove_participant(
        &self,
        request: RoomParticipantIdentity,
    ) -> Result<RemoveParticipantResponse, TwirpError> {
        let (room, sessions) = self.sessions(&request.room, &request.identity).await?;
        self.moderation(&room, &sessions, AdminAction::Remove)
            .await?;
        Ok(RemoveParticipantResponse {})
    }

    /// Asks the participant's clients to mute a track, and the same source in its
    /// other sessions: no server forwards the media. The response shows the
    /// requested state; the record changes when the client reports it.
    pub(super) async fn mute_published_track(
        &self,
        request: MuteRoomTrackRequest,
    ) -> Result<MuteRoomTrackResponse, TwirpError> {
        let (room, mut sessions) = self.sessions(&request.room, &request.identity).await?;
        let found = sessions.iter().find_map(|who| {
            let track = who
                .tracks
                .iter()
                .find(|track| track.sid == request.track_sid);
            Some((who.features, track?.clone()))
        });
        let (features, track) = found
            .ok_or_else(|| TwirpError::new(Code::NotFound, "this participant has no such track"))?;
        let impossible = |why: &str| Err(TwirpError::new(Code::FailedPrecondition, why));
        if !request.muted {
            return impossible("a track cannot be unmuted remotely");
        }
        if !features.has(Feature::Controls) {
            return impossible("the participant's client does not support remote mute");
        }
        sessions.retain(|who| {
            let publishes = who.tracks.iter().any(|own| own.source == track.source);
            publishes && who.features.has(Feature::Controls)
        });
        self.moderation(&room, &sessions, AdminAction::Mute(track.source))
            .await?;
        let mut track = livekit::track(&track);
        track.muted = true;
        Ok(MuteRoomTrackResponse { track: Some(track) })
    }

    pub(super) async fn update_participant(
        &self,
        request: UpdateParticipantRequest,
    ) -> Result<ParticipantInfo, TwirpError> {
        let (room, sessions) = self.sessions(&request.room, &request.identity).await?;
        let mut who = there(sessions.last().cloned())?;
        let update = update(request)?;
        update.apply(&mut who);
        self.moderation(&room, &sessions, AdminAction::Amend(update))
            .await?;
        Ok(livekit::participant(&who))
    }

    /// Data reaches participants as a chat message whose sender is none of them
    /// (docs/decisions/0007).
    pub(super) async fn send_data(
        &self,
        request: SendDataRequest,
    ) -> Result<SendDataResponse, TwirpError> {
        let room = self.room(&request.room).await?;
        let inside = self.app.service.inside(room.uid).await?;
        let payload = chat_payload(&request)?;
        #[expect(deprecated, reason = "older SDKs still name the sids")]
        let sids = &request.destination_sids;
        let identities = &request.destination_identities;
        if sids.is_empty() && identities.is_empty() {
            self.app.service.post(&room, payload, None).await?;
            return Ok(SendDataResponse {});
        }
        let is_meant =
            |who: &&Participant| identities.contains(&who.identity) || sids.contains(&who.sid);
        for who in inside.iter().filter(is_meant) {
            let payload = payload.clone();
            self.app
                .service
                .post(&room, payload, Some(who.client))
                .await?;
        }
        Ok(SendDataResponse {})
    }

    async fn moderation(
        &self,
        room: &Room,
        sessions: &[Participant],
        action: AdminAction,
    ) -> Result<(), TwirpError> {
        let service = &self.app.service;
        let mut done = false;
        for who in sessions {
            done |= service.moderation(room, who.client, action.clone()).await;
        }
        there(done.then_some(()))
    }

    /// The present sessions of an identity on all nodes, the latest last; at least
    /// one.
    async fn sessions(
        &self,
        room: &str,
        identity: &str,
    ) -> Result<(Room, Vec<Participant>), TwirpError> {
        let room = self.room(room).await?;
        let mut sessions = self.app.service.inside(room.uid).await?;
        sessions.retain(|who| who.identity == identity);
        there((!sessions.is_empty()).then_some((room, sessions)))
    }
}

fn there<T>(found: Option<T>) -> Result<T, TwirpError> {
    found.ok_or_else(TwirpError::participant_not_found)
}

/// The requested changes; an empty field changes nothing.
fn update(request: UpdateParticipantRequest) -> Result<ParticipantUpdate, TwirpError> {
    if !request.attributes.is_empty() {
        let why = "attributes are not supported; use metadata";
        return Err(TwirpError::new(Code::Unimplemented, why));
    }
    checked_metadata(&request.metadata)?;
    let filled = |text: String| Some(text).filter(|text| !text.is_empty());
    let name = filled(request.name);
    Ok(ParticipantUpdate {
        name: name.as_deref().map(display_name),
        metadata: filled(request.metadata),
        grants: request.permission.map(granted).transpose()?,
    })
}

fn granted(permission: ParticipantPermission) -> Result<Grants, TwirpError> {
    if permission.hidden {
        let why = "a participant is hidden by its token only, from the start";
        return Err(TwirpError::new(Code::Unimplemented, why));
    }
    let sources = permission.can_publish_sources();
    let known: Vec<_> = sources.clone().filter_map(permitted_source).collect();
    // A list of only unknown sources allows none; an empty list allows all.
    let none_known = known.is_empty() && sources.count() > 0;
    Ok(Grants {
        can_publish: permission.can_publish && !none_known,
        can_subscribe: permission.can_subscribe,
        can_publish_data: Some(permission.can_publish_data),
        can_publish_sources: known,
    })
}

/// The chat payload made from the data: a JSON object is passed on as it is,
/// LiveKit's chat message and any other text become `text`.
fn chat_payload(request: &SendDataRequest) -> Result<Box<RawValue>, TwirpError> {
    let unimplemented = |why: &str| TwirpError::new(Code::Unimplemented, why);
    if !CHAT_TOPICS.contains(&request.topic()) {
        let why = "only chat data is supported: no topic, `chat` or `lk-chat-topic`";
        return Err(unimplemented(why));
    }
    let text = str::from_utf8(&request.data)
        .map_err(|_| unimplemented("only chat data is supported: it must be UTF-8 text"))?;
    if text.len() > visavis_protocol::limits::MAX_MESSAGE_BYTES / 2 {
        let why = "the data exceeds the length of a chat message";
        return Err(TwirpError::new(Code::InvalidArgument, why));
    }
    let message = match serde_json::from_str::<serde_json::Value>(text) {
        Ok(serde_json::Value::Object(mut fields)) => match fields.remove("message") {
            Some(serde_json::Value::String(message)) => message,
            _ => {
                return serde_json::from_str(text)
                    .map_err(|_| unimplemented("the data is not valid JSON text"));
            }
        },
        _ => text.to_owned(),
    };
    to_raw_value(&json!({"text": message}))
        .map_err(|_| unimplemented("the data is not valid JSON text"))
}
