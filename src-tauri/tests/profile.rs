//! The rooms that an application hosts are kept in its profile.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;
use visavis_call::CallPhase;
use visavis_media::{AudioSink, AudioSource, VideoFormat, VideoSource};
use visavis_shell::arguments::Arguments;
use visavis_shell::command::Command;
use visavis_shell::controller::Controller;
use visavis_shell::view::{AppView, Reach, Screen};

const LIMIT: Duration = Duration::from_secs(30);
const FORMAT: VideoFormat = VideoFormat {
    width: 320,
    height: 180,
    frames_per_second: 5,
};

async fn start(profile: &Path) -> (Controller, watch::Receiver<AppView>) {
    let arguments = Arguments {
        video: Some(VideoSource::Synthetic(FORMAT)),
        audio: Some(AudioSource::Tone(440.0)),
        play: Some(AudioSink::None),
        ..Arguments::default()
    };
    let controller = Controller::start(arguments, profile.to_owned()).await;
    let view = controller.view();
    (controller, view)
}

async fn shown(
    view: &mut watch::Receiver<AppView>,
    what: &str,
    condition: impl FnMut(&AppView) -> bool,
) -> AppView {
    let shown = timeout(LIMIT, view.wait_for(condition)).await;
    if let Ok(shown) = shown {
        return shown.unwrap().clone();
    }
    drop(shown);
    panic!("{what} was not shown: {:#?}", view.borrow());
}

fn is_inside(view: &AppView) -> bool {
    let call = view.call.as_ref();
    call.is_some_and(|call| call.phase == CallPhase::Inside)
}

/// Makes a public room and goes in.
async fn make(controller: &Controller, view: &mut watch::Receiver<AppView>, name: &str) -> String {
    let new = Command::NewRoom {
        name: name.into(),
        private: false,
    };
    controller.perform(new).await.unwrap();
    controller.perform(Command::Join).await.unwrap();
    let inside = shown(view, "the room", is_inside).await;
    inside.call.unwrap().room.unwrap().id
}

/// What the lobby lists: names, and how many are inside.
async fn listed(view: &mut watch::Receiver<AppView>, rooms: &[(&str, u32)]) {
    let is = |view: &AppView| {
        let listed = view.rooms.iter();
        let listed = listed.map(|room| (room.name.as_str(), room.participant_count));
        view.server.reach == Reach::Reachable && listed.eq(rooms.iter().copied())
    };
    shown(view, "the list of rooms", is).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_and_its_chat_are_there_again_after_a_restart_and_nobody_is_inside() {
    let profile = tempfile::tempdir().unwrap();
    let (controller, mut view) = start(profile.path()).await;
    let id = make(&controller, &mut view, "Tea").await;
    controller
        .perform(Command::SendChat("remember".into()))
        .await
        .unwrap();
    let inside = view.borrow().chat;
    shown(&mut view, "the message", |view| view.chat > inside).await;
    controller.quit().await;

    let (controller, mut view) = start(profile.path()).await;
    listed(&mut view, &[("Tea", 0)]).await;
    controller.open_room(id).await.unwrap();
    controller.perform(Command::Join).await.unwrap();
    let back = |view: &AppView| is_inside(view) && view.chat > 0;
    let call = shown(&mut view, "the room with its chat", back).await.call;
    let call = call.unwrap();
    assert_eq!((call.participants.len(), call.chat.len()), (1, 0));
    let chat = controller.chat(0).await.unwrap();
    assert_eq!(chat.messages[0].text, "remember");
    controller.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_application_of_a_profile_works_and_keeps_its_rooms_to_itself() {
    let profile = tempfile::tempdir().unwrap();
    let (first, mut firsts) = start(profile.path()).await;
    make(&first, &mut firsts, "Tea").await;
    let (second, mut seconds) = start(profile.path()).await;
    listed(&mut seconds, &[]).await;
    make(&second, &mut seconds, "Coffee").await;
    second.quit().await;
    first.quit().await;
    let (third, mut thirds) = start(profile.path()).await;
    listed(&mut thirds, &[("Tea", 0)]).await;
    third.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_to_another_service_and_comes_back_finds_the_rooms_again() {
    let profile = tempfile::tempdir().unwrap();
    let (controller, mut view) = start(profile.path()).await;
    make(&controller, &mut view, "Tea").await;
    controller.perform(Command::Leave).await.unwrap();
    let ended = |view: &AppView| matches!(view.screen, Screen::Ended { .. });
    shown(&mut view, "the end", ended).await;
    controller.perform(Command::BackToLobby).await.unwrap();
    let lobby = |view: &AppView| view.screen == Screen::Lobby;
    shown(&mut view, "the lobby", lobby).await;
    let elsewhere = Command::SetServer(Some("ws://127.0.0.1:1".into()));
    controller.perform(elsewhere).await.unwrap();
    shown(&mut view, "the other service", |view| !view.server.hosted).await;
    controller.perform(Command::SetServer(None)).await.unwrap();
    listed(&mut view, &[("Tea", 0)]).await;
    controller.quit().await;
}
