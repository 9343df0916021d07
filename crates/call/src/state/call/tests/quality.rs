//! The quality in the view, and its reports to the server.

use super::*;
use crate::state::quality::Sample;
use crate::view::{ConnectionQuality, QualityCause};

fn sample(received: u64, lost: u64) -> Sample {
    Sample {
        received,
        lost,
        round_trip: Some(Duration::from_millis(20)),
        jitter: Duration::from_millis(4),
        ..Sample::default()
    }
}

/// Joined on a server that takes quality reports, and connected to these members.
fn connected(members: &[&str]) -> Scene {
    let mut scene = Scene::new(RoomChoice::Join("abc-defg-hij".into()));
    let effects = scene.says(json!({"type":"client-id","id":"m","features":["rooms","quality"]}));
    assert!(sent(&effects)[0].contains("\"quality\""), "it is requested");
    let participants: Vec<_> = members.iter().copied().chain(["m"]).collect();
    scene.says(
        json!({"type":"room-joined","room":{"id":"abc-defg-hij","participants":participants}}),
    );
    for member in members {
        scene.peer(
            member,
            PeerEvent::Connection(PeerConnectionState::Connected),
        );
    }
    scene
}

/// Lets a second with these measurements pass.
fn second(scene: &mut Scene, samples: &[(&str, Sample)]) -> Vec<Effect> {
    scene.now += Duration::from_secs(1);
    let samples = samples.iter();
    let samples = samples.map(|(member, sample)| (scene.link(member), sample.clone()));
    scene.put(Input::Measured(samples.collect()))
}

fn quality(scene: &Scene, number: usize) -> Option<(ConnectionQuality, Option<QualityCause>)> {
    let quality = scene.state.view().participants[number].quality?;
    Some((quality.level, quality.cause))
}

#[test]
fn the_view_shows_the_quality_of_each_participant_and_changes_rarely() {
    let (mut scene, _) = Scene::inside(&["a", "b"]);
    assert_eq!((quality(&scene, 0), quality(&scene, 1)), (None, None));
    for member in ["a", "b"] {
        scene.peer(
            member,
            PeerEvent::Connection(PeerConnectionState::Connected),
        );
    }
    let good = Some((ConnectionQuality::Good, None));
    assert_eq!((quality(&scene, 0), quality(&scene, 1)), (good, good));
    let mut views = vec![scene.state.view()];
    for number in 0..60 {
        let lost = [0, 5, 20, 3][number % 4];
        second(
            &mut scene,
            &[("a", sample(100, 20)), ("b", sample(100, lost))],
        );
        views.push(scene.state.view());
    }
    let poor = Some((ConnectionQuality::Poor, Some(QualityCause::TheirUplink)));
    assert_eq!((quality(&scene, 1), quality(&scene, 2)), (poor, good));
    views.dedup();
    assert!(views.len() <= 3, "{} views", views.len());
}

#[test]
fn a_participant_is_lost_at_once_and_good_as_soon_as_it_is_connected_again() {
    let mut scene = connected(&["a"]);
    let level = |scene: &Scene| quality(scene, 1).unwrap().0;
    for lost in [
        PeerConnectionState::Disconnected,
        PeerConnectionState::Failed,
    ] {
        scene.peer("a", PeerEvent::Connection(lost));
        assert_eq!(level(&scene), ConnectionQuality::Lost);
        scene.peer("a", PeerEvent::Connection(PeerConnectionState::Connected));
        assert_eq!(level(&scene), ConnectionQuality::Good);
    }
}

#[test]
fn s2_12_quality_is_reported_every_five_seconds() {
    let mut scene = connected(&["a", "b"]);
    scene.peer(
        "b",
        PeerEvent::Connection(PeerConnectionState::Disconnected),
    );
    let mut reports = Vec::new();
    for _ in 0..=10 {
        let effects = second(&mut scene, &[("a", sample(90, 10)), ("b", sample(1, 1))]);
        reports.extend(sent(&effects));
    }
    assert_eq!(reports.len(), 2, "{reports:?}");
    let report: serde_json::Value = serde_json::from_str(&reports[1]).unwrap();
    let expected = json!({"type":"report-quality","roomId":"abc-defg-hij","payload":{"peers":[
        {"id":"a","connected":true,"roundTripMs":20.0,"lossPercent":10.0,"jitterMs":4.0},
        {"id":"b","connected":false},
    ]}});
    assert_eq!(report, expected);
}

#[test]
fn a_server_without_the_feature_gets_no_reports() {
    let (mut scene, _) = Scene::inside(&["a"]);
    for _ in 0..20 {
        let effects = second(&mut scene, &[("a", sample(90, 10))]);
        assert!(sent(&effects).is_empty());
    }
}
