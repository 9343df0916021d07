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
use crate::refusal::person_name;
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
        let (_, who) = self.participant(&request.room, &request.identity).await?;
        Ok(livekit::participant(&who))
    }

    /// Puts someone out, who may come again as long as its token is good.
    pub(super) async fn remove_participant(
        &self,
        request: RoomParticipantIdentity,
    ) -> Result<RemoveParticipantResponse, TwirpError> {
        let (room, who) = self.participant(&request.room, &request.identity).await?;
        self.moderation(&room, &who, AdminAction::Remove).await?;
        Ok(RemoveParticipantResponse {})
    }

    /// Asks someone to mute a track: no server is between it and the others.
    /// The answer is what is asked for; the record follows its own word.
    pub(super) async fn mute_published_track(
        &self,
        request: MuteRoomTrackRequest,
    ) -> Result<MuteRoomTrackResponse, TwirpError> {
        let (room, who) = self.participant(&request.room, &request.identity).await?;
        let mut tracks = who.tracks.iter();
        let track = tracks.find(|track| track.sid == request.track_sid);
        let track = track
            .ok_or_else(|| TwirpError::new(Code::NotFound, "this participant has no such track"))?;
        let impossible = |why: &str| Err(TwirpError::new(Code::FailedPrecondition, why));
        if !request.muted {
            return impossible("a track cannot be unmuted remotely");
        }
        if !who.features.has(Feature::Controls) {
            return impossible("the participant's client does not support remote mute");
        }
        self.moderation(&room, &who, AdminAction::Mute(track.source))
            .await?;
        let mut track = livekit::track(track);
        track.muted = true;
        Ok(MuteRoomTrackResponse { track: Some(track) })
    }

    pub(super) async fn update_participant(
        &self,
        request: UpdateParticipantRequest,
    ) -> Result<ParticipantInfo, TwirpError> {
        let (room, mut who) = self.participant(&request.room, &request.identity).await?;
        let update = update(request)?;
        update.apply(&mut who);
        self.moderation(&room, &who, AdminAction::Amend(update))
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
        who: &Participant,
        moderation: AdminAction,
    ) -> Result<(), TwirpError> {
        let done = self
            .app
            .service
            .moderation(room, who.client, moderation)
            .await;
        there(done.then_some(()))
    }

    /// Someone who is inside, by identity; of several the one who came last.
    async fn participant(
        &self,
        room: &str,
        identity: &str,
    ) -> Result<(Room, Participant), TwirpError> {
        let room = self.room(room).await?;
        let inside = self.app.service.inside(room.uid).await?;
        let mut named = inside.into_iter().rev();
        let named = named.find(|who| who.identity == identity);
        there(named).map(|who| (room, who))
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
        name: name.as_deref().map(person_name).transpose()?,
        metadata: filled(request.metadata),
        grants: request.permission.map(granted).transpose()?,
    })
}

fn granted(permission: ParticipantPermission) -> Result<Grants, TwirpError> {
    if permission.hidden {
        let why = "hidden participants are not supported: in a mesh everyone connects to everyone";
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
