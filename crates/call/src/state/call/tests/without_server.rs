//! A call that goes on while the server is away, and what follows its return.

use super::*;

/// In a call with "a" and "b", both connected with an open data channel; "m", the
/// local user, then loses the server.
fn alone() -> Scene {
    let (mut scene, _) = Scene::inside(&["a", "b"]);
    for member in ["a", "b"] {
        connect(&mut scene, member);
    }
    scene.put(Input::SignallingClosed);
    scene
}

pub(super) fn connect(scene: &mut Scene, member: &str) {
    scene.peer(member, PeerEvent::LocalDescription(offer()));
    let answer = Description::new(DescriptionKind::Answer, "v=0".into());
    scene.says(json!({"type":"answer","from":member,"payload":answer}));
    scene.peer(member, PeerEvent::AnswerAccepted);
    let connected = PeerConnectionState::Connected;
    scene.peer(member, PeerEvent::Connection(connected));
    scene.peer(member, PeerEvent::ChannelOpen);
}

pub(super) fn says(scene: &mut Scene, from: &str, message: serde_json::Value) -> Vec<Effect> {
    let message = PeerMessage::parse(&message.to_string()).unwrap();
    scene.peer(from, PeerEvent::Message(Box::new(message)))
}

/// The server is back, does not know the place any more, and lists these members.
fn rejoin(scene: &mut Scene, inside: &[&str]) -> Vec<Effect> {
    let welcome =
        json!({"type":"client-id","id":"n","features":["rooms","members","resume","chat"]});
    scene.says(welcome.clone());
    scene.says(json!({"type":"error","code":"unauthorized","message":""}));
    scene.after(Duration::from_secs(5));
    let effects = scene.says(welcome);
    assert!(sent(&effects)[0].contains("join-room"));
    assert_eq!(
        scene.state.local.id, "m",
        "the rejoin has not succeeded yet"
    );
    let room = json!({"id":"abc-defg-hij","participants":inside});
    scene.says(json!({"type":"room-joined","resumeToken":"t2","room":room}))
}

fn over_channels(effects: &[Effect]) -> Vec<(LinkId, String)> {
    let sent = effects.iter().filter_map(|effect| match effect {
        Effect::Peer(link, PeerCommand::Send(message)) => Some((*link, message.to_json())),
        _ => None,
    });
    sent.collect()
}

fn shown(scene: &Scene) -> Vec<String> {
    let participants = scene.state.view().participants;
    participants.into_iter().map(|one| one.id).collect()
}

