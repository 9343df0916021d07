//! What the room answers, to the letter, and up to which limits.

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use visavis_protocol::limits::{MAX_CHAT_ID_BYTES, MAX_REACTION_BYTES, MAX_REPORTED_PEERS};
use visavis_protocol::{ClientMessage, Features, Grants, IceServer};

use super::tests::{Scene, all_features, client, control, entry, error_code, sent, told};
use super::*;
use crate::ice::ClientIceServers;

/// A room with its host, who knows everything, and one who knows nothing.
fn two() -> (Scene, [Sender; 2]) {
    let mut scene = Scene::new(0);
    let both = [1, 2].map(client);
    for (who, features) in both.into_iter().zip([all_features(), Features::default()]) {
        scene.join(who, features);
    }
    (scene, both)
}

#[test]
fn only_the_host_is_shown_as_host() {
    let mut scene = Scene::new(0);
    scene.join(client(1), all_features());
    let sent = sent(&scene.join(client(2), all_features()));
    let members = sent[0].1["room"]["members"].as_array().unwrap();
    let roles: Vec<_> = members.iter().map(|member| &member["role"]).collect();
    assert_eq!(roles, ["host", "participant"]);
    let joined = sent
        .iter()
        .find(|(_, told)| told["type"] == "member-joined");
    assert_eq!(joined.unwrap().1["member"], members[1]);
}

#[test]
fn the_maker_of_a_room_is_told_that_it_is_made() {
    let mut scene = Scene::new(0);
    let entry = Entry {
        creator: true,
        ..entry(SocketId(1))
    };
    let room = scene.state.room.clone();
    let who = Participant::someone(client(1).id);
    let effects = scene.state.enter(entry, who, room);
    let (to, created) = &sent(&effects)[0];
    assert_eq!((*to, &created["type"]), (1, &json!("room-created")));
    assert_eq!(created["room"]["host"], client(1).id.to_string());
}

#[test]
fn ice_servers_are_for_who_asked_for_anything_and_where_there_are_any() {
    let (mut scene, both) = two();
    let some = vec![IceServer {
        urls: vec!["stun:127.0.0.1".to_owned()],
        username: None,
        credential: None,
    }];
    let mut given = |who: Sender, servers| {
        let mut entry = Entry {
            ice_servers: ClientIceServers {
                servers,
                expiry: None,
            },
            ..entry(who.socket)
        };
        let answer = scene.state.rejoin(who.id, &mut entry).unwrap();
        sent(&answer)[0].1.get("iceServers").is_some()
    };
    assert!(given(both[0], some.clone()));
    assert!(!given(both[0], Vec::new()));
    assert!(!given(both[1], some));
}

#[test]
fn a_chat_message_has_its_particulars_for_who_asked_for_them() {
    let (mut scene, [one, two]) = two();
    let text = format!(
        r#"{{"type":"chat","id":"m","to":"{}","payload":1}}"#,
        two.id
    );
    let said = sent(&scene.say(one, &text));
    let rich = &said[0].1;
    assert_eq!(
        (&rich["id"], &rich["name"]),
        (&json!("m"), &json!("member 1"))
    );
    assert_eq!(rich["to"], two.id.to_string());
    assert_eq!(rich["sentAt"], scene.now.utc.rfc3339_millis());
    let plain: Vec<_> = said[1].1.as_object().unwrap().keys().collect();
    assert_eq!(plain, ["from", "payload", "roomId", "type"]);
}

