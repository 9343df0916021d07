//! The application without its window: a real controller, its hosted room
//! service, real engines, drawn pictures.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use visavis_call::{
    Call, CallCommand, CallConfig, CallHandle, CallPhase, EndReason, Media, RoomChoice, TrackView,
};
use visavis_media::{AudioSink, AudioSource, VideoCodec, VideoFormat, VideoSource};
use visavis_protocol::{ErrorCode, RoomLink, TrackSource};
use visavis_shell::arguments::Arguments;
use visavis_shell::command::{Command, RecentVisit};
use visavis_shell::controller::Controller;
use visavis_shell::pictures::Source;
use visavis_shell::view::{
    AppView, BackgroundChoice, BackgroundProblem, CommandError, ConnectionStatistics, DeviceKind,
    DeviceProblem, DeviceState, Reach, Screen, ShareView, SoundSwitches,
};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const LIMIT: Duration = Duration::from_secs(30);
const SMALL: VideoFormat = VideoFormat {
    width: 320,
    height: 180,
    frames_per_second: 15,
};

/// An application with drawn pictures and a soft tone.
async fn start(profile: &Path) -> (Controller, watch::Receiver<AppView>) {
    start_with(profile, Arguments::default()).await
}

async fn start_with(
    profile: &Path,
    arguments: Arguments,
) -> (Controller, watch::Receiver<AppView>) {
    let arguments = Arguments {
        video: arguments.video.or(Some(VideoSource::Synthetic(SMALL))),
        audio: Some(AudioSource::Tone(440.0)),
        play: Some(AudioSink::None),
        ..arguments
    };
    let controller = Controller::start(arguments, profile.to_owned()).await;
    let view = controller.view();
    (controller, view)
}

/// Waits until the page would show what is expected.
async fn shown(
    view: &mut watch::Receiver<AppView>,
    what: &str,
    condition: impl FnMut(&AppView) -> bool,
) -> AppView {
    let shown = timeout(LIMIT, view.wait_for(condition)).await;
    if let Ok(shown) = shown {
        return shown.expect("the controller runs").clone();
    }
    drop(shown);
    panic!("{what} was not shown: {:#?}", view.borrow());
}

/// Someone else, with an engine alone.
fn other(server: &str, room: &str, name: &str) -> CallHandle {
    let media = Media::new();
    media.video.set_source(VideoSource::Synthetic(SMALL), SMALL);
    let config = CallConfig {
        server: server.into(),
        room: RoomChoice::Join(room.into()),
        display_name: name.into(),
        preferred_codec: VideoCodec::Vp8,
        ice_servers: Vec::new(),
        relay_only: false,
        muted: Vec::new(),
        wait: false,
        passcode: None,
        token: None,
    };
    Call::start(config, media).unwrap()
}

async fn inside(call: &CallHandle) {
    let mut view = call.view();
    timeout(LIMIT, view.wait_for(|view| view.phase == CallPhase::Inside))
        .await
        .unwrap()
        .unwrap();
}

fn is_in_room(view: &AppView) -> bool {
    view.call
        .as_ref()
        .is_some_and(|call| call.phase == CallPhase::Inside)
}

fn is_pre_join(view: &AppView) -> bool {
    matches!(view.screen, Screen::PreJoin { .. })
}

fn is_ended(view: &AppView) -> bool {
    matches!(view.screen, Screen::Ended { .. })
}

