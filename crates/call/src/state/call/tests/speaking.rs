//! Who speaks.

use super::*;

fn heard(scene: &mut Scene, local: bool, remote: &[(&str, bool)]) {
    let remote = remote.iter().map(|(id, speaks)| (scene.link(id), *speaks));
    let remote = remote.collect();
    scene.put(Input::VoiceActivity { local, remote });
}

fn speakers(scene: &Scene) -> Vec<String> {
    let participants = scene.state.view().participants.into_iter();
    let speaking = participants.filter(|one| one.speaking);
    speaking
        .map(|one| if one.is_me { "me".into() } else { one.id })
        .collect()
}

#[test]
fn voice_activity_makes_a_speaker_until_it_ends() {
    let (mut scene, _) = Scene::inside(&["a", "b"]);
    scene.put(Input::CaptureChanged {
        source: TrackSource::Microphone,
        live: true,
        size: None,
    });
    heard(&mut scene, true, &[("a", true), ("b", false)]);
    assert_eq!(speakers(&scene), ["me", "a"]);
    heard(&mut scene, false, &[("a", false), ("b", true)]);
    assert_eq!(speakers(&scene), ["b"]);
}

#[test]
fn a_muted_microphone_never_speaks() {
    let (mut scene, _) = Scene::inside(&["a"]);
    scene.put(Input::CaptureChanged {
        source: TrackSource::Microphone,
        live: true,
        size: None,
    });
    let muted = CallCommand::SetMuted {
        source: TrackSource::Microphone,
        muted: true,
    };
    scene.put(Input::Command(muted));
    let muted =
        r#"{"type":"update-member","payload":{"tracks":[{"source":"microphone","muted":true}]}}"#;
    let message = PeerMessage::parse(muted).unwrap();
    scene.peer("a", PeerEvent::Message(Box::new(message)));
    heard(&mut scene, true, &[("a", true)]);
    assert_eq!(speakers(&scene), [""; 0]);
}

#[test]
fn a_participant_whose_link_is_replaced_no_longer_speaks() {
    let (mut scene, _) = Scene::inside(&["a"]);
    heard(&mut scene, false, &[("a", true)]);
    assert_eq!(speakers(&scene), ["a"]);
    scene.peer("a", PeerEvent::Connection(PeerConnectionState::Closed));
    scene.after(Duration::from_secs(3));
    assert_eq!(speakers(&scene), [""; 0]);
}