#[test]
fn a_chat_message_that_is_not_stored_is_refused_to_its_sender() {
    let (mut scene, [one, _]) = two();
    let (envelope, message) = ClientMessage::read(r#"{"type":"chat","payload":1}"#).unwrap();
    let ClientMessage::Chat(chat) = message else {
        panic!("{message:?}");
    };
    let rng = &mut StdRng::seed_from_u64(0);
    let mut effects =
        scene
            .state
            .handle_request(scene.now, rng, one, envelope, MemberRequest::Chat(chat));
    let Some(Effect::SaveChat(chat)) = effects.pop() else {
        panic!("{effects:?}");
    };
    let lost = scene.state.chat_lost(chat, Refusal::server_busy());
    assert_eq!(
        (sent(&lost)[0].0, error_code(&lost)),
        (1, "server-busy".into())
    );
}

#[test]
fn a_chat_id_of_ones_own_is_neither_empty_nor_too_long() {
    let (mut scene, [one, _]) = two();
    let longest = "x".repeat(MAX_CHAT_ID_BYTES);
    let longer = format!("{longest}x");
    for (id, kept) in [("", false), (&longest, true), (&longer, false)] {
        let text = json!({"type": "chat", "id": id, "payload": 1}).to_string();
        assert_eq!(sent(&scene.say(one, &text))[0].1["id"] == id, kept, "{id}");
    }
}

#[test]
fn a_reaction_is_a_small_object() {
    let (mut scene, [one, _]) = two();
    let of = |bytes: usize| json!({"e": "x".repeat(bytes - r#"{"e":""}"#.len())});
    let mut say = |payload: Value| {
        let text = json!({"type": "reaction", "payload": payload}).to_string();
        sent(&scene.say(one, &text))[0].1.clone()
    };
    assert_eq!(say(of(MAX_REACTION_BYTES))["type"], "reaction");
    assert_eq!(say(of(MAX_REACTION_BYTES + 1))["code"], "bad-message");
    assert_eq!(say(json!([]))["code"], "bad-message");
}

#[test]
fn a_report_is_of_so_many_peers_and_no_more() {
    let (mut scene, [one, _]) = two();
    let report = |peers| {
        let peers = vec![json!({"id": "x", "connected": true}); peers];
        json!({"type": "report-quality", "payload": {"peers": peers}}).to_string()
    };
    let stored = scene.say(one, &report(MAX_REPORTED_PEERS));
    assert!(matches!(stored[..], [Effect::Save { .. }]), "{stored:?}");
    let refused = scene.say(one, &report(MAX_REPORTED_PEERS + 1));
    assert_eq!(error_code(&refused), "bad-message");
}

#[test]
fn who_may_send_no_data_neither_chats_nor_reacts() {
    let (mut scene, [one, _]) = two();
    scene.state.members[0].who.grants.can_publish_data = Some(false);
    for kind in ["chat", "reaction"] {
        let text = json!({"type": kind, "payload": {}}).to_string();
        assert_eq!(error_code(&scene.say(one, &text)), "forbidden", "{kind}");
    }
}

#[test]
fn what_stays_on_this_node_is_not_published() {
    let (mut scene, [one, two]) = two();
    let offer = format!(r#"{{"type":"offer","to":"{}","payload":{{}}}}"#, two.id);
    let effects = scene.say(one, &offer);
    assert!(matches!(effects[..], [Effect::Send { .. }]), "{effects:?}");
}

#[test]
fn only_who_asked_for_controls_is_asked_to_mute_itself() {
    let (mut scene, [one, two]) = two();
    for (who, asked) in [(one, true), (two, false)] {
        let text = json!({"type": "mute-member", "to": who.id, "payload": {"source": "camera"}});
        let effects = scene.say(one, &text.to_string());
        assert_eq!(told(&effects, "mute-member") == [who.socket.0], asked);
    }
}

#[test]
fn one_who_is_put_out_is_told_in_words_it_knows() {
    let (mut scene, [one, two]) = two();
    let effects = scene.say(one, &control("remove-member", two));
    let (_, told) = sent(&effects).into_iter().find(|(to, _)| *to == 2).unwrap();
    assert_eq!(
        (&told["code"], &told["roomId"]),
        (&json!("not-in-room"), &json!("abc-defg-hij"))
    );
}

#[test]
fn the_end_is_told_to_everyone_in_words_it_knows() {
    let (mut scene, _) = two();
    scene.change(|room| room.max_participants = 2);
    scene.check_entry(client(3), all_features()).unwrap();
    let over = (Refusal::room_ended(), ClosedReason::TimeOver);
    let effects = scene.state.end(over.0, over.1);
    assert_eq!(told(&effects, "room-closed"), [1]);
    assert_eq!(told(&effects, "error"), [2, 3]);
    for (to, message) in sent(&effects) {
        assert_eq!(message["roomId"], "abc-defg-hij", "{to}");
    }
    assert!(scene.state.is_idle() && scene.state.members.is_empty());
}

#[test]
fn an_older_room_does_not_replace_a_newer_one() {
    let (mut scene, _) = two();
    let old = scene.state.room.clone();
    assert_eq!(
        told(&scene.change(|room| room.locked = true), "room-updated"),
        [1]
    );
    assert!(scene.state.changed(old).is_empty());
    assert!(scene.state.room.locked);
}

#[test]
fn a_message_of_nobody_inside_is_for_all_or_for_one() {
    let (mut scene, [_, two]) = two();
    let rng = &mut StdRng::seed_from_u64(0);
    for (to, heard) in [(None, vec![1, 2]), (Some(two.id), vec![2])] {
        let payload = serde_json::value::to_raw_value("x").unwrap();
        let entry = scene.state.server_message(scene.now, rng, payload, to);
        let effects = scene.state.server_message_saved(entry, to);
        assert_eq!(told(&effects, "chat"), heard);
        assert_eq!(sent(&effects)[0].1["from"], Uuid::nil().to_string());
    }
}

#[test]
fn a_viewer_who_is_made_host_may_speak_and_others_keep_what_they_may() {
    let (mut scene, [one, two]) = two();
    let silent = Grants {
        can_publish: false,
        ..Grants::default()
    };
    let alone = Grants {
        can_subscribe: false,
        ..Grants::default()
    };
    let members = &mut scene.state.members;
    (members[0].who.grants, members[1].who.grants) = (alone.clone(), silent);
    members[1].who.role = Role::Viewer;
    scene.say(one, &control("transfer-host", two));
    let members = &scene.state.members;
    assert_eq!(members[0].who.grants, alone);
    assert_eq!(members[1].who.grants, Grants::default());
}

#[test]
fn a_host_who_hands_on_to_itself_stays_what_it_is() {
    let (mut scene, [one, _]) = two();
    let effects = scene.say(one, &control("transfer-host", one));
    assert!(effects.is_empty());
    assert_eq!(scene.state.members[0].who.role, Role::Participant);
    assert_eq!(scene.state.host, Some(one.id));
}

#[test]
fn what_a_member_says_of_itself_is_stored_and_shown_to_who_asked() {
    let (mut scene, [_, two]) = two();
    let update = json!({"type": "update-member", "payload": {"name": "Bo", "handRaised": true}});
    let effects = scene.say(two, &update.to_string());
    assert_eq!(told(&effects, "member-updated"), [1]);
    let shown = &sent(&effects)[0].1["member"];
    assert_eq!(
        (&shown["name"], &shown["handRaised"]),
        (&json!("Bo"), &json!(true))
    );
    let saved = |effect: &Effect| matches!(effect, Effect::Save { who, .. } if who.name == "Bo");
    assert!(effects.iter().any(saved));
}
