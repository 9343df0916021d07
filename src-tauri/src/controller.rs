//! The one owner of the application's state: commands in, a view out. It knows
//! no window.

mod answer;
mod call;
mod lobby;
mod service;
mod show;
mod stage;

use std::future::pending;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use visavis_call::{CallHandle, CallView};
use visavis_media::Latest;
use visavis_media::audio::Level;
use visavis_protocol::limits::MAX_NAME_CHARS;
use visavis_protocol::{ListedRoom, RoomLink};

use self::answer::Answer;
use self::service::RoomService;
use self::stage::{RoomAddress, Service, Stage, Target};
use crate::arguments::Arguments;
use crate::chat::{ChatLog, ChatUpdate};
use crate::command::{Command, RecentVisit, Reply, Request};
use crate::devices::{Change, LocalMedia, Overrides};
use crate::pictures::Pictures;
use crate::settings::{Settings, SettingsWriter};
use crate::share::ScreenShare;
use crate::view::{AppView, CommandError, ConnectionStatistics, DeviceKind, ShareChoice};

/// Requests of the page: 64; when full the page waits.
const REQUESTS_CAPACITY: usize = 64;
/// What a room is called whose maker did not say.
const UNNAMED_ROOM: &str = "Room";
/// How often what is measured is shown anew.
const MEASURE_INTERVAL: Duration = Duration::from_secs(1);
/// How often the room service is asked for its rooms, or who is in one.
const REFRESH_INTERVAL: Duration = Duration::from_secs(4);

/// Talks to the controller.
#[derive(Clone)]
pub struct Controller {
    requests: mpsc::Sender<Request>,
    view: watch::Receiver<AppView>,
    level: Latest<Level>,
    pictures: Pictures,
}

impl Controller {
    /// Starts the controller with the settings of a profile. Needs a tokio runtime.
    pub async fn start(arguments: Arguments, profile: PathBuf) -> Self {
        let settings = Settings::load(&profile);
        let overrides = Overrides {
            video: arguments.video,
            audio: arguments.audio,
            play: arguments.play,
        };
        let local = LocalMedia::new(overrides, &settings).await;
        let foreign = arguments.server.or_else(|| settings.server.clone());
        let service = RoomService::start(foreign, profile.clone()).await;
        let (calls, call) = watch::channel(None);
        let pictures = Pictures::new(local.media().video.preview(), call);
        let level = local.media().audio.level();
        let mut task = ControllerTask {
            settings: SettingsWriter::start(profile, settings),
            service,
            rooms: Vec::new(),
            share: ScreenShare::new(local.media().screen.clone()),
            screens: Vec::new(),
            chat: ChatLog::default(),
            local,
            stage: Stage::Lobby,
            link: None,
            navigation: 0,
            answers: JoinSet::new(),
            calls,
        };
        if let Some(RoomLink { room, server }) = arguments.room {
            task.open_link(room, server);
        }
        let (view, shown) = watch::channel(task.view());
        let (requests, inbox) = mpsc::channel(REQUESTS_CAPACITY);
        tokio::spawn(task.run(inbox, view));
        Self {
            requests,
            view: shown,
            level,
            pictures,
        }
    }

    /// Does something.
    ///
    /// # Errors
    /// When it cannot be done; nothing has changed then.
    pub async fn perform(&self, command: Command) -> Result<(), CommandError> {
        self.ask(|reply| Request::Do(command, reply)).await
    }

    /// Opens the device test for a room, by its id in any form or a link, when
    /// its server knows it. A link to an unknown server is shown in the view instead.
    ///
    /// # Errors
    /// When the text names no room, or the room service does not answer or refuses.
    pub async fn open_room(&self, text: String) -> Result<(), CommandError> {
        self.ask(|reply| Request::OpenRoom(text, reply)).await
    }

    /// Opens the device test for a room that the user was in.
    ///
    /// # Errors
    /// As [`Controller::open_room`].
    pub async fn open_recent(&self, recent: RecentVisit) -> Result<(), CommandError> {
        self.ask(|reply| Request::OpenRecent(recent, reply)).await
    }

    /// Follows the link of the view, or forgets it.
    ///
    /// # Errors
    /// As [`Controller::open_room`].
    pub async fn answer_link(&self, accept: bool) -> Result<(), CommandError> {
        self.ask(|reply| Request::AnswerLink(accept, reply)).await
    }

