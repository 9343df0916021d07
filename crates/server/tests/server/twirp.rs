//! LiveKit's admin API: who may call what, in both writings, and what comes of
//! nonsense. That the stock SDKs work with it is shown in `tests/service`.

use std::net::SocketAddr;
use std::time::Duration;

use livekit_api::access_token::{AccessToken, VideoGrants};
use livekit_protocol::{CreateRoomRequest, Room};
use proptest::prelude::*;
use prost::Message;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use visavis_server::{AuthMode, Keys, Server, ServerConfig};

use crate::support::{Client, KEY, LIMIT, SECRET, http, server, wait_for_room};

async fn guarded() -> Server {
    let config = ServerConfig {
        auth: AuthMode::Jwt,
        keys: Keys::new(KEY, SECRET),
        ..ServerConfig::default()
    };
    Server::bind(config).await.unwrap()
}

fn token(video: VideoGrants) -> String {
    signed(SECRET, 60, video)
}

fn signed(secret: &str, seconds: u64, video: VideoGrants) -> String {
    AccessToken::with_api_key(KEY, secret)
        .with_identity("operator")
        .with_ttl(Duration::from_secs(seconds))
        .with_grants(video)
        .to_jwt()
        .unwrap()
}

fn creator() -> VideoGrants {
    VideoGrants {
        room_create: true,
        ..VideoGrants::default()
    }
}

fn lister() -> VideoGrants {
    VideoGrants {
        room_list: true,
        ..VideoGrants::default()
    }
}

fn admin(room: &str) -> VideoGrants {
    VideoGrants {
        room_admin: true,
        room: room.to_owned(),
        ..VideoGrants::default()
    }
}

/// Calls a method in JSON; the status and the answer.
async fn call(
    address: SocketAddr,
    token: Option<&str>,
    method: &str,
    request: Value,
) -> (u16, Value) {
    let bearer = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
    let head = format!(
        "Content-Type: application/json\r\n{}",
        bearer.unwrap_or_default()
    );
    let path = format!("/twirp/livekit.RoomService/{method}");
    let (status, _, body) = http(address, "POST", &path, &head, &request.to_string()).await;
    (status, serde_json::from_str(&body).unwrap())
}

/// The same, by one who needs no token, and well answered.
async fn done(address: SocketAddr, method: &str, request: Value) -> Value {
    let (status, answer) = call(address, None, method, request).await;
    assert_eq!(status, 200, "{method}: {answer}");
    answer
}

/// The same, refused with this code.
async fn refused(address: SocketAddr, method: &str, request: Value, wanted: (u16, &str)) {
    let (status, answer) = call(address, None, method, request).await;
    assert_eq!(
        (status, answer["code"].as_str().unwrap()),
        wanted,
        "{method}: {answer}"
    );
    assert!(answer["msg"].is_string(), "{answer}");
}

