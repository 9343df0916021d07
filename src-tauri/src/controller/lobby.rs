//! Lobby and device test.

use visavis_protocol::{RoomLink, RoomLinkError};

use super::ControllerTask;
use super::answer::Answer;
use super::stage::{PreJoin, RoomAddress, Service, Stage, Target};
use crate::command::{RecentVisit, Reply};
use crate::server_url;
use crate::view::CommandError;

impl ControllerTask {
    /// Asks what the screen shows of the room service.
    pub(super) fn refresh(&mut self) {
        match &self.stage {
            Stage::Lobby => {
                if let Some(server) = self.service.url() {
                    self.answers.spawn(Answer::rooms(server));
                }
            }
            Stage::PreJoin(PreJoin {
                target: Target::Known(room),
                service,
                ..
            }) => {
                if let Some(server) = self.service.url_of(service) {
                    self.answers.spawn(Answer::info(server, room.clone()));
                }
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
        match url.filter(|url| !self.service.is_own(url)) {
            Some(url) => self.service.use_foreign(url),
            None => self.service.use_own().await?,
        }
        // An address of the hosted one means the hosted one.
        let saved = match self.service.in_use() {
            Service::Url(url) => Some(url),
            Service::Own => None,
        };
        self.settings.change(|settings| settings.server = saved);
        self.navigation += 1;
        self.rooms.clear();
        self.refresh();
        Ok(())
    }

    /// Looks whether there is such a room before its device test opens. A link to a
    /// server that the user does not know waits for consent.
    pub(super) async fn open_room(&mut self, text: &str, reply: Reply<()>) {
        let address = match self.find_room(text) {
            Ok(address) => address,
            Err(error) => return drop(reply.send(Err(error))),
        };
        match &address.service {
            Service::Url(server) if !self.is_known(server) => {
                self.ask_about(address);
                reply.send(Ok(())).ok();
            }
            _ => self.look_for(address, reply).await,
        }
    }

    /// Opens a room that the user was in.
    pub(super) async fn open_recent(&mut self, recent: RecentVisit, reply: Reply<()>) {
        let service = recent.server.map_or(Service::Own, Service::Url);
        let room = recent.room;
        self.look_for(RoomAddress { service, room }, reply).await;
    }

    /// Goes where the link leads, or forgets it.
    pub(super) async fn answer_link(&mut self, accept: bool, reply: Reply<()>) {
        match self.link.clone().filter(|_| accept) {
            Some(address) => self.look_for(address, reply).await,
            None => {
                self.link = None;
                reply.send(Ok(())).ok();
            }
        }
    }

    /// What the command line named; a server that is named there too is known.
    pub(super) fn open_link(&mut self, room: String, server: Option<String>) {
        let service = match server.map(|url| server_url::parse(&url)) {
            None => self.service.in_use(),
            Some(Ok(url)) => self.service.with_url(url),
            Some(Err(_)) => return,
        };
        match &service {
            Service::Url(url) if !self.is_known(url) => {
                self.ask_about(RoomAddress { service, room });
            }
            _ => self.enter_pre_join(PreJoin::new(service, Target::Known(room))),
        }
    }

    /// Asks the user before a link's server is contacted.
    pub(super) fn ask_about(&mut self, address: RoomAddress) {
        tracing::info!("a link to an unknown server waits for consent");
        self.link = Some(address);
    }

    pub(super) fn is_known(&self, server: &str) -> bool {
        self.service.in_use() == Service::Url(server.to_owned())
            || self.settings.get().knows(server)
    }

    async fn look_for(&mut self, address: RoomAddress, reply: Reply<()>) {
        if matches!(self.stage, Stage::Room(_)) {
            reply.send(Ok(())).ok();
            return;
        }
        let server = match &address.service {
            Service::Own => self.service.host().await,
            Service::Url(url) => Ok(url.clone()),
        };
        match server {
            Ok(server) => {
                self.navigation += 1;
                let found = Answer::found(server, address, self.navigation, reply);
                self.answers.spawn(found);
            }
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    fn find_room(&self, text: &str) -> Result<RoomAddress, CommandError> {
        let not_a_room = |_: RoomLinkError| CommandError::NotARoom;
        let RoomLink { room, server } = RoomLink::parse(text).map_err(not_a_room)?;
        let service = match server {
            None => self.service.in_use(),
            Some(url) => {
                let url = server_url::parse(&url).map_err(|_| CommandError::NotAServer)?;
                self.service.with_url(url)
            }
        };
        Ok(RoomAddress { service, room })
    }

    /// Opens a device test from a place where there is no call.
    pub(super) fn open_pre_join(&mut self, service: Service, target: Target) {
        if !matches!(self.stage, Stage::Room(_)) {
            self.enter_pre_join(PreJoin::new(service, target));
        }
    }

    pub(super) fn enter_pre_join(&mut self, pre_join: PreJoin) {
        tracing::info!("device test");
        self.navigation += 1;
        self.stage = Stage::PreJoin(pre_join);
        self.local.open(&self.settings.get());
        self.refresh();
    }

    pub(super) fn back_to_lobby(&mut self) {
        if matches!(self.stage, Stage::PreJoin(_) | Stage::Ended(_)) {
            tracing::info!("lobby");
            self.navigation += 1;
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
        let service = ended.service.clone();
        self.enter_pre_join(PreJoin::new(service, target));
    }
}
