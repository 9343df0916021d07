//! Questions to room services, asked beside the loop, and what comes back.

use visavis_call::{Lobby, LobbyError};
use visavis_protocol::{ListedRoom, RoomInfo};

use super::ControllerTask;
use super::stage::{PreJoin, RoomAddress, Stage, Target};
use crate::command::Reply;
use crate::share;
use crate::view::{CommandError, Reach, ShareChoice};

/// What a room service said.
pub(super) enum Answer {
    /// Its public rooms.
    Rooms {
        server: String,
        rooms: Result<Vec<ListedRoom>, LobbyError>,
    },
    /// The room of the device test, as it is now.
    Info {
        room: String,
        info: Result<RoomInfo, LobbyError>,
    },
    /// What can be shared.
    Screens {
        screens: Result<Vec<ShareChoice>, CommandError>,
        reply: Reply<Vec<ShareChoice>>,
    },
    /// Whether a room that was asked for is there.
    Found(Found),
}

/// A room that someone wants to open.
pub(super) struct Found {
    pub address: RoomAddress,
    /// The navigation that asked; a newer one has replaced it.
    pub navigation: u64,
    pub info: Result<RoomInfo, LobbyError>,
    pub reply: Reply<()>,
}

impl Answer {
    pub async fn rooms(server: String) -> Self {
        let rooms = Lobby::rooms(&server).await;
        Self::Rooms { server, rooms }
    }

    pub async fn info(server: String, room: String) -> Self {
        let info = Lobby::room(&server, &room).await;
        Self::Info { room, info }
    }

    pub async fn screens(reply: Reply<Vec<ShareChoice>>) -> Self {
        let screens = share::choices().await;
        Self::Screens { screens, reply }
    }

    pub async fn found(
        server: String,
        address: RoomAddress,
        navigation: u64,
        reply: Reply<()>,
    ) -> Self {
        let info = Lobby::room(&server, &address.room).await;
        Self::Found(Found {
            address,
            navigation,
            info,
            reply,
        })
    }
}

impl ControllerTask {
    pub(super) fn take_answer(&mut self, answer: Answer) {
        match answer {
            Answer::Rooms { server, rooms } => self.take_rooms(&server, rooms),
            Answer::Info { room, info } => self.take_info(&room, info),
            Answer::Screens { screens, reply } => {
                self.screens = screens.clone().unwrap_or_default();
                reply.send(screens).ok();
            }
            Answer::Found(found) => self.take_found(found),
        }
    }

    fn take_rooms(&mut self, server: &str, rooms: Result<Vec<ListedRoom>, LobbyError>) {
        if self.service.url().as_deref() != Some(server) {
            return;
        }
        self.service.reach = match rooms {
            Err(LobbyError::Unreachable | LobbyError::NotAServer(_)) => Reach::Unreachable,
            Ok(_) | Err(LobbyError::Refused(_) | LobbyError::Unsupported) => Reach::Reachable,
        };
        self.rooms = rooms.unwrap_or_default();
    }

    fn take_info(&mut self, asked: &str, info: Result<RoomInfo, LobbyError>) {
        if let Stage::PreJoin(PreJoin {
            target: Target::Known(room),
            info: known,
            ..
        }) = &mut self.stage
            && room == asked
        {
            *known = info.ok();
        }
    }

    fn take_found(&mut self, found: Found) {
        let Found {
            address: RoomAddress { service, room },
            navigation,
            info,
            reply,
        } = found;
        // The person went elsewhere meanwhile.
        if navigation != self.navigation {
            reply.send(Ok(())).ok();
            return;
        }
        let info = match info {
            Ok(info) => Ok(Some(info)),
            // A plain room service tells at the join whether there is such a room.
            Err(LobbyError::Unsupported) => Ok(None),
            Err(LobbyError::Unreachable) => Err(CommandError::ServerUnreachable),
            Err(LobbyError::NotAServer(_)) => Err(CommandError::NotAServer),
            Err(LobbyError::Refused(code)) => Err(CommandError::Refused { code }),
        };
        reply
            .send(info.map(|info| {
                self.link = None;
                self.enter_pre_join(PreJoin {
                    service,
                    target: Target::Known(room),
                    info,
                });
            }))
            .ok();
    }
}
