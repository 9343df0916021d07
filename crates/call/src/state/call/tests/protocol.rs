//! The plain room protocol from the client's side: what it sends when, and what each
//! message of the server changes.

use serde_json::Value;

use super::without_server::connect;
use super::*;

/// What is sent, as JSON.
fn said(effects: &[Effect]) -> Vec<Value> {
    let parsed = sent(effects);
    let parsed = parsed
        .iter()
        .map(|text| serde_json::from_str(text).unwrap());
    parsed.collect()
}

/// The client ids of the others in view.
fn others(scene: &Scene) -> Vec<String> {
    let participants = scene.state.view().participants.into_iter().skip(1);
    participants.map(|one| one.id).collect()
}

/// A plain server's room with these members.
fn inside_plain(others: &[&str]) -> (Scene, Vec<Effect>) {
    let mut scene = Scene::new(RoomChoice::Join("r".into()));
    scene.says(json!({"type":"client-id","id":"m"}));
    let participants: Vec<_> = others.iter().copied().chain(["m"]).collect();
    let room = json!({"id":"r","participants":participants});
    let effects = scene.says(json!({"type":"room-joined","room":room}));
    (scene, effects)
}

fn joined(scene: &mut Scene, member: &str, inside: &[&str]) -> Vec<Effect> {
    scene.says(json!({"type":"member-joined","roomId":"r","memberId":member,"participants":inside}))
}

fn left(scene: &mut Scene, member: &str, inside: &[&str]) -> Vec<Effect> {
    scene.says(json!({"type":"member-left","roomId":"r","memberId":member,"participants":inside}))
}

#[test]
fn s3_13_s3_14_s3_19_the_client_joins_once_it_knows_its_id() {
    let mut scene = Scene::new(RoomChoice::Join("abc-defg-hij".into()));
    assert!(said(&scene.after(Duration::from_secs(1))).is_empty());
    let effects = scene.says(json!({"type":"client-id","id":"m"}));
    let join = json!({"type":"join-room","payload":{"roomId":"abc-defg-hij"}});
    assert_eq!(said(&effects), [join]);
}

#[test]
fn s3_03_s3_17_s3_18_who_creates_a_room_by_name_is_inside_it_and_sees_its_name() {
    let mut scene = Scene::new(RoomChoice::Create {
        name: "Monday talk".into(),
        private: false,
    });
    let effects = scene.says(json!({"type":"client-id","id":"m"}));
    let create = json!({"type":"create-room","payload":{"name":"Monday talk"}});
    assert_eq!(said(&effects), [create]);
    let room = json!({"id":"r","name":"Monday talk","createdAt":"2026-01-22T10:30:00Z",
        "host":"m","maxParticipants":4,"participants":["m"]});
    scene.says(json!({"type":"room-created","room":room}));
    let view = scene.state.view();
    assert_eq!(view.phase, CallPhase::Inside);
    let shown = view.room.unwrap();
    assert_eq!(
        (shown.id.as_str(), shown.name.as_str()),
        ("r", "Monday talk")
    );
    assert_eq!(view.participants.len(), 1);
}

#[test]
fn s3_20_s3_41_who_joins_sees_all_who_are_inside_and_negotiates_with_each() {
    let (scene, effects) = inside_plain(&["a", "z"]);
    assert_eq!(others(&scene), ["a", "z"]);
    assert_eq!(scene.offers_to(&effects), ["a", "z"]);
}

#[test]
fn s2_22_s3_15_s3_21_s3_23_who_comes_and_goes_is_shown_without_a_request() {
    let (mut scene, _) = inside_plain(&["a"]);
    let effects = joined(&mut scene, "b", &["a", "m", "b"]);
    assert_eq!(others(&scene), ["a", "b"]);
    let joined_event =
        |effect: &Effect| matches!(effect, Effect::Emit(CallEvent::MemberJoined { .. }));
    assert!(effects.iter().any(joined_event), "{effects:?}");
    let link = scene.link("b");
    let effects = left(&mut scene, "b", &["a", "m"]);
    assert_eq!(others(&scene), ["a"]);
    let closed = |effect: &Effect| matches!(effect, Effect::Close(gone) if *gone == link);
    assert!(effects.iter().any(closed), "{effects:?}");
    assert!(said(&effects).is_empty(), "nothing had to be asked");
    // A member of whom the client does not know leaves: nothing changes.
    left(&mut scene, "stranger", &["a", "m"]);
    assert_eq!(others(&scene), ["a"]);
}

