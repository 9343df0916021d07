//! Which TURN credentials the links use.

use super::*;

/// The password for the TURN server that each link gets, new links included.
fn credentials(effects: &[Effect]) -> Vec<(LinkId, Option<&str>)> {
    let credential = |effect| match effect {
        &Effect::SetIceServers {
            link,
            ref ice_servers,
        }
        | &Effect::Spawn {
            link,
            ref ice_servers,
            ..
        } => Some((link, ice_servers[0].credential.as_deref())),
        _ => None,
    };
    effects.iter().filter_map(credential).collect()
}

fn ice_servers(credential: &str) -> serde_json::Value {
    json!([{"urls": ["turn:192.0.2.1"], "username": "user", "credential": credential}])
}

#[test]
fn an_ice_restart_and_a_new_link_after_a_renewal_use_the_new_credentials() {
    let (mut scene, _) = Scene::inside(&["a", "b"]);
    let links = [scene.link("a"), scene.link("b")];
    scene.peer("a", PeerEvent::LocalDescription(offer()));
    let answer = Description::new(DescriptionKind::Answer, "v=0".into());
    scene.says(json!({"type":"answer","from":"a","payload":answer}));
    scene.peer("a", PeerEvent::AnswerAccepted);
    scene.peer("a", PeerEvent::Connection(PeerConnectionState::Connected));

    let payload = json!({"iceServers": ice_servers("new"), "expiresAt": "2026-01-22T14:30:00Z"});
    let renewed = json!({"type":"ice-servers","roomId":"abc-defg-hij","payload":payload});
    let effects = scene.says(renewed.clone());
    let expected = links.map(|link| (link, Some("new")));
    assert_eq!(credentials(&effects), expected);
    assert_eq!(effects.len(), 2, "no connection is touched: {effects:?}");
    assert!(scene.says(renewed).is_empty(), "the list is the same");

    // The command of the restart follows that with the list.
    let effects = scene.peer("a", PeerEvent::Connection(PeerConnectionState::Failed));
    assert!(effects.iter().any(|effect| matches!(
        effect,
        Effect::Peer(_, PeerCommand::MakeOffer { ice_restart: true })
    )));
    let effects = scene.says(json!({"type":"member-joined","roomId":"abc-defg-hij","memberId":"c","participants":["a","b","c","m"]}));
    assert_eq!(credentials(&effects), [(scene.link("c"), Some("new"))]);
}

#[test]
fn a_resumed_call_uses_the_credentials_that_came_with_its_return() {
    let (mut scene, _) = Scene::inside(&["a"]);
    scene.peer("a", PeerEvent::Connection(PeerConnectionState::Connected));
    scene.put(Input::SignallingClosed);
    scene.says(json!({"type":"client-id","id":"n","features":["rooms","members","resume"]}));
    let room = json!({"id":"abc-defg-hij","participants":["a","m"]});
    let resumed =
        json!({"type":"resumed","resumeToken":"u","iceServers":ice_servers("new"),"room":room});
    let effects = scene.says(resumed);
    assert_eq!(credentials(&effects), [(scene.link("a"), Some("new"))]);
}