#[test]
fn a_rejoin_under_a_new_id_keeps_the_links_and_tells_the_peers() {
    let mut scene = alone();
    let links = [scene.link("a"), scene.link("b")];
    // "a" rejoined before under a new id, "b" has not yet.
    let effects = rejoin(&mut scene, &["n", "A2"]);
    assert!(
        !effects
            .iter()
            .any(|effect| matches!(effect, Effect::Close(_)))
    );
    let told = over_channels(&effects);
    let told = told.iter().filter(|(_, text)| text.contains("rejoined"));
    assert!(told.clone().all(|(_, text)| text.contains(r#""id":"n""#)));
    assert_eq!(told.count(), 2);
    assert_eq!(scene.state.local.id, "n");
    assert_eq!(shown(&scene)[0], "m", "the view keeps its ids");

    let effects = says(&mut scene, "a", json!({"type":"rejoined","id":"A2"}));
    assert!(
        matches!(effects[..], [Effect::Close(_)]),
        "the second entry goes"
    );
    assert_eq!(scene.link("A2"), links[0]);
    // "b" says so before the server lists it.
    says(&mut scene, "b", json!({"type":"rejoined","id":"B2"}));
    let joined = json!({"type":"member-joined","roomId":"r","memberId":"B2","participants":[]});
    scene.says(joined);
    assert_eq!(scene.link("B2"), links[1]);
    let mut ids = shown(&scene);
    ids.sort();
    assert_eq!(ids, ["a", "b", "m"]);
}

#[test]
fn a_new_id_that_two_links_claim_is_given_to_neither() {
    let mut scene = alone();
    rejoin(&mut scene, &["n"]);
    for member in ["a", "b"] {
        says(&mut scene, member, json!({"type":"rejoined","id":"x"}));
    }
    scene.says(json!({"type":"member-joined","roomId":"r","memberId":"x","participants":[]}));
    assert_eq!(shown(&scene).len(), 4);
    assert!(scene.state.index_of_member("a").is_some());
}

#[test]
fn a_member_that_is_still_listed_does_not_take_over_another_entry() {
    let mut scene = alone();
    rejoin(&mut scene, &["n", "a", "b", "x"]);
    let fresh = scene.link("x");
    says(&mut scene, "a", json!({"type":"rejoined","id":"x"}));
    assert_eq!(scene.link("x"), fresh);
    assert_eq!(shown(&scene).len(), 4);
}

#[test]
fn a_peer_whose_own_server_connection_broke_stays_while_its_link_is_up() {
    let (mut scene, _) = Scene::inside(&["a"]);
    connect(&mut scene, "a");
    let member = json!({"id":"a","name":"Ann","connection":"reconnecting"});
    scene.says(json!({"type":"member-updated","roomId":"r","memberId":"a","member":member}));
    scene.says(json!({"type":"member-left","roomId":"r","memberId":"a","participants":[]}));
    assert_eq!(shown(&scene).len(), 2);
    let disconnected = PeerConnectionState::Disconnected;
    scene.peer("a", PeerEvent::Connection(disconnected));
    assert_eq!(shown(&scene).len(), 1);
}

#[test]
fn a_pair_that_lost_its_link_negotiates_through_a_common_peer() {
    let mut scene = alone();
    let (a, b) = (scene.link("a"), scene.link("b"));
    // "m" is greater than "a": impolite, so it offers first.
    let repair = scene.peer("a", PeerEvent::Connection(PeerConnectionState::Failed));
    let restarts = |effect: &Effect| matches!(effect, Effect::Peer(link, PeerCommand::MakeOffer { ice_restart: true }) if *link == a);
    assert!(repair.iter().any(restarts), "{repair:?}");
    let effects = scene.peer("a", PeerEvent::LocalDescription(offer()));
    let relayed = over_channels(&effects);
    assert_eq!(relayed.len(), 1);
    assert_eq!(relayed[0].0, b);
    let text = &relayed[0].1;
    assert!(text.contains(r#""type":"relay","to":"a""#), "{text}");
    // The answer comes back the same way.
    let answer = json!({"type":"answer","payload":{"type":"answer","sdp":"v=0"}});
    let relay = json!({"type":"relay","to":"m","from":"a","payload":answer});
    let effects = says(&mut scene, "b", relay);
    let [Effect::Peer(link, PeerCommand::AcceptAnswer { .. })] = effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(link, a);
}

#[test]
fn a_relayed_offer_is_answered_through_the_common_peer_whatever_the_link_seems() {
    for state in [
        PeerConnectionState::Connected,
        PeerConnectionState::Disconnected,
        PeerConnectionState::Connecting,
    ] {
        let mut scene = alone();
        scene.peer("a", PeerEvent::Connection(state));
        let offer = json!({"type":"offer","payload":{"type":"offer","sdp":"v=0"}});
        let relay = json!({"type":"relay","to":"m","from":"a","payload":offer});
        says(&mut scene, "b", relay);
        let answer = Description::new(DescriptionKind::Answer, "v=0".into());
        let effects = scene.peer("a", PeerEvent::LocalDescription(answer));
        let [(via, text)] = &over_channels(&effects)[..] else {
            panic!("{state:?}: {effects:?}")
        };
        assert_eq!(*via, scene.link("b"), "{state:?}");
        assert!(text.contains(r#""type":"relay","to":"a""#), "{text}");
    }
}

#[test]
fn a_pair_alone_negotiates_over_its_data_channel_while_that_may_deliver() {
    let (mut scene, _) = Scene::inside(&["a"]);
    connect(&mut scene, "a");
    scene.put(Input::SignallingClosed);
    let disconnected = PeerConnectionState::Disconnected;
    scene.peer("a", PeerEvent::Connection(disconnected));
    scene.after(Duration::from_secs(7));
    let effects = scene.peer("a", PeerEvent::LocalDescription(offer()));
    assert_eq!(over_channels(&effects).len(), 1, "{effects:?}");
}

#[test]
fn a_relayed_offer_may_not_replace_the_connection_and_goes_one_hop() {
    let mut scene = alone();
    let offer = json!({"type":"offer","payload":{"type":"offer","sdp":"v=0"}});
    let through_b = |from: &str| json!({"type":"relay","to":"m","from":from,"payload":offer});
    let effects = says(&mut scene, "b", through_b("a"));
    let [Effect::Peer(link, PeerCommand::AcceptOffer { may_replace, .. })] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!((*link, *may_replace), (scene.link("a"), false));
    assert!(says(&mut scene, "b", through_b("unknown")).is_empty());
    assert!(says(&mut scene, "b", through_b("b")).is_empty());
    // To forward: stamped with the sender of the link.
    let relay = json!({"type":"relay","to":"a","payload":offer});
    let forwarded = over_channels(&says(&mut scene, "b", relay));
    assert_eq!(forwarded.len(), 1);
    assert_eq!(forwarded[0].0, scene.link("a"));
    assert!(forwarded[0].1.contains(r#""from":"b""#));
    let second_hop = json!({"type":"relay","to":"a","from":"b","payload":offer});
    assert!(says(&mut scene, "b", second_hop).is_empty());
}

#[test]
fn chat_of_an_outage_is_posted_once_when_the_server_is_back() {
    let mut scene = alone();
    for text in ["one", "two"] {
        scene.put(Input::Command(CallCommand::SendChat(text.into())));
    }
    let effects = rejoin(&mut scene, &["n", "a", "b"]);
    let posted: Vec<_> = sent(&effects)
        .into_iter()
        .filter(|text| text.contains(r#""type":"chat""#))
        .collect();
    assert_eq!(posted.len(), 2);
    assert!(posted[0].contains("one") && posted[0].contains("sentAt"));
    // Its echo is the message that is shown already.
    let id = scene.state.view().chat[0].id.clone();
    scene.says(json!({"type":"chat","roomId":"r","from":"n","id":id,"payload":{"text":"one"}}));
    let chat = scene.state.view().chat;
    assert!(chat.len() == 2 && chat.iter().all(|one| one.is_mine));
}

#[test]
fn a_peer_cannot_suppress_the_message_of_another_by_taking_its_id() {
    let mut scene = alone();
    let chat = |text: &str| json!({"type":"chat","id":"1","payload":{"text":text}});
    says(&mut scene, "b", chat("forged"));
    says(&mut scene, "a", chat("genuine"));
    let chat = scene.state.view().chat;
    let texts: Vec<_> = chat.iter().map(|one| one.text.as_str()).collect();
    assert_eq!(texts, ["forged", "genuine"]);
}

#[test]
fn a_network_change_reconnects_and_restarts_every_link() {
    let (mut scene, _) = Scene::inside(&["a", "b"]);
    for member in ["a", "b"] {
        connect(&mut scene, member);
    }
    let added = scene.put(Input::NetworkChanged { broken: false });
    assert!(added.is_empty(), "what is connected stays as it is");
    let effects = scene.put(Input::NetworkChanged { broken: true });
    assert!(
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Connect))
    );
    let restart = |effect: &&Effect| {
        matches!(
            effect,
            Effect::Peer(_, PeerCommand::MakeOffer { ice_restart: true })
        )
    };
    assert_eq!(effects.iter().filter(restart).count(), 2);
}

#[test]
fn names_and_texts_are_cut_to_what_is_shown() {
    let (mut scene, _) = Scene::inside(&["a"]);
    let member = json!({"id":"a","name":"x".repeat(250_000)});
    scene.says(json!({"type":"member-updated","roomId":"r","memberId":"a","member":member}));
    assert_eq!(scene.state.view().participants[1].name.len(), 100);
    let text = "€".repeat(20_000);
    scene.says(json!({"type":"chat","roomId":"r","from":"a","id":"1","payload":{"text":text}}));
    assert!(scene.state.view().chat[0].text.len() <= MAX_CHAT_TEXT_BYTES);
}

#[test]
fn a_private_message_is_shown_as_private() {
    let (mut scene, _) = Scene::inside(&["a"]);
    let private =
        json!({"type":"chat","roomId":"r","from":"a","to":"m","id":"1","payload":{"text":"psst"}});
    scene.says(private);
    assert!(scene.state.view().chat[0].is_private);
}
