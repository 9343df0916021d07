//! The way into a room: passcode, token, waiting room, queue, opening time.

use visavis_protocol::WaitReason;

use super::*;

fn joining(config: CallConfig) -> (Scene, Vec<String>) {
    let now = Instant::now();
    let (state, _) = CallState::new(config, now);
    let mut scene = Scene { state, now };
    let features = ["rooms", "members", "waiting"];
    let effects = scene.says(json!({"type":"client-id","id":"m","features":features}));
    let asked = sent(&effects);
    (scene, asked)
}

fn room() -> serde_json::Value {
    json!({"type":"room-joined","room":{"id":"r","participants":["m"]}})
}

#[test]
fn passcode_and_token_are_sent_with_the_join() {
    let config = CallConfig {
        passcode: Some("1234".into()),
        token: Some("t.t.t".into()),
        ..config(RoomChoice::Join("r".into()))
    };
    let (_, asked) = joining(config);
    assert!(asked[0].contains(r#""passcode":"1234""#), "{asked:?}");
    assert!(asked[0].contains(r#""token":"t.t.t""#), "{asked:?}");
}

#[test]
fn only_a_join_that_may_wait_asks_for_the_waiting_room() {
    for wait in [false, true] {
        let config = CallConfig {
            wait,
            ..config(RoomChoice::Join("r".into()))
        };
        let (_, asked) = joining(config);
        assert_eq!(asked[0].contains(r#""waiting""#), wait, "{asked:?}");
    }
}

#[test]
fn s3_56_a_wrong_passcode_is_asked_for_and_tried_again() {
    let (mut scene, _) = joining(config(RoomChoice::Join("r".into())));
    let refused = json!({"type":"error","code":"wrong-passcode","message":""});
    let effects = scene.says(refused.clone());
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Emit(CallEvent::PasscodeNeeded)))
    );
    let phase = |scene: &Scene| scene.state.view().phase;
    assert_eq!(phase(&scene), CallPhase::PasscodeNeeded { wrong: false });
    let effects = scene.put(Input::Command(CallCommand::EnterPasscode("1".into())));
    assert!(sent(&effects)[0].contains(r#""passcode":"1""#));
    scene.says(refused);
    assert_eq!(phase(&scene), CallPhase::PasscodeNeeded { wrong: true });
    scene.put(Input::Command(CallCommand::EnterPasscode("2".into())));
    scene.says(room());
    assert_eq!(phase(&scene), CallPhase::Inside);
}

#[test]
fn s3_59_a_join_waits_as_long_as_it_takes_and_shows_its_position() {
    let (mut scene, _) = joining(config(RoomChoice::Join("r".into())));
    for position in [2, 1] {
        scene.says(
            json!({"type":"join-waiting","roomId":"r","position":position,"reason":"approval"}),
        );
        let reason = WaitReason::Approval;
        assert_eq!(
            scene.state.view().phase,
            CallPhase::Waiting { reason, position }
        );
    }
    scene.after(Duration::from_secs(3_600));
    assert_eq!(scene.state.ended(), None);
    scene.says(room());
    assert_eq!(scene.state.view().phase, CallPhase::Inside);
}

#[test]
fn s2_67_one_who_is_not_let_in_is_refused_and_one_whose_connection_breaks_asks_again() {
    let (mut scene, _) = joining(config(RoomChoice::Join("r".into())));
    let waiting = json!({"type":"join-waiting","roomId":"r","position":1,"reason":"full"});
    scene.says(waiting.clone());
    let effects = scene.put(Input::SignallingClosed);
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Connect))
    );
    let effects = scene.says(json!({"type":"client-id","id":"m2","features":["waiting"]}));
    assert!(sent(&effects)[0].contains("join-room"));
    scene.says(waiting);
    scene.says(json!({"type":"error","code":"denied","message":""}));
    assert!(matches!(
        scene.state.ended(),
        Some(EndReason::Refused { .. })
    ));
}

#[test]
fn s3_57_a_room_that_is_not_open_yet_is_joined_when_it_opens() {
    let (mut scene, _) = joining(config(RoomChoice::Join("r".into())));
    scene.says(json!({"type":"error","code":"room-not-open","message":"","opensAt":"1970-01-01T00:00:30Z"}));
    assert_eq!(
        scene.state.view().phase,
        CallPhase::NotOpen { opens_at: 30_000 }
    );
    assert!(scene.after(Duration::from_secs(29)).is_empty());
    let effects = scene.after(Duration::from_secs(1));
    assert!(sent(&effects)[0].contains("join-room"));
}

#[test]
fn s2_51_a_rejoin_brings_the_newest_token() {
    let config = CallConfig {
        token: Some("first".into()),
        ..config(RoomChoice::Join("r".into()))
    };
    let (mut scene, _) = joining(config);
    scene.says(room());
    let renewed = json!({"token":"second","expiresAt":"2026-01-22T10:30:00Z"});
    scene.says(json!({"type":"token-renewed","roomId":"r","payload":renewed}));
    scene.put(Input::SignallingClosed);
    scene.after(Duration::from_secs(5));
    let effects = scene.says(json!({"type":"client-id","id":"n","features":["rooms"]}));
    let asked = sent(&effects);
    assert!(asked[0].contains(r#""token":"second""#), "{asked:?}");
}
