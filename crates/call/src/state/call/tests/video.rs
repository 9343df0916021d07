//! The sizes in which video is shown and sent.

use visavis_media::VideoLayer;

use super::*;
use crate::command::{ShownTrack, ShownVideo, VideoSize};

const TILE: VideoSize = VideoSize {
    width: 320,
    height: 180,
};

fn open(scene: &mut Scene, member: &str) -> Vec<Effect> {
    let connected = PeerConnectionState::Connected;
    scene.peer(member, PeerEvent::Connection(connected));
    scene.peer(member, PeerEvent::ChannelOpen)
}

fn show(scene: &mut Scene, shown: ShownVideo) -> Vec<Effect> {
    scene.put(Input::Command(CallCommand::Show(shown)))
}

/// The demands among these effects.
fn demands(scene: &Scene, effects: &[Effect]) -> Vec<(String, String)> {
    let demand = |effect: &Effect| match effect {
        Effect::Peer(link, PeerCommand::Send(message)) => {
            let text = message.to_json();
            let index = scene.state.index_of(*link)?;
            text.contains(r#""type":"demand""#)
                .then(|| (scene.state.remotes[index].id.clone(), text))
        }
        _ => None,
    };
    effects.iter().filter_map(demand).collect()
}

fn camera_layers(effects: &[Effect]) -> Vec<Option<VideoLayer>> {
    let layers = |effect: &Effect| match effect {
        Effect::Peer(_, PeerCommand::SetLayers(layers)) => Some(layers[0].1.map(|sent| sent.layer)),
        _ => None,
    };
    effects.iter().filter_map(layers).collect()
}

#[test]
fn what_is_shown_is_demanded_over_every_open_channel_and_over_one_that_opens() {
    let (mut scene, _) = Scene::inside(&["a", "b"]);
    let effects = open(&mut scene, "a");
    assert_eq!(
        demands(&scene, &effects),
        [],
        "a peer sends the full size at first"
    );
    let effects = show(&mut scene, ShownVideo::Within(TILE));
    let told = demands(&scene, &effects);
    assert_eq!(told.len(), 1);
    let camera = r#"{"source":"camera","width":320,"height":180}"#;
    assert!(told[0].0 == "a" && told[0].1.contains(camera), "{told:?}");
    let effects = open(&mut scene, "b");
    assert_eq!(demands(&scene, &effects)[0].0, "b");
    // A new channel belongs to a peer that has no demand of ours yet.
    let effects = scene.peer("a", PeerEvent::ChannelOpen);
    assert_eq!(demands(&scene, &effects).len(), 1);
}

#[test]
fn a_demand_that_is_too_early_follows_by_its_own_deadline() {
    let (mut scene, _) = Scene::inside(&["a"]);
    open(&mut scene, "a");
    show(&mut scene, ShownVideo::Within(TILE));
    let effects = show(&mut scene, ShownVideo::Full);
    assert_eq!(demands(&scene, &effects), []);
    assert!(scene.state.next_deadline().is_some());
    let effects = scene.after(Duration::from_millis(200));
    assert!(demands(&scene, &effects)[0].1.contains(r#""tracks":[]"#));
    assert_eq!(scene.state.next_deadline(), None);
}

#[test]
fn a_track_that_is_not_shown_is_not_received() {
    let (mut scene, _) = Scene::inside(&["a", "b"]);
    let shown = |participant: &str, size| ShownTrack {
        participant: participant.into(),
        source: TrackSource::Camera,
        size,
    };
    let shown = vec![shown("a", TILE), shown("b", VideoSize::default())];
    let effects = show(&mut scene, ShownVideo::Only(shown));
    let hidden = |effect: &Effect| match effect {
        Effect::Peer(link, PeerCommand::SetHidden(sources)) => Some((*link, sources.clone())),
        _ => None,
    };
    let hidden: Vec<_> = effects.iter().filter_map(hidden).collect();
    assert_eq!(hidden, [(scene.link("b"), vec![TrackSource::Camera])]);
}

#[test]
fn a_peer_gets_the_smallest_layer_that_covers_its_demand() {
    let (mut scene, _) = Scene::inside(&["a"]);
    open(&mut scene, "a");
    let mut demand = |width: u32, height: u32| {
        let track = json!({"source":"camera","width":width,"height":height});
        let text = json!({"type":"demand","payload":{"tracks":[track]}}).to_string();
        let message = PeerMessage::parse(&text).unwrap();
        let effects = scene.peer("a", PeerEvent::Message(Box::new(message)));
        scene.now += Duration::from_millis(200);
        camera_layers(&effects)
    };
    assert_eq!(demand(320, 180), [], "the size of the camera is not known");
    assert_eq!(demand(0, 0), [None]);
    assert_eq!(demand(320, 180), [Some(VideoLayer::Full)]);
    let effects = scene.put(Input::CaptureChanged {
        source: TrackSource::Camera,
        live: true,
        size: Some(VideoSize {
            width: 1280,
            height: 720,
        }),
    });
    assert_eq!(camera_layers(&effects), [Some(VideoLayer::Quarter)]);
    let effects = scene.peer("a", PeerEvent::ChannelOpen);
    assert_eq!(camera_layers(&effects), [Some(VideoLayer::Full)]);
}

#[test]
fn of_demands_that_come_too_often_the_newest_counts() {
    let (mut scene, _) = Scene::inside(&["a"]);
    open(&mut scene, "a");
    scene.put(Input::CaptureChanged {
        source: TrackSource::Camera,
        live: true,
        size: Some(VideoSize {
            width: 1280,
            height: 720,
        }),
    });
    let mut switches = Vec::new();
    for number in 0..100_u32 {
        let width = if number % 2 == 0 { 320 } else { 640 };
        let track = json!({"source":"camera","width":width,"height":width});
        let text = json!({"type":"demand","payload":{"tracks":[track]}}).to_string();
        let message = PeerMessage::parse(&text).unwrap();
        let effects = scene.peer("a", PeerEvent::Message(Box::new(message)));
        switches.extend(camera_layers(&effects));
        switches.extend(camera_layers(&scene.after(Duration::from_millis(1))));
    }
    assert_eq!(switches, [Some(VideoLayer::Quarter)]);
    assert!(scene.state.next_deadline().is_some());
    let effects = scene.after(Duration::from_millis(200));
    assert_eq!(camera_layers(&effects), [Some(VideoLayer::Half)]);
}
