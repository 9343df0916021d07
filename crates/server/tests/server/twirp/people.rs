//! Those who are inside.

use serde_json::{Value, json};

use super::{done, refused};
use crate::support::{Client, server};

#[tokio::test]
async fn participants_are_listed_found_changed_and_removed() {
    let server = server().await;
    let address = server.local_addr();
    let mut a = Client::connect(address).await;
    let mut b = Client::connect(address).await;
    let room = a
        .create(json!({"name": "Tea", "features": ["members", "controls"]}))
        .await;
    a.say(
        json!({"type": "update-member", "payload": {"name": "Ann", "tracks": [
        {"source": "microphone", "muted": false}, {"source": "camera", "muted": false}]}}),
    )
    .await;
    let told = a.until("member-updated").await;
    let microphone = told["member"]["tracks"][0]["sid"].clone();
    b.join_with(&room, json!(["members"])).await;
    let listed = done(address, "ListParticipants", json!({"room": room})).await;
    let listed = listed["participants"].as_array().unwrap().clone();
    assert_eq!(listed.len(), 2);
    assert_eq!(
        (&listed[0]["identity"], &listed[0]["name"]),
        (&json!(a.id), &json!("Ann"))
    );
    assert_eq!(listed[0]["tracks"][0]["sid"], microphone);

    let ann = json!({"room": room, "identity": a.id});
    assert_eq!(
        done(address, "GetParticipant", ann.clone()).await,
        listed[0]
    );
    let ann_id = a.id.clone();
    let mute = |sid: &Value, muted: bool| json!({"room": room, "identity": ann_id, "trackSid": sid, "muted": muted});
    let muted = done(address, "MutePublishedTrack", mute(&microphone, true)).await;
    assert_eq!(
        (&muted["track"]["sid"], &muted["track"]["muted"]),
        (&microphone, &json!(true))
    );
    let heard = a.until("mute-member").await;
    assert_eq!(
        (&heard["payload"]["source"], &heard["from"]),
        (&json!("microphone"), &Value::Null)
    );
    let unmuted = mute(&microphone, false);
    refused(
        address,
        "MutePublishedTrack",
        unmuted,
        (412, "failed_precondition"),
    )
    .await;
    let strange = mute(&json!("TR_strange"), true);
    refused(address, "MutePublishedTrack", strange, (404, "not_found")).await;

    let permission =
        json!({"canSubscribe": true, "canPublish": true, "canPublishSources": ["MICROPHONE"]});
    let change = json!({"room": room, "identity": a.id, "name": "Anna", "metadata": "m", "permission": permission});
    let changed = done(address, "UpdateParticipant", change).await;
    assert_eq!(
        (&changed["name"], &changed["metadata"]),
        (&json!("Anna"), &json!("m"))
    );
    assert_eq!(changed["tracks"].as_array().unwrap().len(), 1, "{changed}");
    let told = b.until("member-updated").await;
    assert_eq!(told["member"]["name"], "Anna");
    assert_eq!(
        told["member"]["grants"]["canPublishSources"],
        json!(["microphone"])
    );
    assert_eq!(told["member"]["tracks"].as_array().unwrap().len(), 1);
    assert_eq!(done(address, "GetParticipant", ann.clone()).await, changed);

    done(address, "RemoveParticipant", ann.clone()).await;
    let removed = a.until("member-removed").await;
    assert_eq!(removed["reason"], "removed-by-administrator");
    assert_eq!(b.until("member-left").await["memberId"], a.id);
    refused(address, "RemoveParticipant", ann, (404, "not_found")).await;
    assert_eq!(a.join(&room).await["type"], "room-joined");
}

#[tokio::test]
async fn a_participant_without_publish_permission_is_a_viewer_until_it_is_granted_again() {
    let server = server().await;
    let address = server.local_addr();
    let mut a = Client::connect(address).await;
    let mut b = Client::connect(address).await;
    let room = a
        .create(json!({"name": "Tea", "features": ["members"]}))
        .await;
    b.join_with(&room, json!(["members"])).await;
    a.expect("member-joined").await;
    for (may, role) in [(false, "viewer"), (true, "participant")] {
        let permission = json!({"canSubscribe": true, "canPublish": may});
        let change = json!({"room": room, "identity": b.id, "permission": permission});
        done(address, "UpdateParticipant", change).await;
        let member = a.expect("member-updated").await["member"].take();
        assert_eq!(
            (&member["role"], &member["grants"]["canPublish"]),
            (&json!(role), &json!(may))
        );
        b.expect("member-updated").await;
        let tracks = json!({"tracks": [{"source": "camera", "muted": false}]});
        b.say(json!({"type": "update-member", "payload": tracks}))
            .await;
        match may {
            false => drop(b.refused("forbidden").await),
            true => drop(b.expect("member-updated").await),
        }
    }
}

