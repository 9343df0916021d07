//! What the links carry decides on the video.

use visavis_media::VideoLayer;

use super::*;
use crate::command::VideoSize;
use crate::state::bandwidth::{BandwidthState, Estimate};

/// The new rates of the camera's full size.
fn rate(effects: &[Effect]) -> Option<u32> {
    let mut rates = effects.iter().filter_map(|effect| match effect {
        Effect::SetEncoder(rate)
            if (rate.source, rate.layer) == (TrackSource::Camera, VideoLayer::Full) =>
        {
            Some(rate.target.max_bits_per_second)
        }
        _ => None,
    });
    rates.next()
}

/// The members whose camera changes its layer.
fn layers(scene: &Scene, effects: &[Effect]) -> Vec<(String, Option<VideoLayer>)> {
    let layers = effects.iter().filter_map(|effect| match effect {
        Effect::Peer(link, PeerCommand::SetLayers([(_, camera), _])) => {
            Some((scene.member_of(*link), camera.map(|sent| sent.layer)))
        }
        _ => None,
    });
    layers.collect()
}

fn estimate(target: u64) -> PeerEvent {
    PeerEvent::Bandwidth(Estimate {
        target,
        capacity: target,
        audio: 40_000,
        state: BandwidthState::Growing,
        ..Estimate::default()
    })
}

#[test]
fn each_peer_gets_the_layer_that_its_link_carries_and_one_too_narrow_none() {
    let (mut scene, _) = Scene::inside(&["a", "b"]);
    scene.put(Input::CaptureChanged {
        source: TrackSource::Camera,
        live: true,
        size: Some(VideoSize {
            width: 1280,
            height: 720,
        }),
    });
    let effects = scene.peer("a", estimate(1_000_000));
    assert_eq!(rate(&effects), Some(860_000));
    let effects = scene.peer("b", estimate(500_000));
    assert_eq!(rate(&effects), None);
    let expected = [("b".to_owned(), Some(VideoLayer::Half))];
    assert_eq!(layers(&scene, &effects), expected);
    scene.peer("b", estimate(60_000));
    scene.now += Duration::from_secs(5);
    let effects = scene.put(Input::SecondElapsed);
    assert_eq!(layers(&scene, &effects), [("b".to_owned(), None)]);
    let effects = scene.peer("b", estimate(1_000_000));
    assert_eq!(layers(&scene, &effects)[0].0, "b");
}

#[test]
fn a_peer_is_told_that_its_video_is_suspended_and_sent_again() {
    let (mut scene, _) = Scene::inside(&["a"]);
    scene.put(Input::CaptureChanged {
        source: TrackSource::Camera,
        live: true,
        size: Some(VideoSize {
            width: 1280,
            height: 720,
        }),
    });
    let told = |effects: &[Effect]| {
        let mut texts = effects.iter().filter_map(|effect| match effect {
            Effect::Peer(_, PeerCommand::Send(message)) => Some(message.to_json()),
            _ => None,
        });
        texts.find(|text| text.contains(r#""type":"suspended""#))
    };
    let connected = PeerConnectionState::Connected;
    scene.peer("a", PeerEvent::Connection(connected));
    scene.peer("a", PeerEvent::ChannelOpen);
    scene.peer("a", estimate(60_000));
    let effects = scene.after(Duration::from_secs(4));
    let text = told(&effects).unwrap();
    assert!(text.contains(r#"{"tracks":["camera"]}"#), "{text}");
    // A new channel belongs to a peer that knows nothing.
    let effects = scene.peer("a", PeerEvent::ChannelOpen);
    assert!(told(&effects).is_some());
    let effects = scene.peer("a", estimate(1_000_000));
    let text = told(&effects).unwrap();
    assert!(text.contains(r#"{"tracks":[]}"#), "{text}");
}

#[test]
fn a_peer_that_suspends_its_video_shows_no_frozen_frame() {
    let (mut scene, _) = Scene::inside(&["a"]);
    let link = scene.link("a");
    scene.put(Input::FrameAvailability {
        link,
        source: TrackSource::Camera,
        available: true,
    });
    let mut suspended = |tracks: &str| {
        let text = format!(r#"{{"type":"suspended","payload":{{"tracks":{tracks}}}}}"#);
        let message = PeerMessage::parse(&text).unwrap();
        let effects = scene.peer("a", PeerEvent::Message(Box::new(message)));
        let view = scene.state.view().participants;
        let camera = view.iter().find(|one| !one.is_me).unwrap().camera;
        (camera, effects)
    };
    let (camera, effects) = suspended(r#"["camera"]"#);
    assert_eq!(camera, TrackView::Suspended);
    let is_cleared = |effect: &Effect| matches!(effect, Effect::ClearReceived { source: TrackSource::Camera, link: of } if *of == link);
    assert!(effects.iter().any(is_cleared));
    assert_eq!(suspended("[]").0, TrackView::On);
}

#[test]
fn a_new_call_starts_with_the_bit_rate_of_an_unknown_link() {
    let (_, first) = CallState::new(
        config(RoomChoice::Join("abc-defg-hij".into())),
        Instant::now(),
    );
    assert_eq!(rate(&first), Some(220_000));
}
