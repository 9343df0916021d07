//! What the page calls. Each command forwards and waits for the answer.

use tauri::{AppHandle, State, command};

use crate::chat::ChatUpdate;
use crate::command::{Command, RecentVisit};
use crate::controller::Controller;
use crate::video_out::VideoOut;
use crate::view::{
    AppView, BackgroundChoice, CommandError, ConnectionStatistics, DeviceKind, ShareChoice,
    SoundSwitches, VideoEndpoint,
};

type Answer<T = ()> = Result<T, CommandError>;

#[command]
pub(crate) fn get_view(controller: State<'_, Controller>) -> AppView {
    controller.view().borrow().clone()
}

#[command]
pub(crate) fn video_endpoint(video: State<'_, VideoOut>) -> VideoEndpoint {
    video.endpoint().clone()
}

#[command]
pub(crate) async fn set_server(controller: State<'_, Controller>, url: Option<String>) -> Answer {
    controller.perform(Command::SetServer(url)).await
}

#[command]
pub(crate) async fn share_on_network(controller: State<'_, Controller>, shared: bool) -> Answer {
    controller.perform(Command::ShareOnNetwork(shared)).await
}

#[command]
pub(crate) async fn refresh_rooms(controller: State<'_, Controller>) -> Answer {
    controller.perform(Command::RefreshRooms).await
}

#[command]
pub(crate) async fn open_room(controller: State<'_, Controller>, text: String) -> Answer {
    controller.open_room(text).await
}

#[command]
pub(crate) async fn open_recent(
    controller: State<'_, Controller>,
    server: Option<String>,
    room: String,
) -> Answer {
    controller.open_recent(RecentVisit { server, room }).await
}

#[command]
pub(crate) async fn answer_link(controller: State<'_, Controller>, accept: bool) -> Answer {
    controller.answer_link(accept).await
}

#[command]
pub(crate) async fn set_shortcuts(controller: State<'_, Controller>, on: bool) -> Answer {
    controller.perform(Command::SetShortcuts(on)).await
}

#[command]
pub(crate) async fn new_room(
    controller: State<'_, Controller>,
    name: String,
    private: bool,
) -> Answer {
    controller.perform(Command::NewRoom { name, private }).await
}

#[command]
pub(crate) async fn try_demo(controller: State<'_, Controller>) -> Answer {
    controller.perform(Command::TryDemo).await
}

#[command]
pub(crate) async fn set_name(controller: State<'_, Controller>, name: String) -> Answer {
    controller.perform(Command::SetName(name)).await
}

#[command]
pub(crate) async fn choose_device(
    controller: State<'_, Controller>,
    kind: DeviceKind,
    id: Option<String>,
) -> Answer {
    controller.perform(Command::ChooseDevice { kind, id }).await
}

#[command]
pub(crate) async fn set_muted(
    controller: State<'_, Controller>,
    kind: DeviceKind,
    muted: bool,
) -> Answer {
    controller.perform(Command::SetMuted { kind, muted }).await
}

#[command]
pub(crate) async fn set_sound(
    controller: State<'_, Controller>,
    switches: SoundSwitches,
) -> Answer {
    controller.perform(Command::SetSound(switches)).await
}

#[command]
pub(crate) async fn set_background(
    controller: State<'_, Controller>,
    choice: BackgroundChoice,
) -> Answer {
    controller.perform(Command::SetBackground(choice)).await
}

#[command]
pub(crate) async fn test_speaker(controller: State<'_, Controller>) -> Answer {
    controller.perform(Command::TestSpeaker).await
}

#[command]
pub(crate) async fn join(controller: State<'_, Controller>) -> Answer {
    controller.perform(Command::Join).await
}

#[command]
pub(crate) async fn back_to_lobby(controller: State<'_, Controller>) -> Answer {
    controller.perform(Command::BackToLobby).await
}

#[command]
pub(crate) async fn rejoin(controller: State<'_, Controller>) -> Answer {
    controller.perform(Command::Rejoin).await
}

#[command]
pub(crate) async fn enter_passcode(controller: State<'_, Controller>, passcode: String) -> Answer {
    controller.perform(Command::EnterPasscode(passcode)).await
}

#[command]
pub(crate) async fn send_chat(controller: State<'_, Controller>, text: String) -> Answer {
    controller.perform(Command::SendChat(text)).await
}

#[command]
pub(crate) async fn read_chat(controller: State<'_, Controller>, known: u64) -> Answer<ChatUpdate> {
    controller.chat(known).await
}

#[command]
pub(crate) async fn set_volume(
    controller: State<'_, Controller>,
    participant: String,
    percent: u8,
) -> Answer {
    let volume = Command::SetVolume {
        participant,
        percent,
    };
    controller.perform(volume).await
}

#[command]
pub(crate) async fn read_statistics(
    controller: State<'_, Controller>,
) -> Answer<Vec<ConnectionStatistics>> {
    controller.statistics().await
}

#[command]
pub(crate) async fn list_screens(controller: State<'_, Controller>) -> Answer<Vec<ShareChoice>> {
    controller.screens().await
}

#[command]
pub(crate) async fn share_screen(controller: State<'_, Controller>, id: Option<String>) -> Answer {
    controller.perform(Command::ShareScreen(id)).await
}

#[command]
pub(crate) async fn leave(controller: State<'_, Controller>) -> Answer {
    controller.perform(Command::Leave).await
}

/// Starts the application again, in the place of one whose controller is gone.
#[command]
pub(crate) fn restart(app: AppHandle) {
    app.request_restart();
}

#[command]
pub(crate) async fn invitation(controller: State<'_, Controller>) -> Answer<String> {
    controller.invitation().await
}