#[tokio::test]
async fn data_reaches_its_destinations_as_chat_from_the_server() {
    let server = server().await;
    let address = server.local_addr();
    let mut plain = Client::connect(address).await;
    let mut rich = Client::connect(address).await;
    let room = plain.create(json!({"name": "Tea"})).await;
    rich.join_with(&room, json!(["chat"])).await;
    plain.expect("member-joined").await;
    let nobody = "00000000-0000-0000-0000-000000000000";
    // "Hello"
    done(
        address,
        "SendData",
        json!({"room": room, "data": "SGVsbG8="}),
    )
    .await;
    assert_eq!(
        plain.hear().await,
        json!({"type": "chat", "roomId": room, "from": nobody, "payload": {"text": "Hello"}})
    );
    let heard = rich.expect("chat").await;
    assert!(heard["id"].is_string() && heard["sentAt"].is_string());
    // {"message":"Hi"}, LiveKit's chat
    let request = json!({"room": room, "data": "eyJtZXNzYWdlIjoiSGkifQ==", "topic": "lk-chat-topic",
        "destinationIdentities": [rich.id, "somebody else"]});
    done(address, "SendData", request).await;
    let heard = rich.expect("chat").await;
    assert_eq!(
        (&heard["payload"], &heard["to"]),
        (&json!({"text": "Hi"}), &json!(rich.id))
    );
    // {"text":"Ho","x":1}
    let object = json!({"room": room, "data": "eyJ0ZXh0IjoiSG8iLCJ4IjoxfQ==", "topic": "chat"});
    done(address, "SendData", object).await;
    assert_eq!(plain.hear().await["payload"], json!({"text": "Ho", "x": 1}));
    assert_eq!(rich.expect("chat").await["payload"]["x"], 1);
    for (request, wanted) in [
        (
            json!({"room": room, "data": "SGVsbG8=", "topic": "cursor"}),
            (501, "unimplemented"),
        ),
        (
            json!({"room": room, "data": "/w=="}),
            (501, "unimplemented"),
        ),
        (json!({"room": "no-such"}), (404, "not_found")),
    ] {
        refused(address, "SendData", request, wanted).await;
    }
    let mut late = Client::connect(address).await;
    let joined = late.join_with(&room, json!(["chat"])).await;
    let chat = joined["room"]["chat"].as_array().unwrap();
    assert_eq!(chat.len(), 2, "{joined}");
}

#[tokio::test]
async fn removal_and_mute_reach_every_session_of_an_identity() {
    let server = super::guarded().await;
    let address = server.local_addr();
    let grant = livekit_api::access_token::VideoGrants {
        room: "tea".to_owned(),
        room_join: true,
        room_admin: true,
        room_create: true,
        ..Default::default()
    };
    let token = super::token(grant);
    let call = async |method: &str, request: Value| {
        let (status, answer) = super::call(address, Some(&token), method, request).await;
        assert_eq!(status, 200, "{method}: {answer}");
        answer
    };
    call("CreateRoom", json!({"name": "tea"})).await;
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(address).await;
        client
            .say(json!({"type": "join-room", "payload": {
                "roomId": "tea", "token": token, "features": ["members", "controls"]}}))
            .await;
        let joined = client.until("room-joined").await;
        let room = joined["room"]["id"].clone();
        client
            .say(json!({"type": "update-member", "roomId": room, "payload": {
                "tracks": [{"source": "microphone", "muted": false}]}}))
            .await;
        client.until("member-updated").await;
        clients.push(client);
    }
    let listed = call("ListParticipants", json!({"room": "tea"})).await;
    let sid = &listed["participants"][0]["tracks"][0]["sid"];
    let first = json!({"room": "tea", "identity": "operator", "trackSid": sid, "muted": true});
    call("MutePublishedTrack", first).await;
    for client in &mut clients {
        let heard = client.until("mute-member").await;
        assert_eq!(heard["payload"]["source"], "microphone");
    }
    let operator = json!({"room": "tea", "identity": "operator"});
    call("RemoveParticipant", operator).await;
    for client in &mut clients {
        client.until("member-removed").await;
    }
}