    /// The link by which others come into the room on the screen.
    ///
    /// # Errors
    /// When there is no room yet, or nobody else reaches it.
    pub async fn invitation(&self) -> Result<String, CommandError> {
        self.ask(Request::Invitation).await
    }

    /// What changed in the chat since a revision of the view; since the beginning
    /// for 0.
    ///
    /// # Errors
    /// When the application is closing.
    pub async fn chat(&self, known: u64) -> Result<ChatUpdate, CommandError> {
        self.ask(|reply| Request::Chat(known, reply)).await
    }

    /// What is measured of the connections of the call, in the order of joining; empty
    /// outside of one.
    ///
    /// # Errors
    /// When the application is closing.
    pub async fn statistics(&self) -> Result<Vec<ConnectionStatistics>, CommandError> {
        self.ask(Request::Statistics).await
    }

    /// The screens and windows that can be shared. Takes seconds when the system
    /// does not answer.
    ///
    /// # Errors
    /// When nothing can be shared.
    pub async fn screens(&self) -> Result<Vec<ShareChoice>, CommandError> {
        self.ask(Request::Screens).await
    }

    /// Leaves the call, puts everything away and ends the controller. Takes
    /// some seconds at the most.
    pub async fn quit(&self) {
        let (reply, done) = oneshot::channel();
        if self.requests.send(Request::Quit(reply)).await.is_ok() {
            done.await.ok();
        }
    }

    /// What the page shows; the newest wins.
    pub fn view(&self) -> watch::Receiver<AppView> {
        self.view.clone()
    }

    /// How loud the microphone is.
    pub fn level(&self) -> Level {
        self.level.get().unwrap_or_default()
    }

    /// The pictures to draw.
    pub fn pictures(&self) -> Pictures {
        self.pictures.clone()
    }

    async fn ask<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, CommandError> {
        let closing = || CommandError::System {
            detail: "the application is closing".into(),
        };
        let (reply, answer) = oneshot::channel();
        self.requests
            .send(request(reply))
            .await
            .map_err(|_| closing())?;
        answer.await.unwrap_or_else(|_| Err(closing()))
    }
}

struct ControllerTask {
    settings: SettingsWriter,
    service: RoomService,
    rooms: Vec<ListedRoom>,
    local: LocalMedia,
    share: ScreenShare,
    /// What could be shared when it was last listed.
    screens: Vec<ShareChoice>,
    /// Of the running or the last call.
    chat: ChatLog,
    stage: Stage,
    /// A link to an unknown server, which waits for consent.
    link: Option<RoomAddress>,
    /// Counts what took the user somewhere: an answer to an earlier question about a
    /// room comes too late.
    navigation: u64,
    /// Questions to room services that are not answered yet.
    answers: JoinSet<Answer>,
    /// The running call, for who draws its pictures.
    calls: watch::Sender<Option<CallHandle>>,
}

impl ControllerTask {
    async fn run(mut self, mut requests: mpsc::Receiver<Request>, view: watch::Sender<AppView>) {
        let [mut measure, mut refresh] = [MEASURE_INTERVAL, REFRESH_INTERVAL].map(interval);
        measure.set_missed_tick_behavior(MissedTickBehavior::Delay);
        refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let quit = loop {
            tokio::select! {
                request = requests.recv() => match request {
                    Some(Request::Do(command, reply)) => {
                        reply.send(self.perform(command).await).ok();
                    }
                    Some(Request::OpenRoom(text, reply)) => self.open_room(&text, reply).await,
                    Some(Request::OpenRecent(recent, reply)) => self.open_recent(recent, reply).await,
                    Some(Request::AnswerLink(accept, reply)) => {
                        self.answer_link(accept, reply).await;
                    }
                    Some(Request::Invitation(reply)) => { reply.send(self.invitation()).ok(); }
                    Some(Request::Chat(known, reply)) => {
                        reply.send(Ok(self.chat.since(known))).ok();
                    }
                    Some(Request::Statistics(reply)) => {
                        reply.send(Ok(self.statistics())).ok();
                    }
                    Some(Request::Screens(reply)) => {
                        self.answers.spawn(Answer::screens(reply));
                    }
                    Some(Request::Quit(reply)) => break Some(reply),
                    None => break None,
                },
                Some(Ok(answer)) = self.answers.join_next() => self.take_answer(answer),
                change = self.local.changed() => if change == Change::List {
                    self.local.follow_list(&self.settings.get());
                },
                () = self.share.changed() => {}
                changed = call_changed(&mut self.stage) => if let Some(changed) = changed {
                    self.follow_call(changed);
                },
                _ = refresh.tick() => if self.answers.is_empty() {
                    self.refresh();
                },
                _ = measure.tick() => {}
            }
            let now = self.view();
            view.send_if_modified(|shown| {
                let is_new = *shown != now;
                *shown = now;
                is_new
            });
        };
        self.put_away().await;
        if let Some(reply) = quit {
            reply.send(()).ok();
        }
    }

