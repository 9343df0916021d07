//! The state as the page is shown it.

use super::ControllerTask;
use super::stage::{PreJoin, Stage, Target};
use crate::demo;
use crate::view::{AppView, Screen};

impl ControllerTask {
    pub(super) fn view(&self) -> AppView {
        let settings = self.settings.get();
        let server = self.service.view();
        AppView {
            screen: screen(&self.stage),
            name: settings.name.clone(),
            recent: settings.recent(&server.url),
            server,
            rooms: self.rooms.clone(),
            devices: self.local.view(&settings),
            call: match &self.stage {
                Stage::Room(call) => Some(call.view.clone()),
                Stage::Ended(ended) => Some(ended.view.clone()),
                Stage::Lobby | Stage::PreJoin(_) => None,
            },
        }
    }
}

fn screen(stage: &Stage) -> Screen {
    match stage {
        Stage::Lobby => Screen::Lobby,
        Stage::PreJoin(PreJoin { target, info }) => {
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
        Stage::Room(_) => Screen::Room,
        Stage::Ended(ended) => Screen::Ended {
            room_id: ended.room_id.clone(),
            seconds: ended.seconds,
        },
    }
}
