//! How loud a participant is heard.

use super::without_server::{connect, says};
use super::*;

fn set_volume(scene: &mut Scene, participant: &str, percent: u8) -> Vec<(LinkId, u8)> {
    let command = CallCommand::SetVolume {
        participant: participant.into(),
        percent,
    };
    volumes(&scene.put(Input::Command(command)))
}

/// The volumes that these effects set, on links that there are and on new ones.
fn volumes(effects: &[Effect]) -> Vec<(LinkId, u8)> {
    let volume = |effect: &Effect| match effect {
        Effect::SetVolume { link, volume } | Effect::Spawn { link, volume, .. } => {
            Some((*link, *volume))
        }
        _ => None,
    };
    effects.iter().filter_map(volume).collect()
}

fn shown(scene: &Scene) -> Vec<u8> {
    let participants = scene.state.view().participants.into_iter();
    participants.map(|one| one.volume).collect()
}

#[test]
fn the_volume_of_one_participant_is_set_and_shown_and_at_most_200_percent() {
    let (mut scene, _) = Scene::inside(&["a", "b"]);
    let link = scene.link("b");
    assert_eq!(set_volume(&mut scene, "b", 30), [(link, 30)]);
    assert_eq!(shown(&scene), [100, 100, 30]);
    assert_eq!(set_volume(&mut scene, "b", 255), [(link, 200)]);
    assert_eq!(set_volume(&mut scene, "nobody", 10), []);
    assert_eq!(set_volume(&mut scene, "m", 10), [], "the local user's own");
    assert_eq!(shown(&scene), [100, 100, 200]);
}

#[test]
fn the_volume_stays_when_the_link_of_a_participant_is_replaced() {
    let (mut scene, _) = Scene::inside(&["a"]);
    set_volume(&mut scene, "a", 0);
    let closed = PeerEvent::Connection(PeerConnectionState::Closed);
    let mut effects = scene.peer("a", closed);
    effects.extend(scene.after(Duration::from_secs(3)));
    assert_eq!(volumes(&effects), [(scene.link("a"), 0)]);
}

#[test]
fn the_volume_stays_when_a_participant_rejoins_under_a_new_id() {
    let (mut scene, _) = Scene::inside(&["a"]);
    set_volume(&mut scene, "a", 50);
    connect(&mut scene, "a");
    says(&mut scene, "a", json!({"type":"rejoined","id":"a2"}));
    scene.says(json!({"type":"member-joined","roomId":"r","memberId":"a2","participants":[]}));
    let view = scene.state.view();
    let a = view.participants.iter().find(|one| one.id == "a");
    assert_eq!(a.map(|one| one.volume), Some(50), "{view:?}");
}