#[test]
fn s3_16_a_third_connects_to_two_who_are_connected_already() {
    let (mut scene, _) = inside_plain(&["a"]);
    connect(&mut scene, "a");
    let effects = joined(&mut scene, "b", &["a", "m", "b"]);
    let spawned = |effect: &&Effect| matches!(effect, Effect::Spawn { .. });
    assert_eq!(effects.iter().filter(spawned).count(), 1);
    let before = scene.link("a");
    let accepted = scene.says(json!({"type":"offer","from":"b","payload":offer()}));
    let for_b = scene.link("b");
    assert!(accepted.iter().any(|effect| matches!(
        effect,
        Effect::Peer(link, PeerCommand::AcceptOffer { .. }) if *link == for_b
    )));
    assert_eq!(scene.link("a"), before, "the first connection stays");
}

#[test]
fn s3_26_s3_28_s3_29_offer_answer_and_candidates_name_their_room_and_their_target() {
    let (mut scene, _) = inside_plain(&["a"]);
    let effects = scene.peer("a", PeerEvent::LocalDescription(offer()));
    let relayed = said(&effects).remove(0);
    assert_eq!(relayed["type"], "offer");
    assert_eq!(
        (&relayed["roomId"], &relayed["to"]),
        (&json!("r"), &json!("a"))
    );
    assert_eq!(relayed["payload"]["sdp"], "v=0");

    let candidate = visavis_protocol::IceCandidate {
        candidate: "candidate:1 1 udp 1 192.0.2.1 9 typ host".into(),
        ..Default::default()
    };
    let effects = scene.peer("a", PeerEvent::LocalCandidate(candidate));
    let relayed = said(&effects).remove(0);
    assert_eq!(relayed["type"], "ice-candidate");
    assert_eq!(
        (&relayed["roomId"], &relayed["to"]),
        (&json!("r"), &json!("a"))
    );

    joined(&mut scene, "n", &["a", "m", "n"]);
    scene.says(json!({"type":"offer","from":"n","payload":offer()}));
    let answer = Description::new(DescriptionKind::Answer, "v=0".into());
    let effects = scene.peer("n", PeerEvent::LocalDescription(answer));
    let relayed = said(&effects).remove(0);
    assert_eq!(relayed["type"], "answer");
    assert_eq!(
        (&relayed["roomId"], &relayed["to"]),
        (&json!("r"), &json!("n"))
    );
}

#[test]
fn s3_30_s3_31_chat_goes_up_with_its_room_and_is_shown_once_though_it_comes_back() {
    let (mut scene, _) = inside_plain(&["a"]);
    let effects = scene.put(Input::Command(CallCommand::SendChat("hello".into())));
    let up = said(&effects).remove(0);
    assert_eq!((&up["type"], &up["roomId"]), (&json!("chat"), &json!("r")));
    assert_eq!(up["payload"]["text"], "hello");
    for (from, text) in [("m", "hello"), ("a", "hi")] {
        scene.says(json!({"type":"chat","roomId":"r","from":from,"payload":{"text":text}}));
    }
    let chat = scene.state.view().chat;
    let shown: Vec<_> = chat.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(shown, ["hello", "hi"]);
}

#[test]
fn s2_64_s3_22_leaving_is_sent_to_the_server_and_closes_every_connection() {
    let (mut scene, _) = inside_plain(&["a", "b"]);
    let effects = scene.put(Input::Command(CallCommand::Leave));
    assert_eq!(said(&effects)[0]["type"], "leave-room");
    let closed = |effect: &&Effect| matches!(effect, Effect::Close(_));
    assert_eq!(effects.iter().filter(closed).count(), 2);
    assert!(scene.put(Input::SignallingClosed).is_empty());
}

#[test]
fn s0_19_a_room_that_closes_twice_ends_the_call_once() {
    let (mut scene, _) = inside_plain(&["a"]);
    let close = json!({"type":"room-closed","roomId":"r","reason":"ended-by-host"});
    let ended = |effects: &[Effect]| {
        let emitted = effects
            .iter()
            .filter(|effect| matches!(effect, Effect::Emit(CallEvent::Ended(_))));
        emitted.count()
    };
    assert_eq!(ended(&scene.says(close.clone())), 1);
    let reason = scene.state.ended().cloned();
    let again = json!({"type":"room-closed","roomId":"r","reason":"deleted"});
    for repeated in [close, again] {
        assert!(scene.says(repeated).is_empty());
    }
    assert_eq!(scene.state.ended().cloned(), reason);
}
