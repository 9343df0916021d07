//! What the host decides: removal, the end of the room, muting, and grants.

use visavis_protocol::{ClosedReason, Grants, RemovedReason, Role};

use super::*;
use crate::view::TrackView;

fn viewer(id: &str) -> serde_json::Value {
    json!({"id":id,"role":"viewer","grants":{"canPublish":false}})
}

fn publisher(id: &str) -> serde_json::Value {
    json!({"id":id,"role":"participant","grants":{"canPublish":true}})
}

/// Joined a room with these members.
fn joined(members: &[serde_json::Value]) -> (Scene, Vec<Effect>) {
    let mut scene = Scene::new(RoomChoice::Join("r".into()));
    scene.says(json!({"type":"client-id","id":"m","features":["rooms","members","controls"]}));
    let ids: Vec<_> = members.iter().map(|member| member["id"].clone()).collect();
    let room = json!({"id":"r","participants":ids,"members":members});
    let effects = scene.says(json!({"type":"room-joined","room":room}));
    (scene, effects)
}

fn update(scene: &mut Scene, member: serde_json::Value) -> Vec<Effect> {
    let id = member["id"].clone();
    scene.says(json!({"type":"member-updated","roomId":"r","memberId":id,"member":member}))
}

fn spawns(effects: &[Effect]) -> usize {
    let spawn = |effect: &&Effect| matches!(effect, Effect::Spawn { .. });
    effects.iter().filter(spawn).count()
}

fn mutes(effects: &[Effect]) -> Vec<(TrackSource, bool)> {
    let mutes = effects.iter().filter_map(|effect| match effect {
        Effect::Mute { source, muted } => Some((*source, *muted)),
        _ => None,
    });
    mutes.collect()
}

#[test]
fn the_join_asks_for_the_host_controls() {
    let mut scene = Scene::new(RoomChoice::Join("r".into()));
    let effects = scene.says(json!({"type":"client-id","id":"m","features":["rooms","controls"]}));
    assert!(sent(&effects)[0].contains(r#""controls""#));
}

#[test]
fn s3_53_one_who_is_removed_or_whose_room_closes_leaves_with_the_reason() {
    let (mut scene, _) = Scene::inside(&["a"]);
    let removed = |id: &str| json!({"type":"member-removed","roomId":"abc-defg-hij","memberId":id,"reason":"removed-by-host"});
    scene.says(removed("a"));
    scene.says(json!({"type":"room-closed","roomId":"other","reason":"ended-by-host"}));
    assert_eq!(scene.state.ended(), None, "another member, another room");
    let effects = scene.says(removed("m"));
    let why = RemovedReason::RemovedByHost;
    assert_eq!(scene.state.ended(), Some(&EndReason::Removed { why }));
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Close(_)))
    );

    let (mut scene, _) = Scene::inside(&["a"]);
    scene.says(json!({"type":"room-closed","roomId":"abc-defg-hij","reason":"deleted"}));
    let why = ClosedReason::Deleted;
    assert_eq!(scene.state.ended(), Some(&EndReason::RoomClosed { why }));
}

#[test]
fn s3_53_the_host_mutes_a_source_and_the_view_says_who_until_the_user_unmutes_it() {
    let (mut scene, _) = joined(&[publisher("a"), publisher("m")]);
    update(&mut scene, json!({"id":"a","name":"Ann","role":"host"}));
    let mute =
        json!({"type":"mute-member","roomId":"r","from":"a","payload":{"source":"microphone"}});
    let effects = scene.says(mute.clone());
    assert_eq!(mutes(&effects), [(TrackSource::Microphone, true)]);
    let by = scene.state.view().muted_by_host.unwrap();
    assert_eq!(
        (by.source, by.name.as_str()),
        (TrackSource::Microphone, "Ann")
    );
    assert!(mutes(&scene.says(mute)).is_empty(), "it is muted already");
    let unmute = CallCommand::SetMuted {
        source: TrackSource::Microphone,
        muted: false,
    };
    let effects = scene.put(Input::Command(unmute));
    assert_eq!(mutes(&effects), [(TrackSource::Microphone, false)]);
    assert_eq!(scene.state.view().muted_by_host, None);
}