#[tokio::test(flavor = "multi_thread")]
async fn s2_48_a_person_makes_a_room_talks_and_leaves_and_comes_back() {
    let profile = tempfile::tempdir().unwrap();
    let (controller, mut view) = start(profile.path()).await;
    let lobby = shown(&mut view, "a hosted room service", |view| {
        view.server.reach == Reach::Reachable
    })
    .await;
    assert!(lobby.screen == Screen::Lobby && lobby.server.hosted && !lobby.server.shared);
    controller
        .perform(Command::SetName("Ann".into()))
        .await
        .unwrap();

    let tea = Command::NewRoom {
        name: " Tea ".into(),
        private: false,
    };
    controller.perform(tea).await.unwrap();
    let pre_join = shown(&mut view, "live devices", |view| {
        let devices = [&view.devices.camera, &view.devices.microphone];
        devices
            .iter()
            .all(|device| device.state == DeviceState::Live)
            && view.devices.format.is_some()
    })
    .await;
    assert!(
        matches!(&pre_join.screen, Screen::PreJoin { room_id: None, title, .. } if title == "Tea")
    );
    assert_eq!(
        pre_join
            .devices
            .format
            .map(|format| (format.width, format.height)),
        Some((320, 180))
    );
    assert_eq!(controller.invitation().await, Err(CommandError::NotARoom));

    controller.perform(Command::Join).await.unwrap();
    let room = shown(&mut view, "the room", is_in_room).await;
    let call = room.call.unwrap();
    let id = call.room.unwrap().id;
    assert!(call.participants[0].is_me && call.participants[0].name == "Ann");
    assert_eq!(room.recent[0].room.name, "Tea");
    assert_eq!(room.recent[0].server, None);
    // Hosted here for this computer alone: a link would lead nowhere.
    assert_eq!(controller.invitation().await, Err(CommandError::NotShared));

    let ben = other(&room.server.url, &id, "Ben");
    let both = |view: &AppView| {
        view.call.as_ref().is_some_and(|call| {
            call.participants.len() == 2 && !call.participants[1].pictures.is_empty()
        })
    };
    let with_ben = shown(&mut view, "Ben's picture", both).await.call.unwrap();
    assert_eq!(with_ben.participants[1].name, "Ben");
    let member = Source::Participant(with_ben.participants[1].id.clone(), TrackSource::Camera);
    let picture = controller
        .pictures()
        .find(&member)
        .expect("a slot for Ben's picture");
    assert!(picture.get().is_some_and(|frame| frame.width() == 320));

    controller
        .perform(Command::SendChat("hello".into()))
        .await
        .unwrap();
    let mut bens = ben.view();
    let heard = |view: &visavis_call::CallView| {
        view.chat
            .iter()
            .any(|chat| chat.text == "hello" && !chat.is_mine)
    };
    timeout(LIMIT, bens.wait_for(heard)).await.unwrap().unwrap();

    let mute = Command::SetMuted {
        kind: DeviceKind::Camera,
        muted: true,
    };
    controller.perform(mute).await.unwrap();
    let sees_mute = |view: &visavis_call::CallView| {
        view.participants
            .iter()
            .any(|other| other.name == "Ann" && other.camera == TrackView::Muted)
    };
    timeout(LIMIT, bens.wait_for(sees_mute))
        .await
        .unwrap()
        .unwrap();
    shown(&mut view, "the camera off", |view| {
        view.devices.camera.muted && view.devices.camera.state == DeviceState::Off
    })
    .await;

    controller.perform(Command::Leave).await.unwrap();
    let ended = shown(&mut view, "the end", is_ended).await;
    assert_eq!(
        ended.call.unwrap().phase,
        CallPhase::Ended {
            reason: EndReason::Left
        }
    );
    assert!(matches!(ended.screen, Screen::Ended { room_id: Some(room), .. } if room == id));
    shown(&mut view, "released devices", |view| {
        view.devices.microphone.state == DeviceState::Off
    })
    .await;
    timeout(LIMIT, bens.wait_for(|view| view.participants.len() == 1))
        .await
        .unwrap()
        .unwrap();

    controller.perform(Command::Rejoin).await.unwrap();
    let informed = |view: &AppView| matches!(&view.screen, Screen::PreJoin { info: Some(info), .. } if info.participant_count == 1);
    let again = shown(&mut view, "who is inside", informed).await;
    assert!(again.devices.camera.muted, "the choice stays");
    controller.perform(Command::Join).await.unwrap();
    shown(&mut view, "Ben again", |view| {
        is_in_room(view)
            && view
                .call
                .as_ref()
                .is_some_and(|call| call.participants.len() == 2)
    })
    .await;

    controller.quit().await;
    timeout(LIMIT, bens.wait_for(|view| view.participants.len() == 1))
        .await
        .unwrap()
        .unwrap();
    ben.send(CallCommand::Leave).await;
    assert!(
        std::fs::read_to_string(profile.path().join("settings.json"))
            .unwrap()
            .contains("Ann")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_opens_by_its_id_in_any_form_and_a_wrong_one_is_told() {
    let profile = tempfile::tempdir().unwrap();
    let (host, mut hosts) = start(profile.path()).await;
    host.perform(Command::NewRoom {
        name: "Tea".into(),
        private: true,
    })
    .await
    .unwrap();
    host.perform(Command::Join).await.unwrap();
    let room = shown(&mut hosts, "the room", is_in_room).await;
    let (server, id) = (room.server.url, room.call.unwrap().room.unwrap().id);
    let invitation = RoomLink::invitation(&id, &server);

    let profile = tempfile::tempdir().unwrap();
    let (guest, mut guests) = start(profile.path()).await;
    for (text, error) in [
        ("https://example.org", CommandError::NotARoom),
        ("", CommandError::NotARoom),
        (
            "zzz-zzzz-zzz",
            CommandError::Refused {
                code: ErrorCode::RoomNotFound,
            },
        ),
        (
            "visavis://room/abc-defg-hij?server=ftp://x",
            CommandError::NotAServer,
        ),
    ] {
        assert_eq!(guest.open_room(text.into()).await, Err(error), "{text}");
        assert_eq!(guests.borrow().screen, Screen::Lobby);
        assert!(guests.borrow().server.hosted);
    }
    // A link's server is contacted when the user agrees.
    let dead = "visavis://room/abc-defg-hij?server=ws://127.0.0.1:1";
    guest.open_room(dead.into()).await.unwrap();
    let asked = shown(&mut guests, "the question", |view| view.link.is_some()).await;
    assert_eq!(asked.screen, Screen::Lobby);
    let link = asked.link.unwrap();
    assert_eq!(
        (link.server.as_str(), link.is_cleartext),
        ("ws://127.0.0.1:1", false)
    );
    assert_eq!(
        guest.answer_link(true).await,
        Err(CommandError::ServerUnreachable)
    );
    guest.answer_link(false).await.unwrap();
    shown(&mut guests, "no question", |view| view.link.is_none()).await;
    guest.open_room(invitation).await.unwrap();
    shown(&mut guests, "the question", |view| view.link.is_some()).await;
    guest.answer_link(true).await.unwrap();
    let there = shown(&mut guests, "the device test", is_pre_join).await;
    assert!(there.server.url == server && !there.server.hosted);
    assert!(matches!(&there.screen, Screen::PreJoin { title, .. } if title == "Tea"));

    // It is the room's server, not the one that the lobby uses.
    guest.perform(Command::BackToLobby).await.unwrap();
    let lobby = shown(&mut guests, "the lobby", |view| {
        view.screen == Screen::Lobby
    })
    .await;
    assert!(lobby.server.hosted);

    let bare = id.replace('-', "").to_uppercase();
    guest.perform(Command::BackToLobby).await.unwrap();
    shown(&mut guests, "released devices", |view| {
        view.devices.camera.state == DeviceState::Off
    })
    .await;
    guest
        .perform(Command::SetServer(Some(server.clone())))
        .await
        .unwrap();
    guest.open_room(format!(" {bare} ")).await.unwrap();
    guest.perform(Command::Join).await.unwrap();
    shown(&mut guests, "both", |view| {
        view.call
            .as_ref()
            .is_some_and(|call| call.participants.len() == 2)
    })
    .await;

    host.quit().await;
    guest.quit().await;
    // The next run finds the room service and the room again.
    let (_again, mut again) = start(profile.path()).await;
    let lobby = shown(&mut again, "the remembered room", |view| {
        !view.recent.is_empty()
    })
    .await;
    assert!(lobby.server.url == server && lobby.recent[0].room.id == id);
    shown(&mut again, "a server that is gone", |view| {
        view.server.reach == Reach::Unreachable
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_fails_is_told_and_blocks_nobody() {
    let profile = tempfile::tempdir().unwrap();
    let missing = profile.path().join("missing.y4m");
    let arguments = Arguments {
        video: Some(VideoSource::Y4m(missing)),
        ..Arguments::default()
    };
    let (controller, mut view) = start_with(profile.path(), arguments).await;
    controller
        .perform(Command::NewRoom {
            name: String::new(),
            private: true,
        })
        .await
        .unwrap();
    let is_told = |view: &AppView| {
        matches!(
            view.devices.camera.state,
            DeviceState::Failed {
                problem: DeviceProblem::File,
                ..
            }
        )
    };
    shown(&mut view, "the file's absence", is_told).await;
    controller.perform(Command::Join).await.unwrap();
    let room = shown(&mut view, "the room", is_in_room).await;
    assert_eq!(
        room.call.unwrap().room.unwrap().name,
        "Room",
        "one without a name"
    );
    controller.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_that_cannot_be_entered_ends_with_the_reason() {
    let profile = tempfile::tempdir().unwrap();
    let line = ["visavis", "--server", "ws://127.0.0.1:1", "abc-defg-hij"];
    let (controller, mut view) = start_with(profile.path(), clap::Parser::parse_from(line)).await;
    assert!(
        is_pre_join(&view.borrow()),
        "the command line opens the device test"
    );
    controller.perform(Command::Join).await.unwrap();
    let ended = shown(&mut view, "the end", is_ended).await;
    assert_eq!(
        ended.call.unwrap().phase,
        CallPhase::Ended {
            reason: EndReason::ServerUnreachable
        }
    );
    assert_eq!(
        ended.screen,
        Screen::Ended {
            room_id: Some("abc-defg-hij".into()),
            seconds: 0
        }
    );
    controller.quit().await;
    assert!(matches!(
        controller.perform(Command::Join).await,
        Err(CommandError::System { .. })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demonstration_brings_two_guests_who_leave_with_the_user() {
    let profile = tempfile::tempdir().unwrap();
    let foreign = Arguments {
        server: Some("ws://127.0.0.1:1".into()),
        ..Arguments::default()
    };
    let (controller, mut view) = start_with(profile.path(), foreign).await;
    controller.perform(Command::TryDemo).await.unwrap();
    let pre_join = shown(&mut view, "the device test", is_pre_join).await;
    assert!(matches!(
        pre_join.screen,
        Screen::PreJoin { demo: true, .. }
    ));
    controller.perform(Command::Join).await.unwrap();
    let guests = |view: &AppView| {
        view.call.as_ref().is_some_and(|call| {
            call.participants
                .iter()
                .filter(|guest| !guest.pictures.is_empty() && !guest.is_me)
                .count()
                == 2
        })
    };
    let room = shown(&mut view, "two guests with pictures", guests).await;
    assert_eq!(room.screen, Screen::Room { demo: true });
    assert!(room.call.unwrap().participants[1].name.ends_with("(demo)"));
    controller.perform(Command::Leave).await.unwrap();
    let ended = shown(&mut view, "the end", is_ended).await;
    assert!(
        ended.recent.is_empty(),
        "a demonstration is no room to come back to"
    );
    controller.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sharing_lets_others_in_while_a_call_runs_and_ends_without_ending_it() {
    let profile = tempfile::tempdir().unwrap();
    let (controller, mut view) = start(profile.path()).await;
    controller
        .perform(Command::NewRoom {
            name: "Tea".into(),
            private: true,
        })
        .await
        .unwrap();
    controller.perform(Command::Join).await.unwrap();
    let id = shown(&mut view, "the room", is_in_room)
        .await
        .call
        .unwrap()
        .room
        .unwrap()
        .id;
    controller
        .perform(Command::ShareOnNetwork(true))
        .await
        .unwrap();
    let shared = shown(&mut view, "sharing", |view| view.server.shared).await;
    // A machine without a network has no address to tell.
    if let Some(address) = shared.server.addresses.first() {
        assert!(controller.invitation().await.unwrap().contains(&id));
        let ben = other(address, &id, "Ben");
        inside(&ben).await;
        controller
            .perform(Command::ShareOnNetwork(false))
            .await
            .unwrap();
        let both = |view: &AppView| {
            !view.server.shared
                && view
                    .call
                    .as_ref()
                    .is_some_and(|call| call.participants.len() == 2)
        };
        shown(&mut view, "Ben, after sharing ended", both).await;
        let late = other(address, &id, "Late");
        assert_eq!(
            timeout(LIMIT, late.ended()).await,
            Ok(EndReason::ServerUnreachable)
        );
    }
    controller.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ones_own_address_means_the_hosted_server() {
    let profile = tempfile::tempdir().unwrap();
    let (controller, mut view) = start(profile.path()).await;
    let hosted = view.borrow().server.url.clone();
    for text in [hosted.replace("ws://", ""), format!("{hosted}/")] {
        let own = Command::SetServer(Some(text));
        controller.perform(own).await.unwrap();
        // Its answer follows the view of the command before it.
        controller.chat(0).await.unwrap();
        let now = shown(&mut view, "the hosted server", |view| {
            view.server.url == hosted
        })
        .await;
        assert!(now.server.hosted);
    }
    controller.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_about_a_room_does_not_replace_a_newer_screen() {
    let profile = tempfile::tempdir().unwrap();
    let (controller, view) = start(profile.path()).await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let link = format!("visavis://room/abc-defg-hij?server=ws://{address}");
    controller.open_room(link).await.unwrap();
    let asking = controller.clone();
    let late = tokio::spawn(async move { asking.answer_link(true).await });
    // It is asked, and does not answer yet.
    let (socket, _) = timeout(LIMIT, silent.accept()).await.unwrap().unwrap();
    let new = Command::NewRoom {
        name: "Tea".into(),
        private: true,
    };
    controller.perform(new).await.unwrap();
    drop(socket);
    drop(silent);
    assert_eq!(timeout(LIMIT, late).await.unwrap().unwrap(), Ok(()));
    assert!(matches!(&view.borrow().screen, Screen::PreJoin { title, .. } if title == "Tea"));
    controller.quit().await;
}

/// Makes a room named Tea and enters it.
async fn host_tea(controller: &Controller, view: &mut watch::Receiver<AppView>) {
    let new = Command::NewRoom {
        name: "Tea".into(),
        private: true,
    };
    controller.perform(new).await.unwrap();
    controller.perform(Command::Join).await.unwrap();
    shown(view, "the room", is_in_room).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hosted_room_is_found_under_recent_after_a_restart() {
    let profile = tempfile::tempdir().unwrap();
    let (controller, mut view) = start(profile.path()).await;
    host_tea(&controller, &mut view).await;
    controller.quit().await;

    let (again, mut view) = start(profile.path()).await;
    let recent = view.borrow().recent[0].clone();
    assert_eq!((recent.server, recent.room.name.as_str()), (None, "Tea"));
    let visit = RecentVisit {
        server: None,
        room: recent.room.id,
    };
    again.open_recent(visit).await.unwrap();
    let there = shown(&mut view, "the device test", is_pre_join).await;
    assert!(matches!(&there.screen, Screen::PreJoin { title, .. } if title == "Tea"));
    again.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_participant_is_played_at_the_chosen_volume_and_measured() {
    let profile = tempfile::tempdir().unwrap();
    let (controller, mut view) = start(profile.path()).await;
    host_tea(&controller, &mut view).await;
    let room = view.borrow().clone();
    let id = room.call.unwrap().room.unwrap().id;
    let ben = other(&room.server.url, &id, "Ben");
    let has_ben = |view: &AppView| {
        let call = view.call.as_ref();
        call.is_some_and(|call| call.participants.len() == 2)
    };
    let with_ben = shown(&mut view, "Ben", has_ben).await;
    let participant = with_ben.call.unwrap().participants[1].id.clone();
    for (percent, expected) in [(0, 0), (130, 130), (255, 200)] {
        let volume = Command::SetVolume {
            participant: participant.clone(),
            percent,
        };
        controller.perform(volume).await.unwrap();
        let is_set = |view: &AppView| {
            let call = view.call.as_ref();
            call.is_some_and(|call| call.participants[1].volume == expected)
        };
        shown(&mut view, "the volume", is_set).await;
    }
    // What is measured of him is read beside the view.
    let measured = async {
        loop {
            let statistics = controller.statistics().await.unwrap();
            let is_measured = |one: &ConnectionStatistics| {
                one.participant == participant && one.received_kbps > 0 && one.camera.is_some()
            };
            if statistics.iter().any(is_measured) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(LIMIT, measured).await.unwrap();
    ben.send(CallCommand::Leave).await;
    controller.perform(Command::Leave).await.unwrap();
    shown(&mut view, "the end", is_ended).await;
    assert_eq!(controller.statistics().await, Ok(Vec::new()));
    controller.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processing_and_background_are_remembered_and_only_a_missing_model_is_a_problem() {
    let profile = tempfile::tempdir().unwrap();
    let (controller, mut view) = start(profile.path()).await;
    let first = view.borrow().clone();
    let all = SoundSwitches {
        echo_cancellation: true,
        noise_suppression: true,
        auto_gain: true,
    };
    assert_eq!(first.sound, all);
    assert_eq!(first.background.chosen, BackgroundChoice::None);
    // The whole test run brings the model, and names its directory.
    let has_model = std::env::var_os("VISAVIS_MODELS").is_some();
    let problem = (!has_model).then_some(BackgroundProblem::ModelMissing);
    assert_eq!(first.background.problem, problem);
    let music = SoundSwitches {
        noise_suppression: false,
        ..all
    };
    controller.perform(Command::SetSound(music)).await.unwrap();
    let blur = Command::SetBackground(BackgroundChoice::Blur);
    controller.perform(blur).await.unwrap();
    let changed =
        |view: &AppView| view.sound == music && view.background.chosen == BackgroundChoice::Blur;
    shown(&mut view, "the choices", changed).await;
    host_tea(&controller, &mut view).await;
    let is_settled =
        |view: &AppView| view.background.problem == problem && !view.background.is_pending;
    shown(&mut view, "whether it is blurred, or why not", is_settled).await;
    controller.quit().await;

    let (again, view) = start(profile.path()).await;
    assert!(changed(&view.borrow()));
    again.quit().await;
}

/// Makes a webinar on a server, whose host stays while the socket is open. Its id.
async fn host_webinar(server: &str) -> (Socket, String) {
    let (mut socket, _) = connect_async(server).await.unwrap();
    let payload = json!({ "name": "Talk", "kind": "webinar" });
    let create = json!({ "type": "create-room", "payload": payload });
    socket.send(create.to_string().into()).await.unwrap();
    loop {
        let message = timeout(LIMIT, socket.next()).await.unwrap();
        let text = message.unwrap().unwrap().into_text().unwrap();
        let message: Value = serde_json::from_str(&text).unwrap();
        if message["type"] == "room-created" {
            let id = message["room"]["id"].as_str().unwrap();
            return (socket, id.to_owned());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_granted_is_refused_until_it_is_granted() {
    let profile = tempfile::tempdir().unwrap();
    let (controller, mut view) = start(profile.path()).await;
    let hosted = shown(&mut view, "a hosted room service", |view| {
        view.server.reach == Reach::Reachable
    });
    let server = hosted.await.server.url;
    let (mut host, id) = host_webinar(&server).await;
    controller.open_room(id).await.unwrap();
    controller.perform(Command::Join).await.unwrap();
    let watching = shown(&mut view, "the room", is_in_room).await.call.unwrap();
    assert_eq!(watching.may_publish, []);
    let code = ErrorCode::Forbidden;
    let unmute = Command::SetMuted {
        kind: DeviceKind::Microphone,
        muted: false,
    };
    for command in [
        Command::ShareScreen(Some("screen:x".into())),
        unmute.clone(),
    ] {
        let refused = controller.perform(command).await;
        assert_eq!(refused, Err(CommandError::Refused { code }));
    }
    assert_eq!(view.borrow().share, ShareView::Off);

    let me = &watching.participants[0].id;
    let transfer = json!({ "type": "transfer-host", "to": me });
    host.send(transfer.to_string().into()).await.unwrap();
    let may_speak = |view: &AppView| {
        let call = view.call.as_ref();
        call.is_some_and(|call| call.may_publish.contains(&TrackSource::Microphone))
    };
    shown(&mut view, "the grant", may_speak).await;
    controller.perform(unmute).await.unwrap();
    controller.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_shared_is_refused_and_a_text_that_is_too_long_too() {
    let profile = tempfile::tempdir().unwrap();
    let (controller, mut view) = start(profile.path()).await;
    host_tea(&controller, &mut view).await;
    let share = Command::ShareScreen(Some("window:0x1".into()));
    assert_eq!(
        controller.perform(share).await,
        Err(CommandError::NothingToShare)
    );
    assert_eq!(view.borrow().share, ShareView::Off);
    let long = Command::SendChat("x".repeat(33_000));
    let code = ErrorCode::MessageTooLarge;
    assert_eq!(
        controller.perform(long).await,
        Err(CommandError::Refused { code })
    );
    controller.quit().await;
}
