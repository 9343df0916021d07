//! Lobby and device test.

use visavis_protocol::{RoomLink, RoomLinkError};

use super::ControllerTask;
use super::answer::Answer;
use super::stage::{PreJoin, Stage, Target};
use crate::command::Reply;
use crate::server_url;
use crate::view::CommandError;

impl ControllerTask {
    /// Asks what the screen shows of the room service.
    pub(super) fn refresh(&mut self) {
        let Some(server) = self.service.url() else {
            return;
        };
        match &self.stage {
            Stage::Lobby => {
                self.answers.spawn(Answer::rooms(server));
            }
            Stage::PreJoin(PreJoin {
                target: Target::Known(room),
                ..
            }) => {
                self.answers.spawn(Answer::info(server, room.clone()));
            }
            Stage::PreJoin(_) | Stage::Room(_) | Stage::Ended(_) => {}
        }
    }

    pub(super) async fn set_server(&mut self, url: Option<String>) -> Result<(), CommandError> {
        let url = url
            .map(|url| server_url::parse(&url))
            .transpose()
            .map_err(|_| CommandError::NotAServer)?;
        if !matches!(self.stage, Stage::Lobby) {
            return Ok(());
        }
        match url.clone().filter(|url| !self.service.is_own(url)) {
            Some(url) => self.service.use_foreign(url),
            None => self.service.use_own().await?,
        }
        self.settings.change(|settings| settings.server = url);
        self.rooms.clear();
        self.refresh();
        Ok(())
    }

    /// Looks whether there is such a room before its device test opens.
    pub(super) fn open_room(&mut self, text: &str, reply: Reply<()>) {
        match self.find_room(text) {
            Ok((server, room, linked)) => {
                self.answers
                    .spawn(Answer::found(server, room, linked, reply));
            }
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    fn find_room(&self, text: &str) -> Result<(String, String, Option<String>), CommandError> {
        let not_a_room = |_: RoomLinkError| CommandError::NotARoom;
        let RoomLink { room, server } = RoomLink::parse(text).map_err(not_a_room)?;
        let linked = server.filter(|url| !self.service.is_own(url));
        let linked = linked
            .map(|url| server_url::parse(&url))
            .transpose()
            .map_err(|_| CommandError::NotAServer)?;
        let server = linked
            .clone()
            .or_else(|| self.service.url())
            .ok_or(CommandError::ServerUnreachable)?;
        Ok((server, room, linked))
    }

    /// Opens a device test from a place where there is no call.
    pub(super) fn open_pre_join(&mut self, target: Target) {
        if !matches!(self.stage, Stage::Room(_)) {
            self.enter_pre_join(PreJoin::new(target));
        }
    }

    pub(super) fn enter_pre_join(&mut self, pre_join: PreJoin) {
        tracing::info!("device test");
        self.stage = Stage::PreJoin(pre_join);
        self.local.open(&self.settings.get());
        self.refresh();
    }

    pub(super) fn back_to_lobby(&mut self) {
        if matches!(self.stage, Stage::PreJoin(_) | Stage::Ended(_)) {
            tracing::info!("lobby");
            self.stage = Stage::Lobby;
            self.local.release();
            self.refresh();
        }
    }

    pub(super) fn rejoin(&mut self) {
        let Stage::Ended(ended) = &self.stage else {
            return;
        };
        // A room that was made is entered again, not made again.
        let target = match (&ended.target, &ended.room_id) {
            (Target::New { .. }, Some(room)) => Target::Known(room.clone()),
            (target, _) => target.clone(),
        };
        self.enter_pre_join(PreJoin::new(target));
    }
}