#[test]
fn without_the_server_only_the_last_host_that_it_named_mutes() {
    let (mut scene, _) = joined(&[publisher("a"), publisher("b"), publisher("m")]);
    scene.says(json!({"type":"room-updated","roomId":"r","room":{"id":"r","host":"a"}}));
    let mute = json!({"type":"mute-member","payload":{"source":"camera"}}).to_string();
    let mute_by = |scene: &mut Scene, from: &str| {
        let message = PeerMessage::parse(&mute).unwrap();
        mutes(&scene.peer(from, PeerEvent::Message(Box::new(message)))).len()
    };
    assert_eq!(
        mute_by(&mut scene, "a"),
        0,
        "the server decides while it is there"
    );
    scene.put(Input::SignallingClosed);
    assert_eq!(mute_by(&mut scene, "b"), 0);
    assert_eq!(mute_by(&mut scene, "a"), 1);
}

#[test]
fn s2_13_a_viewer_publishes_nothing_and_viewers_do_not_link_to_each_other() {
    let (mut scene, effects) = joined(&[publisher("a"), viewer("v"), viewer("m")]);
    assert_eq!(spawns(&effects), 1, "only to the one who publishes");
    assert_eq!(scene.offers_to(&effects), ["a"]);
    let all = [
        (TrackSource::Microphone, true),
        (TrackSource::Camera, true),
        (TrackSource::ScreenShare, true),
    ];
    assert_eq!(mutes(&effects), all);
    let stopped = effects.iter().any(|effect| {
        matches!(effect, Effect::Peer(_, PeerCommand::SetGrants { local, .. }) if !local.can_publish)
    });
    assert!(stopped, "the connection sends nothing");
    let me = &scene.state.view().participants[0];
    assert_eq!((me.role, me.camera), (Role::Viewer, TrackView::Absent));
    scene.put(Input::CaptureChanged {
        source: TrackSource::Camera,
        live: true,
        size: None,
    });
    assert!(scene.state.view().participants[0].pictures.is_empty());
}

#[test]
fn a_viewer_who_is_in_no_list_of_a_broadcast_publishes_nothing() {
    let mut scene = Scene::new(RoomChoice::Join("r".into()));
    scene.says(json!({"type":"client-id","id":"m","features":["rooms","members"]}));
    let room =
        json!({"id":"r","participants":["a","v","m"],"members":[publisher("a")],"viewerCount":2});
    let effects = scene.says(json!({"type":"room-joined","room":room}));
    assert_eq!(spawns(&effects), 1);
    assert_eq!(scene.state.local.role, Role::Viewer);
    assert_eq!(scene.state.view().participants.len(), 2);
}

#[test]
fn who_gains_the_right_to_publish_offers_to_all_without_a_link() {
    let (mut scene, _) = joined(&[publisher("a"), viewer("v"), viewer("m")]);
    let effects = update(&mut scene, publisher("m"));
    assert_eq!(scene.offers_to(&effects), ["v"]);
    assert_eq!(mutes(&effects).len(), 3);
    // A viewer waits for the offer of another one who was promoted.
    let (mut scene, _) = joined(&[viewer("v"), viewer("m")]);
    let effects = update(&mut scene, publisher("v"));
    assert_eq!((spawns(&effects), scene.offers_to(&effects).len()), (1, 0));
    let effects = scene.after(Duration::from_secs(2));
    assert_eq!(scene.offers_to(&effects), ["v"]);
}

#[test]
fn media_that_a_member_may_not_publish_is_refused_at_once() {
    let (mut scene, _) = joined(&[publisher("a"), publisher("m")]);
    let frame = Input::FrameAvailability {
        link: scene.link("a"),
        source: TrackSource::Camera,
        available: true,
    };
    scene.put(frame);
    let pictures = |scene: &Scene| scene.state.view().participants[1].pictures.clone();
    assert_eq!(pictures(&scene), [TrackSource::Camera]);
    let grants = json!({"canPublish":true,"canPublishSources":["microphone"]});
    let effects = update(&mut scene, json!({"id":"a","grants":grants}));
    let refused = Grants {
        can_publish_sources: vec![TrackSource::Microphone],
        ..Grants::default()
    };
    assert!(effects.iter().any(|effect| matches!(
        effect,
        Effect::Peer(_, PeerCommand::SetGrants { remote, .. }) if *remote == refused
    )));
    let cleared = |effect: &Effect| {
        let camera = TrackSource::Camera;
        matches!(effect, Effect::ClearReceived { source, .. } if *source == camera)
    };
    assert!(effects.iter().any(cleared));
    assert!(pictures(&scene).is_empty());
}