/// Sends bytes in protobuf; the status and the answer's bytes.
async fn call_protobuf(address: SocketAddr, method: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let head = format!(
        "POST /twirp/livekit.RoomService/{method} HTTP/1.1\r\nHost: {address}\r\n\
         Connection: close\r\nContent-Type: application/protobuf\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // One who is told early that this is too much need not read the rest.
    let _ = stream.write_all(body).await;
    let mut answer = Vec::new();
    let read = timeout(LIMIT, stream.read_to_end(&mut answer)).await;
    read.expect("answered in time").unwrap();
    let status = str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    (status, answer.split_off(end.unwrap() + 4))
}

#[tokio::test]
async fn a_room_is_made_once_under_its_name_joined_listed_and_deleted() {
    let server = server().await;
    let address = server.local_addr();
    let request =
        json!({"name": "tea-time", "emptyTimeout": 60, "maxParticipants": 2, "metadata": "green"});
    let made = done(address, "CreateRoom", request.clone()).await;
    assert_eq!(made["name"], "tea-time");
    assert_eq!(
        (&made["emptyTimeout"], &made["departureTimeout"]),
        (&json!(60), &json!(20))
    );
    assert_eq!(
        (&made["maxParticipants"], &made["metadata"]),
        (&json!(2), &json!("green"))
    );
    assert_eq!(done(address, "CreateRoom", request).await, made);
    let more = json!({"name": "tea-time", "maxParticipants": 3});
    let changed = done(address, "CreateRoom", more).await;
    assert_eq!(
        (&changed["maxParticipants"], &changed["metadata"]),
        (&json!(3), &json!("green"))
    );

    let listed = done(
        address,
        "ListRooms",
        json!({"names": ["tea-time", "no-such"]}),
    )
    .await;
    assert_eq!(listed["rooms"], json!([changed]));
    let mut a = Client::connect(address).await;
    assert_eq!(a.join("tea-time").await["type"], "room-joined");
    // A room that nobody has entered, and nobody made here, does not live yet.
    http(address, "POST", "/rooms", "", "").await;
    let listed = done(address, "ListRooms", json!({})).await;
    assert_eq!(listed["rooms"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["rooms"][0]["numParticipants"], 1);
    assert!(
        listed["rooms"][0]["sid"]
            .as_str()
            .unwrap()
            .starts_with("RM_")
    );

    let told = json!({"room": "tea-time", "metadata": "black"});
    let told = done(address, "UpdateRoomMetadata", told).await;
    assert_eq!(told["metadata"], "black");
    done(address, "DeleteRoom", json!({"room": "tea-time"})).await;
    a.hear().await;
    assert_eq!(a.join("tea-time").await["code"], "room-not-found");
    let gone = json!({"room": "tea-time"});
    refused(address, "DeleteRoom", gone, (404, "not_found")).await;
    // Its name is free.
    let again = done(address, "CreateRoom", json!({"name": "tea-time"})).await;
    assert_eq!(again["emptyTimeout"], 300);
    assert_eq!(a.join("tea-time").await["type"], "room-joined");
}

#[tokio::test]
async fn those_inside_are_listed_found_changed_and_put_out() {
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
async fn one_who_may_send_nothing_any_more_is_a_viewer_until_it_may_again() {
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
async fn data_reaches_those_it_is_for_as_chat_from_nobody_inside() {
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
async fn protobuf_is_answered_in_protobuf_and_errors_in_json() {
    let server = server().await;
    let address = server.local_addr();
    let request = CreateRoomRequest {
        name: "tee".to_owned(),
        metadata: "ü".to_owned(),
        ..CreateRoomRequest::default()
    };
    let (status, body) = call_protobuf(address, "CreateRoom", &request.encode_to_vec()).await;
    assert_eq!(status, 200);
    let room = Room::decode(body.as_slice()).unwrap();
    assert_eq!((room.name.as_str(), room.metadata.as_str()), ("tee", "ü"));
    assert_ne!(room.creation_time, 0);
    for (body, code) in [
        (b"\xff\xff\xff".to_vec(), "malformed"),
        (vec![b'x'; 2 * 1024 * 1024], "malformed"),
        (Vec::new(), "invalid_argument"),
    ] {
        let (status, answer) = call_protobuf(address, "CreateRoom", &body).await;
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!((status, answer["code"].as_str()), (400, Some(code)));
    }
}

#[tokio::test]
async fn what_is_no_call_and_no_request_is_said_in_twirps_words() {
    let server = server().await;
    let address = server.local_addr();
    let kind = "Content-Type: application/json\r\n";
    let service = "/twirp/livekit.RoomService";
    for (method, path, head, body, status, code) in [
        (
            "GET",
            format!("{service}/ListRooms"),
            kind,
            "{}",
            404,
            "bad_route",
        ),
        (
            "POST",
            format!("{service}/Brew"),
            kind,
            "{}",
            404,
            "bad_route",
        ),
        (
            "POST",
            "/twirp/livekit.Egress/ListEgress".to_owned(),
            kind,
            "{}",
            404,
            "bad_route",
        ),
        (
            "POST",
            format!("{service}/ListRooms"),
            "",
            "{}",
            404,
            "bad_route",
        ),
        (
            "POST",
            format!("{service}/ListRooms"),
            kind,
            "",
            400,
            "malformed",
        ),
        (
            "POST",
            format!("{service}/ListRooms"),
            kind,
            "[]x",
            400,
            "malformed",
        ),
        (
            "POST",
            format!("{service}/ListRooms"),
            kind,
            r#"{"names":7}"#,
            400,
            "malformed",
        ),
        (
            "POST",
            format!("{service}/MoveParticipant"),
            kind,
            "{}",
            501,
            "unimplemented",
        ),
    ] {
        let (got, head, answer) = http(address, method, &path, head, body).await;
        assert_eq!(got, status, "{path}: {answer}");
        assert!(head.contains("content-type: application/json"), "{head}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["code"], code, "{path} {body}");
    }
    let (status, _, _) = http(
        address,
        "POST",
        &format!("{service}/ListRooms/"),
        kind,
        "{}",
    )
    .await;
    assert_eq!(status, 200, "with a last slash");

    let long = "x".repeat(65 * 1024);
    for (request, wanted) in [
        (json!({"name": ""}), (400, "invalid_argument")),
        (json!({"name": " tea"}), (400, "invalid_argument")),
        (json!({"name": "a\nb"}), (400, "invalid_argument")),
        (json!({"name": "x".repeat(101)}), (400, "invalid_argument")),
        (
            json!({"name": "2c1ad52f-6d4e-4a0e-8d29-3f5c1d1b2a11"}),
            (400, "invalid_argument"),
        ),
        (
            json!({"name": "tea", "metadata": long}),
            (400, "invalid_argument"),
        ),
        (
            json!({"name": "tea", "roomPreset": "p"}),
            (400, "invalid_argument"),
        ),
        (json!({"name": "tea", "egress": {}}), (501, "unimplemented")),
        (
            json!({"name": "tea", "agents": [{"agentName": "a"}]}),
            (501, "unimplemented"),
        ),
    ] {
        refused(address, "CreateRoom", request, wanted).await;
    }
    let listed = done(address, "ListRooms", json!({})).await;
    assert_eq!(listed.get("rooms"), None, "none was made");
}

#[tokio::test]
async fn a_room_that_is_over_and_remembered_keeps_its_name_until_it_is_deleted() {
    let server = server().await;
    let address = server.local_addr();
    done(address, "CreateRoom", json!({"name": "tea"})).await;
    let mut a = Client::connect(address).await;
    a.join_with("tea", json!(["controls"])).await;
    a.until("room-updated").await;
    a.say(json!({"type": "end-room", "roomId": "tea"})).await;
    a.until("room-closed").await;
    let again = json!({"name": "tea"});
    refused(
        address,
        "CreateRoom",
        again.clone(),
        (409, "already_exists"),
    )
    .await;
    let people = json!({"room": "tea"});
    refused(address, "ListParticipants", people, (404, "not_found")).await;
    done(address, "DeleteRoom", json!({"room": "tea"})).await;
    done(address, "CreateRoom", again).await;
}

#[tokio::test]
async fn a_token_does_what_it_grants_and_nothing_else() {
    let server = guarded().await;
    let address = server.local_addr();
    let create = json!({"name": "tea"});
    let people = json!({"room": "tea"});
    let (status, _) = call(
        address,
        Some(&token(creator())),
        "CreateRoom",
        create.clone(),
    )
    .await;
    assert_eq!(status, 200);
    for (token, method, request, status) in [
        (token(lister()), "CreateRoom", create.clone(), 403),
        (token(admin("tea")), "CreateRoom", create.clone(), 403),
        (token(creator()), "ListRooms", json!({}), 403),
        (token(admin("tea")), "ListRooms", json!({}), 403),
        (token(lister()), "ListRooms", json!({}), 200),
        (token(lister()), "ListParticipants", people.clone(), 403),
        (
            token(admin("coffee")),
            "ListParticipants",
            people.clone(),
            403,
        ),
        (
            token(admin("coffee")),
            "UpdateRoomMetadata",
            people.clone(),
            403,
        ),
        (
            token(admin("tea")),
            "ListParticipants",
            json!({"room": "coffee"}),
            403,
        ),
        (
            token(admin("coffee")),
            "ListParticipants",
            json!({"room": "coffee"}),
            404,
        ),
        (token(admin("tea")), "ListParticipants", people.clone(), 200),
        (token(admin("tea")), "DeleteRoom", people.clone(), 403),
        (
            token(lister()),
            "DeleteRoom",
            json!({"room": "coffee"}),
            403,
        ),
        (
            token(creator()),
            "DeleteRoom",
            json!({"room": "coffee"}),
            404,
        ),
        (token(creator()), "DeleteRoom", people.clone(), 200),
    ] {
        let (got, answer) = call(address, Some(&token), method, request).await;
        assert_eq!(got, status, "{method}: {answer}");
        if status == 403 {
            assert_eq!(answer["code"], "permission_denied");
        }
    }
}

#[tokio::test]
async fn a_token_that_proves_nothing_is_nobodys() {
    let server = guarded().await;
    let address = server.local_addr();
    let good = token(lister());
    let (head, rest) = good.split_once('.').unwrap();
    let (claims, _) = rest.split_once('.').unwrap();
    // {"alg":"none","typ":"JWT"}
    let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{claims}.");
    let forged = signed("another-secret-of-32-characters-or-so", 60, lister());
    let other_key = AccessToken::with_api_key("other", SECRET)
        .with_grants(lister())
        .to_jwt()
        .unwrap();
    for token in [
        None,
        Some(""),
        Some("x.y.z"),
        Some(none.as_str()),
        Some(&format!("{head}.{claims}.")),
        Some(forged.as_str()),
        Some(other_key.as_str()),
    ] {
        let (status, answer) = call(address, token, "ListRooms", json!({})).await;
        assert_eq!(status, 401, "{token:?}: {answer}");
        assert_eq!(answer["code"], "unauthenticated");
    }
    assert_eq!(
        call(address, Some(&good), "ListRooms", json!({})).await.0,
        200
    );
}

#[tokio::test]
async fn an_expired_token_is_nobodys() {
    let server = Server::bind(ServerConfig {
        auth: AuthMode::Jwt,
        keys: Keys::new(KEY, SECRET),
        manual_clock: true,
        ..ServerConfig::default()
    });
    let server = server.await.unwrap();
    let address = server.local_addr();
    let token = token(lister());
    assert_eq!(
        call(address, Some(&token), "ListRooms", json!({})).await.0,
        200
    );
    let kind = "Content-Type: application/json\r\n";
    http(
        address,
        "POST",
        "/debug/clock/advance",
        kind,
        r#"{"seconds":200}"#,
    )
    .await;
    let (status, answer) = call(address, Some(&token), "ListRooms", json!({})).await;
    assert_eq!(
        (status, answer["code"].as_str()),
        (401, Some("unauthenticated"))
    );
}

#[tokio::test]
async fn a_join_token_is_validated_in_the_header_alone() {
    let server = guarded().await;
    let address = server.local_addr();
    let joiner = token(VideoGrants {
        room_join: true,
        room: "tea".to_owned(),
        ..VideoGrants::default()
    });
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    for (path, head, status) in [
        ("/rtc/validate".to_owned(), bearer(&joiner), 200),
        ("/rtc/validate/".to_owned(), bearer(&joiner), 200),
        ("/rtc/validate".to_owned(), bearer(&token(lister())), 401),
        ("/rtc/validate".to_owned(), bearer("x"), 401),
        ("/rtc/validate".to_owned(), String::new(), 401),
        (
            format!("/rtc/validate?access_token={joiner}"),
            String::new(),
            401,
        ),
    ] {
        let (got, _, body) = http(address, "GET", &path, &head, "").await;
        assert_eq!(got, status, "{path}: {body}");
        assert!(got != 200 || body == "success", "{body}");
    }
}

/// Every method with whatever it is sent is answered, and never by an error of ours.
#[test]
fn whatever_is_sent_is_answered_and_the_server_lives_on() {
    const METHODS: [&str; 10] = [
        "CreateRoom",
        "ListRooms",
        "DeleteRoom",
        "ListParticipants",
        "GetParticipant",
        "RemoveParticipant",
        "MutePublishedTrack",
        "UpdateParticipant",
        "SendData",
        "UpdateRoomMetadata",
    ];
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(server());
    let address = server.local_addr();
    let field = (
        0_u8..16,
        0_u8..6,
        proptest::collection::vec(any::<u8>(), 0..12),
    );
    let message = proptest::collection::vec(field, 0..5).prop_map(|fields| {
        let mut bytes = Vec::new();
        for (number, kind, value) in fields {
            bytes.push(number << 3 | kind);
            if kind == 2 {
                bytes.push(u8::try_from(value.len()).unwrap());
            }
            bytes.extend(value);
        }
        bytes
    });
    let config = ProptestConfig::with_cases(200);
    proptest!(config, |(method in 0..METHODS.len(), body in message)| {
        let call = call_protobuf(address, METHODS[method], &body);
        let (status, _) = runtime.block_on(call);
        prop_assert!(matches!(status, 200 | 400 | 404 | 409 | 412 | 501), "{status}");
    });
    let watched = runtime.block_on(async {
        let room = Client::connect(address)
            .await
            .create(json!({"name": "Tea"}))
            .await;
        wait_for_room(address, &room, |info| info["type"] == "room-info").await
    });
    assert_eq!(watched["room"]["name"], "Tea");
}