    async fn perform(&mut self, command: Command) -> Result<(), CommandError> {
        match command {
            Command::SetServer(url) => self.set_server(url).await?,
            Command::ShareOnNetwork(shared) => self.service.share(shared).await?,
            Command::RefreshRooms => self.refresh(),
            Command::NewRoom { name, private } => {
                let name = room_name(&name);
                let service = self.service.in_use();
                self.open_pre_join(service, Target::New { name, private });
            }
            Command::TryDemo => self.open_pre_join(Service::Own, Target::Demo),
            Command::SetName(name) => {
                let name = short_name(&name);
                self.settings.change(|settings| settings.name = name);
            }
            Command::SetShortcuts(on) => {
                self.settings.change(|settings| settings.no_shortcuts = !on);
            }
            Command::ChooseDevice { kind, id } => self.choose_device(kind, id.as_deref()),
            Command::SetMuted { kind, muted } => self.set_muted(kind, muted).await?,
            Command::SetSound(switches) => {
                let sound = switches.into();
                self.settings.change(|settings| settings.sound = sound);
                self.local.set_processing(sound);
            }
            Command::SetBackground(choice) => {
                self.settings
                    .change(|settings| settings.background = choice);
                self.local.set_background(choice);
            }
            Command::TestSpeaker => self.local.media().playout.play_test_tone(),
            Command::Join => self.join().await?,
            Command::BackToLobby => self.back_to_lobby(),
            Command::Rejoin => self.rejoin(),
            Command::EnterPasscode(passcode) => self.enter_passcode(passcode).await,
            Command::SendChat(text) => self.send_chat(text).await?,
            Command::SetVolume {
                participant,
                percent,
            } => self.set_volume(participant, percent).await,
            Command::ShareScreen(id) => self.share_screen(id).await?,
            Command::Leave => self.leave().await,
        }
        Ok(())
    }

    fn choose_device(&mut self, kind: DeviceKind, id: Option<&str>) {
        let device = id.and_then(|id| self.local.find(kind, id));
        self.settings.change(|settings| match kind {
            DeviceKind::Camera => settings.camera = device,
            DeviceKind::Microphone => settings.microphone = device,
            DeviceKind::Speaker => settings.speaker = device,
        });
        self.local.choose_anew(kind);
        if matches!(self.stage, Stage::PreJoin(_) | Stage::Room(_)) {
            self.local.open(&self.settings.get());
        }
    }

    async fn put_away(mut self) {
        self.end_call().await;
        self.local.release();
        self.answers.shutdown().await;
        tokio::join!(self.service.shutdown(), self.settings.finish());
    }
}

/// A name as the wire takes it.
fn short_name(name: &str) -> String {
    name.trim().chars().take(MAX_NAME_CHARS).collect()
}

/// A room's name as the wire takes it: there is always one.
fn room_name(name: &str) -> String {
    let name = short_name(name);
    if name.is_empty() {
        UNNAMED_ROOM.into()
    } else {
        name
    }
}

/// Waits until the running call changed; its view, or none when it broke off. None
/// when it measured its connections.
async fn call_changed(stage: &mut Stage) -> Option<Option<CallView>> {
    let Stage::Room(call) = stage else {
        return pending().await;
    };
    let call = &mut **call;
    tokio::select! {
        changed = call.changes.changed() => {
            let view = changed.map(|()| call.changes.borrow_and_update().clone());
            Some(view.ok())
        }
        Ok(()) = call.statistics.changed() => {
            let statistics = call.statistics.borrow_and_update().clone();
            call.measured.take(Instant::now(), statistics);
            None
        }
    }
}
