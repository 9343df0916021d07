//! The state as the page is shown it.

use super::ControllerTask;
use super::stage::{PreJoin, RoomAddress, Service, Stage, Target};
use crate::demo;
use crate::server_url;
use crate::view::{AppView, LinkView, Screen};

impl ControllerTask {
    pub(super) fn view(&self) -> AppView {
        let settings = self.settings.get();
        let service = match &self.stage {
            Stage::Lobby => self.service.in_use(),
            Stage::PreJoin(pre_join) => pre_join.service.clone(),
            Stage::Room(call) => call.service.clone(),
            Stage::Ended(ended) => ended.service.clone(),
        };
        let server = self.service.view(&service);
        AppView {
            screen: screen(&self.stage),
            name: settings.name.clone(),
            settings_problem: self.settings.problem(),
            shortcuts: !settings.no_shortcuts,
            link: self.link.as_ref().and_then(link_view),
            recent: settings.recent(),
            server,
            rooms: self.rooms.clone(),
            devices: self.local.view(&settings),
            sound: settings.sound.into(),
            background: self.local.background(&settings),
            share: self.share.view(),
            chat: self.chat.revision(),
            call: match &self.stage {
                Stage::Room(call) => Some(call.view.clone()),
                Stage::Ended(ended) => Some(ended.view.clone()),
                Stage::Lobby | Stage::PreJoin(_) => None,
            },
        }
    }
}

fn link_view(address: &RoomAddress) -> Option<LinkView> {
    let Service::Url(server) = &address.service else {
        return None;
    };
    Some(LinkView {
        room: address.room.clone(),
        is_cleartext: server_url::is_cleartext(server),
        server: server.clone(),
    })
}

fn screen(stage: &Stage) -> Screen {
    match stage {
        Stage::Lobby => Screen::Lobby,
        Stage::PreJoin(PreJoin { target, info, .. }) => {
            let named = info
                .as_ref()
                .map(|info| info.name.clone())
                .filter(|name| !name.is_empty());
            let (room_id, title) = match target {
                Target::Known(room) => (Some(room.clone()), named.unwrap_or_else(|| room.clone())),
                Target::New { name, .. } => (None, name.clone()),
                Target::Demo => (None, demo::ROOM_NAME.into()),
            };
            Screen::PreJoin {
                room_id,
                title,
                info: info.clone(),
                demo: *target == Target::Demo,
            }
        }
        Stage::Room(call) => Screen::Room {
            demo: call.target == Target::Demo,
        },
        Stage::Ended(ended) => Screen::Ended {
            room_id: ended.room_id.clone(),
            seconds: ended.seconds,
        },
    }
}
