//! What the links carry decides on the video.

use super::*;
use crate::state::bandwidth::{BandwidthState, Estimate};

/// The encoder's new rate, and the members whose video stops or goes on.
fn video(scene: &Scene, effects: &[Effect]) -> (Option<u64>, Vec<(String, bool)>) {
    let rate = effects.iter().find_map(|effect| match effect {
        Effect::SetVideoBitrate(rate) => Some(*rate),
        _ => None,
    });
    let paused = effects.iter().filter_map(|effect| match effect {
        Effect::Peer(link, PeerCommand::PauseVideo(is_paused)) => {
            Some((scene.member_of(*link), *is_paused))
        }
        _ => None,
    });
    (rate, paused.collect())
}

fn estimate(target: u64) -> PeerEvent {
    PeerEvent::Bandwidth(Estimate {
        target,
        audio: 40_000,
        state: BandwidthState::Growing,
        ..Estimate::default()
    })
}

#[test]
fn the_encoder_follows_the_narrowest_link_and_one_too_narrow_gets_no_video() {
    let (mut scene, _) = Scene::inside(&["a", "b"]);
    let effects = scene.peer("a", estimate(1_000_000));
    assert_eq!(video(&scene, &effects), (Some(860_000), vec![]));
    let effects = scene.peer("b", estimate(500_000));
    assert_eq!(video(&scene, &effects), (Some(410_000), vec![]));
    scene.peer("b", estimate(60_000));
    scene.now += Duration::from_secs(5);
    let effects = scene.put(Input::SecondElapsed);
    let expected = (Some(860_000), vec![("b".to_owned(), true)]);
    assert_eq!(video(&scene, &effects), expected);
    let effects = scene.peer("b", estimate(1_000_000));
    assert_eq!(
        video(&scene, &effects),
        (None, vec![("b".to_owned(), false)])
    );
    scene.peer("b", estimate(500_000));
    scene.says(json!({"type":"member-left","roomId":"r","memberId":"b","participants":[]}));
    let effects = scene.put(Input::SecondElapsed);
    assert_eq!(video(&scene, &effects), (Some(860_000), vec![]));
}

#[test]
fn a_new_call_starts_with_the_bit_rate_of_an_unknown_link() {
    let (_, first) = CallState::new(
        config(RoomChoice::Join("abc-defg-hij".into())),
        Instant::now(),
    );
    let rates = first.iter().filter_map(|effect| match effect {
        Effect::SetVideoBitrate(rate) => Some(*rate),
        _ => None,
    });
    assert_eq!(rates.collect::<Vec<_>>(), [220_000]);
}
