//! LiveKit's admin API, over Twirp (its protocol version 7, without streams):
//! `POST /twirp/livekit.RoomService/{method}` in JSON or protobuf, as the stock
//! server SDKs speak it.

mod describe;
mod error;
mod people;
mod rooms;
mod wire;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::Method;
use axum::response::Response;
use axum::routing::any;
use visavis_protocol::token::VideoGrant;

use super::app::App;
use super::extract::BothForms;
use super::requester::Requester;
use crate::access::principal::{Denied, Principal, RoomFacts, may_administrate};
use crate::model::{Phase, Room};
pub(super) use describe::document;
use error::{Code, TwirpError};
use wire::Wire;

/// The largest request, in bytes.
const MAX_BODY: usize = 1024 * 1024;
/// The largest metadata, in bytes: the default of a LiveKit server.
const MAX_METADATA: usize = 64 * 1024;

/// Methods of LiveKit's RoomService that are not implemented.
const NOT_HERE: [&str; 4] = [
    "UpdateSubscriptions",
    "ForwardParticipant",
    "MoveParticipant",
    "PerformRpc",
];

pub(super) fn routes() -> Router<App> {
    Router::new().both("/twirp/{service}/{method}", any(call))
}

/// The caller of a method.
struct Caller<'a> {
    app: &'a App,
    who: Requester,
}

async fn call(
    State(app): State<App>,
    Path((service, method)): Path<(String, String)>,
    request: Request,
) -> Result<Response, TwirpError> {
    let bad_route = |why: &str| TwirpError::new(Code::BadRoute, why);
    if service != "livekit.RoomService" {
        return Err(bad_route("there is no such service"));
    }
    if request.method() != Method::POST {
        return Err(bad_route("a method must be called with POST"));
    }
    let (mut parts, body) = request.into_parts();
    let wire = Wire::of(&parts.headers)?;
    let who = Requester::from_request_parts(&mut parts, &app).await?;
    let caller = Caller { app: &app, who };
    let body = to_bytes(body, MAX_BODY).await.map_err(|_| {
        let why = format!("the request is incomplete or exceeds {MAX_BODY} bytes");
        TwirpError::new(Code::Malformed, why)
    })?;
    match method.as_str() {
        "CreateRoom" => wire.write(&caller.create_room(wire.read(&body)?).await?),
        "ListRooms" => wire.write(&caller.list_rooms(wire.read(&body)?).await?),
        "DeleteRoom" => wire.write(&caller.delete_room(wire.read(&body)?).await?),
        "UpdateRoomMetadata" => wire.write(&caller.update_room_metadata(wire.read(&body)?).await?),
        "ListParticipants" => wire.write(&caller.list_participants(wire.read(&body)?).await?),
        "GetParticipant" => wire.write(&caller.get_participant(wire.read(&body)?).await?),
        "RemoveParticipant" => wire.write(&caller.remove_participant(wire.read(&body)?).await?),
        "MutePublishedTrack" => wire.write(&caller.mute_published_track(wire.read(&body)?).await?),
        "UpdateParticipant" => wire.write(&caller.update_participant(wire.read(&body)?).await?),
        "SendData" => wire.write(&caller.send_data(wire.read(&body)?).await?),
        method if NOT_HERE.contains(&method) => {
            let why = "this needs a server that forwards media";
            Err(TwirpError::new(Code::Unimplemented, why))
        }
        _ => Err(bad_route("there is no such method")),
    }
}

impl Caller<'_> {
    /// Checks a permission that concerns all rooms. As in LiveKit, a token must
    /// carry the grant itself.
    fn may(&self, granted: impl Fn(&VideoGrant) -> bool) -> Result<(), TwirpError> {
        match &self.who.principal {
            Principal::Token(claims) => {
                let granted = claims.video.as_ref().is_some_and(granted);
                granted.then_some(()).ok_or(Denied::Forbidden.into())
            }
            Principal::User(_) | Principal::Open { .. } => Ok(self.who.operates(self.app)?),
        }
    }

    /// An open or pending room that the caller administrates. To other callers an
    /// unknown room and a forbidden one look the same.
    async fn room(&self, name: &str) -> Result<Room, TwirpError> {
        let found = self.app.service.look_up(name).await?;
        let Some(room) = found.filter(|room| self.is_there(room)) else {
            let facts = RoomFacts {
                names: vec![name.to_owned()],
                host: None,
            };
            let admins = &self.app.service.config.admins;
            may_administrate(&self.who.principal, &facts, admins)?;
            return Err(TwirpError::room_not_found());
        };
        self.who.administrates(self.app, &room)?;
        Ok(room)
    }

    fn is_there(&self, room: &Room) -> bool {
        let phase = room.phase(self.app.service.clock.now());
        matches!(phase, Phase::Open | Phase::Pending)
    }
}

fn checked_metadata(metadata: &str) -> Result<(), TwirpError> {
    if metadata.len() > MAX_METADATA {
        let why = format!("metadata exceeds {MAX_METADATA} bytes");
        return Err(TwirpError::new(Code::InvalidArgument, why));
    }
    Ok(())
}
