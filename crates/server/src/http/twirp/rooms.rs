//! Rooms in LiveKit's admin API.

use std::collections::HashMap;
use std::time::Duration;

use livekit_protocol::{
    CreateRoomRequest, DeleteRoomRequest, DeleteRoomResponse, ListRoomsRequest, ListRoomsResponse,
    Room as RoomProto, UpdateRoomMetadataRequest,
};
use serde_json::json;
use uuid::Uuid;
use visavis_protocol::token::VideoGrant;

use super::error::{Code, TwirpError};
use super::{Caller, checked_metadata};
use crate::id::RoomKey;
use crate::model::{EndReason, Phase, Room};
use crate::refusal::display_name;
use crate::render;
use crate::store::StoreError;

/// The empty timeout when the request has none: LiveKit's default.
const EMPTY_TIMEOUT: Duration = Duration::from_secs(300);
/// The most rooms that a list contains, and the most names that a request may have.
const MOST_LISTED: i64 = 10_000;
/// Another request may take the name between the look-up and the insert.
const ATTEMPTS: usize = 3;

impl Caller<'_> {
    /// Creates a room under a name and starts its room instance. An existing room
    /// takes the request's options.
    pub(super) async fn create_room(
        &self,
        request: CreateRoomRequest,
    ) -> Result<RoomProto, TwirpError> {
        self.may(|grant| grant.room_create)?;
        check(&request)?;
        let service = &self.app.service;
        for _ in 0..ATTEMPTS {
            let found = service.look_up(&request.name).await?;
            // A look-up forgives blanks around a name; here they belong to it.
            let exact = |room: &Room| room.names().contains(&request.name);
            let found = found.filter(|room| request.name.trim() == request.name || exact(room));
            match found {
                Some(room) if !self.is_there(&room) => break,
                Some(room) => return self.take_on(room, request).await,
                None => {}
            }
            let draft = self.draft(&request)?;
            match service.create(draft).await {
                Err(StoreError::Taken(_)) => {}
                created => return self.started(created?).await,
            }
        }
        let why = "an ended room with this name exists; delete it or choose another name";
        Err(TwirpError::new(Code::AlreadyExists, why))
    }

    fn draft(&self, request: &CreateRoomRequest) -> Result<Room, TwirpError> {
        let name = RoomKey::Name(request.name.clone());
        if !RoomKey::readings(&request.name).contains(&name) {
            let why = "the name exceeds 256 characters, has control characters, or is another \
                       kind of room identifier";
            return Err(TwirpError::new(Code::InvalidArgument, why));
        }
        let now = self.app.service.clock.now();
        let mut draft = Room {
            name: display_name(&request.name),
            rtc_name: request.name.clone(),
            empty_timeout: Some(EMPTY_TIMEOUT),
            // As in LiveKit, the empty timeout counts from creation.
            empty_since: Some(now),
            ..Room::draft(now)
        };
        set(&mut draft, request);
        Ok(draft)
    }

    async fn take_on(
        &self,
        room: Room,
        request: CreateRoomRequest,
    ) -> Result<RoomProto, TwirpError> {
        let mut wanted = room.clone();
        set(&mut wanted, &request);
        if wanted == room {
            return self.started(room).await;
        }
        self.who.administrates(self.app, &room)?;
        let change = |room: &mut Room| {
            set(room, &request);
            Ok::<_, TwirpError>(())
        };
        let room = self.app.service.change(room.uid, change).await?;
        self.started(room).await
    }

    /// Starts the instance of an open room that has none.
    async fn started(&self, mut room: Room) -> Result<RoomProto, TwirpError> {
        let service = &self.app.service;
        if room.instance.is_none() && room.phase(service.clock.now()) == Phase::Open {
            let begun = service.begin(room.uid).await?;
            room = begun.ok_or_else(TwirpError::room_not_found)?;
        }
        self.shown(&room).await
    }

    /// Lists rooms with an instance, and rooms created by name that have none.
    pub(super) async fn list_rooms(
        &self,
        request: ListRoomsRequest,
    ) -> Result<ListRoomsResponse, TwirpError> {
        self.may(|grant| grant.room_list)?;
        let service = &self.app.service;
        let mut rooms = Vec::new();
        if request.names.is_empty() {
            rooms = service.store.rtc_rooms(MOST_LISTED).await?;
        } else {
            if i64::try_from(request.names.len()).unwrap_or(i64::MAX) > MOST_LISTED {
                let why = format!("names exceed {MOST_LISTED} entries");
                return Err(TwirpError::new(Code::InvalidArgument, why));
            }
            for name in &request.names {
                rooms.extend(service.look_up(name).await?.filter(Room::is_rtc));
            }
        }
        rooms.retain(|room| self.is_there(room));
        let counts: HashMap<Uuid, u32> = service.store.counts().await?.into_iter().collect();
        let shown = |room: &Room| {
            let present = counts.get(&room.uid).copied().unwrap_or_default();
            render::livekit::room(room, present)
        };
        Ok(ListRoomsResponse {
            rooms: rooms.iter().map(shown).collect(),
        })
    }

    /// Ends and deletes a room; its participants leave.
    pub(super) async fn delete_room(
        &self,
        request: DeleteRoomRequest,
    ) -> Result<DeleteRoomResponse, TwirpError> {
        let found = self.app.service.look_up(&request.room).await?;
        let names = found
            .as_ref()
            .map_or_else(|| vec![request.room], Room::names);
        self.may(|grant: &VideoGrant| {
            let here = |room: &String| names.contains(room);
            grant.room_create && grant.room.as_ref().is_none_or(here)
        })?;
        let room = found.ok_or_else(TwirpError::room_not_found)?;
        let ended = self.app.service.end(room.uid, EndReason::Deleted).await?;
        ended.ok_or_else(TwirpError::room_not_found)?;
        Ok(DeleteRoomResponse {})
    }

    pub(super) async fn update_room_metadata(
        &self,
        request: UpdateRoomMetadataRequest,
    ) -> Result<RoomProto, TwirpError> {
        let room = self.room(&request.room).await?;
        checked_metadata(&request.metadata)?;
        let change = |room: &mut Room| {
            room.rtc_metadata = request.metadata;
            Ok::<_, TwirpError>(())
        };
        let room = self.app.service.change(room.uid, change).await?;
        self.shown(&room).await
    }

    async fn shown(&self, room: &Room) -> Result<RoomProto, TwirpError> {
        let present = self.app.service.present(room.uid).await?;
        Ok(render::livekit::room(room, present))
    }
}

/// Refuses options that are not supported.
fn check(request: &CreateRoomRequest) -> Result<(), TwirpError> {
    if request.name.is_empty() {
        return Err(TwirpError::new(
            Code::InvalidArgument,
            "a room needs a name",
        ));
    }
    if !request.room_preset.is_empty() {
        let why = "there is no such room preset";
        return Err(TwirpError::new(Code::InvalidArgument, why));
    }
    if request.egress.is_some() || !request.agents.is_empty() || request.replay_enabled {
        let why = "egress, agents and replay are not supported";
        return Err(TwirpError::new(Code::Unimplemented, why));
    }
    checked_metadata(&request.metadata)
}

/// Applies the request's fields; zero and empty fields change nothing.
fn set(room: &mut Room, request: &CreateRoomRequest) {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    if request.empty_timeout > 0 {
        room.empty_timeout = Some(seconds(request.empty_timeout));
    }
    if request.departure_timeout > 0 {
        room.departure_timeout = seconds(request.departure_timeout);
    }
    if request.max_participants > 0 {
        room.max_participants = request.max_participants;
    }
    if !request.metadata.is_empty() {
        room.rtc_metadata.clone_from(&request.metadata);
    }
    if !request.tags.is_empty() {
        room.tags = json!(request.tags);
    }
}
